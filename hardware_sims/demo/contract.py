"""A contract as the people of the demo bring it about: drafted, sealed by its owners, taken by every box, funded."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hardware_sims.chain.purse import Purse
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.disproved import require
from hardware_sims.demo.payment import WAIT_S, text
from hardware_sims.demo.treasury import APPROVERS, OWNERS, PROPOSER, RECOVERERS, Box, Node, People
from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import Transaction, TxOut
from shared.crypto.signing import seal
from shared.wire.codec import decode
from shared.wire.contract import POLICY_DOMAIN, SpendingPolicy

BTC = 100_000_000
SIGNERS = ("Houston", "Reykjavik", "Container 7")
"""What the contracts call the boxes."""
PAYEES = ("landlord", "power supplier", "safe")
_FEE_SAT = 10_000
_MATURE = 102


class Company(Protocol):
    """Whose contract it is: boxes and people, and a purse that pays in by their node."""

    node: Node
    boxes: tuple[Box, ...]
    people: People
    purse: Purse


def boxes_follow(api: JsonClient, company: Company) -> None:
    """The purse has two rewards to spend, and every box has told its keys and knows these blocks."""
    company.node.mine(_MATURE, company.purse)

    def looked() -> bool | None:
        state = api.get("/treasury")
        here = [box for box in state["boxes"] if box["height"] is not None and box["height"] >= _MATURE]
        return (len(here) == len(company.boxes) and state["height"] is not None) or None

    wait_for("all boxes have told their keys and follow the chain", looked, WAIT_S)


def registered(
    api: JsonClient,
    company: Company,
    name: str,
    template: dict[str, Any],
    box_keys: Sequence[str],
    **otherwise: object,
) -> dict[str, Any]:
    """The contract's view once every box has it. Keys are hex, those of the boxes in their order; `otherwise` are
    fields of the agreement that differ from the demo's.
    """
    form = {
        "template": template | {"signers": SIGNERS, "recovery": "Rosa"},
        "agreement": _agreement(company, name, box_keys) | otherwise,
        "boxes": [box.box_id for box in company.boxes],
    }
    drafted = api.post("/contracts", form)
    contract_id: str = drafted["summary"]["contract_id"]
    policy = decode(base64.b64decode(drafted["pending"]["to_sign"]), SpendingPolicy)
    for owner in OWNERS:
        sealed = seal(POLICY_DOMAIN, policy, [company.people.key(owner)])
        api.post(f"/contracts/{contract_id}/approvals", {"sealed": text(sealed)})
    return contract_when(api, contract_id, lambda view: view["summary"]["phase"] == "registered")


def funded(api: JsonClient, company: Company, contract_id: str, amount_sat: int, reward: int, *, coins: int = 1) -> str:
    """Its address, which holds coins of that amount, six blocks deep; the reward of the block of that height pays."""
    address: str = api.get(f"/contracts/{contract_id}/address")["address"]
    _pay(company, [TxOut(amount_sat, script_of(address, Network.REGTEST))] * coins, reward)
    company.node.mine(6, company.purse)
    contract = contract_when(api, contract_id, lambda view: view["summary"]["phase"] == "active")
    balance_sat = contract["summary"]["balance_sat"]
    require(balance_sat == coins * amount_sat, f"it holds {balance_sat} sat")
    return address


def contract_when(api: JsonClient, contract_id: str, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def looked() -> dict[str, Any] | None:
        view: dict[str, Any] = api.get(f"/contracts/{contract_id}")
        return view if so(view) else None

    return wait_for("the contract gets on", looked, WAIT_S)


def payee(company: Company, name: str) -> str:
    """The address of somebody who is paid; the same at every call."""
    secret = company.people.key(f"payee-{name.replace(' ', '-')}").encode()
    found = address_of(p2wpkh(public_key_of(secret)), Network.REGTEST)
    assert found is not None
    return found


def _agreement(company: Company, name: str, box_keys: Sequence[str]) -> dict[str, Any]:
    people = company.people
    signers = [
        {"name": signer, "person": box.name, "key": key, "role": "signer"}
        for signer, box, key in zip(SIGNERS, company.boxes, box_keys, strict=True)
    ]
    rosa = {"name": "Rosa", "person": "Rosa", "key": people.recovery_key, "role": "recovery"}
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
        "allow_list": [{"name": name, "address": payee(company, name), "added_at_height": 0} for name in PAYEES],
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


def _pay(company: Company, outputs: Sequence[TxOut], reward: int) -> None:
    block = company.node.call("getblock", company.node.call("getblockhash", reward), 2)
    (coin, *_) = company.purse.coins_in(Transaction.parse(bytes.fromhex(block["tx"][0]["hex"])))
    change_sat = coin.amount_sat - sum(output.amount_sat for output in outputs) - _FEE_SAT
    paid = company.purse.paid([coin], [*outputs, TxOut(change_sat, company.purse.script)])
    company.node.call("sendrawtransaction", paid.raw.hex())
