"""Control of the vault, proven to an auditor: two boxes sign his message, and nothing moves."""

from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.disproved import require
from hardware_sims.demo.payment import approved, proposal_when, sealed_by_proposer
from hardware_sims.demo.treasury import APPROVERS, Treasury
from hardware_sims.demo.vault import PATH
from shared.bitcoin.message import Outcome, verify
from shared.bitcoin.network import Network


def proven(api: JsonClient, treasury: Treasury) -> str:
    """The proof convinces somebody who knows nothing but message and address (BIP-322)."""
    message = "auditor 7f3a: these coins are ours"
    wish = {"message": message, "path": PATH, "branch": 0, "index": 0, "reason": "the auditor asks"}
    asked = api.post(f"/contracts/{treasury.vault_id}/control", wish)
    approved(api, treasury, sealed_by_proposer(api, treasury, asked), APPROVERS)
    control = proposal_when(api, asked["proposal_id"], {"proven"})["control"]
    proof = verify(message.encode(), control["address"], Network.REGTEST, control["signature"])
    require(proof.outcome is Outcome.VALID, f"an outsider does not take the proof: {proof.reason}")
    return f"{control['address'][:20]}… signed {message!r} at block {control['height']}"
