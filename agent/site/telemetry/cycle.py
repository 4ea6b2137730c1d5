"""The site's heartbeat: freeze an image, judge it, act on the judgement, have it told.

Reading, deciding and writing never mix: pollers fill `Live` all the time; once a cycle everything is decided on one
frozen image; what must be done leaves through the power door; what was read is told beside the cycle.
"""

import asyncio
from collections.abc import Collection, Mapping

from agent.site.autonomy.plan import Autonomy
from agent.site.devices.image import ProcessImage
from agent.site.safety import Demand, Interlocks
from agent.site.safety.verdict import AlarmKey
from agent.site.telemetry.live import Live
from agent.site.telemetry.surroundings import Surroundings
from agent.site.telemetry.telling import STORAGE_FAILED, Telling
from agent.site.telemetry.watch import Watch
from shared.clock import Clock, instant


class Cycle:
    """`image` is the last one; `lag_ms` how late the last cycle began, the event loop's own fever."""

    def __init__(
        self,
        live: Live,
        interlocks: Interlocks,
        autonomy: Autonomy,
        surroundings: Surroundings,
        clock: Clock,
        period_s: float,
    ) -> None:
        self._live = live
        self._interlocks = interlocks
        self._autonomy = autonomy
        self._around = surroundings
        self._clock = clock
        self._period_s = period_s
        self._watch = Watch(surroundings.silent_after_s)
        self.telling = Telling(live, surroundings, clock)
        self.image = live.freeze(0, instant(clock))
        self.lag_ms = 0.0
        self._judged = asyncio.Event()

    def resume(self, standing: Mapping[AlarmKey, str], known: Collection[str]) -> None:
        """Alarms that stood when the agent went down; `known` are the devices of the site's file."""
        now_s = self._clock.monotonic_s()
        taken = self._interlocks.resume(standing.keys(), now_s)
        rest = {key: text for key, text in standing.items() if key not in taken and key[0] != STORAGE_FAILED}
        self._watch.resume(rest, known, now_s)

    async def image_after(self, monotonic_s: float) -> None:
        """Returns once an image that was sampled later has been judged."""
        while self.image.sampled_s <= monotonic_s:
            await self._judged.wait()

    async def run(self) -> None:
        due_s = self._clock.monotonic_s()
        number = 0
        try:
            while True:
                due_s += self._period_s
                await asyncio.sleep(max(due_s - self._clock.monotonic_s(), 0))
                self.lag_ms = max(self._clock.monotonic_s() - due_s, 0.0) * 1000
                if self.lag_ms > self._period_s * 1000:
                    due_s = self._clock.monotonic_s()  # never run after missed cycles
                number += 1
                await self.once(number)
        finally:
            await self.telling.aclose()

    async def once(self, number: int) -> None:
        """One whole cycle."""
        started_s = self._clock.monotonic_s()
        image = self.image = self._live.freeze(number, instant(self._clock))
        judged = self._interlocks.observe(image)
        self._judged.set()
        self._judged = asyncio.Event()
        await self._around.obey([*judged.demands, *self._by_ourselves(image)])
        self.telling.add(*self._watch.compare(image, judged.alarms))
        self.telling.offer(image, (self._clock.monotonic_s() - started_s) * 1000)
        self._around.metered(image)
        self._around.alive(f"cycle {number}, {len(image.miners)} miners")

    def _by_ourselves(self, image: ProcessImage) -> list[Demand]:
        around, load_w = self._around, self._interlocks.site_load_w()
        return self._autonomy.decide(image, load_w, around.plan(), around.silent_s(), around.trusted_ms())
