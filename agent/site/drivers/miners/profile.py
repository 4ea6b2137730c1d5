"""What differs between the firmwares and models of one family, as data in firmware_profiles/miners/."""

import datetime
import hashlib
import re
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from shared.actions import VERBS
from shared.errors import ProfileInvalid
from shared.profiles import folder


class Firmware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of versions, `since` included and `until` not, compared as text of what `version_pattern` finds.

    `mode_keys` are the names of the work mode in a write; a write carries all of them, since builds differ in which one
    they obey and ignore the other.
    """

    name: str
    source: str
    since: str | None = None
    until: str | None = None
    writable: bool = True
    mode_keys: tuple[str, ...] = ()
    note: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the facts come from; `date` is when they were read there."""

    title: str
    date: datetime.date


class Vector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine's raw answers, by command of its socket or by `GET /path`, and what a full poll must make of them.

    `expect` names every field of a reading (shared/wire/telemetry.py), "absent" where nothing may be made up, and
    `op_state`.
    """

    note: str
    replies: dict[str, str]
    expect: dict[str, float | str]


class Ladder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model draws at the wall and hashes, in watts and TH/s, ascending; one point is a nameplate."""

    model: str
    source: str
    points: tuple[tuple[int, float], ...]


class Efficiency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For a model that is sold in many sizes: its watts follow from the rate that it announces."""

    model: str
    source: str
    j_per_th: float


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vendor's default, known only in order to report that it is in use."""

    user: str
    password: str


class MinerProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One family. `status`: from the vendor, checked on a device, or neither. `confirm_within_s` gives each verb the
    time in which its effect must show.

    A machine that started less than `starting_grace_s` ago is starting; `process_restart_s` is the longest that its
    mining process stays away when it restarts; `sleep_w` is the draw of the control board alone. Ladders are of
    mode `normal`; `high_mode_power` is the draw in mode `high` over that, where the firmware has such a mode. `sha256`
    is that of the file, and stands in none.
    """

    family: str
    vendor: str
    status: Literal["official", "bench", "unverified"]
    sources: tuple[Source, ...]
    version_pattern: str
    model_pattern: str
    starting_grace_s: float
    process_restart_s: float
    sleep_w: int
    high_mode_power: float | None = None
    confirm_within_s: dict[str, float]
    default_login: Login | None = None
    firmware: tuple[Firmware, ...]
    mode: dict[str, int] = {}
    ladder: tuple[Ladder, ...] = ()
    efficiency: tuple[Efficiency, ...] = ()
    vector: tuple[Vector, ...] = ()
    sha256: str = ""

    @property
    def verbs(self) -> frozenset[str]:
        """What the family can be told; a firmware that is not writable takes none of it."""
        return frozenset(self.confirm_within_s)

    def firmware_of(self, version: str) -> Firmware | None:
        """The entry for a version text; None for one that nobody has described, which is then only read."""
        found = self._version.search(version)
        if found is None:
            return None
        key = found[1] if found.re.groups else found[0]
        for entry in self.firmware:
            if (entry.since is None or entry.since <= key) and (entry.until is None or key < entry.until):
                return entry
        return None

    def curve(self, model: str, expected_ths: float | None = None) -> tuple[tuple[int, float], ...]:
        """Watts at the wall to TH/s, ascending; empty where nobody knows."""
        found = self._model.search(model.strip())
        name = found[1].casefold() if found is not None else ""
        for ladder in self.ladder:
            if ladder.model.casefold() == name:
                return ladder.points
        for entry in self.efficiency:
            if entry.model.casefold() == name and expected_ths:
                return ((round(entry.j_per_th * expected_ths), expected_ths),)
        return ()

    @cached_property
    def _version(self) -> re.Pattern[str]:
        return re.compile(self.version_pattern)

    @cached_property
    def _model(self) -> re.Pattern[str]:
        return re.compile(self.model_pattern, re.IGNORECASE)


def load_miner_profile(path: Path) -> MinerProfile:
    """Read and check one profile; `ProfileInvalid` names the file, the entry and the mend."""
    try:
        raw = path.read_bytes()
        profile = msgspec.toml.decode(raw, type=MinerProfile)
    except OSError as error:
        raise ProfileInvalid(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProfileInvalid(f"{path}: {error}") from error
    problem = _problem(profile)
    if problem is not None:
        raise ProfileInvalid(f"{path}: {problem}")
    return msgspec.structs.replace(profile, sha256=hashlib.sha256(raw).hexdigest())


@cache
def miner_profiles() -> Mapping[str, MinerProfile]:
    """Every profile of firmware_profiles/miners by its family; read once."""
    profiles = [load_miner_profile(path) for path in sorted((folder() / "miners").glob("*.toml"))]
    return MappingProxyType({profile.family: profile for profile in profiles})


def _problem(profile: MinerProfile) -> str | None:
    unknown = sorted(profile.verbs - VERBS.keys())
    if unknown:
        return f"confirm_within_s names {unknown[0]!r}, which is no verb; the verbs are {', '.join(VERBS)}"
    for name, pattern, groups in (
        ("version_pattern", profile.version_pattern, (0, 1)),
        ("model_pattern", profile.model_pattern, (1,)),
    ):
        try:
            found = re.compile(pattern).groups
        except re.error as error:
            return f"{name} is no regular expression: {error}"
        if found not in groups:
            return f"{name} has {found} groups; it needs one, around what counts"
    if profile.high_mode_power is not None and profile.high_mode_power < 1:
        return f"high_mode_power is {profile.high_mode_power}; mode high draws no less than normal, write 1 or more"
    if not profile.sources:
        return "say in [[sources]] where the facts come from"
    if profile.sha256:
        return "sha256 is computed, leave it out"
    if not profile.firmware:
        return "write at least one [[firmware]] entry"
    for ladder in profile.ladder:
        watts = [point[0] for point in ladder.points]
        if not watts or watts != sorted(set(watts)):
            return f"ladder {ladder.model!r} must rise in watts"
    return None
