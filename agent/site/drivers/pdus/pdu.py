"""A PDU: outlets that are read, switched and proven, whatever dialect it speaks."""

from collections.abc import Iterator, Sequence

from agent.site.devices.ports import Acknowledgement, ReadBack
from agent.site.devices.reading import DeviceIdentity, Evidence, OutletReading, PduReading
from agent.site.drivers.measured import NOTHING, Measured
from agent.site.drivers.nameplate import Nameplate
from agent.site.drivers.pdus.dialect import Dialect, Http
from agent.site.drivers.pdus.proof import judge
from shared.actions import Action, SwitchOutlet
from shared.errors import AuthFailed, DeviceError, IdentityChanged, IncompleteRead, ProtocolViolation, Unsupported
from shared.profiles import Profile
from shared.profiles.command import Command, HttpStep
from shared.site import normal_mac

SWITCH = SwitchOutlet.verb


class OutletPdu:
    """A `Pdu`. Outlets count from 1, as printed on the front; the profile knows how they count on the wire."""

    def __init__(self, http: Http, dialect: Dialect, profile: Profile, nameplate: Nameplate | None = None) -> None:
        self.profile = profile
        self._nameplate = nameplate or Nameplate("this PDU")
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

    def holds_s(self, *, on: bool) -> float:
        """For how long an outlet that was switched on or off should stay so."""
        command = self._command()
        return command.min_on_s if on else command.min_off_s

    async def identify(self) -> DeviceIdentity:
        """`IdentityChanged` where the device does not answer as the profile says, or is another than before."""
        told = await self._dialect.nameplate()
        for step in self.profile.identify:
            value = told.get(step.read, NOTHING).value
            if not step.expect.met_by(value):
                raise IdentityChanged(f"this is no {self.profile.id}: {step.read} is {value}, expected {step.expect}")
        about = self.profile.about
        http = self.profile.transport.http
        assert http is not None
        found = DeviceIdentity(
            kind="pdu",
            family=http.dialect,
            vendor=_text(told.get("identity.vendor", NOTHING)) or about.vendor,
            model=_text(told.get("identity.model", NOTHING)) or about.models[0],
            firmware=_text(told.get("identity.firmware", NOTHING)),
            mac=normal_mac(_text(told.get("identity.mac", NOTHING))),
            serial=_text(told.get("identity.serial", NOTHING)),
        )
        self._nameplate.meet(found.mac, found.serial)
        return found

    async def read(self) -> PduReading:
        """All outlets. Now and then it is made sure first that they are those of the same PDU."""
        if self._nameplate.due:
            await self.identify()
        outlets = await self._dialect.read(None)
        return PduReading(outlets=outlets.readings, evidence=outlets.evidence)

    async def prepare(self, action: Action) -> OutletReading:
        """The outlet before the order; `Unsupported` where it does not exist."""
        return (await self._dialect.read([_switch(action).outlet])).readings[0]

    async def apply(self, action: Action) -> Acknowledgement:
        order = _switch(action)
        return await self.switch_many([order.outlet], order.on)

    async def switch_many(self, outlets: Sequence[int], on: bool) -> Acknowledgement:
        """In as few requests as the device takes; `ProtocolViolation` where some were obeyed and the next was not.

        `IdentityChanged` where another PDU answers: its outlets feed other machines.
        """
        command = self._command()
        steps = _steps(command, outlets, "on" if on else "off")
        await self._meet()
        done: list[Evidence] = []
        for step in steps:
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

    async def _meet(self) -> None:
        if not self._nameplate.known:
            return
        try:
            await self.identify()
        except (AuthFailed, IdentityChanged):
            raise
        except DeviceError as error:
            raise IncompleteRead(f"the PDU does not say who it is, so nothing was switched: {error}") from error

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
