"""How a process reaches its broker."""

import ssl
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.errors import SettingInvalid


class TlsSettings(BaseModel):
    """TLS 1.3 only. With `cert_file` and `key_file` the client shows who it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """SettingInvalid names the file that does not serve. To rotate a certificate, load it into the same context."""
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(path) for path in (self.ca_file, self.cert_file, self.key_file) if path)
            raise SettingInvalid(f"mqtt.tls: {files}: {error}") from error
        return context


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
