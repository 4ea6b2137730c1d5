"""One contract: what it means, who may spend when, its coins, policy and boxes."""

import base64
from collections.abc import Callable

from controller.console.feed import Content, Topic
from controller.console.format import age, btc, duration, money, number, plural, sat
from controller.console.topics.treasury.overview import payment_row
from controller.console.topics.treasury.patience import OLD_S, PatientDesk
from controller.console.topics.treasury.policy import base_of, difference, effect
from controller.console.topics.treasury.words import blocks, grouped, opening_tag, short, tag
from controller.views.treasury import CoinView, ContractView, PathView, PolicyView
from shared.person import folded

PHASES = {
    "draft": "Draft: its owners have not signed yet.",
    "approved": "Signed by its owners; boxes are asked to register it.",
    "registered": "Registered by every box; it may be funded.",
    "funded": "Funded.",
    "active": "Active.",
    "expired": "Past its deadline and not closed yet.",
    "closed": "Closed.",
}
_TELL = [{"name": "tell", "label": "Tell again"}]
Build = Callable[[ContractView], Content]


def topics(desk: PatientDesk) -> tuple[Topic, ...]:
    now_ms = desk.clock.now_ms

    def topic(name: str, build: Build) -> Topic:
        async def content(_site: str, contract_id: str) -> Content:
            return build(await desk.contract(contract_id))

        return Topic(name, 1.0, content)

    async def head_now(_site: str, contract_id: str) -> Content:
        view = await desk.contract(contract_id)
        return head(view, desk.contract_age_s(contract_id), now_ms())

    async def payments(_site: str, contract_id: str) -> Content:
        view, state = await desk.contract(contract_id), await desk.state()
        known = {contract_id: view}
        return {"rows": [payment_row(one, known, state.height, now_ms()) for one in desk.proposals(contract_id)]}

    async def policy_said(_site: str, contract_id: str) -> Content:
        view, state = await desk.contract(contract_id), await desk.state()
        return {"lines": policy_lines(view, state.height)}

    return (
        Topic("contract", 1.0, head_now),
        Topic("contract-policy-said", 1.0, policy_said),
        topic("contract-policy-changes", lambda view: {"rows": changes(view)}),
        topic("contract-tree", tree),
        topic("contract-coins", lambda view: {"rows": coin_rows(view)}),
        topic("contract-boxes", lambda view: {"rows": box_rows(view)}),
        topic("contract-policy-to-sign", to_sign),
        Topic("contract-payments", 1.0, payments),
    )


def head(view: ContractView, age_s: float, now_ms: int) -> Content:
    one = view.summary
    limits = None if view.policy is None else view.policy.limits
    coins = "unknown" if view.coins is None else number(len(view.coins))
    most = "no policy" if limits is None else btc(limits.per_tx_sat).removesuffix("\u00a0BTC")
    figures = [
        ("Balance", btc(one.balance_sat).removesuffix("\u00a0BTC"), "" if one.balance_sat is None else "BTC"),
        ("Coins", coins, ""),
        ("Most in one payment", most, "" if limits is None else "BTC"),
        ("Open payments", number(one.open_proposals), ""),
        ("Policy", "none" if one.policy_version is None else f"version {one.policy_version}", ""),
    ]
    if view.schedule is not None and not view.schedule.weights:
        figures.append(("Next batch from block", number(view.schedule.next_batch_height), ""))
    closed = f" {view.closed_reason}" if view.closed_reason else ""
    unread = one.balance_sat is None or age_s > OLD_S
    why = "The node cannot be asked for its coins now. " if one.balance_sat is None else ""
    if age_s > OLD_S:
        why = f"As it was {duration(age_s)} ago; the treasury has not answered since. "
    return {
        "sentence": PHASES.get(one.phase, one.phase) + closed,
        "why": f"{why}{one.template} on {view.network}, drafted by {view.drafted_by} {age(view.drafted_at_ms, now_ms)} "
        "ago",
        "figures": [{"label": label, "value": value, "unit": unit} for label, value, unit in figures],
        "read": sat(one.balance_sat),
        "stale": unread,
    }


def tree(view: ContractView) -> Content:
    """The ways to spend, for the drawing; a lock that is open for a coin stands out."""
    return {"root": view.summary.name, "paths": [branch_of(path, view.coins or ()) for path in view.paths]}


def branch_of(path: PathView, coins: tuple[CoinView, ...]) -> Content:
    """One way to spend; `coins` tell whether its lock is open for any of them."""
    locked = path.older_blocks is not None or path.after_height is not None
    parts = []
    if path.after_height is not None:
        parts.append(f"from block {number(path.after_height)}")
    if path.older_blocks is not None:
        parts.append(f"after {blocks(path.older_blocks)} of rest")
    states = [opening.state for coin in coins for opening in coin.openings if opening.path == path.name]
    state = next((state for state in ("open", "due") if state in states), "")
    said = {"open": "open for {}", "due": "opens soon for {}"}.get(state, "")
    if len(path.keys) == 1:
        who = "alone"
    else:
        who = "all together" if path.needed == len(path.keys) else f"any {path.needed} of {len(path.keys)}"
    return {
        "name": path.name,
        "locked": locked,
        "when": " and ".join(parts) or "at once",
        "who": who,
        "keys": list(path.keys),
        "sentence": path.sentence,
        "state": state,
        "said": said.format(plural(states.count(state), "coin")),
    }


def path_rows(view: ContractView) -> Content:
    """Compiled once and never changed: weight and fees of each path, largest case."""
    rows = [
        {
            "id": path.name,
            "cells": [
                path.name,
                path.role,
                f"{path.needed} of {', '.join(path.keys)}",
                locks_of(path),
                number(path.input_wu),
                number(path.vsize_vb),
                *(number(fee) for _, fee in sorted(path.fees_sat.items())),
            ],
        }
        for path in view.paths
    ]
    return {"rows": rows}


def fee_rates(view: ContractView) -> tuple[int, ...]:
    """sat/vB that the paths' fees are given for."""
    return tuple(sorted({rate for path in view.paths for rate in path.fees_sat}))


def locks_of(path: PathView) -> str:
    parts = [] if path.after_height is None else [f"from block {number(path.after_height)}"]
    if path.older_blocks is not None:
        parts.append(f"{blocks(path.older_blocks)} of rest")
    return ", ".join(parts) or "none"


def locked_paths(view: ContractView) -> tuple[str, ...]:
    """Paths whose lock counts from each coin."""
    return tuple(path.name for path in view.paths if path.older_blocks is not None)


def coin_rows(view: ContractView) -> list[Content]:
    """The most urgent first, as the desk gives them."""
    locked = locked_paths(view)
    return [_coin_row(coin, locked) for coin in sorted(view.coins or (), key=_urgency)]


def _urgency(coin: CoinView) -> float:
    return min((one.blocks_left for one in coin.openings if one.blocks_left is not None), default=float("inf"))


def _coin_row(coin: CoinView, locked: tuple[str, ...]) -> Content:
    opens = {one.path: one for one in coin.openings}
    return {
        "id": f"{coin.txid}-{coin.vout}",
        "cells": [
            {"text": f"{short(coin.txid)}:{coin.vout}", "title": f"{coin.txid}:{coin.vout}", "mono": True},
            money(coin.amount_sat),
            "in no block yet" if coin.height is None else number(coin.height),
            *(opening_tag(opens.get(path)) for path in locked),
        ],
    }


def box_rows(view: ContractView) -> list[Content]:
    """Whether each box has taken the policy in force and the one that waits."""
    return [{"id": box, "cells": [box, _in_force(view), *_pending(view, box)]} for box in view.boxes]


def _in_force(view: ContractView) -> Content:
    version = view.summary.policy_version
    return tag("not registered", 3) if version is None else {"text": f"version {version}"}


def _pending(view: ContractView, box: str) -> tuple[Content, Content | str]:
    pending = view.pending
    if pending is None:
        return {"text": "nothing waits", "dim": True}, ""
    version = f"version {pending.policy_version}"
    if box in pending.refused:
        return tag(f"{version} refused", 2), {"text": pending.refused[box], "acts": _TELL}
    if box in pending.registered:
        return tag(f"{version} taken"), ""
    if pending.signed < pending.needed:
        return tag(f"{version} waits for owners", 3), f"{pending.signed} of {pending.needed} have signed"
    return tag(f"{version} asked"), {"text": "no answer yet", "acts": _TELL}


def changes(view: ContractView) -> list[Content]:
    """What the policy that waits would change; nothing for a first one."""
    before = base_of(view)
    return [] if before is None or view.pending is None else difference(before, view.pending.policy)


def policy_lines(view: ContractView, height: int | None) -> list[str]:
    """What follows the policy in force, and when."""
    lines = []
    if view.coming is not None:
        left = "" if height is None else f", in {blocks(view.coming.from_height - height)}"
        version = view.coming.policy.policy_version
        lines.append(f"Version {version} counts from block {number(view.coming.from_height)} on{left}.")
    before = base_of(view)
    if view.pending is not None and before is not None:
        lines.append(f"Version {view.pending.policy_version} waits. {effect(before, view.pending.policy, height)}")
    return lines


def withdrawable(view: ContractView) -> bool:
    """Nobody can call back what enough owners have signed; a first policy goes with its draft."""
    return view.pending is not None and not view.pending.sealed and base_of(view) is not None


def to_sign(view: ContractView) -> Content:
    """The policy that waits for its owners."""
    pending = view.pending
    if pending is None or pending.signed >= pending.needed:
        return {"to_sign": "", "text": "No policy waits for an owner."}
    text = f"Policy {pending.policy_version}: {pending.signed} of {plural(pending.needed, 'owner')} signed."
    return {"to_sign": base64.b64encode(pending.to_sign).decode(), "text": text}


def limit_facts(policy: PolicyView) -> list[tuple[str, str, str]]:
    """Label, value and unit of each ceiling."""
    limits = policy.limits
    return [
        ("One payment", number(limits.per_tx_sat), "sat"),
        (f"In {blocks(limits.window_blocks)}", number(limits.window_sat), "sat"),
        ("In all", number(limits.lifetime_sat), "sat"),
        ("Fee", number(limits.fee_sat), "sat"),
        ("Fee rate", number(limits.fee_rate_sat_vb), "sat/vB"),
        ("Weight", number(limits.weight_wu), "wu"),
        ("Approvals", number(policy.approvals_needed), f"of {len(_approving(policy))} people"),
        ("Owners", number(policy.owners_needed), f"of {policy.owners} change it"),
    ]


def _approving(policy: PolicyView) -> set[str]:
    return {folded(one.person) for one in policy.approvers if one.role == "approver"}


def destination_rows(policy: PolicyView) -> Content:
    cells = (
        [one.name, {"text": grouped(one.address), "mono": True}, f"since block {number(one.added_at_height)}"]
        for one in policy.allow_list
    )
    return {"rows": [{"id": str(number_of), "cells": row} for number_of, row in enumerate(cells)]}


def approver_rows(policy: PolicyView) -> Content:
    rows = [
        {"id": f"{index}-{one.role}", "cells": [one.person, one.name, one.role]}
        for index, one in enumerate(policy.approvers)
    ]
    return {"rows": rows}
