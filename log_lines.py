"""The one form of the log, for the service, gunicorn and libraries: a JSON object a line, without secrets.

gunicorn's arbiter uses it as well, so it imports nothing of the service.
"""

import json
import logging
import re
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

SECRET_NAMES = re.compile(
    r"password|secret|token|cookie|authorization|otp|portal|credential|e-?mail|api_?key", re.IGNORECASE
)
ADDRESS = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
QUERY = re.compile(r"(/[^\s?]*)\?[^\s'\"]+")


def redact(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank values whose names suggest secrets. Cut addresses and tokens out of all other texts."""
    for name, value in line.items():
        if SECRET_NAMES.search(name):
            line[name] = "[redacted]"
        elif isinstance(value, str) and ("@" in value or "eyJ" in value):
            line[name] = JWT.sub("[redacted]", ADDRESS.sub("[redacted]", value))
    return line


class LineFormatter(logging.Formatter):
    """The form for records of the standard library. A message may repeat a URL, whose query may hold a code."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        line = {
            "event": QUERY.sub(r"\1?[redacted]", record.getMessage()),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": time.replace("+00:00", "Z"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(redact(None, "", line), separators=(",", ":"))


def install() -> None:
    """Write what libraries log to standard error, from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def capture() -> None:
    """Let Python's own warnings and the tracebacks of threads be lines, too."""
    logging.captureWarnings(True)
    threading.excepthook = _log_crash


def _log_crash(crash: threading.ExceptHookArgs) -> None:
    logging.getLogger("threading").error("thread_crashed", exc_info=crash.exc_value)
