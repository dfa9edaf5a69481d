"""The OpenAPI document, and its page in a real browser."""

import json
import shutil
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import yaml
from flask import Flask
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from app.system.docs import ASSETS
from tests.support.clients import PASSWORD, ApiClient, Tenant, make_tenant
from tests.support.databases import app_on_sqlite
from tests.support.rows import by_row

PREFIX = "/identity"
PROGRAMS = [shutil.which("chromium"), shutil.which("chromedriver")]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


class References(HTMLParser):
    """Every address that the page loads or links to, and every inline script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value for name, value in attrs if name in ("src", "href") and value]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


@pytest.fixture(scope="module")
def sqlite_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with app_on_sqlite(tmp_path_factory.mktemp("docs")) as app:
        yield app


@pytest.fixture
def reader(sqlite_app: Flask) -> ApiClient:
    """Nobody. No database is asked here, so one of them is enough."""
    return ApiClient(sqlite_app)


def loaded(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def test_both_forms_of_the_document_say_the_same(reader: ApiClient) -> None:
    as_json = reader.get("/openapi.json")
    as_yaml = reader.get("/openapi.yml")

    assert as_json.get_json() == loaded(as_yaml.text)
    assert as_yaml.mimetype == "application/yaml"


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yml"])
def test_the_document_names_the_prefix_under_which_it_was_asked_for(reader: ApiClient, path: str) -> None:
    plain = reader.get(path)
    prefixed = reader.get(path, environ_overrides={"SCRIPT_NAME": PREFIX})

    assert loaded(plain.text)["servers"] == [{"url": "/"}]
    assert loaded(prefixed.text)["servers"] == [{"url": PREFIX}]
    assert plain.headers["ETag"] != prefixed.headers["ETag"]


@by_row("path", ["/openapi.json", "/openapi.yml", *(f"/docs/{name}" for name in ASSETS)])
def test_what_the_page_loads_is_kept_and_asked_for_again_by_its_etag(reader: ApiClient, path: str) -> None:
    first = reader.get(path)

    again = reader.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = reader.get(path, headers={"If-None-Match": '"other"'})

    assert first.headers["Cache-Control"] == "public, no-cache"
    assert (again.status_code, again.data) == (304, b"")
    assert (other.status_code, other.data) == (200, first.data)


@by_row("name", ["swagger-ui.js", "docs.html", "..%2fdocs.py", "01a1f801-8c09-714c-99c7-88068b3c7130"])
def test_no_other_file_is_served(reader: ApiClient, name: str) -> None:
    answer = reader.get(f"/docs/{name}")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_the_page_refers_by_relative_addresses_to_files_that_exist(reader: ApiClient) -> None:
    found = References(reader.get("/docs").text).found

    assert {f"docs/{name}" for name in ASSETS} <= set(found)
    for reference in found:
        assert not reference.startswith(("/", "http"))
        assert reader.get(urljoin("/docs", reference)).status_code == 200


def test_no_script_of_the_page_is_inline_and_its_policy_allows_none(reader: ApiClient) -> None:
    answer = reader.get("/docs")

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert References(answer.text).inline == []


@by_row(("cookie", "expected"), [("", False), ("access_token=x", True), ("refresh_token=x", True)])
def test_the_page_looks_for_a_session_only_when_there_is_a_cookie(
    reader: ApiClient, cookie: str, expected: bool
) -> None:
    answer = reader.get("/docs", headers={"Cookie": cookie})

    assert ("data-may-be-signed-in" in answer.text) is expected
    assert answer.headers["Cache-Control"] == "no-store"


# In a browser


@pytest.fixture(scope="module")
def somebody(sqlite_app: Flask) -> ApiClient:
    tenant: Tenant = make_tenant(sqlite_app, "acme", is_platform=True)
    return tenant.user(role="viewer", email="vera@acme.example")


@pytest.fixture(scope="module")
def address(sqlite_app: Flask) -> Iterator[str]:
    """The service below a prefix, as behind a gateway."""
    site: Any = DispatcherMiddleware(NotFound(), {PREFIX: sqlite_app})
    server = make_server("127.0.0.1", 0, site, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    server.shutdown()


class Page:
    """/docs in a browser, by what a reader sees of it."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address
        self.wait = WebDriverWait(driver, 10)

    def open(self) -> None:
        self.driver.get(f"{self.address}/docs")
        self.shown("#operations-tag-users")

    def shown(self, selector: str) -> WebElement:
        """The first such element, once there is one that can be seen."""

        def look(driver: webdriver.Chrome) -> WebElement | None:
            return next((each for each in driver.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()), None)

        found: WebElement = self.wait.until(look, selector)
        return found

    def click(self, selector: str) -> None:
        self.shown(selector).click()

    def sign_in(self, email: str, password: str) -> None:
        self.shown("#sign-in [name=email]").send_keys(email)
        self.shown("#sign-in [name=password]").send_keys(password)
        self.click("#sign-in button")

    def errors(self) -> list[str]:
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] != "INFO"]

    def requests(self) -> list[str]:
        """Every address asked for since the last look, but for the browser's own and embedded ones."""
        lines = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [line["params"]["request"]["url"] for line in lines if line["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("chrome:", "data:"))]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if not all(PROGRAMS):
        pytest.skip("chromium and chromedriver are not installed (Debian: apt install chromium chromium-driver)")
    browser, program = PROGRAMS
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(program))
    yield found
    found.quit()


@pytest.fixture
def page(driver: webdriver.Chrome, address: str) -> Page:
    """In a browser that knows no cookie, and with no line in its logs."""
    driver.delete_all_cookies()
    page = Page(driver, address)
    page.errors(), page.requests()
    return page


def test_somebody_signs_in_on_the_page_and_lists_users_without_leaving_the_service(
    page: Page, somebody: ApiClient
) -> None:
    page.open()
    page.sign_in(somebody.email, PASSWORD)
    assert page.shown("#who").text == somebody.email

    page.click("#operations-tag-users")
    page.click("#operations-users-listUsers .opblock-summary-control")
    page.click("#operations-users-listUsers .try-out__btn")
    page.click("#operations-users-listUsers .execute")

    answer = "#operations-users-listUsers .live-responses-table .response"
    assert page.shown(f"{answer} .response-col_status").text.startswith("200")
    assert somebody.email in page.shown(f"{answer} .highlight-code").text
    assert page.errors() == []
    sent = page.requests()
    assert any(url.startswith(f"{page.address}/users?") for url in sent)
    assert {urlsplit(url).netloc for url in sent} == {urlsplit(page.address).netloc}
    assert all(url.startswith(page.address) for url in sent)


def test_the_session_on_the_page_outlives_its_token_and_ends_with_sign_out(page: Page, somebody: ApiClient) -> None:
    page.open()
    page.sign_in(somebody.email, PASSWORD)
    page.shown("#who")
    page.driver.delete_cookie("access_token")

    page.open()

    assert page.shown("#who").text == somebody.email
    page.click("#sign-out button")
    assert page.shown("#notice").text == "Signed out."
    assert page.driver.get_cookies() == []


def test_a_wrong_password_is_told_on_the_page(page: Page, somebody: ApiClient) -> None:
    page.open()

    page.sign_in(somebody.email, "not the password")

    assert page.shown("#notice").text.endswith("password is wrong.")
    assert page.shown("#sign-in [name=email]").get_attribute("value") == somebody.email
