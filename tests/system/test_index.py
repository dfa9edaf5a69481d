"""The root, the aliases below /auth, and the compression of the documentation."""

import gzip

from flask import Flask

from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

pytestmark = one_database
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PAGES = ("/docs", "/docs/docs.css", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/openapi.json", "/openapi.yml")


def test_a_browser_is_led_from_the_root_to_the_documentation(anonymous: ApiClient) -> None:
    for method in ("GET", "HEAD"):
        answer = anonymous.request(method, "/", headers={"Accept": BROWSER})

        assert (answer.status_code, answer.headers["Location"], answer.headers["Vary"]) == (302, "/docs", "Accept")


@by_row("accept", ["*/*", "application/json", "", "application/json;q=0.9, text/html;q=0.1"])
def test_a_program_gets_an_index_of_what_exists(anonymous: ApiClient, accept: str) -> None:
    answer = anonymous.get("/", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["Vary"]) == (200, "Accept")
    index = answer.get_json()
    for name in ("docs", "openapi", "health", "config"):
        assert anonymous.get(index[name]).status_code == 200


def test_the_root_takes_neither_parameters_nor_bodies(anonymous: ApiClient) -> None:
    assert anonymous.get("/?next=//evil.example").status_code == 400
    assert anonymous.post("/", {}).status_code == 405


def test_the_aliases_of_an_auth_service_are_public(acme: Tenant, anonymous: ApiClient) -> None:
    health = anonymous.get("/auth/health").get_json()

    assert health["service"] == anonymous.get("/health").get_json()["service"]
    assert anonymous.get("/auth/version").get_json() == acme.admin.get("/version").get_json()
    assert anonymous.get("/auth/config").get_json() == anonymous.get("/config").get_json()
    assert "settings" in acme.admin.get("/auth/config").get_json()
    assert anonymous.get("/version").status_code == 401


@by_row("path", PAGES)
def test_the_documentation_is_compressed_when_asked(app: Flask, path: str) -> None:
    client = app.test_client()
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    for refusing in ("identity", "gzip;q=0", "br", "*;q=0"):
        assert "Content-Encoding" not in client.get(path, headers={"Accept-Encoding": refusing}).headers


def test_each_form_of_a_page_has_its_own_tag(app: Flask) -> None:
    client, accept = app.test_client(), {"Accept-Encoding": "gzip"}
    plain, packed = (client.get("/openapi.json", headers=headers).headers["ETag"] for headers in ({}, accept))

    assert plain != packed
    assert client.get("/openapi.json", headers=accept | {"If-None-Match": packed}).status_code == 304
    assert client.get("/openapi.json", headers=accept | {"If-None-Match": plain}).status_code == 200
    assert client.get("/openapi.json", headers={"If-None-Match": plain}).status_code == 304


def test_a_picture_is_not_compressed_again(app: Flask) -> None:
    answer = app.test_client().get("/docs/favicon-32x32.png", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
