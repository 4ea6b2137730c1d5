"""The signing boxes that this controller was told of, and what each said last."""

from collections.abc import Iterable, Mapping

import msgspec
from nacl.signing import VerifyKey

from controller.signing.ports import BoxAddress
from shared.crypto.keys import key_id, parse_public
from shared.errors import NotFound
from shared.wire.contract import Party
from shared.wire.signing import BoxReport


class KnownBox(msgspec.Struct, frozen=True):
    """`report` is None until the box has said something since the controller started."""

    address: BoxAddress
    report: BoxReport | None = None
    heard_at_ms: int | None = None


class BoxDirectory:
    """Boxes are named by the id of the key that seals what they say."""

    def __init__(self, boxes: Iterable[tuple[str, str, str]]) -> None:
        """`boxes`: site, node and public key (hex) of each. SettingInvalid where a key is none."""
        self._boxes: dict[str, KnownBox] = {}
        for site, node, text in boxes:
            key = parse_public(text)
            address = BoxAddress(key_id(key), site, node, key.encode())
            self._boxes[address.box_id] = KnownBox(address)

    def __len__(self) -> int:
        return len(self._boxes)

    def listed(self) -> tuple[KnownBox, ...]:
        return tuple(self._boxes.values())

    def get(self, box_id: str) -> KnownBox:
        found = self._boxes.get(box_id)
        if found is None:
            raise NotFound(f"no signing box {box_id!r} stands in the settings of this controller")
        return found

    def trusted(self, site: str, node: str) -> dict[str, VerifyKey]:
        """The keys by which a node may seal, by their ids; empty for one that is no box of ours."""
        here = (box.address for box in self._boxes.values() if (box.address.site, box.address.node) == (site, node))
        return {address.box_id: VerifyKey(address.public_key) for address in here}

    def others(self, box_id: str) -> tuple[BoxAddress, ...]:
        return tuple(box.address for name, box in self._boxes.items() if name != box_id)

    def of_parties(self, parties: Iterable[Party]) -> Mapping[str, BoxAddress]:
        """By the party's name, the box that holds its key: `Party.person` then names the box, by id or by node."""
        by_name = {box.address.node: box.address for box in self._boxes.values()}
        by_name |= {name: box.address for name, box in self._boxes.items()}
        return {party.name: by_name[party.person] for party in parties if party.person in by_name}

    def heard(self, report: BoxReport, at_ms: int) -> None:
        known = self.get(report.box_id)
        self._boxes[report.box_id] = KnownBox(known.address, report, at_ms)
