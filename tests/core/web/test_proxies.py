"""Headers of proxies, and strange hosts."""

from typing import Any

from tests.core.web.talking import by_cookie, speaks
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database
FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "id.example.com",
    "X-Forwarded-Prefix": "/identity",
}


def address_of(client: ApiClient, headers: dict[str, str]) -> str:
    login = {"email": client.email, "password": PASSWORD}
    token = client.post("/auth/login?token=body", login, headers=headers).get_json()["access_token"]
    sessions: Json = ApiClient(client.app, token).get("/auth/sessions?order=desc&limit=1").get_json()
    return str(sessions["data"][0]["ip"])


def test_no_forwarded_header_is_believed_unless_a_proxy_is_declared(acme: Tenant, anonymous: ApiClient) -> None:
    client = ApiClient(acme.app, email=acme.admin.email)

    assert address_of(client, FORWARDED) == "127.0.0.1"
    assert acme.admin.get("/customers/", headers=FORWARDED).headers["Location"] == "/customers"
    crossing = {**by_cookie(acme.admin), **FORWARDED, "Origin": "https://id.example.com"}
    assert anonymous.patch("/users/me", {}, headers=crossing).status_code == 403


def test_a_declared_proxy_is_believed_once(variant: Variant, acme: Tenant) -> None:
    app = variant(TRUSTED_PROXIES="1")
    client, here = ApiClient(app, email=acme.admin.email), ApiClient(app)
    forged = {**FORWARDED, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}

    assert address_of(client, forged) == "203.0.113.9"
    located = speaks(app, acme.admin).get("/customers/", headers=FORWARDED).headers["Location"]
    assert located == "/identity/customers"
    made = speaks(app, acme.admin).post("/customers", {"name": "Wile"}, headers=FORWARDED)
    assert made.headers["Location"] == f"/identity/customers/{made.get_json()['id']}"
    from_here = {**by_cookie(acme.admin), **FORWARDED, "Origin": "https://id.example.com"}
    assert here.patch("/users/me", {}, headers=from_here).status_code == 200
    elsewhere = {**from_here, "Origin": "http://localhost"}
    assert here.patch("/users/me", {}, headers=elsewhere).status_code == 403


def test_two_proxies_are_believed_twice(variant: Variant, acme: Tenant) -> None:
    client = ApiClient(variant(TRUSTED_PROXIES="2"), email=acme.admin.email)

    assert address_of(client, {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.0.0.1"}) == "203.0.113.9"


def test_strange_hosts_do_no_harm(acme: Tenant) -> None:
    for host in ("a b", "évil", "evil.example/../x", "[::1", "", "a" * 3000, "x:99999"):
        answer: Any = acme.admin.get("/users/me", headers={"Host": host})
        assert answer.status_code in (200, 400), host


@by_row(
    "prefix",
    [
        "//evil.example",
        "/\\evil.example",
        "evil.example",
        "https://evil.example",
        "/",
        "//",
        "/a//b",
        "/..",
        "/a/../b",
        "/.",
        "/a b",
        "/a?b",
        "/a#b",
        "/a\tb",
        '/"><script>',
        "\\evil",
    ],
)
def test_a_prefix_that_is_no_path_is_ignored_everywhere(variant: Variant, acme: Tenant, prefix: str) -> None:
    admin = speaks(variant(TRUSTED_PROXIES="1"), acme.admin)
    headers = {**FORWARDED, "X-Forwarded-Prefix": prefix}

    made = admin.post("/customers", {"name": "Wile"}, headers=headers)
    assert made.headers["Location"] == f"/customers/{made.get_json()['id']}"
    assert admin.get("/customers/", headers=headers).headers["Location"] == "/customers"
    assert admin.get("/openapi.json", headers=headers).get_json()["servers"] == [{"url": "/"}]
    assert "evil" not in admin.get("/docs", headers=headers).text


def test_a_prefix_of_several_segments_is_believed(variant: Variant, acme: Tenant) -> None:
    admin = speaks(variant(TRUSTED_PROXIES="1"), acme.admin)

    for prefix in ("/api/v1", "/api/v1/", "/~ada", "/a.b-c_d"):
        located = admin.get("/customers/", headers={**FORWARDED, "X-Forwarded-Prefix": prefix}).headers["Location"]
        assert located == f"{prefix.rstrip('/')}/customers"
