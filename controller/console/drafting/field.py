"""Fields of a form as the browser draws them. `path` is the place in the document that the treasury reads."""

from controller.console.feed import Content


def field(path: str, label: str, hint: str, kind: str = "text", first: object = "", **more: object) -> Content:
    """`kind`: text, long, int, sat, blocks, height, flag, party, parties, payees, lines (one to a line)."""
    return {"path": path, "label": label, "hint": hint, "kind": kind, "first": first, **more}


def rows(path: str, label: str, hint: str, more: str, columns: list[Content]) -> Content:
    """A list of lines; `more` is the button that adds one."""
    return {
        "path": path,
        "label": label,
        "hint": hint,
        "kind": "rows",
        "first": [],
        "more": more,
        "columns": columns,
        "wide": True,
    }


def column(key: str, label: str, kind: str = "text", first: object = "", **more: object) -> Content:
    """Of a list. `kind`: text, int, choice (with `options`), payee."""
    return {"key": key, "label": label, "kind": kind, "first": first, **more}


def section(title: str, hint: str, fields: list[Content], *, choose: str = "") -> Content:
    return {"title": title, "hint": hint, "fields": fields, "choose": choose}
