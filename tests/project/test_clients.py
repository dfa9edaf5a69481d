"""The clients of docs/clients.md, run as they stand there against a running service."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.config.settings import ROOT
from tests.support.clients import PASSWORD, make_tenant
from tests.support.databases import app_on_sqlite

DOCUMENTED = (ROOT / "docs" / "clients.md").read_text()
CONTRACT = ROOT / "openapi.yml"
PRINTED = "Brightwater Bakery, Brackwater VALIDATION_ERROR\n"
SECONDS = 120


@pytest.fixture(scope="module")
def tools() -> Path:
    """The generators, where scripts/contract/install.sh put them."""
    folders = sorted((ROOT / ".contract").glob("*/complete"), key=os.path.getmtime)
    if not folders:
        pytest.skip("The generators of clients are not installed: run scripts/contract/install.sh")
    return folders[-1].parent


@pytest.fixture(scope="module")
def sqlite_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with app_on_sqlite(tmp_path_factory.mktemp("clients")) as app:
        yield app


@pytest.fixture
def address(sqlite_app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, sqlite_app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def documented(heading: str, address: str, email: str) -> str:
    """The example below a heading, for this service and somebody in it."""
    example = re.search(rf"## {heading}\n.*?```\w+\n(.*?)```", DOCUMENTED, re.DOTALL)
    assert example is not None
    here = {"http://127.0.0.1:5000": address, "admin@acme.example": email, "tulip-anchor-violin-42": PASSWORD}
    return re.sub("|".join(map(re.escape, here)), lambda match: here[match[0]], example[1])


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def administrator(sqlite_app: Flask, request: pytest.FixtureRequest) -> str:
    """The address of one in a company of its own."""
    admin = make_tenant(sqlite_app, request.node.name.removeprefix("test_").partition("_")[0]).admin
    return admin.email


def test_typescript_client_does_what_the_documentation_shows(
    tools: Path, tmp_path: Path, address: str, administrator: str
) -> None:
    programs = tools / "node_modules" / ".bin"
    (tmp_path / "node_modules").symlink_to(tools / "node_modules")
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    (tmp_path / "client.ts").write_text(documented("TypeScript", address, administrator))

    run(tmp_path, programs / "openapi-typescript", CONTRACT, "-o", "identity.d.ts")
    strict = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
    run(tmp_path, programs / "tsc", *strict, "client.ts")

    assert run(tmp_path, "node", "client.js") == PRINTED


def test_python_client_does_what_the_documentation_shows(
    tools: Path, tmp_path: Path, address: str, administrator: str
) -> None:
    (tmp_path / "settings.yml").write_text("post_hooks: []\n")
    (tmp_path / "client.py").write_text(documented("Python", address, administrator))
    packages = {"PYTHONPATH": str(tools / "python")}

    generator = (sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none")
    run(
        tmp_path, *generator, "--path", CONTRACT, "--config", "settings.yml", "--output-path", "identity_client",
        **packages,
    )  # fmt: skip

    assert run(tmp_path, sys.executable, "client.py", **packages) == PRINTED


def test_requests_does_what_the_documentation_shows(tmp_path: Path, address: str, administrator: str) -> None:
    (tmp_path / "client.py").write_text(documented("Python with requests", address, administrator))

    assert run(tmp_path, sys.executable, "client.py", NO_PROXY="*") == PRINTED
