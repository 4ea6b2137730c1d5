"""Who the node is and how it sends."""

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from shared.mqtt import MqttSettings
from shared.wire.topics import down, up


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What the node says of itself in `hello`. `boot_id` tells process lives apart."""

    site: str
    name: str
    boot_id: str
    software: str
    role: str = "site"
    public_key: bytes = b""

    @property
    def client_id(self) -> str:
        return self.name

    def up(self, leaf: str) -> str:
        return up(self.site, self.name, leaf)

    def down(self, leaf: str) -> str:
        return down(self.site, self.name, leaf)


class UplinkSettings(BaseModel):
    """`window` rows may be on their way without a receipt; they are sent again when the mark has not moved for
    `resend_s`, which doubles up to `resend_max_s` while nothing moves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mqtt: MqttSettings = MqttSettings()
    window: int = Field(default=100, ge=1, le=10_000)
    resend_s: float = Field(default=10.0, gt=0)
    resend_max_s: float = Field(default=60.0, gt=0)
    latest_every_s: float = Field(default=1.0, ge=0)
    inbox_limit: int = Field(default=1000, ge=1)


class UplinkCounters:
    """Monotonic. `refused` counts by the code of the refusal."""

    def __init__(self) -> None:
        self.records_sent = 0
        self.records_resent = 0
        self.records_released = 0
        self.receipts = 0
        self.news = 0  # receipts that released something or are newer than all before
        self.inbox_dropped = 0
        self.handler_failures = 0
        self.refused: dict[str, int] = {}

    def refuse(self, code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1
