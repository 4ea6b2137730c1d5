"""Two contracts of a kill run: a vault that two of three boxes spend, and a wallet that all sign by MuSig2."""

import base64
import time
from typing import Any, NamedTuple

from benchmarks.signing_kills_stage import SigningStage
from hardware_sims.chain.purse import PurseCoin
from hardware_sims.demo.client import wait_for
from hardware_sims.demo.payment import text
from hardware_sims.demo.treasury import APPROVERS, OWNERS, PROPOSER
from shared.bitcoin.address import address_of, script_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh
from shared.bitcoin.signature import public_key_of
from shared.bitcoin.transaction import Transaction, TxOut
from shared.crypto.signing import seal
from shared.wire.codec import decode
from shared.wire.contract import POLICY_DOMAIN, SpendingPolicy

BTC = 100_000_000
COINS = 20
PAYEE = address_of(p2wpkh(public_key_of(bytes(31) + b"\x09")), Network.REGTEST) or ""
_FEE_SAT = 10_000
_WAIT_S = 90.0
_RECOVERY_BLOCKS = 60_000
_SIGNERS = ("Houston", "Reykjavik", "Container 7")


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
    stage.node.mine(102, stage.purse)

    def followed() -> bool | None:
        boxes = stage.api.get("/treasury")["boxes"]
        return all((box["height"] or 0) >= 102 for box in boxes) or None

    wait_for("all boxes follow the chain", followed, _WAIT_S)
    vault = {"type": "treasury-vault", "needed": 2}
    wallet = {"type": "operating-wallet", "fallback_needed": 2}
    token_keys = {box.name: box.token_key for box in stage.boxes}
    drafts = [
        (_drafted(stage, "Vault", vault, token_keys, witnesses_needed=1), token_keys),
        (_drafted(stage, "Wallet", wallet, stage.taproot_keys, witnesses_needed=0), stage.taproot_keys),
    ]
    contracts = tuple(_funded(stage, name, keys, reward) for reward, (name, keys) in enumerate(drafts, 1))
    wait_for("the clock overtakes blocks that were mined at once", lambda: _is_past(stage) or None, _WAIT_S)
    return contracts


def _is_past(stage: SigningStage) -> bool:
    """A box takes the later of the two clocks, and requests are short-lived here."""
    tip = stage.node.call("getblockheader", stage.node.call("getbestblockhash"))
    return int(tip["mediantime"]) <= time.time()


def _drafted(
    stage: SigningStage, name: str, template: dict[str, Any], keys: dict[str, str], *, witnesses_needed: int
) -> str:
    """Its id, once every box has it."""
    form = {
        "template": template | _ENDS | {"signers": _SIGNERS},
        "agreement": _agreement(stage, name, keys, witnesses_needed),
        "boxes": [box.box_id for box in stage.boxes],
    }
    drafted = stage.api.post("/contracts", form)
    contract_id: str = drafted["summary"]["contract_id"]
    policy = decode(base64.b64decode(drafted["pending"]["to_sign"]), SpendingPolicy)
    for owner in OWNERS:
        sealed = seal(POLICY_DOMAIN, policy, [stage.people.key(owner)])
        stage.api.post(f"/contracts/{contract_id}/approvals", {"sealed": text(sealed)})
    _when(stage, contract_id, "registered")
    return contract_id


def _funded(stage: SigningStage, contract_id: str, keys: dict[str, str], reward: int) -> Spendable:
    script = script_of(stage.api.get(f"/contracts/{contract_id}/address")["address"], Network.REGTEST)
    block = stage.node.call("getblock", stage.node.call("getblockhash", reward), 2)
    coinbase = Transaction.parse(bytes.fromhex(block["tx"][0]["hex"]))
    (coin, *_) = stage.purse.coins_in(coinbase)
    stage.node.call("sendrawtransaction", _split(stage, coin, script).raw.hex())
    stage.node.mine(6, stage.purse)
    view = _when(stage, contract_id, "active")
    path = next(path["name"] for path in view["paths"] if len(path["keys"]) == len(keys) and not path["older_blocks"])
    return Spendable(contract_id, path, script, keys)


def _split(stage: SigningStage, coin: PurseCoin, script: bytes) -> Transaction:
    change = TxOut(coin.amount_sat - COINS * BTC - _FEE_SAT, stage.purse.script)
    return stage.purse.paid([coin], [*(TxOut(BTC, script) for _ in range(COINS)), change])


def _when(stage: SigningStage, contract_id: str, phase: str) -> dict[str, Any]:
    def looked() -> dict[str, Any] | None:
        view: dict[str, Any] = stage.api.get(f"/contracts/{contract_id}")
        return view if view["summary"]["phase"] == phase else None

    return wait_for(f"the contract is {phase}", looked, _WAIT_S)


_ENDS = {"recovery": "Rosa", "recovery_after_blocks": _RECOVERY_BLOCKS}


def _agreement(stage: SigningStage, name: str, keys: dict[str, str], witnesses_needed: int) -> dict[str, Any]:
    people = stage.people
    signers = [
        {"name": signer, "person": box.name, "key": keys[box.name], "role": "signer"}
        for signer, box in zip(_SIGNERS, stage.boxes, strict=True)
    ]
    return {
        "network": "regtest",
        "name": name,
        "epoch": 1,
        "birth_height": 0,
        "parties": [*signers, {"name": "Rosa", "person": "Rosa", "key": people.recovery_key, "role": "recovery"}],
        "owners": [text(people.key(owner).verify_key.encode()) for owner in OWNERS],
        "owners_needed": len(OWNERS),
        "approvers": [
            {
                "name": person,
                "person": person,
                "role": role,
                "public_key": text(people.key(person).verify_key.encode()),
            }
            for person, role in (
                *((name, "approver") for name in APPROVERS),
                ("Rosa", "recovery"),
                (PROPOSER, "proposer"),
            )
        ],
        "approvals_needed": 2,
        "allow_list": [{"name": "payee", "address": PAYEE, "added_at_height": 0}],
        "cooling_blocks": 1,
        "limits": {
            "per_tx_sat": 10 * BTC,
            "window_sat": 1_000 * BTC,
            "window_blocks": 144,
            "lifetime_sat": 1_000 * BTC,
            "fee_sat": 100_000,
            "fee_rate_sat_vb": 200,
            "weight_wu": 100_000,
        },
        "recovery_role_people": ["Rosa"],
        "witnesses": [text(bytes.fromhex(box.public_key)) for box in stage.boxes] if witnesses_needed else [],
        "witnesses_needed": witnesses_needed,
    }
