"""The whole program: a real token, a real broker, a real header clock, settings as a person writes them."""

import asyncio

import msgspec
import pytest
from nacl.signing import SigningKey, VerifyKey
from pydantic import ValidationError

from agent.settings import SignerSettings
from agent.signer.keystore import HsmKeys, Pin, Token
from agent.signer_app import SignerApp
from shared.bitcoin.psbt.psbt import Psbt, PsbtOutput
from shared.bitcoin.sighash import Sighasher
from shared.bitcoin.signature import public_key_of, verify_ecdsa
from shared.bitcoin.transaction import Transaction, TxIn, TxOut
from shared.crypto.keys import key_id, load_or_create
from shared.crypto.signing import seal, unseal
from shared.mqtt import Endpoint, Message, MqttSession, MqttSettings, Subscription
from shared.wire.codec import decode, encode
from shared.wire.contract import Party, SpendingPath, contract_id
from shared.wire.signing import (
    BoxReport,
    Packet,
    RegisterContract,
    RegistrationAnswer,
    SigningAnswer,
    SigningRequest,
    domain,
)
from shared.wire.topics import down, up
from tests.agent.signer.scene import (
    OPERATOR,
    OWNERS,
    SUPPLIER,
    approvals,
    coin,
    policy,
    proposal,
    public,
    sealed_policy,
    terms,
)
from tests.softhsm import PIN, SoftHsm

pytestmark = pytest.mark.broker

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
OTHER = public_key_of(b"\x0c" * 32).hex()


@pytest.fixture
def hsm(tmp_path):
    with SoftHsm(tmp_path / "hsm") as running:
        yield running


class Controller:
    """Speaks to one box over the broker."""

    def __init__(self, broker, box_key: VerifyKey) -> None:
        self._box = {key_id(box_key): box_key}
        self._loop = asyncio.get_running_loop()
        self.heard: asyncio.Queue[Packet] = asyncio.Queue()
        self._session = MqttSession(
            MqttSettings(host=broker.host, port=broker.port),
            Endpoint("controller", subscriptions=(Subscription(up("tx1", "box-1", "signature")),)),
            self._received,
        )
        self._session.start()

    def _received(self, message: Message) -> None:
        self._loop.call_soon_threadsafe(self.heard.put_nowait, decode(message.payload, Packet))

    async def ask(self, kind: str, message: msgspec.Struct, answer_kind: str, answer: type):
        """Asked again until it is answered, as a controller does."""
        packet = encode(Packet(1, kind, seal(domain(kind), message, [OPERATOR])))
        async with asyncio.timeout(30):
            while True:
                self._session.publish(down("tx1", "box-1", "signing"), packet)
                try:
                    async with asyncio.timeout(2):
                        while (heard := await self.heard.get()).kind != answer_kind:
                            continue
                except TimeoutError:
                    continue
                return unseal(domain(answer_kind), heard.sealed, self._box, answer)[0]

    async def close(self) -> None:
        await asyncio.to_thread(self._session.stop)


def settings_of(tmp_path, broker, place, hsm_key) -> SignerSettings:
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    signing = {
        "network": "regtest",
        "owners": [public(owner).hex() for owner in OWNERS],
        "owners_needed": 2,
        "checkpoint_height": 0,
        "checkpoint_hash": GENESIS,
        "token": {"module": place.module, "label": place.label, "serial": place.serial, "pin": str(pin)},
        "keys": [{"id": hsm_key.key_id, "public_key": hsm_key.public_key.hex()}],
        "headers_behind_s": 1e10,
    }
    return SignerSettings(
        site="tx1",
        node="box-1",
        state_directory=tmp_path / "state",
        operators=(public(OPERATOR).hex(),),
        mqtt={"host": broker.host, "port": broker.port},
        signing=signing,
    )


async def test_a_token_signs_over_the_broker_what_policy_allows(tmp_path, hsm, broker):
    place = hsm.add_token()
    with Token(place, Pin(PIN)) as token:
        hsm_key = HsmKeys(token).generate("a1", "box-1")
    hsm.forget()
    descriptor = f"wsh(multi(2,{hsm_key.public_key.hex()},{OTHER}))"
    contract = terms(
        descriptor,
        parties=(
            Party("a", "box-1", hsm_key.public_key.hex(), "signer"),
            Party("b", "box-2", OTHER, "signer"),
        ),
        paths=(SpendingPath("normal", "signer", ("a", "b"), 2),),
        birth_height=0,
    )
    settings = settings_of(tmp_path, broker, place, hsm_key)
    settings.state_directory.mkdir(mode=0o700)
    box_key = load_or_create(settings.state_directory / "node.key").verify_key
    app = asyncio.create_task(SignerApp(settings).run())
    controller = Controller(broker, box_key)
    try:
        subject = contract_id(contract)
        document = policy(subject, cooling_blocks=0)
        order = RegisterContract(
            request_id="register-1", site="tx1", node="box-1", terms=contract, policy=sealed_policy(document)
        )
        registered = await controller.ask("register", order, "registered", RegistrationAnswer)
        assert (registered.rule, registered.detail) == ("", "")
        psbt = payment_back_to_start(descriptor)
        request = SigningRequest(
            request_id="request-1",
            site="tx1",
            node="box-1",
            contract_id=subject,
            policy_version=1,
            path="normal",
            psbt=psbt.raw,
            proposal=proposal(subject, psbt, 100_000),
            approvals=approvals(subject, psbt, 100_000),
            expires_at_ms=4_000_000_000_000,
            expires_at_height=100,
        )
        answer = await controller.ask("request", request, "answer", SigningAnswer)
        assert (answer.outcome, answer.detail) == ("signed", "")
        signature = Psbt.parse(answer.psbt).inputs[0].partial_signatures[hsm_key.public_key]
        spent = psbt.inputs[0].spent
        digest = Sighasher(psbt.tx, [spent]).segwit_v0(0, psbt.inputs[0].witness_script)
        assert verify_ecdsa(hsm_key.public_key, digest, signature[:-1])
        thief = SigningKey.generate()
        forged = encode(Packet(1, "request", seal(domain("request"), request, [thief])))
        controller._session.publish(down("tx1", "box-1", "signing"), forged)
        assert await controller.ask("request", request, "answer", SigningAnswer) == answer
    finally:
        await controller.close()
        app.cancel()
        await asyncio.gather(app, return_exceptions=True)


async def test_a_box_whose_pin_is_wrong_says_so_and_does_not_start_again_and_again(tmp_path, hsm, broker):
    """Each start of the unit would show the wrong PIN once more, until the token locks."""
    place = hsm.add_token()
    with Token(place, Pin(PIN)) as token:
        hsm_key = HsmKeys(token).generate("a1", "box-1")
    hsm.forget()
    settings = settings_of(tmp_path, broker, place, hsm_key)
    (tmp_path / "pin").write_text("111111")
    settings.state_directory.mkdir(mode=0o700)
    box_key = load_or_create(settings.state_directory / "node.key").verify_key
    controller = Controller(broker, box_key)
    app = asyncio.create_task(SignerApp(settings).run())
    try:
        async with asyncio.timeout(30):
            while (heard := await controller.heard.get()).kind != "report":
                continue
        report = unseal(domain("report"), heard.sealed, controller._box, BoxReport)[0]
        assert (report.stopped, report.public_keys) == ("token.pin", (hsm_key.public_key,))
        assert not app.done()
    finally:
        await controller.close()
        app.cancel()
        await asyncio.gather(app, return_exceptions=True)


def payment_back_to_start(descriptor: str) -> Psbt:
    """Static keys have one script: change goes where the coin came from."""
    one = coin(descriptor)
    script = one.previous.outputs[0].script
    outputs = (TxOut(100_000, SUPPLIER), TxOut(398_000, script))
    tx = Transaction(2, (TxIn(one.outpoint, sequence=0xFFFFFFFD),), outputs, 0)
    return Psbt(version=0, tx=tx, inputs=(one.as_input,), outputs=(PsbtOutput(), PsbtOutput()))


def test_more_owners_needed_than_named_is_a_clear_error(tmp_path):
    with pytest.raises(ValidationError, match="fewer keys than the 2"):
        SignerSettings(
            site="tx1",
            node="box-1",
            state_directory=tmp_path,
            operators=(),
            signing={
                "network": "regtest",
                "owners": ["00" * 32],
                "owners_needed": 2,
                "checkpoint_height": 0,
                "checkpoint_hash": GENESIS,
                "token": {"module": "m", "label": "l", "serial": "s"},
            },
        )
