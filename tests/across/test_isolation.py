"""Every route for every caller: nobody reaches a row of another tenant."""

from uuid import UUID

from app.core.db.tenancy import is_tenant_table
from app.core.web.endpoint import UNSAFE_METHODS
from tests.across.foreign_rows import World, accepted_references, leaking_lists, reachable_items
from tests.support.clients import ApiClient
from tests.support.declared import PLACEHOLDER, collections, kind_in, rows_of
from tests.support.marks import one_database


@one_database
def test_anonymous_callers_reach_nothing_but_what_is_public(world: World) -> None:
    wrong = []

    for route in world.routes:
        if route.endpoint.access == "public":
            continue
        body = world.acme.body(route)
        answer = ApiClient(world.app).request(route.method, world.acme.path(route.path), body)
        if answer.status_code != 401 or answer.headers.get("WWW-Authenticate") != "Bearer":
            wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []


@one_database
def test_callers_without_a_grant_reach_nothing_but_their_own_things(world: World) -> None:
    nobody, wrong = world.acme.tenant.user(), []
    before = world.rows_of_acme()

    for route in world.routes:
        if route.endpoint.access in ("public", "self"):
            continue
        answer = nobody.request(route.method, world.acme.path(route.path), world.acme.body(route))
        if answer.status_code != 403 or answer.get_json()["error_code"] != "ACCESS_DENIED":
            wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []
    assert world.rows_of_acme() == before


@one_database
def test_what_is_reserved_to_the_platform_is_refused_to_another_administrator(world: World) -> None:
    wrong = []
    before = world.rows_of_acme()

    for route in world.routes:
        if route.method in route.endpoint.platform:
            answer = world.as_globex(route, world.acme.path(route.path))
            if answer.status_code != 403 or answer.get_json()["error_code"] != "ACCESS_DENIED":
                wrong.append(f"{route.method} {route.path}: {answer.status_code}")

    assert wrong == []
    assert world.rows_of_acme() == before


@one_database
def test_what_every_tenant_shares_is_written_by_the_platform_only(world: World) -> None:
    shared = [each.path for each in collections(world.app) if not is_tenant_table(each.model.__table__)]

    for route in world.routes:
        if route.path.removesuffix("/<id>") in shared and route.method in UNSAFE_METHODS:
            assert route.method in route.endpoint.platform, route


def test_rows_of_another_tenant_are_not_found_and_stay_as_they_are(world: World) -> None:
    before = world.rows_of_acme()

    assert reachable_items(world) == []

    assert world.rows_of_acme() == before


def test_an_id_of_another_tenant_and_an_unknown_one_get_the_same_answer(world: World) -> None:
    differing = []

    for route in world.routes:
        if "<id>" not in route.path or route.method != "GET" or route.endpoint.access:
            continue
        kind = kind_in(world.app, route.path)
        if kind is None or not is_tenant_table(kind):
            continue
        foreign = world.as_globex(route, world.acme.path(route.path)).get_json()
        unknown = world.as_globex(route, PLACEHOLDER.sub(str(UUID(int=1)), route.path)).get_json()
        if any(foreign[name] != unknown[name] for name in ("status", "detail", "error_code", "title")):
            differing.append(route.path)

    assert differing == []


def test_no_answer_shows_anything_of_another_tenant(world: World) -> None:
    assert leaking_lists(world) == []


def test_lists_show_the_own_rows_and_ask_for_foreign_ones_in_vain(world: World) -> None:
    wrong = []

    for endpoint in collections(world.app):
        if not is_tenant_table(endpoint.model.__table__) or "list" not in endpoint.verbs:
            continue
        own, foreign = world.globex.row(endpoint.path), world.acme.row(endpoint.path)
        shown = world.globex.listed(endpoint.path)
        by_id = world.globex.tenant.admin.get(endpoint.path, query_string={"id__in": foreign["id"]}).get_json()
        rows = by_id if isinstance(by_id, list) else by_id["data"]
        if own["id"] not in [each["id"] for each in shown] or rows:
            wrong.append(endpoint.path)

    assert wrong == []


def test_a_body_cannot_refer_to_a_row_of_another_tenant(world: World) -> None:
    before = world.rows_of_acme(), rows_of(world.app, world.globex.tenant.company_id)

    assert accepted_references(world) == []

    assert (world.rows_of_acme(), rows_of(world.app, world.globex.tenant.company_id)) == before
