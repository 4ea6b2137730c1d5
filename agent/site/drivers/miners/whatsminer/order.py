"""Orders to a Whatsminer with API 2. Parameters are strings, as the vendor describes them."""

from agent.site.devices.ports import Acknowledgement
from agent.site.drivers.miners.reply import rows
from agent.site.drivers.miners.whatsminer.machine import WhatsminerMachine
from agent.site.drivers.miners.whatsminer.session import WriteSession
from shared.actions import (
    Action,
    Locate,
    Pool,
    Reboot,
    Restart,
    SetPools,
    SetPowerLimit,
    SetPowerMode,
    Sleep,
    Wake,
)
from shared.errors import DeviceError, IncompleteRead, Rejected, Unsupported

MODES = ("low", "normal", "high")
_BLINK = {"color": "red", "period": 1000, "duration": 500, "start": 0}


class WhatsminerOrders:
    def __init__(self, session: WriteSession, machine: WhatsminerMachine) -> None:
        self._session = session
        self._machine = machine

    async def carry_out(self, action: Action) -> Acknowledgement:
        """Whatever this returns, only the read-back tells: late firmware acknowledges and does nothing."""
        send = self._session.send
        match action:
            case Sleep():
                said = await send("power_off", respbefore="true")  # so that the answer comes before the stop
            case Wake():
                said = await send("power_on")
            case SetPowerLimit(limit_w=limit_w):
                said = await send("adjust_power_limit", power_limit=str(limit_w))
            case SetPowerMode(mode=mode) if mode in MODES:
                said = await send(f"set_{mode}_power")
            case SetPools(pools=pools):
                return await self._set_pools(pools)
            case Restart():
                said = await send("restart_btminer")
            case Reboot():
                said = await send("reboot")
            case Locate(on=on):
                said = await (send("set_led", **_BLINK) if on else send("set_led", param="auto"))
            case _:
                raise Unsupported(f"Whatsminer API 2 cannot carry out {action.verb}")
        return Acknowledgement(said)

    async def _set_pools(self, pools: tuple[Pool, ...]) -> Acknowledgement:
        """The request replaces all three; the list that it replaces is read first and kept."""
        if not 1 <= len(pools) <= 3:
            raise Rejected(f"a Whatsminer takes one to three pools, not {len(pools)}")
        try:
            present, replaced = await self._machine.read("pools")
        except DeviceError as error:
            raise IncompleteRead(f"the present pools could not be read, so nothing was written: {error}") from error
        if not rows(present, "POOLS"):
            raise IncompleteRead("the device answers without a list of its present pools, so nothing was written")
        places = [*pools, *[Pool("", "")] * (3 - len(pools))]
        parameters: dict[str, str] = {}
        for number, pool in enumerate(places, start=1):
            parameters |= {f"pool{number}": pool.url, f"worker{number}": pool.user, f"passwd{number}": pool.password}
        return Acknowledgement(await self._session.send("update_pools", **parameters), (replaced,))
