"""Loading of the settings: the command line goes before the environment, the file and the defaults."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError

from server.config.section import Section
from server.config.settings import DELIMITER, PREFIX, Settings
from server.errors import ConfigError

FILE_VARIABLE = "PICSHARE_CONFIG"
DEFAULT_FILE = Path("config.toml")

Values = Mapping[str, Mapping[str, Any]]


def load_settings(file: Path | None = None, overrides: Values | None = None) -> Settings:
    """Return the settings; `overrides` (section → key → value) are those of the command line.

    The file is `file`, otherwise the one in PICSHARE_CONFIG, otherwise `./config.toml`, which may be missing. Raises
    `ConfigError` with one sentence for the first error.
    """
    named = file or (Path(os.environ[FILE_VARIABLE]) if os.environ.get(FILE_VARIABLE) else None)
    path = named or DEFAULT_FILE
    values = _read(path, required=named is not None)
    _refuse_unknown_variables()
    given: dict[str, Any] = dict(overrides or {})
    try:
        return _with_sources(values)(**given)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path, given)) from error
    except SettingsError as error:
        raise ConfigError(f"The environment cannot be read: {error}.") from error


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError as error:
        if required:
            raise ConfigError(f"The configuration file {path} does not exist.") from error
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def _with_sources(file_values: dict[str, Any]) -> type[Settings]:
    class Loaded(Settings):
        """Settings that also read the environment and one file."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return (init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=file_values))

    return Loaded


def known_keys() -> Iterator[str]:
    """Yield every key as `section.key`."""
    for name, section in Settings.model_fields.items():
        model = section.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (f"{name}.{key}" for key in model.model_fields)


def _refuse_unknown_variables() -> None:
    """Refuse a variable PICSHARE_A__B without a key.

    Other names with PICSHARE_ are ignored: Kubernetes sets such variables for a service named picshare.
    """
    known = {variable_of(key): key for key in known_keys()}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and DELIMITER in name and name.upper() not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.5)
            hint = f"; did you mean {nearest[0]}?" if nearest else ", see docs/configuration.md."
            raise ConfigError(f"The environment variable {name} names no setting{hint}")


def variable_of(key: str) -> str:
    """Return the environment variable of a key given as `section.key`."""
    return PREFIX + key.replace(".", DELIMITER).upper()


def _sentence(error: ValidationError, path: Path, overrides: Values) -> str:
    # Unknown keys first: a mistyped key is often the reason for the other errors.
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"][:2])
    item = _item(first["loc"])
    if first["type"] == "extra_forbidden":
        return f"Unknown key {key}{item} in {path}; see docs/configuration.md." if item else _unknown(key, path)
    if len(first["loc"]) == 1:
        return f"In {path}, {key} is a section; write its keys below [{key}]."
    message = first["msg"].removeprefix("Value error, ")
    message = message.replace("Input should", "it should", 1).replace("Value should", "it should", 1)
    if first["type"] == "missing":
        message = "it is required"
    return f"{key}{item} (from {_origin(key, path, overrides)}) is not valid: {message[0].lower()}{message[1:]}."


def _item(location: tuple[int | str, ...]) -> str:
    """Return the rest of a location in a list of tables, as "[0].name"; empty for any other setting."""
    match location[2:]:
        case (int(place), str(name), *_):
            return f"[{place}].{name}"
        case _:
            return ""


def _origin(key: str, path: Path, overrides: Values) -> str:
    section, _, name = key.partition(".")
    if name in overrides.get(section, {}):
        return "the command line"
    variables = {name.upper(): name for name in os.environ}
    return variables.get(variable_of(key), str(path))


def _unknown(key: str, path: Path) -> str:
    section, _, name = key.partition(".")
    sections = {item: model.annotation for item, model in Settings.model_fields.items()}
    if not name:
        near = difflib.get_close_matches(section, [*sections, *(item.split(".")[1] for item in known_keys())], n=1)
        hint = (
            f"; did you mean {_place(near[0], list(sections))}?"
            if near
            else f"; the sections are {', '.join(sections)}."
        )
        return f"Unknown key {key} in {path}{hint}"
    model = sections[section]
    keys = list(model.model_fields) if isinstance(model, type) and issubclass(model, Section) else []
    nearest = difflib.get_close_matches(name, keys, n=1, cutoff=0.4)
    if not nearest:
        elsewhere = [item for item in known_keys() if item.endswith(f".{name}")]
        return f"Unknown key {key} in {path}; " + (
            f"did you mean {elsewhere[0]}?" if elsewhere else f"[{section}] has {', '.join(keys)}."
        )
    return f"Unknown key {key} in {path}; did you mean {section}.{nearest[0]}?"


def _place(name: str, sections: list[str]) -> str:
    if name in sections:
        return f"[{name}]"
    return next(key for key in known_keys() if key.endswith(f".{name}"))
