"""What the controller is told of a device."""

from collections.abc import Mapping

from agent.site.devices.image import MinerState
from agent.site.devices.reading import DeviceIdentity
from agent.site.drivers.miners import MinerProfile, miner_profiles
from agent.site.roster import rating_of
from shared.profiles import load
from shared.site import Instrument, Placement, miner_id
from shared.states import DeviceKind, Reach
from shared.wire.event import DeviceRecord


def never_read(placed: Placement) -> MinerState:
    """A miner of the site's file before it is found: it may draw the worst that the model in the file draws."""
    device_id, model = miner_id(placed.mac), placed.model or ""
    for profile in miner_profiles().values():
        if curve := profile.curve(model):
            rating = rating_of(curve, profile.sleep_w, profile.high_mode_power)
            return MinerState(device_id, Reach.NEVER, rating, placed)
    return MinerState(device_id, Reach.NEVER, rating_of((), 0, None), placed)


def miner_record(
    device_id: str,
    identity: DeviceIdentity,
    address: str,
    profile: MinerProfile,
    verbs: frozenset[str],
    placement: Placement | None,
) -> DeviceRecord:
    """The model that the site's file names helps where the device itself does not tell one."""
    model = identity.model or (placement.model if placement is not None else None) or ""
    return DeviceRecord(
        device_id=device_id,
        kind=DeviceKind.MINER,
        family=identity.family,
        model=model,
        vendor=identity.vendor or profile.vendor,
        firmware=identity.firmware,
        mac=identity.mac,
        serial=identity.serial,
        address=address,
        profile=profile.family,
        profile_sha256=profile.sha256,
        verbs=tuple(sorted(verbs)),
        curve=profile.curve(model),
        sleep_w=profile.sleep_w,
        confirm_within_s=profile.confirm_within_s,
    )


def instrument_record(
    instrument: Instrument, kind: DeviceKind, identity: DeviceIdentity, confirm_within_s: Mapping[str, float]
) -> DeviceRecord:
    """`confirm_within_s` has an entry for each verb that the instrument knows; a meter knows none."""
    profile = load(kind, instrument.profile)
    return DeviceRecord(
        device_id=instrument.id,
        kind=kind,
        family=identity.family,
        model=identity.model,
        vendor=identity.vendor,
        firmware=identity.firmware,
        mac=identity.mac,
        serial=identity.serial,
        address=instrument.address,
        profile=instrument.profile,
        profile_sha256=profile.sha256,
        verbs=tuple(sorted(confirm_within_s)),
        confirm_within_s=dict(confirm_within_s),
    )
