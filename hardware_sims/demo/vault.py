"""A vault of the treasury: two of three boxes pay, attacks are refused, and a recovery is rehearsed."""

import base64

import msgspec

from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.contract import BTC, boxes_follow, funded, payee, registered
from hardware_sims.demo.disproved import require
from hardware_sims.demo.forger import forged_answer
from hardware_sims.demo.offline import signed_offline
from hardware_sims.demo.payment import (
    approved,
    asked_for,
    document_of,
    proposal_when,
    proposed,
    proposers_word,
    text,
)
from hardware_sims.demo.treasury import APPROVERS, PROPOSER, RECOVERERS, Treasury
from shared.bitcoin.address import address_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import Transaction
from shared.crypto.keys import load_or_create
from shared.crypto.signing import seal
from shared.errors import GatewayRefused
from shared.wire.contract import APPROVAL_DOMAIN

RECOVERY_BLOCKS = 30
FUNDED_SAT = 5 * BTC
PAID_SAT = {"landlord": BTC, "power supplier": 3 * BTC // 2}
PATH = "signers"
RECOVERY = f"recovery after {RECOVERY_BLOCKS}"
_FEE_SAT = 10_000
_TEMPLATE = {"type": "treasury-vault", "needed": 2, "recovery_after_blocks": RECOVERY_BLOCKS}


def vault_registered(api: JsonClient, treasury: Treasury) -> str:
    """Drafted by a treasurer, signed by two owners, taken by every box."""
    boxes_follow(api, treasury)
    keys = [box.token_key for box in treasury.boxes]
    vault = registered(api, treasury, "Demo vault", _TEMPLATE, keys)
    treasury.vault_id = vault["summary"]["contract_id"]
    return f"{len(vault['paths'])} ways to spend: " + " / ".join(path["sentence"] for path in vault["paths"])


def vault_funded(api: JsonClient, treasury: Treasury) -> str:
    """Coins come to its address, and six blocks make it active."""
    address = funded(api, treasury, treasury.vault_id, FUNDED_SAT, reward=1)
    return f"{FUNDED_SAT / BTC:g} BTC at {address[:20]}…"


def paid(api: JsonClient, treasury: Treasury) -> str:
    """Two people approve, two boxes sign, the consensus engine judges, the chain confirms to depth."""
    payments = [{"address": payee(treasury, name), "amount_sat": sat, "name": name} for name, sat in PAID_SAT.items()]
    proposal = proposed(api, treasury, treasury.vault_id, PATH, payments, "rent and power of November")
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
    proposal = proposed(api, treasury, treasury.vault_id, PATH, [payment], "an invoice that nobody knows")
    approvals = approved(api, treasury, proposal, APPROVERS)
    refused = proposal_when(api, proposal["proposal_id"], {"refused"})
    box = treasury.boxes[0]
    answer = forged_answer(treasury, box, refused, proposers_word(treasury, proposal), approvals, PATH)
    require(answer.outcome == "refused", f"{box.name} answered {answer.outcome}")
    require(answer.rule == "output.unlisted", f"{box.name} refused by {answer.rule}")
    return (
        f"the controller: {refused['rule']}; {box.name}, asked with the controller's own key: {answer.rule}; "
        f"what only the controller proposed, in {PROPOSER}'s name: {_proposed_in_anothers_name(api, treasury)}"
    )


def _proposed_in_anothers_name(api: JsonClient, treasury: Treasury) -> str:
    """The rule by which a box refuses a good payment, approved by two, that nobody but the controller proposed."""
    payment = {"address": payee(treasury, "landlord"), "amount_sat": BTC // 10, "name": "landlord"}
    proposal = asked_for(api, treasury.vault_id, PATH, [payment], "its proposer knows nothing of it")
    document = document_of(proposal["to_seal"][PROPOSER])
    forged = seal(APPROVAL_DOMAIN, document, [load_or_create(treasury.operator_key)])
    approval = msgspec.structs.replace(document, role="approver")
    approvals = [seal(APPROVAL_DOMAIN, approval, [treasury.people.key(name)]) for name in APPROVERS]
    box = treasury.boxes[1]
    answer = forged_answer(treasury, box, proposal, forged, approvals, PATH)
    require(answer.rule == "proposal.unknown-proposer", f"{box.name} {answer.outcome}: {answer.rule}")
    api.post(f"/proposals/{proposal['proposal_id']}/cancel", {"reason": "nobody proposed it"})
    return answer.rule


def recovered(api: JsonClient, treasury: Treasury) -> str:
    """All boxes are lost: Rosa's offline key moves what is left, not a block before its time."""
    contract = api.get(f"/contracts/{treasury.vault_id}")
    left_sat = contract["summary"]["balance_sat"]
    payment = {"address": payee(treasury, "safe"), "amount_sat": left_sat - _FEE_SAT, "name": "safe"}
    coins = [[coin["txid"], coin["vout"]] for coin in contract["coins"]]
    wish = {"path": RECOVERY, "payments": [payment], "reason": "rehearsal", "coins": coins, "fee_rate_sat_vb": 5}
    try:
        api.post(f"/contracts/{treasury.vault_id}/proposals", wish)
    except GatewayRefused as refusal:
        early = "coins.immature" in str(refusal)
    else:
        early = False
    require(early, "the recovery path was open too early")
    treasury.node.mine(RECOVERY_BLOCKS, treasury.purse)
    proposal = proposed(api, treasury, treasury.vault_id, RECOVERY, [payment], "rehearsal of a recovery")
    approved(api, treasury, proposal, RECOVERERS)
    proposal_when(api, proposal["proposal_id"], {"signing", "cleared"})
    signed = signed_offline(base64.b64decode(proposal["psbt"]), treasury.people.recovery_secret())
    path = f"/proposals/{proposal['proposal_id']}/signatures"
    api.post(path, {"party": "Rosa", "psbt": text(signed)})
    proposal_when(api, proposal["proposal_id"], {"broadcast"})
    treasury.node.mine(6, treasury.purse)
    proposal_when(api, proposal["proposal_id"], {"buried"})
    return f"refused before {RECOVERY_BLOCKS} blocks, then {left_sat / BTC:.4f} BTC moved by Rosa's key alone"
