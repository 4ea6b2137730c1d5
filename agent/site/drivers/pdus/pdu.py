"""A PDU: outlets that are read, switched and proven, whatever dialect it speaks."""

from collections.abc import Iterator, Sequence

from agent.site.devices.ports import Acknowledgement, ReadBack
from agent.site.devices.reading import DeviceIdentity, Evidence, OutletReading, PduReading
from agent.site.drivers.measured import NOTHING, Measured
from agent.site.drivers.pdus.dialect import Dialect, Http
from agent.site.drivers.pdus.proof import judge
from shared.actions import Action, SwitchOutlet
from shared.errors import DeviceError, IdentityChanged, ProtocolViolation, Unsupported
from shared.profiles import Profile
from shared.profiles.command import Command, HttpStep
from shared.site import normal_mac

SWITCH = SwitchOutlet.verb


class OutletPdu:
    """A `Pdu`. Outlets count from 1, as printed on the front; the profile knows how they count on the wire."""

    def __init__(self, http: Http, dialect: Dialect, profile: Profile) -> None:
        self.profile = profile
        self._http = http
        self._dialect = dialect

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset(command.name for command in self.profile.commands)

    @property
    def confirm_within_s(self) -> dict[str, float]:
        """Verb → how long its effect may take to show."""
        backs = {command.name: command.readback for command in self.profile.commands}
        return {verb: back.within_ms / 1000 for verb, back in backs.items() if back is not None}

    async def identify(self) -> DeviceIdentity:
        """`IdentityChanged` where the device does not answer as the profile says."""
        told = await self._dialect.nameplate()
        for step in self.profile.identify:
            value = told.get(step.read, NOTHING).value
            if not step.expect.met_by(value):
                raise IdentityChanged(f"this is no {self.profile.id}: {step.read} is {value}, expected {step.expect}")
        about = self.profile.about
        http = self.profile.transport.http
        assert http is not None
        return DeviceIdentity(
            kind="pdu",
            family=http.dialect,
            vendor=_text(told.get("identity.vendor", NOTHING)) or about.vendor,
            model=_text(told.get("identity.model", NOTHING)) or about.models[0],
            firmware=_text(told.get("identity.firmware", NOTHING)),
            mac=normal_mac(_text(told.get("identity.mac", NOTHING))),
            serial=_text(told.get("identity.serial", NOTHING)),
        )

    async def read(self) -> PduReading:
        outlets = await self._dialect.read(None)
        return PduReading(outlets=outlets.readings, evidence=outlets.evidence)

    async def prepare(self, action: Action) -> OutletReading:
        """The outlet before the order; `Unsupported` where it does not exist."""
        return (await self._dialect.read([_switch(action).outlet])).readings[0]

    async def apply(self, action: Action) -> Acknowledgement:
        order = _switch(action)
        return await self.switch_many([order.outlet], order.on)

    async def switch_many(self, outlets: Sequence[int], on: bool) -> Acknowledgement:
        """In as few requests as the device takes; `ProtocolViolation` where some were obeyed and the next was not."""
        command = self._command()
        done: list[Evidence] = []
        for step in _steps(command, outlets, "on" if on else "off"):
            try:
                done.append(await self._dialect.send(step))
            except DeviceError as error:
                if not done:
                    raise
                detail = f"{len(done)} requests were obeyed, then: {error.detail}"
                raise ProtocolViolation(detail) from error
        text = f"{'on' if on else 'off'}: outlet {', '.join(map(str, outlets))}"
        return Acknowledgement(text, tuple(done))

    async def read_back(self, action: Action, before: object) -> ReadBack:
        """The relay's state can contradict the order; only the outlet's watts prove it."""
        order, proof = _switch(action), self._command().readback
        assert proof is not None
        now = await self._dialect.read([order.outlet])
        earlier = before if isinstance(before, OutletReading) else None
        return judge(proof, on=order.on, now=now.readings[0], before=earlier, evidence=now.evidence)

    async def aclose(self) -> None:
        await self._http.aclose()

    def _command(self) -> Command:
        command = self.profile.command(SWITCH)
        if command is None:
            raise Unsupported(f"{self.profile.id} cannot switch outlets")
        return command


def _switch(action: Action) -> SwitchOutlet:
    if not isinstance(action, SwitchOutlet):
        raise Unsupported(f"a PDU cannot {action.verb}")
    return action


def _steps(command: Command, outlets: Sequence[int], word: str) -> Iterator[HttpStep]:
    """Every outlet once, as many to a request as the profile allows. All are encoded before the first is sent."""
    (target, parameter) = next((name, p) for name, p in command.params.items() if p.type != "enum")
    word_name = next(name for name, p in command.params.items() if p.type == "enum")
    size = command.batch.max_targets if parameter.type == "outlets" else 1
    groups = [list(outlets[start : start + size]) for start in range(0, len(outlets), size)]
    if not groups:
        raise Unsupported(f"{command.name}: name at least one outlet")
    targets = groups if parameter.type == "outlets" else [group[0] for group in groups]
    steps = [step for value in targets for step in command.encode({target: value, word_name: word})]
    return iter(steps)


def _text(measured: Measured) -> str:
    return "" if measured.value is None else str(measured.value)
