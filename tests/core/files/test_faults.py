"""Storage and database fail at the worst moment: no flag lies, and no file is left that nobody shows."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.files.stored_file import Deposit, FileOwner, NewObject
from tests.core.files.conftest import BACKENDS, Environ
from tests.core.files.stored import all_of, avatar_of, drained, files_of, flag_of, objects_of
from tests.fakes.guardian import answers, hangs
from tests.fakes.storage import FakeStorage
from tests.support.clients import ApiClient, Tenant
from tests.support.engine_events import listening, lost_commit
from tests.support.marks import flaky, one_database
from tests.support.outbox import make_due
from tests.support.pictures import opened, picture, upload
from tests.support.variants import Variant
from tests.support.waiting import wait_for

AMPLE, TIMEOUT = 30.0, 1.2
Service = Callable[[float], Tenant]


def through(app: Flask, client: ApiClient) -> ApiClient:
    """The same person at another process of the service."""
    return ApiClient(app, client.token, client.user_id, client.company_id, client.email)


@pytest.fixture
def keeping_elsewhere(variant: Variant, fake: FakeStorage, acme: Tenant) -> Service:
    """The company at a service that keeps its files in the Storage Service, and waits for so many seconds."""

    def make(seconds: float) -> Tenant:
        settings = {"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": fake.url, "THREADS": "6"}
        app = variant(**settings, STORAGE_REQUEST_TIMEOUT=str(seconds))
        return Tenant(app, acme.company_id, through(app, acme.admin))

    return make


@pytest.fixture
def kept_elsewhere(keeping_elsewhere: Service) -> Tenant:
    return keeping_elsewhere(AMPLE)


@one_database
@pytest.mark.usefixtures("patient_health")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_picture_lives_and_goes_on_every_storage(
    variant: Variant, environ_of: Callable[[str], Environ], acme: Tenant, fake: FakeStorage, backend: str
) -> None:
    app = variant(**environ_of(backend))
    me, path = through(app, acme.admin), avatar_of(acme.admin)

    assert upload(me, path, picture()).status_code == 201
    assert upload(me, path, picture("JPEG", (50, 50))).status_code == 201
    assert opened(me.get(path).data).size == (50, 50)
    assert opened(me.get(f"{path}?size=128").data).size == (128, 128)
    assert drained(app) == 1
    if backend == "service":
        assert {path.rpartition("/")[2] for *_, path in fake.objects} == all_of("avatar")
        assert len(fake.objects) == 4
    else:
        assert objects_of(acme, app) == all_of("avatar")
    assert me.delete(path).status_code == 204
    assert drained(app) == 1
    assert fake.objects == {} if backend == "service" else objects_of(acme, app) == set()
    assert me.get("/health").get_json()["checks"]["storage"]["healthy"] is True


@flaky
@one_database
@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (hangs, 504),
        (answers(507, {}), 503),
        (answers(500, {}), 502),
        (answers(200, b"<html>It works!</html>", "text/html"), 502),
    ],
    ids=["hangs", "full", "crashes", "answers HTML"],
)
def test_a_storage_that_fails_changes_nothing(
    kept_elsewhere: Tenant, keeping_elsewhere: Service, fake: FakeStorage, behaviour: Any, status: int
) -> None:
    timeout = TIMEOUT if status == 504 else AMPLE
    me, path = keeping_elsewhere(timeout).admin, avatar_of(kept_elsewhere.admin)
    upload(kept_elsewhere.admin, path, picture())
    before, held = flag_of(me), dict(fake.objects)
    fake.behaviour = behaviour
    started = time.monotonic()

    answers = [upload(me, path, picture()), me.get(path), me.patch(f"/users/{me.user_id}", data=form())]

    assert time.monotonic() - started < 3 * (timeout + 0.5)
    assert [each.status_code for each in answers] == [status] * 3
    assert "Retry-After" in answers[0].headers or status != 503
    assert (flag_of(me), fake.objects) == (before, held)
    assert [str(each) for each in files_of(kept_elsewhere)] == [before[1]]
    fake.behaviour = fake.serve
    assert me.get(path).status_code == 200


def form() -> dict[str, Any]:
    return {"avatar": (BytesIO(picture()), "a.png")}


@one_database
def test_a_storage_that_fails_half_way_is_cleared_up(kept_elsewhere: Tenant, fake: FakeStorage) -> None:
    def third_fails(exchange: Any) -> bool:
        serve = fake.serve if len(fake.objects) < 2 or exchange.seen.method != "POST" else answers(500, {})
        return serve(exchange)

    fake.behaviour = third_fails

    assert upload(kept_elsewhere.admin, avatar_of(kept_elsewhere.admin), picture()).status_code == 502
    assert len(fake.objects) == 2

    assert drained(kept_elsewhere.app) == 1
    assert fake.objects == {}


@one_database
def test_a_removal_waits_for_a_storage_that_is_down(kept_elsewhere: Tenant, fake: FakeStorage) -> None:
    me, path = kept_elsewhere.admin, avatar_of(kept_elsewhere.admin)
    upload(me, path, picture())
    fake.behaviour = answers(503, {})

    assert me.delete(path).status_code == 204
    assert drained(kept_elsewhere.app) == 1
    assert len(fake.objects) == 4
    fake.behaviour = fake.serve
    make_due(kept_elsewhere.app)

    assert drained(kept_elsewhere.app) == 1
    assert fake.objects == {}


@one_database
def test_a_hanging_storage_leaves_threads_for_others(kept_elsewhere: Tenant, fake: FakeStorage) -> None:
    """The gate of a process with six threads lets two pass and one wait."""
    me, path = kept_elsewhere.admin, avatar_of(kept_elsewhere.admin)
    upload(me, path, picture())
    fake.behaviour = hangs

    asked = len(fake.seen)

    with ThreadPoolExecutor(6) as threads:
        asking = [threads.submit(through(kept_elsewhere.app, me).get, path) for _ in range(6)]
        wait_for(lambda: sum(each.done() for each in asking) == 4)
        refused = [each.result().status_code for each in asking if each.done()]
        reached = len(fake.seen) - asked
        fake.hang_up()

    assert (refused, reached) == ([503] * 4, 2)


# Without storage


@one_database
def test_without_a_storage_every_endpoint_of_files_is_unavailable(variant: Variant, acme: Tenant) -> None:
    customer = acme.admin.create("/customers", {"name": "Ajax"})
    me = through(variant(USE_STORAGE_SERVICE="false"), acme.admin)

    for path in (avatar_of(me), f"/customers/{customer['id']}/logo", f"/companies/{me.company_id}/logo"):
        answers = [upload(me, path, picture()), me.get(path), me.delete(path)]
        assert [(each.status_code, each.get_json()["error_code"]) for each in answers] == [
            (503, "STORAGE_DISABLED")
        ] * 3
    assert me.patch(f"/users/{me.user_id}", data=form()).status_code == 503
    assert me.get("/config").get_json()["features"]["storage"] is False
    assert "storage" not in me.get("/health").get_json()["checks"]


@one_database
def test_settings_say_how_large_a_picture_may_be(variant: Variant, acme: Tenant) -> None:
    me = through(variant(MAX_AVATAR_SIZE_MB="1"), acme.admin)

    assert me.get("/config").get_json()["max_avatar_size_mb"] == 1
    assert upload(me, avatar_of(me), picture() + bytes(1024 * 1024)).status_code == 400


@one_database
def test_an_unusable_folder_shows_in_health_and_answers_503(variant: Variant, acme: Tenant, tmp_path: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    me = through(variant(STORAGE_PATH=str(tmp_path / "file" / "x")), acme.admin)

    health = me.get("/health").get_json()

    assert (health["status"], health["checks"]["storage"]["healthy"]) == ("degraded", False)
    assert upload(me, avatar_of(me), picture()).status_code == 503
    assert flag_of(me) == (False, None)


# The database


@contextmanager
def failing(app: Flask, *beginnings: str) -> Iterator[None]:
    """The database is lost at a statement that begins so."""

    def fail(_connection: Any, _cursor: Any, sent: str, *_rest: Any) -> None:
        if sent.startswith(beginnings):
            raise OperationalError(sent, None, Exception("gone"))

    with listening(app, before_cursor_execute=fail):
        yield


@pytest.mark.parametrize("beginnings", [("INSERT INTO stored_file",), ("UPDATE user", 'UPDATE "user"')])
def test_a_database_that_fails_after_the_upload_leaves_no_file(acme: Tenant, beginnings: tuple[str, ...]) -> None:
    me, path = acme.admin, avatar_of(acme.admin)

    with failing(acme.app, *beginnings):
        answers = [upload(me, path, picture()), me.patch(f"/users/{me.user_id}", data=form())]

    assert [each.status_code for each in answers] == [503, 503]
    assert (flag_of(me), files_of(acme), objects_of(acme)) == ((False, None), [], set())


@pytest.mark.parametrize("is_committed", [True, False])
def test_when_a_connection_is_lost_while_committing_the_database_is_asked_what_became_of_it(
    acme: Tenant, is_committed: bool
) -> None:
    me, path = acme.admin, avatar_of(acme.admin)

    with lost_commit(acme.app, "INSERT INTO stored_file", is_committed=is_committed):
        answer = upload(me, path, picture())

    assert answer.status_code == 503
    assert flag_of(me)[0] is is_committed
    assert objects_of(acme) == (all_of("avatar") if is_committed else set())
    assert me.get(path).status_code == (200 if is_committed else 404)


def test_a_process_that_is_told_to_end_right_after_the_commit_keeps_what_is_shown(acme: Tenant) -> None:
    deposit, data = Deposit(FileOwner(acme.company_id, "users", UUID(acme.admin.user_id))), picture()
    with acme.app.app_context():
        deposit.put([NewObject(f"{deposit.id}/avatar.png", BytesIO(data), len(data), "image/png")])
        with pytest.raises(SystemExit):
            end_after_commit(deposit)

    assert (files_of(acme), objects_of(acme)) == ([deposit.id], {"avatar.png"})


def end_after_commit(deposit: Deposit) -> None:
    with deposit.undo_on_error():
        with tenant(deposit.owner.company_id), unit_of_work() as session:
            session.add(deposit.row())
            deposit.is_complete = True
        raise SystemExit
