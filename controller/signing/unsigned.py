"""The PSBT from which every signer and every check starts: whole previous transactions, scripts, and whose keys."""

from controller.signing.ownership import derived_at
from controller.signing.ports import Contract
from controller.signing.spending import Draft, derived_change
from shared.bitcoin.descriptor import Derived
from shared.bitcoin.psbt import build
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.transaction import Transaction


def base_psbt(contract: Contract, draft: Draft) -> bytes:
    """Version 0, which every signer reads, the fields of BIP-371 and 373 included; checked by all our readers."""
    coins = [
        build.Coin(Transaction.parse(coin.previous_tx), derived_at(contract, (coin.branch, coin.index)))
        for coin in draft.coins
    ]
    own: list[Derived | None] = [None for _ in draft.tx.outputs]
    if draft.change_place is not None:
        own[draft.change_place] = derived_change(contract, draft.change_index)
    raw = build.create(draft.tx, coins, own).raw
    Psbt.parse(raw)
    return raw
