"""Finds, reads and checks profile files."""

import functools
import hashlib
from pathlib import Path
from typing import Final

import msgspec

from shared.errors import ProfileInvalid
from shared.profiles.model import Document, Profile
from shared.profiles.rules import violations
from shared.states import DeviceKind

_FOLDERS: Final = {DeviceKind.METER: "meters", DeviceKind.PDU: "pdus"}
_MAX_BYTES: Final = 256 * 1024


def folder() -> Path:
    """firmware_profiles/ of the checkout that runs, else the copy inside the installed package."""
    here = Path(__file__).resolve().parent
    checkout = here.parents[1] / "firmware_profiles"
    return checkout if checkout.is_dir() else here / "data"


def load(kind: DeviceKind, profile_id: str) -> Profile:
    """The checked profile of that id. ProfileInvalid names the file, the entry and the mend."""
    if kind not in _FOLDERS:
        raise ProfileInvalid(f"there are no profiles of kind {kind.value!r}; a {kind.value} is driven by its family")
    known = _known(kind)
    if profile_id not in known:
        near = ", ".join(sorted(known)) or "none"
        raise ProfileInvalid(
            f"no {kind.value} profile {profile_id!r} in {folder() / _FOLDERS[kind]}; there are: {near}"
        )
    return _read_cached(kind, known[profile_id])


def load_all() -> tuple[Profile, ...]:
    """Every profile of every kind, by kind and id."""
    return tuple(_read_cached(kind, path) for kind in _FOLDERS for _, path in sorted(_known(kind).items()))


def rivals(profile: Profile) -> tuple[Profile, ...]:
    """Other profiles that claim a model of this one: the same name on the front, another map behind it."""
    models = set(profile.about.models)
    others = (other for other in load_all() if other.about.kind is profile.about.kind and other.id != profile.id)
    return tuple(other for other in others if models & set(other.about.models))


def read(path: Path) -> Profile:
    """Read and check one file, wherever it lies."""
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_BYTES:
            raise ProfileInvalid(f"{path}: larger than {_MAX_BYTES} bytes")
        document = msgspec.toml.decode(raw, type=Document)
    except OSError as error:
        raise ProfileInvalid(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProfileInvalid(f"{path}: {error}") from error
    problems = list(violations(document))
    if document.profile.id != path.stem:
        problems.append(
            f"profile.id: {document.profile.id!r} must be the file's name, {path.stem!r} [profile.identity]"
        )
    if problems:
        raise ProfileInvalid(f"{path}: " + "; ".join(problems))
    return Profile(
        about=document.profile,
        transport=document.transport,
        identify=document.identify,
        points=document.point,
        commands=document.command,
        quirks=document.quirk,
        vectors=document.vector,
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _known(kind: DeviceKind) -> dict[str, Path]:
    return {path.stem: path for path in (folder() / _FOLDERS[kind]).glob("*.toml")}


@functools.cache
def _read_cached(kind: DeviceKind, path: Path) -> Profile:
    profile = read(path)
    if profile.about.kind is not kind:
        raise ProfileInvalid(f"{path}: it is of kind {profile.about.kind.value}, so move it to that folder")
    return profile
