"""Real-time dispatch: which miner runs in which power mode now, with proof of how good that is.

`formulate` frames a `problem`, `landing` binds it by the targets of curtailments, in watts of the meters that `anchor`
compares with the miners. `decision` solves it (`hull`, `relax`, `rounding`, `exchange`) and has it checked by code that
shares nothing with the solver (`audit`); `explain` says why, `stage` orders the way there, `service` runs it.
"""

from controller.mining.dispatch.cycle import Cycle
from controller.mining.dispatch.decision import Decision, decide
from controller.mining.dispatch.explain import Explanation, explain
from controller.mining.dispatch.ports import Caps, Decisions, Holds, OrderLine, Orders, Prices, TwinView
from controller.mining.dispatch.problem import Lock, Problem
from controller.mining.dispatch.quote import Quote
from controller.mining.dispatch.service import DispatchPorts, DispatchService, DispatchSettings

__all__ = [
    "Caps",
    "Cycle",
    "Decision",
    "Decisions",
    "DispatchPorts",
    "DispatchService",
    "DispatchSettings",
    "Explanation",
    "Holds",
    "Lock",
    "OrderLine",
    "Orders",
    "Prices",
    "Problem",
    "Quote",
    "TwinView",
    "decide",
    "explain",
]
