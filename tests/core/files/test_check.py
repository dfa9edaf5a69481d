"""``flask storage check``: orphans, missing files, and removals that were given up."""

import os
import time
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from uuid_utils.compat import uuid7

from app.clients.storage.interface import Key
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.files.stored_file import StoredFile, storage_caller
from app.core.jobs.worker import Worker
from app.core.services import services
from tests.core.files.stored import all_of, avatar_of, flag_of, objects_of
from tests.core.files.test_faults import through
from tests.fakes.guardian import answers
from tests.fakes.storage import FakeStorage
from tests.support.clients import Tenant
from tests.support.marks import both_databases, one_database
from tests.support.moto import CREDENTIALS
from tests.support.pictures import opened, picture, upload
from tests.support.variants import Variant

pytestmark = one_database

HOURS = 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def company(variant: Variant, folder: Path, acme: Tenant) -> Tenant:
    """Acme with a folder of its own, in which everything was stored yesterday."""
    app = variant(STORAGE_PATH=str(folder))
    return Tenant(app, acme.company_id, through(app, acme.admin))


def uploaded(company: Tenant, folder: Path) -> str:
    path = avatar_of(company.admin)
    assert upload(company.admin, path, picture()).status_code == 201
    age(folder)
    return path


def age(folder: Path) -> None:
    yesterday = time.time() - 24 * HOURS
    for each in folder.rglob("*.*"):
        os.utime(each, (yesterday, yesterday))


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["storage", "check", *arguments])


def put(app: Flask, key: Key) -> None:
    with app.app_context():
        services().storage.put(key, BytesIO(b"x"), 1, "image/png", storage_caller())


def test_nothing_is_found_where_nothing_is_wrong(company: Tenant, folder: Path) -> None:
    uploaded(company, folder)

    found = run(company.app)

    assert (found.exit_code, found.output) == (0, "")


@both_databases
def test_orphans_are_listed_and_removed(company: Tenant, folder: Path) -> None:
    uploaded(company, folder)
    orphans = [
        Key(company.company_id, "users", uuid7(), f"{uuid7()}/avatar.png"),
        Key(uuid7(), "customers", uuid7(), f"{uuid7()}/logo.png"),
        Key(company.company_id, "users", uuid7(), f"{uuid7()}/avatar.png.0123.part"),
    ]
    for each in orphans:
        put(company.app, each)
    age(folder)
    put(company.app, Key(company.company_id, "users", uuid7(), "young/avatar.png"))

    listed, repaired, again = (run(company.app, *each) for each in ((), ("--repair",), ()))

    assert sorted(listed.output.splitlines()) == sorted(f"orphan    {each}" for each in orphans)
    assert (listed.exit_code, repaired.exit_code) == (1, 0)
    assert (again.exit_code, again.output) == (0, "")
    assert len([each for each in folder.rglob("*.png") if "young" not in str(each)]) == 4


def test_an_avatar_that_is_missing_is_no_longer_shown(company: Tenant, folder: Path) -> None:
    path = uploaded(company, folder)
    next(folder.rglob("avatar.png")).unlink()
    assert company.admin.get(path).status_code == 404

    listed, repaired, again = (run(company.app, *each) for each in ((), ("--repair",), ()))

    assert [line.split()[0] for line in listed.output.splitlines()] == ["missing"]
    assert (listed.exit_code, repaired.exit_code) == (1, 0)
    assert "no longer shown" in repaired.output
    assert (flag_of(company.admin), again.output) == ((False, None), "")
    Worker(company.app).drain()
    assert objects_of(company) == set()


def test_thumbnails_that_are_missing_are_made_again(company: Tenant, folder: Path) -> None:
    path = uploaded(company, folder)
    for each in ("avatar-64.png", "avatar-256.png"):
        next(folder.rglob(each)).unlink()

    repaired = run(company.app, "--repair")

    assert "made again" in repaired.output
    assert objects_of(company) == all_of("avatar")
    assert opened(company.admin.get(f"{path}?size=64").data).size == (64, 64)
    assert run(company.app).output == ""


@both_databases
def test_a_row_that_shows_what_nobody_knows_is_mended(company: Tenant, folder: Path) -> None:
    path = uploaded(company, folder)
    with company.app.app_context(), tenant(company.company_id), unit_of_work() as session:
        session.delete(session.query(StoredFile).one())

    listed, _ = run(company.app), run(company.app, "--repair")

    assert {line.split()[0] for line in listed.output.splitlines()} == {"unknown", "orphan"}
    assert company.admin.get(path).status_code == 404
    assert flag_of(company.admin) == (False, None)
    assert objects_of(company) == set()


def test_other_files_in_the_folder_are_left_alone(company: Tenant, folder: Path) -> None:
    folder.mkdir()
    (folder / "README.txt").write_text("Do not touch.")
    age(folder)

    assert run(company.app, "--repair").output == ""
    assert (folder / "README.txt").exists()


def test_objects_of_a_bucket_that_no_model_declares_are_left_alone(company: Tenant, folder: Path) -> None:
    foreign = Key(company.company_id, "backups", uuid7(), f"{uuid7()}/logo.png")
    put(company.app, foreign)
    age(folder)

    assert run(company.app, "--repair").output == ""
    assert (folder / str(foreign)).exists()


def test_a_removal_whose_caller_is_gone_stays_visible(variant: Variant, fake: FakeStorage, acme: Tenant) -> None:
    """The Storage Service refuses the token once it has expired; retried, it is still refused."""
    app = variant(STORAGE_BACKEND="service", STORAGE_SERVICE_URL=fake.url)
    me = through(app, acme.admin)
    upload(me, avatar_of(me), picture())
    held = next(iter(fake.objects.values()))
    me.delete(avatar_of(me))
    fake.refused.add(me.token or "")

    Worker(app, retries=()).drain()
    found = run(app)

    assert found.exit_code == 1
    assert "failed" in found.output
    assert held.file_id in found.output
    assert (me.token or "?") not in found.output
    fake.refused.clear()
    assert "will be tried again" in run(app, "--repair").output
    Worker(app, retries=()).drain()
    assert (run(app).exit_code, fake.objects) == (0, {})


def test_an_unusable_storage_ends_the_check_with_an_error(
    variant: Variant, fake: FakeStorage, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    app = variant(STORAGE_BACKEND="s3", S3_ENDPOINT_URL=fake.url, STORAGE_URL="s3://bucket")
    fake.behaviour = answers(500, {})

    found = run(app)

    assert found.exit_code == 1
    assert "storage" in found.output
