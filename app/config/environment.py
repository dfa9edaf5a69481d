"""The one place that reads the environment. Every fault of the settings is reported at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from marshmallow.fields import Boolean, Float, Integer
from marshmallow.fields import Field as Parser

from app.base.errors import SettingsError
from app.config.faults import faults_of
from app.config.settings import Settings, declared, default_of

PARSERS: dict[type, Parser[Any]] = {bool: Boolean(), int: Integer(), float: Float(allow_nan=False)}


def load_settings(environ: Mapping[str, str] | None = None, **fixed: str) -> Settings:
    """``fixed`` values win over the environment. Raises SettingsError."""
    values, faults = _read({**(os.environ if environ is None else environ), **fixed})
    found = Settings(**_completed(values))
    faults += faults_of(found)
    if faults:
        raise SettingsError(faults)
    return found


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for each in declared():
        name, default = each.name.upper(), default_of(each)
        raw = environ.get(name, "")
        values[each.name] = default
        if raw == "":
            continue
        try:
            value = _parsed(raw, default)
        except ValidationError as error:
            faults.append(f"{name}: {' '.join(error.messages)}")
            continue
        choices = each.metadata["choices"]
        if choices and value not in choices:
            faults.append(f'{name} must be one of {", ".join(c or "(empty)" for c in choices)}, not "{raw}".')
            continue
        values[each.name] = value
    return values, faults


def _parsed(raw: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(item.strip() for item in raw.split(",") if item.strip())
    parser = PARSERS.get(type(default))
    return parser.deserialize(raw.strip()) if parser else raw.strip()


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults that depend on other settings."""
    for scheme in ("postgres://", "postgresql://"):
        if values["database_url"].startswith(scheme):
            values["database_url"] = "postgresql+psycopg://" + values["database_url"][len(scheme) :]
    deployed = values["flask_env"] in ("production", "staging")
    values["guardian_service_url"] = values["guardian_service_url"] or ("" if deployed else "embedded")
    values["secret_key"] = values["secret_key"] or values["jwt_secret"]
    backends = {"true": "service", "false": "none"}
    values["storage_backend"] = backends.get(values["use_storage_service"], values["storage_backend"])
    return values
