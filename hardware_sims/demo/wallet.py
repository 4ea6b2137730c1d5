"""The wallet of every day: three boxes sign as one key, and nobody who reads the chain sees that they were three."""

from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.contract import BTC, funded, payee, registered
from hardware_sims.demo.disproved import require
from hardware_sims.demo.payment import approved, proposal_when, proposed
from hardware_sims.demo.treasury import APPROVERS, Treasury
from shared.bitcoin.transaction import Transaction

FUNDED_SAT = BTC
PAID_SAT = BTC // 4
_TEMPLATE = {"type": "operating-wallet", "fallback_needed": 2, "recovery_after_blocks": 4_320}


def paid_by_one_key(api: JsonClient, treasury: Treasury) -> str:
    """Set up, funded, and a payment in two rounds of MuSig2 (BIP-327), each through the broker."""
    keys = treasury.taproot_keys
    contract = registered(api, treasury, "Demo wallet", _TEMPLATE, keys)
    contract_id = contract["summary"]["contract_id"]
    funded(api, treasury, contract_id, FUNDED_SAT, reward=2)
    path = next(path["name"] for path in contract["paths"] if path["leaf"] is None)
    payment = {"address": payee(treasury, "power supplier"), "amount_sat": PAID_SAT, "name": "power supplier"}
    proposal = proposed(api, treasury, contract_id, path, [payment], "power of this week")
    approved(api, treasury, proposal, APPROVERS)
    sent = proposal_when(api, proposal["proposal_id"], {"broadcast", "confirmed"})
    treasury.node.mine(6, treasury.purse)
    proposal_when(api, proposal["proposal_id"], {"buried"})
    real = Transaction.parse(bytes.fromhex(treasury.node.call("getrawtransaction", sent["txid"], 0)))
    (signature,) = real.inputs[0].witness
    require(len(signature) == 64, f"the witness holds {len(signature)} bytes, not one BIP-340 signature")
    return f"{PAID_SAT / BTC:g} BTC by one signature of three boxes, {real.weight_wu} wu"
