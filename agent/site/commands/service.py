"""Commands and plans, from sealed bytes to their ends; local autonomy comes in by the side door, never around it."""

import asyncio
import uuid
from collections.abc import Collection, Sequence

from agent.site.commands.admission import Admission, Standing
from agent.site.commands.context import Context
from agent.site.commands.denials import Denials
from agent.site.commands.door import Door, Opened
from agent.site.commands.execution import Execution
from agent.site.commands.ledger import Ledger
from agent.site.commands.pace import Pace
from agent.site.commands.refusal import OVERTAKEN, RATE, REPLAYED
from agent.site.commands.trusted_time import TrustedTime
from agent.site.safety import Demand
from shared.actions import Sleep, SwitchOutlet
from shared.errors import Denied, StorageError
from shared.log import get_logger
from shared.states import OutcomeState
from shared.wire.command import Command, Order, SitePlan
from shared.wire.version import WIRE_VERSION

LOCAL_EXPIRY_MS = 60_000
LOCAL_WRITE_S = 1.0
FOUND_WITHIN_S = 60.0
UPKEEP_EVERY_S = 600.0
TIME_KEPT_EVERY_MS = 60_000

log = get_logger("agent.commands")


class CommandService:
    """`plan` is the last signed site plan, None before the first.

    `expected` are the devices of the site's file: in the first minute after the start, orders to them wait until they
    are found. The controller repeats at once what was missed, and a node finds its devices one by one.
    """

    def __init__(
        self,
        door: Door,
        ledger: Ledger,
        context: Context,
        time: TrustedTime,
        pace: Pace,
        expected: Collection[str] = (),
    ) -> None:
        self._door = door
        self._ledger = ledger
        self._context = context
        self._time = time
        self._pace = pace
        self._expected = frozenset(expected)
        self._found_by_s = context.clock.monotonic_s() + FOUND_WITHIN_S
        self._execution = Execution(context)
        self._denials = Denials(context.outcomes)
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept_ms = 0
        self.plan: SitePlan | None = ledger.plan() if ledger.serves else None

    async def command_received(self, sealed: bytes) -> None:
        """A sealed command from the broker. Whatever is wrong with it becomes a refusal with a rule.

        The same command may come again, also behind newer ones: the controller repeats what it heard nothing of.
        """
        try:
            opened = self._door.open_command(sealed)
        except Denied as denied:
            self._denials.report(denied)
            return
        admission = await self._ledger.standing(opened.command, opened.key_id)
        if admission.standing is Standing.NEW and not await self._refused(opened):
            await self._keep_time()
            admission = await self._ledger.accept(opened.command, opened.key_id, self._time.now_ms())
            if admission.standing is Standing.NEW:
                self._begin(opened.command, admission.overtaken)
                return
        if admission.standing is not Standing.NEW:
            self._known(opened.command, admission)

    async def plan_received(self, sealed: bytes) -> None:
        """A sealed site plan; the newest counter wins. The broker repeats the one that holds at every connection."""
        try:
            plan, key_id = self._door.open_plan(sealed)
        except Denied as denied:
            self._denials.report(denied)
            return
        await self._keep_time()
        standing = await self._ledger.accept_plan(plan, key_id, self._time.now_ms())
        if standing is Standing.NEW:
            self.plan = plan
            log.info("plan.accepted", plan=plan.plan_id, valid_until_ms=plan.valid_until_ms)
        elif standing is Standing.USED:
            self._denials.report(Denied(REPLAYED, f"counter {plan.counter} is not above that of the plan that holds"))

    async def submit_local(self, demands: Sequence[Demand]) -> None:
        """What the site's own rules demand now; it passes the same interlocks and leaves the same trail."""
        if not demands:
            return
        now_ms = self._time.now_ms()
        command = Command(
            version=WIRE_VERSION,
            command_id=f"local-{uuid.uuid4().hex[:12]}",
            site="",
            node="",
            counter=0,
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + LOCAL_EXPIRY_MS,
            reason=f"{demands[0].rule}: {demands[0].detail}",
            orders=tuple(self._order_of(demand) for demand in demands),
        )
        try:
            async with asyncio.timeout(LOCAL_WRITE_S):
                await self._ledger.accept_local(command, now_ms)
        except (StorageError, TimeoutError) as error:
            # A full disk, or one that hangs, must not keep a breaker from being saved; sleeping twice is harmless.
            log.warning("local.not-written", detail=str(error) or f"not within {LOCAL_WRITE_S} s")
        for position in range(len(command.orders)):
            self._spawn(command, position)

    def resume(self) -> None:
        """Look after what an earlier life left open; nothing of it is executed again. Needs the ledger open."""
        self._time.resume(self._ledger.vouched_ms())
        self.plan = self._ledger.plan()
        for command, position in self._ledger.unfinished():
            self._track(asyncio.create_task(self._execution.resume(command, position)))

    async def upkeep(self) -> None:
        """Keeps the ledger small, for ever."""
        while True:
            try:
                await self._ledger.prune(self._time.now_ms())
            except StorageError as error:
                log.warning("ledger.not-pruned", code=error.code, detail=error.detail)
            await asyncio.sleep(UPKEEP_EVERY_S)

    async def aclose(self) -> None:
        self._denials.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _order_of(self, demand: Demand) -> Order:
        """A machine whose firmware knows no rest is stopped at its outlet."""
        miner = self._context.roster.miners.get(demand.device_id)
        if isinstance(demand.action, Sleep) and miner is not None and Sleep.verb not in miner.driver.verbs:
            placed = miner.placement
            if placed is not None and placed.pdu is not None and placed.outlet is not None:
                return Order(placed.pdu, SwitchOutlet(outlet=placed.outlet, on=False))
        return Order(demand.device_id, demand.action)

    async def _refused(self, opened: Opened) -> bool:
        """Report and write down where a rule refuses the command as a whole, so that it stays refused."""
        command, orders = opened.command, len(opened.command.orders)
        try:
            self._door.admit(opened)
            if not self._pace.allows(orders):
                raise Denied(RATE, f"more than {self._pace.per_minute} orders in a minute")
        except Denied as denied:
            log.warning("command.denied", command=command.command_id, rule=denied.rule, detail=denied.detail)
            await self._ledger.refuse(command, opened.key_id, denied.rule, self._time.now_ms())
            self._context.outcomes.refused(command.command_id, command.counter, denied.rule, denied.detail)
            return True
        return False

    async def _keep_time(self) -> None:
        """So that a restart does not turn signed time back, by more than a minute."""
        vouched_ms = self._time.vouched_ms
        if vouched_ms >= self._kept_ms + TIME_KEPT_EVERY_MS:
            await self._ledger.keep_vouched(vouched_ms)
            self._kept_ms = vouched_ms

    def _begin(self, command: Command, overtaken: frozenset[int]) -> None:
        """Carry out what was just accepted. A late order must not undo a newer one about the same thing."""
        log.info("command.accepted", command=command.command_id, orders=len(command.orders), reason=command.reason)
        for position in range(len(command.orders)):
            if position in overtaken:
                detail = "a newer order about the same thing came before it"
                self._context.outcomes.step(command, position, OutcomeState.REFUSED, rule=OVERTAKEN, detail=detail)
            else:
                self._spawn(command, position)

    def _known(self, command: Command, admission: Admission) -> None:
        """It was taken before, so nothing is done: its outcomes are reported, or still to come. Only one that nobody
        repeats in good faith is an offence: after its expiry, or another one under a used counter.
        """
        if admission.standing is Standing.USED:
            self._denials.report(Denied(REPLAYED, f"counter {command.counter} was used by another command"))
        elif admission.refused:
            denied = Denied(admission.refused, "it was refused when it came first")
            self._denials.report(denied, command.command_id, command.counter)
        elif self._time.now_ms() > command.expires_at_ms:
            self._denials.report(Denied(REPLAYED, f"counter {command.counter} was used before, by the same command"))
        else:
            log.info("command.repeated", command=command.command_id)

    def _spawn(self, command: Command, position: int) -> None:
        self._track(asyncio.create_task(self._carry_out(command, position)))

    async def _carry_out(self, command: Command, position: int) -> None:
        device_id = command.orders[position].device_id
        if device_id in self._expected:
            left_s = (command.expires_at_ms - self._time.now_ms()) / 1000
            patience_s = min(self._found_by_s - self._context.clock.monotonic_s(), left_s)
            await self._context.roster.arrival(device_id, patience_s)
        await self._execution.carry_out(command, position)

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
