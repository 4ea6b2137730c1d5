"""A controller that was taken over: it asks a signing box behind the back of all its own rules."""

import base64
import queue
import secrets
import time
from typing import Any

from nacl.signing import VerifyKey
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from hardware_sims.demo.scene import SITE
from hardware_sims.demo.treasury import Box, Treasury
from shared.crypto.keys import key_id, load_or_create
from shared.crypto.signing import seal, unseal
from shared.errors import GatewayUnavailable, WireError
from shared.wire.codec import decode, encode
from shared.wire.signing import Packet, SigningAnswer, SigningRequest, domain
from shared.wire.topics import down, up
from shared.wire.version import WIRE_VERSION

WITHIN_S = 30.0


def forged_answer(
    treasury: Treasury, box: Box, proposal: dict[str, Any], proposed: bytes, approvals: list[bytes], path: str
) -> SigningAnswer:
    """What the box says to a request with the controller's own seal for a proposal that its rules refused.

    `proposed` is what went as the proposer's document.
    """
    request_id = f"forged-{secrets.token_hex(8)}"
    operator = load_or_create(treasury.operator_key)
    request = SigningRequest(
        request_id=request_id,
        site=SITE,
        node=box.name,
        contract_id=proposal["contract_id"],
        policy_version=1,
        path=path,
        psbt=base64.b64decode(proposal["psbt"]),
        proposal=proposed,
        approvals=tuple(approvals),
        expires_at_ms=round(time.time() * 1000) + 60_000,
        expires_at_height=proposal["expiry_height"],
    )
    packet = encode(Packet(WIRE_VERSION, "request", seal(domain("request"), request, [operator])))
    return _asked(treasury.broker_port, box, packet, request_id)


def _asked(broker_port: int, box: Box, packet: bytes, request_id: str) -> SigningAnswer:
    heard: queue.Queue[bytes] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _userdata, message: heard.put(bytes(message.payload))
    client.connect("127.0.0.1", broker_port)
    client.subscribe(up(SITE, box.name, "signature"), qos=1)
    client.loop_start()
    try:
        client.publish(down(SITE, box.name, "signing"), packet, qos=1).wait_for_publish(WITHIN_S)
        return _answer(heard, box, request_id)
    finally:
        client.disconnect()
        client.loop_stop()


def _answer(heard: "queue.Queue[bytes]", box: Box, request_id: str) -> SigningAnswer:
    key = VerifyKey(bytes.fromhex(box.public_key))
    until_s = time.monotonic() + WITHIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            packet = decode(heard.get(timeout=left_s), Packet)
            if packet.kind == "answer":
                answer, _ = unseal(domain("answer"), packet.sealed, {key_id(key): key}, SigningAnswer)
                if answer.request_id == request_id:
                    return answer
        except (queue.Empty, WireError):
            continue
    raise GatewayUnavailable(f"{box.name} did not answer within {WITHIN_S:.0f} s")
