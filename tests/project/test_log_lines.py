"""One form of log: whatever a serving process writes is a JSON object a line, and a command's output is its result."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.config.settings import ROOT
from tests.across.faults.service import Service, environment
from tests.support.databases import copy_sqlite
from tests.support.waiting import PATIENCE_SECONDS, wait_for

# Its own messages, a refused request, a crash with a traceback, a library, a warning of Python's, a broken thread.
WRITER = """
import logging, threading, warnings

def application(environ, start_response):
    if environ["PATH_INFO"] == "/health/live":
        start_response("200 OK", [])
        return []
    logging.getLogger("library").warning("to ada@example.net")
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    raise ValueError("broken\\non two lines")
"""


class Writer(Service):
    application = "writer:application"


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment(FLASK_APP="wsgi.py", FLASK_SKIP_DOTENV="1", **environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
    )


def test_every_line_of_a_service_is_one_object_from_its_start_to_its_end(tmp_path: Path) -> None:
    with Service(tmp_path, DATABASE_URL=copy_sqlite(tmp_path / "identity.db")) as service:
        service.call("GET", "/health/live")

    lines = lines_of(service.log())
    assert {"request", "Listening at"} <= {line["event"].partition(":")[0] for line in lines}
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)


def test_crashes_warnings_and_threads_are_lines_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)

    with Writer(tmp_path, PYTHONPATH=str(tmp_path), PYTHONWARNINGS="default") as service:
        service.call("GET", "/reset?code=123456")
        wait_for(lambda: "broken" in service.log())

    lines = lines_of(service.log())
    assert {"library", "py.warnings", "threading", "gunicorn.error"} <= {line["logger"] for line in lines}
    assert "123456" not in service.log()
    assert "ada@example.net" not in service.log()
    assert [line for line in lines if "ValueError: broken" in line.get("exception", "")]


def test_faulty_settings_are_a_line_of_gunicorns_log_and_text_at_a_terminal() -> None:
    under_gunicorn = command("gunicorn", "-b", "127.0.0.1:0", "wsgi:app", FLASK_ENV="production", THREADS="many")
    at_a_terminal = command("flask", "mail", "failed", FLASK_ENV="production", THREADS="many")

    lines = lines_of(under_gunicorn.stdout + under_gunicorn.stderr)
    assert [line for line in lines if "- THREADS" in line["event"]]
    assert "\n  - THREADS" in at_a_terminal.stderr
    assert at_a_terminal.stdout == ""


def test_the_output_of_a_command_is_its_result_alone(tmp_path: Path) -> None:
    url = copy_sqlite(tmp_path / "identity.db")

    found = command("flask", "guardian", "catalogue", DATABASE_URL=url, USE_GUARDIAN_SERVICE="false")

    assert {permission["service"] for permission in json.loads(found.stdout)}
    assert "every_permission_is_granted" in [line["event"] for line in lines_of(found.stderr)]


def test_a_migration_is_told_in_the_same_form(tmp_path: Path) -> None:
    found = command("flask", "db", "upgrade", DATABASE_URL=f"sqlite:///{tmp_path}/new.db", LOG_LEVEL="INFO")

    lines = lines_of(found.stderr)
    assert found.stdout == ""
    assert [line for line in lines if line["event"].startswith("Running upgrade")]
    assert {line["logger"] for line in lines} == {"alembic.runtime.migration"}
