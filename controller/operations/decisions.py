"""What dispatch has decided, with the commands that followed from it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from controller.operations.command_log import CommandLog
from controller.operations.decision_book import DecisionBook, Kept
from controller.operations.moment import Moments
from controller.views.decision import BindingFeeder, DecisionRecord
from shared.errors import NotFound


class LiveDecisions:
    """Fills `controller.views.ports.Decisions`."""

    def __init__(self, moments: Moments, book: DecisionBook, log: CommandLog) -> None:
        self._moments = moments
        self._book = book
        self._log = log

    def listed(self, site: str, *, limit: int = 50) -> tuple[DecisionRecord, ...]:
        self._moments.of(site)
        orders = self._orders()
        return tuple(_record(kept, self._of(kept, orders)) for kept in self._book.latest(site, limit))

    async def one(self, site: str, decision_id: str) -> DecisionRecord:
        self._moments.of(site)
        kept = await self._book.find(site, decision_id)
        if kept is None:
            raise NotFound(f"no decision {decision_id!r} at {site} was written down")
        return _record(kept, self._of(kept, self._orders()))

    def _orders(self) -> Mapping[str, Sequence[str]]:
        orders: defaultdict[str, list[str]] = defaultdict(list)
        for asked in self._log.latest:
            orders[asked.decision].append(asked.command_id)
        return orders

    def _of(self, kept: Kept, orders: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
        """The commands that cite a decision; None where the log does not reach back to it."""
        known = tuple(orders.get(kept.fact.decision_id, ()))
        return None if kept.fact.ordered and not known and not self._log.reaches(kept.position) else known


def _record(kept: Kept, command_ids: tuple[str, ...] | None) -> DecisionRecord:
    fact = kept.fact
    return DecisionRecord(
        id=fact.decision_id,
        site=fact.site,
        at_ms=kept.at_ms,
        trigger=fact.trigger,
        held=fact.held,
        profit_usd_h=fact.profit_usd_h,
        bound_usd_h=fact.bound_usd_h,
        gap_pct=fact.gap_pct,
        binding=tuple(
            BindingFeeder(
                feeder=full.feeder,
                load_w=float(full.load_w),
                limit_w=float(full.limit_w),
                shadow_price_usd_mwh=full.price_usd_mwh,
            )
            for full in fact.binding
        ),
        binding_feeders=fact.binding_feeders,
        infeasible=fact.infeasible,
        miners=fact.miners,
        running=fact.running,
        ordered=fact.ordered,
        solve_ms=fact.solve_ms,
        command_ids=command_ids,
        journal_seq=kept.position,
    )
