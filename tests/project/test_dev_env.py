"""dev_env: the settings of a developer, and the secret that is made once."""

import fcntl
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dotenv import dotenv_values

import dev_env
from app.config.settings import ROOT


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_nothing_is_read_or_written_where_the_service_is_deployed(tmp_path: Path, environment: str) -> None:
    (tmp_path / f".env.{environment}").write_text("JWT_SECRET=from a file\n")
    (tmp_path / ".env.development").write_text("JWT_SECRET=from a file\n")
    environ = {"FLASK_ENV": environment}

    dev_env.load(environ, tmp_path)

    assert environ == {"FLASK_ENV": environment}
    assert len(list(tmp_path.iterdir())) == 2


def test_testing_reads_its_file_and_makes_no_secret(tmp_path: Path) -> None:
    (tmp_path / ".env.test").write_text("LOG_LEVEL=ERROR\n")
    environ = {"FLASK_ENV": "testing"}

    dev_env.load(environ, tmp_path)

    assert environ == {"FLASK_ENV": "testing", "LOG_LEVEL": "ERROR"}


def test_the_first_start_makes_a_private_file_and_later_ones_keep_the_secret(tmp_path: Path) -> None:
    first: dict[str, str] = {}
    second: dict[str, str] = {}

    dev_env.load(first, tmp_path)
    dev_env.load(second, tmp_path)

    assert first["FLASK_ENV"] == "development"
    assert len(first["JWT_SECRET"]) >= 32
    assert first == second
    assert stat.S_IMODE((tmp_path / ".env.development").stat().st_mode) == 0o600


def test_a_variable_of_the_environment_wins_over_the_file_but_an_empty_one_does_not(tmp_path: Path) -> None:
    (tmp_path / ".env.development").write_text("JWT_SECRET=file\nLOG_LEVEL=ERROR\nTHREADS=3\n")
    environ = {"LOG_LEVEL": "DEBUG", "THREADS": ""}

    dev_env.load(environ, tmp_path)

    assert environ == {"JWT_SECRET": "file", "LOG_LEVEL": "DEBUG", "THREADS": "3"}


def test_a_copy_of_the_example_gets_its_empty_secret_filled_in_place(tmp_path: Path) -> None:
    path = tmp_path / ".env.development"
    text = (ROOT / "env.example").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    # What `flask -e .env.development` has put there before.
    environ = {name: value or "" for name, value in dotenv_values(path).items()}

    dev_env.load(environ, tmp_path)

    secret = environ["JWT_SECRET"]
    assert secret
    assert path.read_text(encoding="utf-8") == text.replace("\nJWT_SECRET=\n", f"\nJWT_SECRET={secret}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_without_a_secret_gets_one_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / ".env.development"
    path.write_text("LOG_LEVEL=ERROR")

    environ: dict[str, str] = {}

    dev_env.load(environ, tmp_path)

    assert path.read_text() == f"LOG_LEVEL=ERROR\nJWT_SECRET={environ['JWT_SECRET']}\n"


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_PRIVATE_KEY_FILE"])
def test_no_secret_is_made_where_there_is_a_key(tmp_path: Path, name: str) -> None:
    dev_env.load({name: "given"}, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_key_file_named_in_the_file_is_enough(tmp_path: Path) -> None:
    path = tmp_path / ".env.development"
    path.write_text("JWT_PRIVATE_KEY_FILE=key.pem\n")

    dev_env.load({}, tmp_path)

    assert path.read_text() == "JWT_PRIVATE_KEY_FILE=key.pem\n"


def test_a_process_waits_for_the_one_that_is_writing_and_takes_its_secret(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, dev_env; environ = {}; print('ready', flush=True);"
        "dev_env.load(environ, pathlib.Path(sys.argv[1])); print(environ['JWT_SECRET'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with (tmp_path / ".env.development").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        assert process.poll() is None
        file.write("JWT_SECRET=first\n")

    assert process.communicate(timeout=30)[0] == "first\n"


def test_a_folder_that_cannot_be_written_is_left_to_the_service_to_report(tmp_path: Path) -> None:
    environ: dict[str, str] = {}

    dev_env.load(environ, tmp_path / "missing")

    assert environ == {}
