"""The electrical tree of a site: which feeder hangs below which, what they may carry, what hangs on them."""

from collections.abc import Mapping

from shared.errors import SettingInvalid
from shared.site import Feeder, Placement, Site, miner_id, site_problems


class ElectricalTree:
    """Built once from a checked site. SettingInvalid names every contradiction of a site that has one."""

    def __init__(self, site: Site) -> None:
        if problems := list(site_problems(site)):
            raise SettingInvalid(f"site {site.id}: " + "; ".join(problems))
        self._feeders = {feeder.id: feeder for feeder in site.feeder}
        self._paths = {feeder_id: self._path(feeder_id) for feeder_id in self._feeders}
        self._placements = {miner_id(placed.mac): placed for placed in site.placement}
        self._feeder_of = {device_id: placed.feeder for device_id, placed in self._placements.items()}
        self._feeder_of |= {feeder.meter: feeder.id for feeder in site.feeder if feeder.meter is not None}
        self._below: dict[str, list[str]] = {feeder_id: [] for feeder_id in self._feeders}
        for device_id, feeder_id in self._feeder_of.items():
            for ancestor in self._paths[feeder_id]:
                self._below[ancestor].append(device_id)

    @property
    def feeders(self) -> tuple[Feeder, ...]:
        """Parents before children."""
        return tuple(sorted(self._feeders.values(), key=lambda feeder: len(self._paths[feeder.id])))

    @property
    def placements(self) -> Mapping[str, Placement]:
        """Where miners stand, by device id."""
        return self._placements

    def feeder_of(self, device_id: str) -> str | None:
        """The feeder that a miner hangs on or a meter measures; None where the site does not say."""
        return self._feeder_of.get(device_id)

    def path(self, feeder_id: str) -> tuple[str, ...]:
        """From the root down to the feeder itself."""
        return self._paths[feeder_id]

    def devices_below(self, feeder_id: str) -> tuple[str, ...]:
        """All devices on the feeder and on feeders below it."""
        return tuple(self._below[feeder_id])

    def _path(self, feeder_id: str) -> tuple[str, ...]:
        path: list[str] = []
        at: str | None = feeder_id
        while at is not None:
            path.append(at)
            at = self._feeders[at].parent
        return tuple(reversed(path))
