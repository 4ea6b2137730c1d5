"""Write a site as the TOML that `shared.site.load_site` reads."""

from pathlib import Path
from typing import Any

import msgspec

from shared.site import Site


def write_site(path: Path, site: Site) -> None:
    """Replaces the file. Values that stand at their default are left out, so that a person can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(site_toml(site))


def site_toml(site: Site) -> str:
    """Plain values first, then tables, then arrays of tables."""
    values: dict[str, Any] = _without_defaults(site)
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if not _is_table(value)]
    for key, value in values.items():
        if isinstance(value, msgspec.Struct):
            lines += ["", f"[{key}]", *_entries(value)]
        elif _is_table(value):
            for item in value:
                lines += ["", f"[[{key}]]", *_entries(item)]
    return "\n".join(lines) + "\n"


def _entries(item: msgspec.Struct) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in _without_defaults(item).items()]


def _without_defaults(item: msgspec.Struct) -> dict[str, Any]:
    values = {field.name: getattr(item, field.name) for field in msgspec.structs.fields(item)}
    return {
        field.name: values[field.name]
        for field in msgspec.structs.fields(item)
        if field.required or values[field.name] != field.default
    }


def _is_table(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and isinstance(value[0], msgspec.Struct)
    return isinstance(value, msgspec.Struct)


def _value(value: Any) -> str:
    """TOML basic strings and JSON strings share their escapes; numbers, booleans and arrays are written alike."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return msgspec.json.encode(value).decode()
