"""POST /users and PATCH /users/{id} as forms with an avatar."""

from io import BytesIO
from typing import Any

from uuid_utils.compat import uuid7

from tests.core.files.stored import all_of, avatar_of, files_of, flag_of, objects_of
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.pictures import opened, picture
from tests.support.rows import by_row

pytestmark = one_database

Json = dict[str, Any]


def avatar(data: bytes | None = None) -> Json:
    return {"avatar": (BytesIO(picture() if data is None else data), "face.png")}


def new(**values: Any) -> Json:
    return {"email": "wile@example.com", "password": PASSWORD} | values


def post(client: ApiClient, form: Json) -> Any:
    return client.post("/users", data=form, content_type="multipart/form-data")


def patch(client: ApiClient, user_id: str, form: Json) -> Any:
    return client.patch(f"/users/{user_id}", data=form, content_type="multipart/form-data")


def test_a_user_is_made_of_a_form_with_an_avatar(acme: Tenant) -> None:
    answer = post(acme.admin, new(first_name="Wile", is_active="false", position_id="") | avatar())

    made = answer.get_json()
    assert answer.status_code == 201
    assert (made["first_name"], made["is_active"], made["position_id"]) == ("Wile", False, None)
    assert made["has_avatar"] is True
    assert [str(each) for each in files_of(acme)] == [made["avatar_file_id"]]
    assert answer.headers["Location"] == f"/users/{made['id']}"
    assert opened(acme.admin.get(f"/users/{made['id']}/avatar").data).size == (40, 30)


def test_a_form_without_an_avatar_makes_a_user_without_one(acme: Tenant) -> None:
    answer = post(acme.admin, new())

    assert (answer.status_code, answer.get_json()["has_avatar"]) == (201, False)


@by_row(
    ("form", "status", "field"),
    [
        (new(email="admin@acme.example"), 409, "email"),
        (new(email="nobody"), 400, "email"),
        (new(password="short"), 400, "password"),
        (new(is_active="yes"), 400, "is_active"),
        (new(position_id=str(uuid7())), 400, "position_id"),
        (new(avatar_url="https://example.com/a.png"), 400, "avatar_url"),
        (new(company_id=str(uuid7())), 400, "company_id"),
        (new(first_name="a\x00b"), 400, "first_name"),
        ({"password": PASSWORD}, 400, "email"),
    ],
    ids=lambda each: str(next(iter(each))) + each.get("email", "") if isinstance(each, dict) else str(each),
)
def test_a_user_that_is_refused_leaves_no_file(acme: Tenant, form: Json, status: int, field: str) -> None:
    answer = post(acme.admin, form | avatar())

    assert answer.status_code == status, answer.text
    assert list(answer.get_json()["errors"]) == [field]
    assert (files_of(acme), objects_of(acme)) == ([], set())


def test_a_damaged_avatar_makes_no_user(acme: Tenant) -> None:
    answer = post(acme.admin, new() | avatar(b"nothing"))

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["avatar"])
    assert acme.admin.get("/users?email=wile@example.com").get_json()["data"] == []


def test_an_address_of_an_avatar_is_an_unknown_field(acme: Tenant) -> None:
    answers = [
        acme.admin.post("/users", new(avatar_url="https://example.com/a.png")),
        acme.admin.patch(f"/users/{acme.admin.user_id}", {"avatar_url": "https://example.com/a.png"}),
    ]

    assert [(each.status_code, list(each.get_json()["errors"])) for each in answers] == [(400, ["avatar_url"])] * 2


def test_users_change_themselves_and_their_avatar_in_one_form(acme: Tenant) -> None:
    me = acme.admin

    answer = patch(me, me.user_id, {"first_name": "Grace", "phone_number": ""} | avatar())

    changed = answer.get_json()
    assert (answer.status_code, changed["first_name"], changed["phone_number"]) == (200, "Grace", None)
    assert flag_of(me) == (True, changed["avatar_file_id"])
    assert objects_of(acme) == all_of("avatar")


def test_the_avatar_of_somebody_else_is_refused_and_nothing_changes(acme: Tenant) -> None:
    colleague = acme.user(first_name="Ada")

    answer = patch(acme.admin, colleague.user_id, {"first_name": "Eve"} | avatar())

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert colleague.get("/users/me").get_json()["first_name"] == "Ada"
    assert objects_of(acme) == set()


def test_a_form_without_an_avatar_changes_somebody_else(acme: Tenant) -> None:
    colleague = acme.user()

    answer = patch(acme.admin, colleague.user_id, {"first_name": "Eve"})

    assert (answer.status_code, answer.get_json()["first_name"]) == (200, "Eve")


def test_a_change_that_is_refused_keeps_the_earlier_avatar(acme: Tenant) -> None:
    me = acme.admin
    patch(me, me.user_id, avatar())
    before = flag_of(me)

    answers = [
        patch(me, me.user_id, {"language": "xx"} | avatar()),
        patch(me, me.user_id, {"position_id": str(uuid7())} | avatar()),
        patch(me, str(uuid7()), avatar()),
        me.patch(
            f"/users/{me.user_id}", data=avatar(), content_type="multipart/form-data", headers={"If-Match": '"999"'}
        ),
    ]

    assert [each.status_code for each in answers] == [400, 400, 404, 412]
    assert flag_of(me) == before
    assert objects_of(acme) == all_of("avatar")
    assert me.get(avatar_of(me)).status_code == 200


def test_a_replacement_takes_no_form(acme: Tenant) -> None:
    answer = acme.admin.put(f"/users/{acme.admin.user_id}", data=new() | avatar(), content_type="multipart/form-data")

    assert answer.status_code == 415
