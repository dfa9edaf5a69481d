"""Avatars: who may change and see them, what is stored and served, and what becomes of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from uuid_utils.compat import uuid7

from tests.core.files.stored import all_of, avatar_of, drained, files_of, flag_of, objects_of
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.pictures import RED, encoded, opened, picture, upload
from tests.support.roles import user_with
from tests.support.rows import by_row

pytestmark = one_database

BLUE = (20, 40, 200)


# Who may


def test_nobody_uploads_or_removes_the_avatar_of_a_colleague(acme: Tenant) -> None:
    colleague = acme.user()
    upload(colleague, avatar_of(colleague), picture())
    before = flag_of(colleague)

    answers = [upload(acme.admin, avatar_of(colleague), picture()), acme.admin.delete(avatar_of(colleague))]

    assert [(each.status_code, each.get_json()["error_code"]) for each in answers] == [(403, "ACCESS_DENIED")] * 2
    assert flag_of(colleague) == before


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_foreign_user_and_one_who_does_not_exist_get_the_same_answer(
    acme: Tenant, globex: Tenant, method: str
) -> None:
    paths = [avatar_of(acme.admin), f"/users/{uuid7()}/avatar"]

    bodies = [globex.admin.request(method, path).get_json() for path in paths]

    shown = [{name: body[name] for name in ("status", "detail", "error_code")} for body in bodies]
    assert shown[0] == shown[1] == {"status": 404, "detail": "User not found.", "error_code": "USER_NOT_FOUND"}


def test_an_avatar_is_seen_with_one_permission_and_not_without(acme: Tenant) -> None:
    upload(acme.admin, avatar_of(acme.admin), picture())

    assert user_with(acme, "identity:user_avatar:READ").get(avatar_of(acme.admin)).status_code == 200
    assert user_with(acme, "identity:user:READ").get(avatar_of(acme.admin)).status_code == 403


def test_the_engine_is_not_asked_about_the_own_avatar(acme: Tenant) -> None:
    nobody = acme.user()

    assert upload(nobody, avatar_of(nobody), picture()).status_code == 201
    assert nobody.delete(avatar_of(nobody)).status_code == 204


# What is stored and served


def test_upload_is_answered_with_the_file_and_the_flags_tell_the_truth(acme: Tenant) -> None:
    me = acme.admin
    assert flag_of(me) == (False, None)

    answer = upload(me, avatar_of(me), picture())

    made = answer.get_json()
    assert (answer.status_code, made["has_avatar"]) == (201, True)
    assert answer.headers["Location"] == avatar_of(me)
    assert flag_of(me) == (True, made["file_id"])
    assert made["avatar_file_id"] == made["file_id"]
    assert [str(each) for each in files_of(acme)] == [made["file_id"]]
    assert objects_of(acme) == all_of("avatar")


def test_what_is_served_is_a_png_with_the_headers_of_the_contract(acme: Tenant) -> None:
    me = acme.admin
    upload(me, avatar_of(me), picture("JPEG", (40, 30)))

    answer = me.get(avatar_of(me))

    assert (answer.status_code, answer.content_type) == (200, "image/png")
    assert answer.headers["Content-Disposition"] == 'inline; filename="avatar.png"'
    assert answer.headers["Cache-Control"] == "private, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    shown = opened(answer.data)
    assert (shown.format, shown.size, shown.mode) == ("PNG", (40, 30), "RGB")


@pytest.mark.parametrize("edge", [64, 128, 256])
def test_a_thumbnail_is_square_and_comes_from_the_middle(acme: Tenant, edge: int) -> None:
    wide = Image.new("RGB", (300, 100), BLUE)
    wide.paste(RED, (100, 0, 200, 100))
    upload(acme.admin, avatar_of(acme.admin), encoded(wide))

    answer = acme.admin.get(f"{avatar_of(acme.admin)}?size={edge}")

    shown = opened(answer.data)
    assert shown.size == (edge, edge)
    assert shown.getpixel((edge // 2, edge // 2)) == RED


@by_row("query", ["size=65", "size=0", "size=-64", "size=x", "size=64&size=64", "width=64"])
def test_other_sizes_are_refused(acme: Tenant, query: str) -> None:
    upload(acme.admin, avatar_of(acme.admin), picture())

    assert acme.admin.get(f"{avatar_of(acme.admin)}?{query}").status_code == 400


def test_a_picture_that_did_not_change_is_not_sent_again(acme: Tenant) -> None:
    me, path = acme.admin, avatar_of(acme.admin)
    upload(me, path, picture())
    tags = {query: me.get(f"{path}{query}").headers["ETag"] for query in ("", "?size=64")}

    same = me.get(path, headers={"If-None-Match": tags[""]})
    other_size = me.get(f"{path}?size=64", headers={"If-None-Match": tags[""]})
    upload(me, path, picture(colour=BLUE))
    replaced = me.get(path, headers={"If-None-Match": tags[""]})

    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tags[""])
    assert same.headers["Cache-Control"] == "private, max-age=300"
    assert (other_size.status_code, replaced.status_code) == (200, 200)
    assert len({*tags.values(), replaced.headers["ETag"]}) == 3


def test_head_tells_the_size_and_sends_nothing(acme: Tenant) -> None:
    upload(acme.admin, avatar_of(acme.admin), picture())

    answer = acme.admin.request("HEAD", avatar_of(acme.admin))

    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_no_avatar_is_404(acme: Tenant) -> None:
    answers = [acme.admin.get(avatar_of(acme.admin)), acme.admin.delete(avatar_of(acme.admin))]

    assert [each.get_json()["error_code"] for each in answers] == ["AVATAR_NOT_FOUND"] * 2


# What becomes of it


def test_a_new_avatar_takes_the_place_of_the_earlier_one(acme: Tenant) -> None:
    me, path = acme.admin, avatar_of(acme.admin)
    first = upload(me, path, picture()).get_json()["file_id"]

    second = upload(me, path, picture(colour=BLUE)).get_json()["file_id"]

    assert first != second
    assert opened(me.get(path).data).getpixel((5, 5)) == BLUE
    assert drained(acme.app) == 1
    assert objects_of(acme) == all_of("avatar")
    assert [str(each) for each in files_of(acme)] == [second]


def test_a_removed_avatar_is_gone_from_storage_too(acme: Tenant) -> None:
    me = acme.admin
    upload(me, avatar_of(me), picture())

    assert me.delete(avatar_of(me)).status_code == 204

    assert flag_of(me) == (False, None)
    assert me.get(avatar_of(me)).status_code == 404
    assert drained(acme.app) == 1
    assert (objects_of(acme), files_of(acme)) == (set(), [])


@both_databases
def test_a_deleted_user_leaves_no_file(acme: Tenant) -> None:
    colleague = acme.user()
    upload(colleague, avatar_of(colleague), picture())

    assert acme.admin.delete(f"/users/{colleague.user_id}").status_code == 204

    assert drained(acme.app) > 0
    assert (objects_of(acme), files_of(acme)) == (set(), [])


@both_databases
def test_a_deleted_company_leaves_no_file(acme: Tenant, globex: Tenant) -> None:
    upload(acme.admin, avatar_of(acme.admin), picture())
    people = [globex.admin, *(globex.user() for _ in range(25))]
    for each in people[:2]:
        upload(each, avatar_of(each), picture())
    upload(globex.admin, f"/companies/{globex.company_id}/logo", picture())
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "inactive"})

    assert acme.admin.delete(f"/companies/{globex.company_id}?cascade=true").status_code == 204

    assert drained(acme.app) == 1
    assert objects_of(globex) == set()
    assert objects_of(acme) == all_of("avatar")


@both_databases
def test_two_uploads_at_once_leave_one_file(acme: Tenant) -> None:
    me, path = acme.admin, avatar_of(acme.admin)

    def send(colour: tuple[int, int, int]) -> int:
        return upload(ApiClient(me.app, me.token), path, picture(colour=colour)).status_code

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(send, (RED, BLUE))) == [201, 201]

    drained(acme.app)
    assert objects_of(acme) == all_of("avatar")
    assert [str(each) for each in files_of(acme)] == [flag_of(me)[1]]
