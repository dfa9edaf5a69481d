"""Logos of companies, customers and subcontractors."""

import pytest

from tests.core.files.stored import all_of, drained, objects_of
from tests.support.clients import Tenant
from tests.support.marks import both_databases, one_database
from tests.support.pictures import opened, picture, upload
from tests.support.roles import user_with

pytestmark = one_database

KINDS = ("customers", "subcontractors")


def made(company: Tenant, kind: str) -> str:
    return f"/{kind}/{company.admin.create(f'/{kind}', {'name': 'Ajax'})['id']}"


@both_databases
@pytest.mark.parametrize("kind", KINDS)
def test_a_logo_comes_shows_and_goes_with_its_owner(acme: Tenant, kind: str) -> None:
    owner = made(acme, kind)

    answer = upload(acme.admin, f"{owner}/logo", picture("WEBP"))

    stored = answer.get_json()
    assert (answer.status_code, stored["has_logo"]) == (201, True)
    assert stored["logo_file_id"] == stored["file_id"]
    shown = acme.admin.get(owner).get_json()
    assert (shown["has_logo"], shown["logo_file_id"]) == (True, stored["file_id"])
    assert opened(acme.admin.get(f"{owner}/logo").data).size == (40, 30)
    assert objects_of(acme) == all_of("logo")
    assert acme.admin.delete(owner).status_code == 204
    assert drained(acme.app) > 0
    assert objects_of(acme) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_upload_and_removal_are_updates_of_the_logo(acme: Tenant, kind: str) -> None:
    path, name = f"{made(acme, kind)}/logo", f"{kind.removesuffix('s')}_logo"
    reader, writer = (user_with(acme, f"identity:{name}:{operation}") for operation in ("READ", "UPDATE"))

    assert upload(reader, path, picture()).status_code == 403
    assert upload(writer, path, picture()).status_code == 201
    assert (reader.get(path).status_code, writer.get(path).status_code) == (200, 403)
    assert (reader.delete(path).status_code, writer.delete(path).status_code) == (403, 204)


def test_an_upload_moves_the_version_of_its_owner(acme: Tenant) -> None:
    owner = made(acme, "customers")
    before = acme.admin.get(owner).headers["ETag"]

    upload(acme.admin, f"{owner}/logo", picture())

    assert acme.admin.get(owner, headers={"If-None-Match": before}).status_code == 200


def test_users_of_the_platform_give_any_company_a_logo_and_others_their_own(acme: Tenant, globex: Tenant) -> None:
    path = f"/companies/{globex.company_id}/logo"

    assert upload(acme.admin, path, picture()).status_code == 201
    assert objects_of(globex) == all_of("logo")
    assert acme.admin.get(path).status_code == globex.admin.get(path).status_code == 200
    assert globex.admin.get(f"/companies/{globex.company_id}").get_json()["has_logo"] is True
    assert upload(globex.admin, path, picture()).status_code == 201
    assert upload(globex.admin, f"/companies/{acme.company_id}/logo", picture()).status_code == 404
    assert globex.admin.delete(path).status_code == 204
