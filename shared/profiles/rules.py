"""What a profile must keep to beyond its schema. Each rule has an id that docs/add-a-device.md explains."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from shared.errors import Unsupported
from shared.profiles.command import PLACEHOLDER, Argument, Command, Parameter
from shared.profiles.model import ROUNDING, SURE, Document, Vector
from shared.profiles.plan import LAST_ADDRESS, plan, protocol_address
from shared.profiles.point import INTEGERS, Point, unit_of

Rule = Callable[[Document], Iterator[str]]

_ID: Final = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_PATTERN: Final = re.compile(r"[0-9A-Fa-fxX]+")
_WORD: Final = re.compile(r"[0-9A-Fa-f]{4}")
_MAX_READ: Final = 125  # Modbus application protocol V1.1b3, functions 3 and 4


def violations(document: Document) -> Iterator[str]:
    """One sentence for each violation, with the rule's id at its end. Later rules need the earlier ones kept."""
    for stage in _STAGES:
        found = [f"{sentence} [{rule_id}]" for rule_id, rule in stage.items() for sentence in rule(document)]
        yield from found
        if found:
            return


def _identity(document: Document) -> Iterator[str]:
    about = document.profile
    if not _ID.fullmatch(about.id):
        yield f"profile.id: {about.id!r} must be <vendor>.<model> in a-z, 0-9 and hyphens"
    if not _VERSION.fullmatch(about.version):
        yield f"profile.version: {about.version!r} must be three numbers such as 1.0.0"
    if not about.models:
        yield "profile.models: name at least one model"


def _dated_sources(document: Document) -> Iterator[str]:
    if not document.profile.sources:
        yield "profile.sources: say where the facts come from"
    for source in document.profile.sources:
        if source.date is None:
            yield f"profile.sources: {source.title!r} needs the date on which it was read"


def _transport(document: Document) -> Iterator[str]:
    modbus, http = document.transport.modbus, document.transport.http
    if (modbus is None) == (http is None):
        yield "transport: give exactly one of transport.modbus and transport.http"
        return
    for point in document.point:
        in_registers = point.table is not None and point.address is not None and point.type is not None
        in_json = point.request is not None and point.json_pointer is not None
        if in_registers == in_json or in_registers != (modbus is not None):
            wanted = "table, address and type" if modbus is not None else "request and json_pointer"
            yield f"point {point.name}: this transport needs {wanted}, and nothing of the other"
        of_registers = (point.invalid, point.mask is not None, point.linear, point.scale_point, point.monotonic)
        if not in_registers and any(of_registers):
            yield f"point {point.name}: invalid, mask, linear, scale_point and monotonic belong to registers"


def _names(document: Document) -> Iterator[str]:
    seen: set[str] = set()
    for point in document.point:
        unit = unit_of(point.name)
        if unit is None:
            yield f"point {point.name!r} is not a name of ours; shared/profiles/point.py lists them"
        elif point.unit != unit:
            yield f"point {point.name}: its unit is {unit!r}, so let scale lead from the device's unit to it"
        if point.name in seen:
            yield f"point {point.name} stands twice"
        seen.add(point.name)


def _decoding(document: Document) -> Iterator[str]:
    names = {point.name for point in document.point}
    for point in document.point:
        for problem in _decoding_problems(point, names):
            yield f"point {point.name}: {problem}"


def _decoding_problems(point: Point, names: set[str]) -> Iterator[str]:
    if (point.type == "ascii") != (point.count is not None):
        yield "count is the length of an ascii text in registers, and only that"
    for pattern in point.invalid:
        if not _PATTERN.fullmatch(pattern) or len(pattern) != 4 * point.words:
            yield f"invalid pattern {pattern!r} must be {4 * point.words} hex digits or x"
    if (point.mask is not None or (point.enum and point.type is not None)) and point.type not in INTEGERS:
        yield "mask and enum need an integer type"
    if point.linear is not None and (point.linear.raw_lo >= point.linear.raw_hi or point.scale != 1 or point.offset):
        yield "linear needs raw_lo below raw_hi and stands in place of scale and offset"
    if point.rollover_bits is not None and not point.monotonic:
        yield "rollover_bits belongs to a monotonic counter"
    if point.valid_range is not None and point.valid_range[0] >= point.valid_range[1]:
        yield "valid_range must rise"
    for other in (point.scale_point, point.sign_point):
        if other is not None and other not in names:
            yield f"it leans on {other}, which is not in the file"
    if point.scale_point is not None and not point.scale_point.startswith("scale."):
        yield "scale_point must be a scale.* point of type sunssf"


def _overlaps(document: Document) -> Iterator[str]:
    placed = sorted(
        ((p.table or "", p.address, p) for p in document.point if p.address is not None), key=lambda item: item[:2]
    )
    for index, (table, address, point) in enumerate(placed):
        for other_table, other_address, other in placed[index + 1 :]:
            if other_table != table or other_address >= address + point.words:
                break
            if other.name not in point.overlaps and point.name not in other.overlaps:
                yield f"points {point.name} and {other.name} share registers; name one in `overlaps` of the other"


def _reads(document: Document) -> Iterator[str]:
    settings = document.transport.modbus
    if settings is None:
        return
    if not 1 <= settings.max_read_registers <= _MAX_READ:
        yield f"transport.modbus.max_read_registers must be 1 to {_MAX_READ}"
    for address in settings.single_reads:
        if all(point.address != address for point in document.point):
            yield f"transport.modbus.single_reads: no point stands at {address:#06x}"
    for point in document.point:
        assert point.table is not None
        assert point.address is not None
        first = protocol_address(point.table, point.address, settings)
        if not 0 <= first <= LAST_ADDRESS + 1 - point.words:
            yield f"point {point.name}: address {point.address} lies outside the table; check address_base"
    for block in plan(document.point, settings):
        if block.count > settings.max_read_registers:
            yield f"point {block.points[0].name} is wider than max_read_registers and a value is never split"


def _vectors_cover(document: Document) -> Iterator[str]:
    expected = {name for vector in document.vector for name in vector.expect}
    for point in document.point:
        if point.name not in expected:
            yield f"point {point.name} has no vector"


def _vectors_fit(document: Document) -> Iterator[str]:
    points = {point.name: point for point in document.point}
    for number, vector in enumerate(document.vector, start=1):
        for problem in _vector_problems(vector, points, modbus=document.transport.modbus is not None):
            yield f"vector {number}: {problem}"


def _vector_problems(vector: Vector, points: dict[str, Point], *, modbus: bool) -> Iterator[str]:
    held: set[int] = set()
    if isinstance(vector.raw, dict):
        for address, words in vector.raw.items():
            if not re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", address) or not all(map(_WORD.fullmatch, words)):
                yield f"raw {address!r}: an address and words of four hex digits are needed"
                return
            held |= set(range(int(address, 0), int(address, 0) + len(words)))
    if bool(vector.expect) != bool(vector.raw) or (vector.expect and isinstance(vector.raw, dict) != modbus):
        yield "raw must be words for registers, a body for http, and come with expect"
    for name in vector.expect:
        point = points.get(name)
        if point is None:
            yield f"it expects {name}, which is not a point"
        elif point.request is not None and point.request != vector.request:
            yield f"{name} is answered by request {point.request!r}"
        elif point.address is not None and not held >= set(range(point.address, point.address + point.words)):
            yield f"raw does not hold all words of {name}"


def _identification(document: Document) -> Iterator[str]:
    if sum(step.confidence for step in document.identify) < SURE - ROUNDING:
        yield f"identify: the steps together must reach a confidence of {SURE}"
    names = {point.name for point in document.point}
    for step in document.identify:
        if step.read not in names:
            yield f"identify: {step.read} is not a point"
        given = (step.expect.value, step.expect.regex, step.expect.range)
        if sum(way is not None for way in given) != 1:
            yield f"identify {step.read}: expect exactly one of value, regex and range"


def _read_backs(document: Document) -> Iterator[str]:
    names = {point.name for point in document.point}
    for command in document.command:
        back = command.readback
        if back is None:
            yield f"command {command.name} has no read-back; nothing would prove its effect"
            continue
        parameter = command.params.get(back.by)
        if parameter is None or parameter.type != "enum" or set(parameter.enum) != set(back.expect):
            yield f"command {command.name}: readback must expect a range for every word of an enum parameter"
        for name in (back.point, back.echo):
            if name is not None and name not in names:
                yield f"command {command.name}: readback point {name} is not in the file"
        if back.echo == back.point:
            yield f"command {command.name}: the point that echoes the order cannot prove it"


def _templates(document: Document) -> Iterator[str]:
    for command in document.command:
        used = {name for step in command.steps for name in PLACEHOLDER.findall(f"{step.http.path} {step.http.body}")}
        if used != set(command.params):
            yield f"command {command.name}: placeholders and params differ: {sorted(used ^ set(command.params))}"
        for name, parameter in command.params.items():
            if not _is_typed(parameter):
                yield f"command {command.name}: parameter {name} needs an enum of its words, or min below max"


def _is_typed(parameter: Parameter) -> bool:
    if parameter.type == "enum":
        codes = [repr(code) for code in parameter.enum.values()]
        return bool(codes) and len(set(codes)) == len(codes)
    return not parameter.enum and 1 <= parameter.min <= parameter.max


def _command_vectors(document: Document) -> Iterator[str]:
    commands = {command.name: command for command in document.command}
    writes = [write for vector in document.vector for write in vector.write]
    for command in document.command:
        shown = [write.params for write in writes if write.command == command.name]
        for name, word in _words(command):
            if not any(params.get(name) == word for params in shown):
                yield f"command {command.name} has no vector.write with {name} = {word!r}"
    for write in writes:
        if write.command not in commands:
            yield f"vector.write names command {write.command!r}, which is not in the file"
        elif (sent := _sent(commands[write.command], write.params)) != (write.request, write.body):
            yield f"vector.write of {write.command} {write.params}: the profile sends {' '.join(sent)}"


def _words(command: Command) -> Iterator[tuple[str, str]]:
    for name, parameter in command.params.items():
        for word in parameter.enum:
            yield name, word


def _sent(command: Command, params: dict[str, Argument]) -> tuple[str, str]:
    try:
        steps = command.encode(params)
    except Unsupported as error:
        return "nothing:", error.detail
    return " ".join(f"{step.method} {step.path}" for step in steps), "".join(step.body for step in steps)


_STAGES: Final[tuple[dict[str, Rule], ...]] = (
    {
        "profile.identity": _identity,
        "profile.source-undated": _dated_sources,
        "profile.transport": _transport,
        "profile.point-name": _names,
    },
    {
        "profile.decoding": _decoding,
        "profile.point-overlap": _overlaps,
        "profile.read-limit": _reads,
        "profile.identify": _identification,
        "profile.command-without-readback": _read_backs,
        "profile.command-template": _templates,
    },
    {
        "profile.point-without-vector": _vectors_cover,
        "profile.vector": _vectors_fit,
        "profile.command-vector": _command_vectors,
    },
)
RULES: Final[tuple[str, ...]] = tuple(rule_id for stage in _STAGES for rule_id in stage)
