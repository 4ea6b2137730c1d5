"""From signatures to the witness of one input, and to the names of those whose signatures are wrong."""

from collections.abc import Container, Iterator, Sequence
from functools import lru_cache

from controller.signing.execution.base_form import Base, Coin
from controller.signing.execution.partial import Signatures, Signed
from controller.signing.ports import Contract
from controller.signing.refusal import SigningRefusal
from shared.bitcoin.miniscript import Assets, Item, fill, satisfy
from shared.bitcoin.miniscript.script_tree import scripts_of
from shared.bitcoin.miniscript.witness import Signature
from shared.bitcoin.musig import KeyAggregate, Session
from shared.bitcoin.sighash import SIGHASH_DEFAULT, Sighasher
from shared.bitcoin.signature import verify_ecdsa, verify_schnorr
from shared.bitcoin.transaction import Transaction
from shared.errors import BitcoinMalformed, Denied
from shared.wire.contract import SpendingPath

_SCHNORR_BYTES = 64


def completed(contract: Contract, path: SpendingPath, base: Base, signed: Sequence[Signatures]) -> Transaction:
    """The final transaction. Signatures that it does not need are verified here, all others by whoever judges it.

    Denied: `answer.empty` where signatures are missing, `answer.signature` where MuSig2 cannot add them up or one that
    is not needed is wrong.
    """
    hasher = Sighasher(base.tx, base.spent)
    stacks: list[tuple[bytes, ...]] = []
    for index, (coin, given) in enumerate(zip(base.coins, signed, strict=True)):
        if coin.place.aggregate is not None:
            stacks.append((_sum(hasher, index, coin, coin.place.aggregate, given),))
        else:
            stacks.append(_stack(contract, path, base, hasher, index, given))
    return base.tx.with_witnesses(stacks)


def wrong_signatures(base: Base, signed: Sequence[Signatures]) -> list[str]:
    """Asked one by one, only when the whole was refused: each by its partial and party."""
    hasher = Sighasher(base.tx, base.spent)
    wrong = [one for index, given in enumerate(signed) for one in _wrong(hasher, index, base.coins[index], given)]
    return sorted({str(one) for one in wrong})


def _stack(
    contract: Contract, path: SpendingPath, base: Base, hasher: Sighasher, index: int, given: Signatures
) -> tuple[bytes, ...]:
    """The smallest stack that the signatures allow, then script and control block."""
    coin = base.coins[index]
    derived, leaf = coin.place.derived, coin.place.leaf
    if leaf is None and derived.witness_script is None:
        return tuple(one.value for one in given.values())
    locks = (base.tx.inputs[index].sequence, base.tx.lock_time)
    items = _form(contract.terms.descriptor, path.leaf or 0, frozenset(given), *locks)
    if items is None:
        detail = f"{len(given)} signatures for input {index} do not satisfy path {path.name!r}"
        raise Denied(SigningRefusal.ANSWER_EMPTY, detail)
    _check_surplus(hasher, index, coin, given, items)
    stack = fill(items, {text: one.value for text, one in given.items()}, coin.place.keys, {})
    return (*stack, leaf.script, leaf.control_block) if leaf is not None else (*stack, derived.witness_script or b"")


@lru_cache(maxsize=4_096)
def _form(descriptor: str, leaf: int, texts: Container[str], sequence: int, lock_time: int) -> tuple[Item, ...] | None:
    """The form of the witness, which is the same at every index."""
    return satisfy(scripts_of(descriptor).scripts[leaf].node, Assets(texts, frozenset(), sequence, lock_time))


def _check_surplus(hasher: Sighasher, index: int, coin: Coin, given: Signatures, items: Sequence[Item]) -> None:
    used = sum(isinstance(item, Signature) for item in items)
    if used < len(given):
        for one in _wrong(hasher, index, coin, given):
            detail = f"{one} brings a wrong signature for input {index}"
            raise Denied(SigningRefusal.ANSWER_SIGNATURE, detail)


def _sum(hasher: Sighasher, index: int, coin: Coin, aggregate: KeyAggregate, given: Signatures) -> bytes:
    by_key = {one.signer.key: one.value for one in given.values()}
    missing = [key for key in aggregate.public_keys if key not in by_key]
    if missing:
        detail = f"MuSig2: nothing of participant {missing[0].hex()} for input {index}"
        raise Denied(SigningRefusal.ANSWER_EMPTY, detail)
    try:
        return _session(hasher, index, coin, aggregate).combine([by_key[key] for key in aggregate.public_keys])
    except BitcoinMalformed as error:
        raise Denied(SigningRefusal.ANSWER_SIGNATURE, f"input {index}: {error.detail}") from error


def _session(hasher: Sighasher, index: int, coin: Coin, aggregate: KeyAggregate) -> Session:
    return aggregate.session(hasher.taproot(index), [coin.nonces[key] for key in aggregate.public_keys])


def _wrong(hasher: Sighasher, index: int, coin: Coin, given: Signatures) -> Iterator[Signed]:
    aggregate = coin.place.aggregate
    if aggregate is not None:
        session = _session(hasher, index, coin, aggregate)
        places = {key: place for place, key in enumerate(aggregate.public_keys)}
        return (one for one in given.values() if not session.verify(places[one.signer.key], one.value))
    return (one for one in given.values() if not _fits(hasher, index, coin, one))


def _fits(hasher: Sighasher, index: int, coin: Coin, one: Signed) -> bool:
    derived, leaf = coin.place.derived, coin.place.leaf
    if derived.witness_script is not None:
        return verify_ecdsa(one.signer.key, hasher.segwit_v0(index, derived.witness_script), one.value[:-1])
    flag = one.value[_SCHNORR_BYTES] if len(one.value) > _SCHNORR_BYTES else SIGHASH_DEFAULT
    digest = hasher.taproot(index, flag, leaf.script if leaf is not None else None)
    key = one.signer.key if leaf is not None else derived.script[2:]
    return verify_schnorr(key, digest, one.value[:_SCHNORR_BYTES])
