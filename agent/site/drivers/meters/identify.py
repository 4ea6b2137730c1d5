"""Is this the device that the profile describes? Read, compare, and refuse when two maps fit."""

from collections.abc import Sequence

from agent.site.drivers.meters.poll import read_words
from agent.site.drivers.meters.registers import Decoder
from agent.site.transports.modbus import RegisterTransport
from shared.errors import IdentityChanged, Rejected, Unsupported
from shared.profiles import Profile


async def confirm(registers: RegisterTransport, unit: int, profile: Profile, rivals: Sequence[Profile]) -> None:
    """Return if `profile` fits and no rival does. `IdentityChanged` says what was read, and which rival fits."""
    doubts = await _doubts(registers, unit, profile)
    fitting = [rival.id for rival in rivals if not await _doubts(registers, unit, rival)]
    if doubts:
        hint = f"; {' and '.join(fitting)} would fit" if fitting else "; check unit, profile and wiring"
        raise IdentityChanged(f"unit {unit} does not answer as {profile.id}: {'; '.join(doubts)}{hint}")
    if fitting:
        raise IdentityChanged(
            f"unit {unit} answers as {profile.id}, but as {' and '.join(fitting)} too; refused, because one of them "
            f"would give wrong watts: read the type label, then try again while the load differs"
        )


async def _doubts(registers: RegisterTransport, unit: int, profile: Profile) -> list[str]:
    """Why the device is not surely of this profile; empty where it is."""
    points = [profile.by_name[name] for name in {step.read: None for step in profile.identify}]
    points += [profile.by_name[p.scale_point] for p in points if p.scale_point is not None]
    decoder = Decoder(profile, points)
    try:
        measured = decoder.decode(await read_words(registers, unit, decoder))
    except (Unsupported, Rejected) as error:
        return [error.detail]
    return [
        f"{step.read} is {measured[step.read].value}, expected {step.expect}"
        for step in profile.identify
        if not step.expect.met_by(measured[step.read].value)
    ]
