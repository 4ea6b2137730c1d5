"""Settings of a controller: one TOML file, overruled by `BES_CONTROLLER_*`."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.bitcoin.network import Network
from shared.config.settings import LogLevel, Settings, WireName
from shared.mqtt import MqttSettings


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(Section):
    """Console and API. Anything but loopback belongs behind a TLS proxy; `https` then marks the cookies as secure."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    https: bool = False


class PriceFeed(Section):
    """Energy prices from a CSV file. Without one there is no price, and nothing is changed for profit. `synthetic`
    labels a file of invented prices, or asks for an invented day where no file is named; it is for demonstrations. The
    hashprice is what the operator states.
    """

    file: Path | None = None
    synthetic: bool = False
    time_zone: str = "UTC"
    hashprice_usd_phs_day: float = Field(default=45.0, gt=0)


class Dispatching(Section):
    """`automatic` false decides and explains, and orders nothing.

    For profit a machine is left alone for `dwell_s` after a change, and one that did not obey for `disobeyed_s`; an
    order has `confirm_s` to show. Limits and curtailments do not wait for any of them.
    """

    automatic: bool = True
    min_interval_s: float = Field(default=5.0, gt=0)
    confirm_s: float = Field(default=600.0, gt=0)
    dwell_s: float = Field(default=900.0, ge=0)
    disobeyed_s: float = Field(default=900.0, ge=0)


class Keep(Section):
    """For how many days what is kept: samples and five-minute roll-ups (hours are kept for ever), notices and alarms
    since they were closed, records that nobody understood, settled side effects, marks of handled records. Events of
    the journal are kept for ever.
    """

    sample_days: int = Field(default=7, ge=1)
    five_minute_days: int = Field(default=90, ge=1)
    notice_days: int = Field(default=90, ge=1)
    alarm_days: int = Field(default=365, ge=1)
    quarantine_days: int = Field(default=90, ge=1)
    outbox_days: int = Field(default=30, ge=1)
    handled_days: int = Field(default=7, ge=1)


class SigningBox(Section):
    """Where a signing box is, and the public key that it says at its start."""

    site: WireName
    node: WireName
    public_key: str = Field(pattern="^[0-9a-fA-F]{64}$")


class TreasurySettings(Section):
    """A Bitcoin node, which knows us by its cookie file or by user and password, and the boxes that sign.

    Contracts and payments are looked after every `look_s`; boxes have `round_s` to answer before they are asked anew.
    `execution_workers` processes judge what is executed many at once; they run only while they are needed.
    """

    network: Network
    node_url: str
    cookie_file: Path | None = None
    user: str = ""
    password: SecretStr | None = None
    boxes: tuple[SigningBox, ...] = ()
    look_s: float = Field(default=5.0, gt=0)
    round_s: float = Field(default=600.0, gt=0)
    execution_workers: int = Field(default=2, ge=0, le=64)

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.cookie_file is None) == (self.password is None):
            raise ValueError("give either cookie_file, or user and password, so that the node knows us")
        return self


class ControllerSettings(Settings):
    model_config = SettingsConfigDict(
        env_prefix="BES_CONTROLLER_", extra="forbid", frozen=True, env_nested_delimiter="__"
    )

    state_directory: Path
    sites: tuple[WireName, ...]
    mqtt: MqttSettings = MqttSettings(port=8883)
    web: Web = Web()
    prices: PriceFeed = PriceFeed()
    dispatch: Dispatching = Dispatching()
    keep: Keep = Keep()
    treasury: TreasurySettings | None = None
    log_level: LogLevel = "info"
