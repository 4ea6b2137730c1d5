"""One signing box: does it sign, what is left of its limits, where its ledger and clock stand, which keys it holds."""

from controller.console.feed import Content, Topic
from controller.console.format import age, money, number, plural, sat
from controller.console.topics.treasury.overview import box_state
from controller.console.topics.treasury.patience import PatientDesk
from controller.console.topics.treasury.words import contract_href, short, tag
from controller.views.treasury import BoxView, ContractView, TreasuryState
from shared.errors import NotFound


def topics(desk: PatientDesk) -> tuple[Topic, ...]:
    async def head_now(_site: str, box_id: str) -> Content:
        state = await desk.state()
        return head(box_of(state, box_id), state.height, desk.clock.now_ms())

    async def limits(_site: str, box_id: str) -> Content:
        state = await desk.state()
        box = box_of(state, box_id)
        known = {one.contract_id: await desk.known_contract(one.contract_id) for one in box.allowances}
        return {"rows": limit_rows(box, known)}

    async def unfit(_site: str, box_id: str) -> Content:
        state = await desk.state()
        return {"rows": unfit_rows(box_of(state, box_id), state)}

    return (Topic("box", 1.0, head_now), Topic("box-limits", 1.0, limits), Topic("box-unfit", 1.0, unfit))


def box_of(state: TreasuryState, box_id: str) -> BoxView:
    """NotFound for a box that is not in the settings."""
    found = next((box for box in state.boxes if box.box_id == box_id), None)
    if found is None:
        raise NotFound(f"no signing box {box_id!r}")
    return found


def head(box: BoxView, height: int | None, now_ms: int) -> Content:
    """In the form of a miner's head."""
    behind = None if height is None or box.height is None else max(0, height - box.height)
    state, mend = box_state(box, now_ms)
    silent = bool(mend) and not box.stopped and not box.clock_stale
    figures = [
        ("Last heard", "never" if box.heard_at_ms is None else age(box.heard_at_ms, now_ms), "", silent),
        ("Its own clock stands at block", number(box.height), "", bool(box.clock_stale)),
        ("Behind the node", "unknown" if behind is None else plural(behind, "block"), "", bool(behind)),
        ("Rows of its ledger", number(box.ledger_seq), "", False),
        ("Keys", number(len(box.public_keys)), "", False),
    ]
    return {
        "sentence": f"{state[:1].upper()}{state[1:]}.",
        "why": mend or "It answered by its own policy, clock and ledger; nothing here is the controller's opinion.",
        "figures": [
            {"label": label, "value": value, "unit": unit, "suspect": suspect}
            for label, value, unit, suspect in figures
        ],
        "read": f"{box.site} / {box.node}",
        "stale": silent,
    }


def limit_rows(box: BoxView, contracts: dict[str, ContractView | None]) -> list[Content]:
    """What the box would still sign, beside what its owners allowed at first."""
    return [
        {
            "id": left.contract_id,
            "cells": [
                {"text": _name(left.contract_id, contracts), "href": contract_href(left.contract_id)},
                money(left.window_left_sat),
                _used(left.contract_id, left.policy_version, left.window_left_sat, contracts),
                money(left.lifetime_left_sat),
                f"version {left.policy_version}",
            ],
        }
        for left in box.allowances
    ]


def unfit_rows(box: BoxView, state: TreasuryState) -> list[Content]:
    """Contracts that it does not sign for, in its own words."""
    names = {one.contract_id: one.name for one in state.contracts}
    return [
        {
            "id": one.contract_id,
            "cells": [
                {"text": names.get(one.contract_id, short(one.contract_id)), "href": contract_href(one.contract_id)},
                tag("does not sign", 2),
                one.detail,
            ],
        }
        for one in box.unfit
    ]


def _name(contract_id: str, contracts: dict[str, ContractView | None]) -> str:
    view = contracts.get(contract_id)
    return short(contract_id) if view is None else view.summary.name


def _used(contract_id: str, version: int, left_sat: int, contracts: dict[str, ContractView | None]) -> Content:
    """The share of the window that is spent; unknown where another policy counts there."""
    view = contracts.get(contract_id)
    policy = None if view is None else view.policy
    if policy is None or policy.policy_version != version or not policy.limits.window_sat:
        return {"text": "unknown", "dim": True}
    used = 100 * (policy.limits.window_sat - left_sat) / policy.limits.window_sat
    title = f"of {sat(policy.limits.window_sat)} in {number(policy.limits.window_blocks)} blocks"
    return {"load": round(used), "full": used >= 80, "text": f"{number(used, 0)}\u00a0%", "title": title}
