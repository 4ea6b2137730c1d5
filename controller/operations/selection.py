"""Who an order is for: the miners of a selection that can be ordered now, and what stays out."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.commands.model import OrderRequest as OrderLine
from controller.operations.moment import Moment
from controller.views.command import CommandRequest, Excluded, Selection
from controller.views.condition import Condition
from controller.views.query import parse, select
from shared.actions import AnyAction, Locate, ReadNow
from shared.states import OpState

_UNREACHABLE = {Condition.SILENT: "silent, cannot be confirmed", Condition.UNPOWERED: "no power"}
_SETTLED = (
    OpState.HASHING,
    OpState.SLEEPING,
    OpState.STOPPED_USER,
    OpState.STOPPED_THERMAL,
    OpState.STOPPED_FAULT,
)


class Chosen(NamedTuple):
    """`rows` of the frame that are ordered; `others` are ids that are no miners, for the power door to judge."""

    selected: int
    rows: NDArray[np.intp]
    others: tuple[str, ...]
    excluded: tuple[Excluded, ...]


def chosen(moment: Moment, request: CommandRequest) -> Chosen:
    """Malformed where the query cannot be understood."""
    rows, others = _resolved(moment, request.selection)
    condition = moment.frame.condition[rows]
    asked = isinstance(request.action, ReadNow)  # whoever asks a silent one again does it on purpose
    out = np.zeros(len(rows), np.bool_) if asked else np.isin(condition, tuple(_UNREACHABLE))
    excluded = tuple(
        Excluded(text, count) for kind, text in _UNREACHABLE.items() if (count := int((condition[out] == kind).sum()))
    )
    return Chosen(len(rows) + len(others), rows[~out], others, excluded)


def lines(moment: Moment, picked: Chosen, action: AnyAction) -> Iterator[OrderLine]:
    """The orders, each with the state that the person saw, where it is one that lasts."""
    frame, indifferent = moment.frame, isinstance(action, Locate | ReadNow)
    for row in picked.rows.tolist():
        state = OpState(frame.op_state[row])
        expected = int(state) if state in _SETTLED and frame.known[row] and not indifferent else None
        yield frame.layout.device_id[row], action, expected
    for device_id in picked.others:
        yield device_id, action, None


def _resolved(moment: Moment, selection: Selection) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    frame = moment.frame
    if selection.query is not None:
        return np.flatnonzero(select(frame, parse(selection.query))), ()
    known, ids = frame.layout.row_of, tuple(dict.fromkeys(selection.device_ids))
    rows = np.array([known[device_id] for device_id in ids if device_id in known], np.intp)
    return rows, tuple(device_id for device_id in ids if device_id not in known)
