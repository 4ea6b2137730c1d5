"""A contract as the people of the demo bring it about: drafted, sealed by its owners, taken by every box, funded."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from hardware_sims.chain.purse import PurseCoin
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.disproved import require
from hardware_sims.demo.payment import WAIT_S, text
from hardware_sims.demo.treasury import APPROVERS, OWNERS, PROPOSER, RECOVERERS, Treasury
from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.crypto.signing import seal
from shared.wire.codec import decode
from shared.wire.contract import POLICY_DOMAIN, SpendingPolicy

BTC = 100_000_000
SIGNERS = ("Houston", "Reykjavik", "Container 7")
"""What the contracts call the boxes."""
PAYEES = ("landlord", "power supplier", "safe")
_FEE_SAT = 10_000


def registered(
    api: JsonClient, treasury: Treasury, name: str, template: dict[str, Any], box_keys: Sequence[str], recovery_key: str
) -> dict[str, Any]:
    """The contract's view once every box has it. Keys are hex, those of the boxes in their order."""
    form = {
        "template": template | {"signers": SIGNERS, "recovery": "Rosa"},
        "agreement": _agreement(treasury, name, box_keys, recovery_key),
        "boxes": [box.box_id for box in treasury.boxes],
    }
    drafted = api.post("/contracts", form)
    contract_id: str = drafted["summary"]["contract_id"]
    policy = decode(base64.b64decode(drafted["pending"]["to_sign"]), SpendingPolicy)
    for owner in OWNERS:
        sealed = seal(POLICY_DOMAIN, policy, [treasury.people.key(owner)])
        api.post(f"/contracts/{contract_id}/approvals", {"sealed": text(sealed)})
    return contract_when(api, contract_id, lambda view: view["summary"]["phase"] == "registered")


def funded(api: JsonClient, treasury: Treasury, contract_id: str, amount_sat: int, reward: int) -> str:
    """Its address, which holds the amount under six blocks; paid from the reward of the block of that height."""
    address: str = api.get(f"/contracts/{contract_id}/address")["address"]
    _pay(treasury, TxOut(amount_sat, script_of(address, Network.REGTEST)), reward)
    treasury.node.mine(6, treasury.purse)
    contract = contract_when(api, contract_id, lambda view: view["summary"]["phase"] == "active")
    require(contract["summary"]["balance_sat"] == amount_sat, f"it holds {contract['summary']['balance_sat']} sat")
    return address


def contract_when(api: JsonClient, contract_id: str, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def looked() -> dict[str, Any] | None:
        view: dict[str, Any] = api.get(f"/contracts/{contract_id}")
        return view if so(view) else None

    return wait_for("the contract gets on", looked, WAIT_S)


def payee(treasury: Treasury, name: str) -> str:
    """The address of somebody who is paid; the same at every call."""
    secret = treasury.people.key(f"payee-{name.replace(' ', '-')}").encode()
    found = address_of(p2wpkh(public_key_of(secret)), Network.REGTEST)
    assert found is not None
    return found


def _agreement(treasury: Treasury, name: str, box_keys: Sequence[str], recovery_key: str) -> dict[str, Any]:
    people = treasury.people
    signers = [
        {"name": signer, "person": box.name, "key": key, "role": "signer"}
        for signer, box, key in zip(SIGNERS, treasury.boxes, box_keys, strict=True)
    ]
    rosa = {"name": "Rosa", "person": "Rosa", "key": recovery_key, "role": "recovery"}
    approvers = [
        {"name": name, "person": name, "role": role, "public_key": text(people.key(name).verify_key.encode())}
        for names, role in ((APPROVERS, "approver"), (RECOVERERS, "recovery"), ((PROPOSER,), "proposer"))
        for name in names
    ]
    return {
        "network": "regtest",
        "name": name,
        "epoch": 1,
        "birth_height": 0,
        "parties": [*signers, rosa],
        "owners": [text(people.key(owner).verify_key.encode()) for owner in OWNERS],
        "owners_needed": len(OWNERS),
        "approvers": approvers,
        "approvals_needed": len(APPROVERS),
        "allow_list": [{"name": name, "address": payee(treasury, name), "added_at_height": 0} for name in PAYEES],
        "cooling_blocks": 1,
        "limits": {
            "per_tx_sat": 10 * BTC,
            "window_sat": 20 * BTC,
            "window_blocks": 144,
            "lifetime_sat": 100 * BTC,
            "fee_sat": 100_000,
            "fee_rate_sat_vb": 200,
            "weight_wu": 100_000,
        },
        "recovery_role_people": list(RECOVERERS),
    }


def _pay(treasury: Treasury, output: TxOut, reward: int) -> None:
    block = treasury.node.call("getblock", treasury.node.call("getblockhash", reward), 2)
    coinbase = Transaction.parse(bytes.fromhex(block["tx"][0]["hex"]))
    coin = PurseCoin(OutPoint(coinbase.txid, 0), coinbase.outputs[0].amount_sat)
    change = TxOut(coin.amount_sat - output.amount_sat - _FEE_SAT, treasury.purse.script)
    treasury.node.call("sendrawtransaction", treasury.purse.paid([coin], [output, change]).raw.hex())
