"""Sites, frames and single miners from the twin."""

import math
from collections import defaultdict
from collections.abc import Hashable

from controller.fleet import FleetService
from controller.mining.fleet.column import Samples
from controller.operations.command_log import CommandLog
from controller.operations.moment import Moments
from controller.operations.sentence import sentence_of
from controller.views.frame import FleetFrame
from controller.views.miner import BoardRow, MinerDetail, qualities_at, row_at
from controller.views.site import SiteView
from shared.actions import ReadNow
from shared.errors import NotFound
from shared.quality import quality_at


class LiveFleet:
    """Fills `controller.views.ports.Fleet`."""

    def __init__(self, moments: Moments, directory: FleetService, log: CommandLog) -> None:
        self._moments = moments
        self._directory = directory
        self._log = log
        self._boards = _BoardIndex()

    def sites(self) -> tuple[SiteView, ...]:
        return tuple(map(self._site, self._moments.sites))

    def frame(self, site: str) -> FleetFrame:
        return self._moments.of(site).frame

    async def miner(self, site: str, device_id: str) -> MinerDetail:
        snapshot, frame = self._moments.of(site)
        row = frame.layout.row_of.get(device_id)
        if row is None:
            raise NotFound(f"no miner {device_id!r} at {site}")
        boards = snapshot.boards
        return MinerDetail(
            snapshot=frame.snapshot,
            row=row_at(frame, row),
            sentence=sentence_of(frame, row),
            verbs=tuple(dict.fromkeys((ReadNow.verb, *snapshot.roster.record[row].verbs))),
            qualities=qualities_at(frame, row),
            boards=tuple(_board(boards, at, slot) for slot, at in self._boards.of(boards, device_id)),
            evidence=self._log.evidence(device_id),
        )

    def _site(self, site: str) -> SiteView:
        snapshot = self._moments.of(site).snapshot
        contacts = [node.last_contact_ms for node in self._directory.nodes(site)]
        return SiteView(
            id=site,
            name=snapshot.site.name,
            time_zone=snapshot.site.time_zone,
            miners=len(snapshot.roster),
            last_contact_ms=max(contacts, default=None),
        )


class _BoardIndex:
    """Where the boards of a device stand; made anew only when a board appears."""

    def __init__(self) -> None:
        self._keys: tuple[Hashable, ...] = ()
        self._rows: dict[str, list[tuple[int, int]]] = {}

    def of(self, boards: Samples, device_id: str) -> list[tuple[int, int]]:
        """(slot, row) by slot."""
        if boards.keys is not self._keys:
            rows: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
            for row, key in enumerate(boards.keys):
                if isinstance(key, tuple):
                    rows[key[0]].append((key[1], row))
            self._keys, self._rows = boards.keys, dict(rows)
        return sorted(self._rows.get(device_id, []))


def _board(boards: Samples, row: int, slot: int) -> BoardRow:
    packed = int(boards.quality[row])

    def number(field: str) -> float | None:
        index = boards.fields.index(field)
        value = float(boards.values[index, row])
        return value if quality_at(packed, index).usable and not math.isnan(value) else None

    def count(field: str) -> int | None:
        value = number(field)
        return None if value is None else int(value)

    return BoardRow(
        slot=slot,
        observed_at_ms=int(boards.seen_ms[row]),
        hashrate_ths=number("hashrate_ths"),
        hashrate_expected_ths=number("hashrate_expected_ths"),
        chip_temp_c=number("chip_temp_c"),
        board_temp_c=number("board_temp_c"),
        chips_good=count("chips_good"),
        chips_expected=count("chips_expected"),
        frequency_mhz=number("frequency_mhz"),
        hardware_errors=count("hardware_errors"),
    )
