"""What a proposal in signing needs next: whom to ask for what, by which path. Pure."""

from typing import NamedTuple

from controller.signing.approval import path_of
from controller.signing.model import ProposalStatus, Round
from controller.signing.ports import Contract
from controller.signing.progress import ProposalProgress
from shared.wire.contract import SpendingPath

MOST_TRIES = 3
"""So often is a box asked by one path before another path is tried."""


class Ask(NamedTuple):
    """Start a round; `parties` all have boxes."""

    path: str
    kind: Round
    parties: tuple[str, ...]


class Abort(NamedTuple):
    """The present round cannot be completed any more."""

    rule: str
    detail: str


class Complete(NamedTuple):
    """Everything that the path's witness needs is here."""

    path: str


class Wait(NamedTuple):
    """Answers or files are still to come."""


class Exhausted(NamedTuple):
    """Neither the path nor its fallbacks can be signed by those who are left."""

    detail: str


Step = Ask | Abort | Complete | Wait | Exhausted


def is_musig(contract: Contract, path: SpendingPath) -> bool:
    """The key path of a Taproot contract with several keys: all sign together, in two rounds."""
    return contract.terms.descriptor.startswith("tr(") and path.leaf is None and len(path.keys) > 1


def next_step(progress: ProposalProgress, contract: Contract) -> Step:
    """Paths are tried in order: the proposal's own, then its fallbacks, which sign the same transaction.

    Where too many boxes of every path are silent, the last one goes on asking until the proposal expires.
    """
    round_ = progress.round
    if round_ is not None:
        musig = round_.kind is not Round.SIGN
        if musig and round_.failed:
            return Abort(*next((rule, f"{round_.asked[key].party} fell out") for key, rule in round_.failed.items()))
        if round_.open:
            return Complete(round_.path) if _enough(progress, contract, round_.path) else Wait()
        if round_.kind is Round.NONCE:
            return Ask(round_.path, Round.PARTIAL, tuple(box.party for box in round_.asked.values()))
        if round_.kind is Round.PARTIAL:
            return Complete(round_.path)
    names = (progress.proposal.path, *progress.proposal.fallbacks)
    for name in names:
        step = _step_of(progress, contract, path_of(contract, name), MOST_TRIES)
        if step is not None:
            return step
    for name in reversed(names):
        step = _step_of(progress, contract, path_of(contract, name), None)
        if step is not None:
            return step
    paths = ", ".join(names)
    return Exhausted(f"too few of the boxes answered with a signature; tried {paths}")


def signed_whole(progress: ProposalProgress, contract: Contract) -> bool:
    """Is every signature there that the transaction needs?"""
    asked = progress.status in (ProposalStatus.SIGNING, ProposalStatus.LAPSED)
    return asked and isinstance(next_step(progress, contract), Complete)


def may_be_signed_whole(progress: ProposalProgress, contract: Contract) -> bool:
    """Can somebody else have every signature that the transaction needs?

    A signature may exist where a box was asked and has not refused, heard or not, and, once anybody was asked, wherever
    a party signs by file.
    """
    if not progress.signed:
        return False
    paths = (path_of(contract, name) for name in (progress.proposal.path, *progress.proposal.fallbacks))
    return any(_path_may_be_whole(progress, contract, path) for path in paths)


def _path_may_be_whole(progress: ProposalProgress, contract: Contract, path: SpendingPath) -> bool:
    asked = [request for request in progress.open_requests.values() if request.path == path.name]
    if is_musig(contract, path):  # partial signatures fit together within one attempt only
        return any(
            {one.party for one in asked if one.attempt == attempt} == set(path.keys)
            for attempt in {one.attempt for one in asked}
        )
    by_file = {party for party in path.keys if party not in contract.boxes}
    signed = progress.signatures.get(path.name, {}).keys() | {one.party for one in asked} | by_file
    return len(signed) >= path.needed


def _enough(progress: ProposalProgress, contract: Contract, name: str) -> bool:
    path = path_of(contract, name)
    return not is_musig(contract, path) and len(progress.signatures.get(name, {})) >= path.needed


def rests_until_ms(progress: ProposalProgress, ask: Ask) -> int:
    """Before this nobody asks: one of those who would be asked has just said that he cannot yet."""
    return max(progress.resting_until_ms.get((ask.path, party), 0) for party in ask.parties)


def _step_of(progress: ProposalProgress, contract: Contract, path: SpendingPath, most_tries: int | None) -> Step | None:
    """None where this path cannot be completed any more by asking each box at most so often."""
    have = progress.signatures.get(path.name, {})
    candidates = [
        party
        for party in path.keys
        if party not in have and _may_be_asked(progress, contract, (path.name, party), most_tries)
    ]
    if is_musig(contract, path):
        return Ask(path.name, Round.NONCE, path.keys) if len(candidates) == len(path.keys) else None
    missing = path.needed - len(have)
    if missing <= 0:
        return Complete(path.name)
    by_file = [party for party in path.keys if party not in have and party not in contract.boxes]
    if len(candidates) + len(by_file) < missing:
        return None
    candidates.sort(key=lambda party: progress.tries[path.name, party])
    asked = tuple(candidates[:missing])
    return Ask(path.name, Round.SIGN, asked) if asked else Wait()


def _may_be_asked(progress: ProposalProgress, contract: Contract, key: tuple[str, str], most_tries: int | None) -> bool:
    often = most_tries is not None and progress.tries[key] >= most_tries
    return key[1] in contract.boxes and key not in progress.failed and not often
