"""Applications with other settings on the test's database, and what they log."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from flask import Flask

from tests.support.variants import Variant, variant

__all__ = ["variant"]


@pytest.fixture(autouse=True)
def kept_logging() -> Iterator[None]:
    """create_app sets logging up for the whole process; what comes after a test finds it as before."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    forget_cached_loggers()


def forget_cached_loggers() -> None:
    """An application of production in the same process keeps its loggers, with their stream, for good."""
    for name, module in sys.modules.copy().items():
        log = getattr(module, "log", None) if name.startswith("app.") else None
        if isinstance(log, type(structlog.get_logger())):
            vars(log).pop("bind", None)


@dataclass
class Logged:
    """An application together with what it logs, as that leaves the process."""

    variant: Variant
    buffer: io.BytesIO = field(default_factory=io.BytesIO)

    def app(self, **settings: str) -> Flask:
        found = self.variant(**settings)
        forget_cached_loggers()
        structlog.configure(logger_factory=structlog.BytesLoggerFactory(self.buffer))
        return found

    @property
    def text(self) -> str:
        return self.buffer.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]


@pytest.fixture
def logged(variant: Variant) -> Logged:
    return Logged(variant)
