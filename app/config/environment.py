"""The settings from the environment; no other module reads it. All faults are reported at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from marshmallow import ValidationError
from marshmallow.fields import Boolean, Float, Integer
from marshmallow.fields import Field as Parser

from app.base.errors import SettingsError
from app.config.faults import faults_of
from app.config.settings import Settings

PARSERS: dict[type, Parser[Any]] = {bool: Boolean(), int: Integer(), float: Float(allow_nan=False)}


def load_settings(environ: Mapping[str, str] | None = None, **fixed: str) -> Settings:
    """The settings, with ``fixed`` in place of variables of the environment. Raises SettingsError."""
    values, faults = _read({**(os.environ if environ is None else environ), **fixed})
    settings = Settings(**_complete(values))
    faults += faults_of(settings)
    if faults:
        raise SettingsError(faults)
    return settings


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in fields(Settings):
        name, default = field.name.upper(), field.default
        raw = environ.get(name, "")
        values[field.name] = default
        if raw == "":
            continue
        try:
            value = _parse(raw, default)
        except ValidationError as error:
            faults.append(f"{name}: {' '.join(error.messages)}")
            continue
        choices = field.metadata["choices"]
        if choices and value not in choices:
            faults.append(f'{name} must be one of {", ".join(choice or "(empty)" for choice in choices)}, not "{raw}".')
            continue
        values[field.name] = value
    return values, faults


def _parse(raw: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(item.strip() for item in raw.split(",") if item.strip())
    parser = PARSERS.get(type(default))
    return parser.deserialize(raw.strip()) if parser else raw.strip()


def with_driver(url: str) -> str:
    """The URL with the driver of this service, for PostgreSQL."""
    return re.sub("^postgres(ql)?://", "postgresql+psycopg://", url)


def _complete(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in defaults that depend on other settings."""
    for name in ("database_url", "migration_database_url"):
        values[name] = with_driver(values[name])
    deployed = values["flask_env"] in ("production", "staging")
    values["guardian_service_url"] = values["guardian_service_url"] or ("" if deployed else "embedded")
    if not values["secret_key"]:
        values["secret_key"] = values["jwt_secret"]
        values["secret_key_previous"] = values["secret_key_previous"] or values["jwt_secret_previous"]
    backends = {"true": "service", "false": "none"}
    values["storage_backend"] = backends.get(values["use_storage_service"], values["storage_backend"])
    return values
