"""Settings of a node: one TOML file, overruled by `BES_AGENT_*`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.config.settings import LogLevel, Settings, WireName
from shared.mqtt import MqttSettings


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Login(Section):
    """How to log in to the devices of one family."""

    user: str
    password: SecretStr


class DeviceTls(Section):
    """HTTPS for one PDU or all of a profile: their certificates (SHA-256), or the authority that signed them."""

    ca_file: Path | None = None
    fingerprints: tuple[str, ...] = ()


class Polling(Section):
    hot_s: float = Field(default=1.0, gt=0)
    warm_s: float = Field(default=5.0, gt=0)
    full_every_s: float = Field(default=60.0, gt=0)
    in_flight: int = Field(default=128, ge=1, le=4096)


class Discovery(Section):
    """`mdns_interfaces` empty listens nowhere; `sweep_every_s` 0 sweeps once."""

    sweep_every_s: float = Field(default=300.0, ge=0)
    at_once: int = Field(default=64, ge=1, le=1024)
    mdns_interfaces: tuple[str, ...] = ()
    second_opinion: bool = True


class EnergyClaims(Section):
    """Commit to the energy of each interval, sealed to the owner whose public key (`bes claim owner-key`) this is."""

    owner_key: str = Field(pattern="^[0-9a-fA-F]{64}$")
    interval_s: int = Field(default=900, ge=60, le=86_400)


class NodeSettings(Settings):
    """What both roles need. `operators` are the public keys (hex) that may order, `approvers` may sign second."""

    model_config = SettingsConfigDict(env_prefix="BES_AGENT_", extra="forbid", frozen=True, env_nested_delimiter="__")

    site: WireName
    node: WireName
    state_directory: Path
    operators: tuple[str, ...]
    approvers: tuple[str, ...] = ()
    mqtt: MqttSettings = MqttSettings(port=8883)
    log_level: LogLevel = "info"
    spool_max_mb: int = Field(default=1024, ge=1)

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        """One key on both lists would be its own second person."""
        both = set(map(str.lower, self.operators)) & set(map(str.lower, self.approvers))
        if both:
            raise ValueError(f"key {min(both)[:12]}… stands in operators and in approvers; give each its own key")
        return self


class TokenSettings(Section):
    """A PKCS#11 token by the vendor's `module`; `pin` is a file, or the name of a systemd credential."""

    module: Path
    label: str
    serial: str
    pin: str = "token-pin"


class PinnedKey(Section):
    """A key of the token: CKA_ID in hex, and the compressed public key (hex) that its owner wrote down."""

    id: str = Field(pattern="^([0-9a-f]{2})+$")
    public_key: str = Field(pattern="^0[23][0-9a-f]{64}$")


class SigningSettings(Section):
    """What a box signs with and for whom. `owners` (hex) sign first policies, `owners_needed` of them.

    `wrap_key` is the CKA_ID of the AES key that wraps Taproot keys, empty where the box has none. Witnesses are waited
    for `patience_s`. The box says how it stands every `report_every_s`; a controller that starts waits for it before it
    can feed headers.
    """

    network: Literal["main", "testnet4", "signet", "regtest"]
    owners: tuple[str, ...] = Field(min_length=1)
    owners_needed: int = Field(ge=1)
    checkpoint_height: int = Field(ge=0)
    checkpoint_hash: str = Field(pattern="^[0-9a-f]{64}$")
    token: TokenSettings
    keys: tuple[PinnedKey, ...] = ()
    wrap_key: str = ""
    patience_s: float = Field(default=20.0, gt=0)
    report_every_s: float = Field(default=15.0, gt=0)
    accept_torn_end: bool = False
    headers_silent_s: float = Field(default=6 * 3600, gt=0)
    headers_behind_s: float = Field(default=24 * 3600, gt=0)

    @model_validator(mode="after")
    def _enough_owners(self) -> Self:
        if len(set(map(str.lower, self.owners))) < self.owners_needed:
            raise ValueError(f"owners names fewer keys than the {self.owners_needed} of owners_needed")
        return self


class SignerSettings(NodeSettings):
    """A signing box. Without `signing` it reports its health and refuses every request."""

    signing: SigningSettings | None = None


class SiteSettings(NodeSettings):
    """`ports` maps a standard port to the one used here, where devices cannot be reached on the standard one.

    After `silence_s` without a word of the controller the site follows its plan by itself.
    """

    site_file: Path
    logins: dict[str, Login] = Field(default_factory=dict)
    device_tls: dict[str, DeviceTls] = Field(default_factory=dict)
    ports: dict[int, int] = Field(default_factory=dict)
    polling: Polling = Polling()
    discovery: Discovery = Discovery()
    energy_claims: EnergyClaims | None = None
    cycle_s: float = Field(default=1.0, gt=0)
    silence_s: float = Field(default=60.0, gt=0)
