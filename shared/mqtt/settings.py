"""How a process reaches its broker."""

import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.errors import SettingInvalid
from shared.mqtt.tls_socket import TlsSocket


class TlsSettings(BaseModel):
    """TLS 1.3 only. With `cert_file` and `key_file` the client shows who it is; without `key_file` the key stands in
    `cert_file` too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """From the files as they are now. SettingInvalid names what does not serve."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.sslsocket_class = TlsSocket
            if self.cert_file is not None:
                _refuse_an_open_key(self.key_file or self.cert_file)
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_passphrase)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(path) for path in (self.ca_file, self.cert_file, self.key_file) if path)
            raise SettingInvalid(f"mqtt.tls: {files}: {error}") from error
        return context

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file")
        return self


def _refuse_an_open_key(path: Path) -> None:
    """The group may read: systemd lets the service read its copy by an access list, which shows as the group's bits."""
    if path.stat().st_mode & 0o007:
        raise SettingInvalid(f"mqtt.tls: {path}: everybody can read this key; run 'chmod 600 {path}'")


def _no_passphrase() -> str:
    """OpenSSL would ask at the terminal, and a service has none."""
    raise SettingInvalid("mqtt.tls: the key is encrypted; store it without a passphrase, readable by the service only")


class MqttSettings(BaseModel):
    """`answer_timeout_s` bounds every answer of the broker that is waited for. `version` 5 where broker
    and site agree on it; our messages need no more than 3.1.1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    version: Literal["3.1.1", "5"] = "3.1.1"
    keepalive_s: int = Field(default=20, ge=1, le=300)
    answer_timeout_s: float = Field(default=5.0, gt=0, le=60)
    backoff_first_s: float = Field(default=0.5, gt=0, le=60)
    backoff_max_s: float = Field(default=60.0, gt=0, le=3600)
    tls: TlsSettings | None = None
