"""Device profiles: what a meter or PDU is, as data in firmware_profiles/, checked by rules when it is loaded.

`model`, `point` and `command` are the schema, `plan` turns points into reads, `rules` says what a file must keep to,
`library` finds and loads. docs/add-a-device.md shows how to write one.
"""

from shared.profiles.library import folder, load, load_all, read, rivals
from shared.profiles.model import INVALID, SURE, Profile
from shared.profiles.plan import Block, plan
from shared.profiles.point import Point

__all__ = ["INVALID", "SURE", "Block", "Point", "Profile", "folder", "load", "load_all", "plan", "read", "rivals"]
