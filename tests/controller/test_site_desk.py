"""What a site is told to do by itself: when it changes, and before it runs out."""

from types import SimpleNamespace

import pytest

from controller.commands import Actor, Origin, PlanRequest
from controller.mining.dispatch.service import DispatchSettings
from controller.site_desk import HOUR_MS, SiteDesk
from shared.errors import StorageUnavailable

MINUTES_5_MS = 300_000
NODES = ("edge-1", "edge-2")


class Commands:
    def __init__(self) -> None:
        self.plans: list[PlanRequest] = []
        self.fails = False

    async def issue_plan(self, request: PlanRequest, *, actor: Actor) -> str:
        assert actor.origin is Origin.DISPATCH
        if self.fails:
            raise StorageUnavailable("the disk is away")
        self.plans.append(request)
        return f"plan-{len(self.plans)}"


class World:
    """Clock, caps and an order of shedding that a test sets."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000
        self.caps: dict[str, int] = {}
        self.commands = Commands()
        ports = SimpleNamespace(twin=None, prices=None, caps=self, holds=None, orders=None, decisions=None, clock=self)
        self.desk = SiteDesk("tx1", ports, DispatchSettings(), self.commands, self)  # type: ignore[arg-type] # played

    def now_ms(self) -> int:
        return self.ms

    def caps_w(self, _site: str, _now_ms: int) -> dict[str, int]:
        return self.caps

    async def later(self, after_ms: int = MINUTES_5_MS) -> int:
        """How many plans go out at the next renewal."""
        before = len(self.commands.plans)
        self.ms += after_ms
        await self.desk.renew_plan(NODES, "main")
        return len(self.commands.plans) - before


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(made.desk, "_shed_order", lambda: ("m-1", "m-2"))
    return made


async def test_a_day_without_news_takes_two_plans_a_node(world: World) -> None:
    assert sum([await world.later() for _ in range(288)]) == 2 * len(NODES)
    first, _, second, _ = world.commands.plans
    assert second.valid_from_ms - first.valid_from_ms == 12 * HOUR_MS
    assert second.valid_from_ms < first.valid_until_ms
    assert first.shed_order == ("m-1", "m-2")


async def test_a_new_cap_or_order_of_shedding_goes_out_at_the_next_renewal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await world.later() == 2
    world.caps = {"main": 5_000, "other": 1}
    assert await world.later() == 2
    assert world.commands.plans[-1].intervals == ((world.ms, 5_000),)
    assert await world.later() == 0
    monkeypatch.setattr(world.desk, "_shed_order", lambda: ("m-2", "m-1"))
    assert await world.later() == 2
    assert await world.later() == 0


async def test_a_plan_that_could_not_be_issued_is_tried_again(world: World) -> None:
    world.commands.fails = True
    assert await world.later() == 0
    world.commands.fails = False
    assert await world.later() == 2
