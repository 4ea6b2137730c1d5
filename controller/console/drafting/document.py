"""From what the browser sends to what the treasury reads, and from its refusals to the field that is meant."""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from controller.console.feed import Content
from controller.views.treasury import BoxView
from shared.errors import BesError, Malformed

_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_PLACE = re.compile(r"`\$\.?([^`]*)`")
_TYPES = {
    "int": "a whole number",
    "str": "a text",
    "bool": "yes or no",
    "array": "a list",
    "object": "fields",
    "bytes": "a key",
}
_RULE_PLACES = {
    "template.bad-name": "agreement.name",
    "template.shared-key": "agreement.parties",
    "template.no-such-party": "agreement.parties",
    "template.unused-key": "agreement.parties",
    "template.foreign-key": "agreement.parties",
    "template.one-person": "agreement.parties",
    "template.bad-destination": "agreement.allow_list",
    "template.bad-limits": "agreement.limits.per_tx_sat",
    "template.bad-shares": "template.shares",
    "template.bad-oracle": "template.oracle_key",
    "template.bad-collateral": "template.hedge.miner_collateral_sat",
    "contract.unknown-box": "agreement.parties",
}


def contract_document(text: str, boxes: Iterable[BoxView]) -> bytes:
    """For `TreasuryDesk.draft`: keys as base64, and the boxes that hold a key by the parties who name them."""
    document = _read(text)
    agreement = _dict(document.get("agreement"))
    for name in ("owners", "witnesses"):
        if isinstance(agreement.get(name), list):
            agreement[name] = [key_text(one, f"agreement.{name}[{at}]") for at, one in enumerate(agreement[name])]
    for at, one in enumerate(_list(agreement.get("approvers"))):
        approver = _dict(one)
        if "public_key" in approver:
            approver["public_key"] = key_text(approver["public_key"], f"agreement.approvers[{at}].public_key")
    template = _dict(document.get("template"))
    if "oracle_key" in template:
        template["oracle_key"] = key_text(template["oracle_key"], "template.oracle_key")
    holders = {_dict(one).get("person") for one in _list(agreement.get("parties"))}
    document["boxes"] = [box.box_id for box in boxes if holders & {box.box_id, box.node}]
    return json.dumps(document).encode()


def key_text(key: Any, place: str) -> str:
    """A key in hex digits, as every tool of ours prints it, in base64, as the treasury reads it. Malformed."""
    text = key.strip() if isinstance(key, str) else ""
    if not _HEX_KEY.fullmatch(text):
        raise Malformed(f"body: this is no public key: write 64 hex digits - at `$.{place}`")
    return base64.b64encode(bytes.fromhex(text)).decode()


def refusal(error: BesError) -> Content:
    """Text and rule, and the place in the document that the text is about; empty where it is about no single field."""
    rule = getattr(error, "rule", "") or error.code
    found = _PLACE.search(error.detail)
    place = found[1].replace("[...]", "") if found else _RULE_PLACES.get(rule, "")
    line = re.search(r"\[(\d+)\](?:\.(\w+))?$", place)
    where = f"Line {int(line[1]) + 1}{f', {line[2]}'.replace('_', ' ') if line[2] else ''}: " if line else ""
    return {"text": where + plain(error.detail), "rule": rule, "place": place}


def plain(detail: str) -> str:
    """A reader's complaint in the words of a person."""
    text = _PLACE.sub("", detail.removeprefix("body: ").removeprefix("agreement: ")).removesuffix(" - at ")
    wanted = re.fullmatch(r"Expected `(\w+)`(?: \| null)?, got `(\w+)`", text)
    if wanted:
        return f"Write {_TYPES.get(wanted[1], wanted[1])} here."
    missing = re.fullmatch(r"Object missing required field `(\w+)`", text)
    if missing:
        return f"“{missing[1].replace('_', ' ')}” is missing."
    length = re.fullmatch(r"Expected `(?:str|bytes)` of length >= (\d+)", text)
    if length:
        return "Write something here." if length[1] == "1" else f"This is shorter than {length[1]} bytes."
    return f"{text[:1].upper()}{text[1:]}"


def _read(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Malformed("the form sent something that is no document; reload the page") from error
    return _dict(document)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
