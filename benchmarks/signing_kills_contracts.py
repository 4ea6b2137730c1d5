"""Two contracts of a kill run: a vault that two of three boxes spend, and a wallet that all sign by MuSig2."""

import time
from typing import Any, NamedTuple

from benchmarks.signing_kills_stage import SigningStage
from hardware_sims.demo.client import wait_for
from hardware_sims.demo.contract import BTC, boxes_follow, funded, registered
from hardware_sims.demo.payment import WAIT_S, text
from shared.bitcoin.address import script_of
from shared.bitcoin.network import Network

COINS = 20
PAYEE = "landlord"
_LIMITS = {
    "per_tx_sat": 10 * BTC,
    "window_sat": 1_000 * BTC,
    "window_blocks": 144,
    "lifetime_sat": 1_000 * BTC,
    "fee_sat": 100_000,
    "fee_rate_sat_vb": 200,
    "weight_wu": 100_000,
}
"""Wide: a run pays for as long as it lasts."""
_VAULT = {"type": "treasury-vault", "needed": 2, "recovery_after_blocks": 60_000}
_WALLET = {"type": "operating-wallet", "fallback_needed": 2, "recovery_after_blocks": 60_000}


class Spendable(NamedTuple):
    """A contract that may pay. `script` is that of its address, `path` how it is spent, `keys` those of the boxes (hex)
    by their names.
    """

    contract_id: str
    path: str
    script: bytes
    keys: dict[str, str]


def opened(stage: SigningStage) -> tuple[Spendable, ...]:
    """Drafted, sealed by the owners, taken by every box, and holding `COINS` coins of a bitcoin each."""
    boxes_follow(stage.api, stage)
    token_keys = {box.name: box.token_key for box in stage.boxes}
    witnesses = [text(bytes.fromhex(box.public_key)) for box in stage.boxes]
    drafts = (
        (_registered(stage, "Vault", _VAULT, token_keys, witnesses=witnesses, witnesses_needed=1), token_keys),
        (_registered(stage, "Wallet", _WALLET, stage.taproot_keys), stage.taproot_keys),
    )
    contracts = tuple(_funded(stage, view, keys, reward) for reward, (view, keys) in enumerate(drafts, 1))
    wait_for("the clock overtakes blocks that were mined at once", lambda: _is_past(stage) or None, WAIT_S)
    return contracts


def _is_past(stage: SigningStage) -> bool:
    """A box takes the later of the two clocks, and requests are short-lived here."""
    tip = stage.node.call("getblockheader", stage.node.call("getbestblockhash"))
    return int(tip["mediantime"]) <= time.time()


def _registered(
    stage: SigningStage, name: str, template: dict[str, Any], keys: dict[str, str], **otherwise: object
) -> dict[str, Any]:
    ordered = [keys[box.name] for box in stage.boxes]
    return registered(stage.api, stage, name, template, ordered, limits=_LIMITS, **otherwise)


def _funded(stage: SigningStage, view: dict[str, Any], keys: dict[str, str], reward: int) -> Spendable:
    contract_id = view["summary"]["contract_id"]
    address = funded(stage.api, stage, contract_id, BTC, reward, coins=COINS)
    path = next(path["name"] for path in view["paths"] if len(path["keys"]) == len(keys) and not path["older_blocks"])
    return Spendable(contract_id, path, script_of(address, Network.REGTEST), keys)
