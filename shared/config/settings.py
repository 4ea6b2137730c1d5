"""One base for the settings of every process: a TOML file, overruled by environment variables."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.errors import SettingInvalid, SettingMissing
from shared.log import redactor

LogLevel = Literal["debug", "info", "warning", "error"]
WireName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A site or a node: a level of an MQTT topic."""


class Settings(BaseSettings):
    """Settings of a process are a subclass that sets `env_prefix`, such as `BES_AGENT_`.

    Unknown keys are errors, so that a misspelt one cannot be ignored. `BES_AGENT_MQTT__PORT` sets `port` of `mqtt`.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrules the file, whose values arrive as keyword arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read `path`, where given, and the environment; errors name file, key and mend.

        What the settings hold as secret is hidden in every log line from here on.
        """
        try:
            settings = cls(**_toml(path))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
            raise SettingInvalid(f"{path or cls.__name__}: {problems}") from error
        for secret in _secrets(settings):
            redactor.learn(secret)
        return settings


def state_folder(path: Path) -> Path:
    """`path` as a folder that only its owner can enter, made where it is missing."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingInvalid(
            f"state_directory {path}: {error.strerror}; name a folder that this user can write"
        ) from error
    return path


def _secrets(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name))
        case dict():
            for inner in value.values():
                yield from _secrets(inner)
        case tuple():
            for inner in value:
                yield from _secrets(inner)


def _toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingMissing(f"{path}: no such file") from error
    except OSError as error:
        raise SettingInvalid(f"{path}: {error.strerror}; name a TOML file that this user can read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path}: {error}") from error
