"""README.md and docs/: what they tell the reader to paste works, and what they point at is there."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.config.settings import ROOT, Settings
from tests.support.databases import app_on_sqlite
from tests.support.rows import by_row

README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
ADDRESS = "http://127.0.0.1:5000"
# Each call says its status on standard error, whatever becomes of its output.
CURL = "curl() { command curl -s -w '%{stderr}%{http_code}\\n' \"$@\"; }\n"


def section(title: str) -> str:
    """The text below a heading, down to the next one."""
    return re.split(r"^#+ ", README.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with app_on_sqlite(tmp_path) as found:
        yield found


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def statuses(app: Flask, script: str, folder: Path) -> list[int]:
    """Those of the script's calls, in order."""
    # The interpreter of the tests stands for the reader's python3.
    (folder / "python3").symlink_to(sys.executable)
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "NO_PROXY": "127.0.0.1"}
    with served(app) as address:
        assert ADDRESS in script
        done = subprocess.run(
            ["bash", "-c", CURL + script.replace(ADDRESS, address)],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
    return [int(code) for code in re.findall(r"^\d{3}$", done.stderr, flags=re.MULTILINE)]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_tour_of_the_demo_data_can_be_pasted(app: Flask, tmp_path: Path) -> None:
    app.test_cli_runner().invoke(args=["demo"])

    found = statuses(app, blocks(section("Five minutes")), tmp_path)

    signed_in, read, refused = [200, 200], [200, 200, 200], [412, 403, 400]
    assert found == [*signed_in, *read, 201, 200, 200, *refused, 200, 404, 200, 200, 200, 401]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_tour_of_an_empty_database_can_be_pasted(app: Flask, tmp_path: Path) -> None:
    found = statuses(app, blocks(section("Without the demo data")), tmp_path)

    assert found == [200, 201, 200, 201, 200]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_tour_of_a_dossier_can_be_pasted(app: Flask, tmp_path: Path) -> None:
    app.test_cli_runner().invoke(args=["demo"])

    found = statuses(app, blocks((ROOT / "docs/customers.md").read_text()), tmp_path)

    assert found == [200, *[201] * 6, 200, 201, 201, 200, *[200] * 4, 201, 200, 200, 200]


def test_the_variables_in_the_readme_are_settings() -> None:
    cells = re.findall(r"^\| (`.*?) \|", section("Configuration"), flags=re.MULTILINE)

    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named <= {each.name.upper() for each in fields(Settings)}
    assert len(named) > 10


@by_row("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = document.parent / path if path else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
