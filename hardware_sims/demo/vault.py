"""The treasury's part of the story: a vault, a payout, attacks that are refused, and a recovery rehearsed."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hardware_sims.chain.purse import PurseCoin
from hardware_sims.demo.client import JsonClient, wait_for
from hardware_sims.demo.disproved import require
from hardware_sims.demo.forger import forged_answer
from hardware_sims.demo.offline import signed_offline
from hardware_sims.demo.payment import (
    WAIT_S,
    approved,
    asked_for,
    document_of,
    proposal_when,
    proposed,
    proposers_word,
    text,
)
from hardware_sims.demo.treasury import APPROVERS, OWNERS, PROPOSER, RECOVERERS, Treasury
from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import OutPoint, Transaction, TxOut
from shared.crypto.keys import load_or_create
from shared.crypto.signing import seal
from shared.errors import GatewayRefused
from shared.wire.codec import decode
from shared.wire.contract import APPROVAL_DOMAIN, POLICY_DOMAIN, SpendingPolicy

BTC = 100_000_000
RECOVERY_BLOCKS = 30
FUNDED_SAT = 5 * BTC
PAID_SAT = {"landlord": BTC, "power supplier": 3 * BTC // 2}
SIGNER_NAMES = ("Houston", "Reykjavik", "Container 7")
SIGNERS = "signers"
RECOVERY = f"recovery after {RECOVERY_BLOCKS}"
_FEE_SAT = 10_000
Told = Callable[[JsonClient, Treasury], str]


def steps() -> Iterator[tuple[str, Told]]:
    yield "vault registered", registered
    yield "vault funded", funded
    yield "payout by two boxes", paid
    yield "attacks refused", attacked
    yield "recovery rehearsed", recovered


def registered(api: JsonClient, treasury: Treasury) -> str:
    """Drafted by a treasurer, signed by two owners, taken by every box."""
    treasury.node.mine(101, treasury.purse)

    def boxes_here() -> dict[str, Any] | None:
        state: dict[str, Any] = api.get("/treasury")
        here = [box for box in state["boxes"] if box["height"] is not None and box["height"] >= 101]
        return state if len(here) == len(treasury.boxes) and state["height"] is not None else None

    wait_for("all boxes have told their keys and follow the chain", boxes_here, WAIT_S)
    drafted = api.post("/contracts", _form(treasury))
    treasury.contract_id = drafted["summary"]["contract_id"]
    policy = decode(base64.b64decode(drafted["pending"]["to_sign"]), SpendingPolicy)
    for owner in OWNERS:
        sealed = seal(POLICY_DOMAIN, policy, [treasury.people.key(owner)])
        api.post(f"/contracts/{treasury.contract_id}/approvals", {"sealed": text(sealed)})
    contract = _contract_when(api, treasury, lambda view: view["summary"]["phase"] == "registered")
    return f"{len(contract['paths'])} ways to spend: " + " / ".join(path["sentence"] for path in contract["paths"])


def funded(api: JsonClient, treasury: Treasury) -> str:
    """Coins come to its address, and six blocks make it active."""
    address = api.get(f"/contracts/{treasury.contract_id}/address")["address"]
    _pay(treasury, [TxOut(FUNDED_SAT, script_of(address, Network.REGTEST))])
    treasury.node.mine(6, treasury.purse)
    contract = _contract_when(api, treasury, lambda view: view["summary"]["phase"] == "active")
    require(contract["summary"]["balance_sat"] == FUNDED_SAT, f"it holds {contract['summary']['balance_sat']} sat")
    return f"{FUNDED_SAT / BTC:g} BTC at {address[:20]}…"


def paid(api: JsonClient, treasury: Treasury) -> str:
    """Two people approve, two boxes sign, the consensus engine judges, the chain confirms to depth."""
    payments = [
        {"address": _address(treasury, name), "amount_sat": sat, "name": name} for name, sat in PAID_SAT.items()
    ]
    proposal = proposed(api, treasury, SIGNERS, payments, "rent and power of November")
    approved(api, treasury, proposal, APPROVERS)
    sent = proposal_when(api, proposal["proposal_id"], {"broadcast", "confirmed"})
    treasury.node.mine(1, treasury.purse)
    proposal_when(api, proposal["proposal_id"], {"confirmed"})
    treasury.node.mine(5, treasury.purse)
    buried = proposal_when(api, proposal["proposal_id"], {"buried"})
    real = Transaction.parse(bytes.fromhex(treasury.node.call("getrawtransaction", sent["txid"], 0)))
    require(real.txid == buried["txid"], "the chain holds another transaction")
    off_wu = buried["weight_wu"] - real.weight_wu
    require(0 <= off_wu <= 2 * 2, f"predicted {buried['weight_wu']} wu, it weighs {real.weight_wu}")
    paid_btc = sum(PAID_SAT.values()) / BTC
    return f"{paid_btc:g} BTC for {buried['fee_sat']} sat, {real.weight_wu} wu ({off_wu} less than told)"


def attacked(api: JsonClient, treasury: Treasury) -> str:
    """A payment to a stranger: refused by the door's rules, and by a box that is asked behind their back."""
    stranger = address_of(p2wpkh(public_key_of(b"\x07" * 32)), Network.REGTEST)
    payment = {"address": stranger, "amount_sat": BTC // 10, "name": ""}
    proposal = proposed(api, treasury, SIGNERS, [payment], "an invoice that nobody knows")
    approvals = approved(api, treasury, proposal, APPROVERS)
    refused = proposal_when(api, proposal["proposal_id"], {"refused"})
    box = treasury.boxes[0]
    answer = forged_answer(treasury, box, refused, proposers_word(treasury, proposal), approvals, SIGNERS)
    require(answer.outcome == "refused", f"{box.name} answered {answer.outcome}")
    require(answer.rule == "output.unlisted", f"{box.name} refused by {answer.rule}")
    return (
        f"the controller: {refused['rule']}; {box.name}, asked with the controller's own key: {answer.rule}; "
        f"what only the controller proposed, in {PROPOSER}'s name: {_proposed_in_anothers_name(api, treasury)}"
    )


def _proposed_in_anothers_name(api: JsonClient, treasury: Treasury) -> str:
    """The rule by which a box refuses a good payment, approved by two, that nobody but the controller proposed."""
    payment = {"address": _address(treasury, "landlord"), "amount_sat": BTC // 10, "name": "landlord"}
    proposal = asked_for(api, treasury, SIGNERS, [payment], "its proposer knows nothing of it")
    document = document_of(proposal["to_seal"][PROPOSER])
    forged = seal(APPROVAL_DOMAIN, document, [load_or_create(treasury.operator_key)])
    approval = msgspec.structs.replace(document, role="approver")
    approvals = [seal(APPROVAL_DOMAIN, approval, [treasury.people.key(name)]) for name in APPROVERS]
    box = treasury.boxes[1]
    answer = forged_answer(treasury, box, proposal, forged, approvals, SIGNERS)
    require(answer.rule == "proposal.unknown-proposer", f"{box.name} {answer.outcome}: {answer.rule}")
    api.post(f"/proposals/{proposal['proposal_id']}/cancel", {"reason": "nobody proposed it"})
    return answer.rule


def recovered(api: JsonClient, treasury: Treasury) -> str:
    """All boxes are lost: Rosa's offline key moves what is left, not a block before its time."""
    contract = api.get(f"/contracts/{treasury.contract_id}")
    left_sat = contract["summary"]["balance_sat"]
    payment = {"address": _address(treasury, "safe"), "amount_sat": left_sat - _FEE_SAT, "name": "safe"}
    coins = [[coin["txid"], coin["vout"]] for coin in contract["coins"]]
    wish = {"path": RECOVERY, "payments": [payment], "reason": "rehearsal", "coins": coins, "fee_rate_sat_vb": 5}
    try:
        api.post(f"/contracts/{treasury.contract_id}/proposals", wish)
    except GatewayRefused as refusal:
        early = "coins.immature" in str(refusal)
    else:
        early = False
    require(early, "the recovery path was open too early")
    treasury.node.mine(RECOVERY_BLOCKS, treasury.purse)
    proposal = proposed(api, treasury, RECOVERY, [payment], "rehearsal of a recovery")
    approved(api, treasury, proposal, RECOVERERS)
    proposal_when(api, proposal["proposal_id"], {"signing", "cleared"})
    signed = signed_offline(base64.b64decode(proposal["psbt"]), treasury.people.recovery_secret())
    path = f"/proposals/{proposal['proposal_id']}/signatures"
    api.post(path, {"party": "Rosa", "psbt": text(signed)})
    proposal_when(api, proposal["proposal_id"], {"broadcast"})
    treasury.node.mine(6, treasury.purse)
    proposal_when(api, proposal["proposal_id"], {"buried"})
    return f"refused before {RECOVERY_BLOCKS} blocks, then {left_sat / BTC:.4f} BTC moved by Rosa's key alone"


def _form(treasury: Treasury) -> dict[str, Any]:
    people, boxes = treasury.people, treasury.boxes
    signers = [
        {"name": name, "person": box.name, "key": box.token_key, "role": "signer"}
        for name, box in zip(SIGNER_NAMES, boxes, strict=True)
    ]
    rosa = {"name": "Rosa", "person": "Rosa", "key": people.recovery_key, "role": "recovery"}
    approvers = [
        {"name": name, "person": name, "role": role, "public_key": text(people.key(name).verify_key.encode())}
        for names, role in ((APPROVERS, "approver"), (RECOVERERS, "recovery"), ((PROPOSER,), "proposer"))
        for name in names
    ]
    listed = [{"name": name, "address": _address(treasury, name), "added_at_height": 0} for name in (*PAID_SAT, "safe")]
    return {
        "template": {
            "type": "treasury-vault",
            "signers": SIGNER_NAMES,
            "needed": 2,
            "recovery": "Rosa",
            "recovery_after_blocks": RECOVERY_BLOCKS,
        },
        "agreement": {
            "network": "regtest",
            "name": "Demo vault",
            "epoch": 1,
            "birth_height": 0,
            "parties": [*signers, rosa],
            "owners": [text(people.key(owner).verify_key.encode()) for owner in OWNERS],
            "owners_needed": 2,
            "approvers": approvers,
            "approvals_needed": 2,
            "allow_list": listed,
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
        },
        "boxes": [box.box_id for box in boxes],
    }


def _address(treasury: Treasury, name: str) -> str:
    """Of somebody who is paid; the same at every call."""
    secret = treasury.people.key(f"payee-{name.replace(' ', '-')}").encode()
    found = address_of(p2wpkh(public_key_of(secret)), Network.REGTEST)
    assert found is not None
    return found


def _pay(treasury: Treasury, outputs: list[TxOut]) -> None:
    """From the first mature block reward."""
    block = treasury.node.call("getblock", treasury.node.call("getblockhash", 1), 2)
    reward = Transaction.parse(bytes.fromhex(block["tx"][0]["hex"]))
    coin = PurseCoin(OutPoint(reward.txid, 0), reward.outputs[0].amount_sat)
    change = TxOut(coin.amount_sat - sum(output.amount_sat for output in outputs) - _FEE_SAT, treasury.purse.script)
    treasury.node.call("sendrawtransaction", treasury.purse.paid([coin], [*outputs, change]).raw.hex())


def _contract_when(api: JsonClient, treasury: Treasury, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def looked() -> dict[str, Any] | None:
        view: dict[str, Any] = api.get(f"/contracts/{treasury.contract_id}")
        return view if so(view) else None

    return wait_for("the vault gets on", looked, WAIT_S)
