"""What the dispatch decided last, and what holds it back."""

from controller.console.feed import Content, Topic
from controller.console.format import USD_PER_MWH, age, number, percent, quantity
from controller.views.dispatch import BindingConstraint, DecisionView
from controller.views.ports import Operations


def topics(operations: Operations) -> tuple[Topic, ...]:
    async def decision(site: str, _subject: str) -> Content:
        newest = operations.dispatch.decision(site)
        if newest is None:
            return {"lines": ["The dispatch has not decided yet."]}
        return {"lines": decision_lines(newest, operations.clock.now_ms())}

    return (Topic("decision", 1.0, decision),)


def decision_lines(decision: DecisionView, now_ms: int) -> list[str]:
    bound = f", at most {percent(decision.gap_pct, 2)} from the best possible" if decision.gap_pct is not None else ""
    return [
        f"{decision.mode.capitalize()}, for {decision.objective}: {number(decision.running)} run, "
        f"{number(decision.asleep)} asleep{bound}. Decided {age(decision.at_ms, now_ms)} ago, "
        f"solved in {number(decision.solve_ms)} ms.",
        *decision.sentences,
        *map(_binds, decision.binding),
    ]


def _binds(item: BindingConstraint) -> str:
    worth = item.shadow_price_usd_mwh
    return f"Binds: {item.text}" + (f"; one more MWh there is worth {quantity(worth, USD_PER_MWH)}" if worth else "")
