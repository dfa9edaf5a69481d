"""The OpenAPI document, and a page that browses it without any outside resource."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import orjson
from flask import Response, current_app, request
from jinja2 import Environment, PackageLoader

from app.accounts.auth.cookies import ACCESS, REFRESH
from app.base.errors import NotFound
from app.config.settings import VERSION
from app.core.services import services
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import cookie_name
from app.core.web.routing import mounted_routes

Json = dict[str, Any]
T = TypeVar("T")

OWN = ("docs.css", "docs.js")
OF_SWAGGER_UI = ("favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css")
ASSETS = (*OWN, *OF_SWAGGER_UI)
TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}

# Swagger UI draws its icons from data: URLs. Scripts come from files of this service alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = Environment(loader=PackageLoader(__package__), autoescape=True)


def spec() -> Json:
    from app.core.openapi.document import document

    return _once("openapi", lambda: document(mounted_routes()))


def spec_text() -> str:
    """``spec`` as YAML, which takes long to write."""
    from app.core.openapi.document import as_yaml

    return _once("openapi.yml", lambda: as_yaml(spec()))


def _once(name: str, build: Callable[[], T]) -> T:
    """Built at the first call in a process."""
    built = current_app.extensions
    if name not in built:
        built[name] = build()
    value: T = built[name]
    return value


def servers() -> list[Json]:
    """Where the caller reaches the paths: below the prefix of a gateway, if there is one."""
    return [{"url": request.script_root or "/"}]


def with_etag(found: Response) -> Response:
    """Kept by browsers, which ask each time whether it is still the same: an upgrade shows at once."""
    found.headers["Cache-Control"] = "public, no-cache"
    found.add_etag()
    found.make_conditional(request)
    return found


class OpenApiJson(Endpoint):
    """Get this document as JSON."""

    access, path, revalidated = "public", "/openapi.json", True

    @declare("getOpenApiJson", answer={"type": "object"})
    def get(self) -> Response:
        here = {**spec(), "servers": servers()}
        return with_etag(Response(orjson.dumps(here), mimetype="application/json"))


class OpenApiYaml(Endpoint):
    """Get this document as YAML."""

    access, path, revalidated = "public", "/openapi.yml", True

    @declare("getOpenApiYaml", answer={"type": "object"}, media=("application/yaml",))
    def get(self) -> Response:
        from app.core.openapi.document import as_yaml

        written, wanted = ({"servers": each} for each in (spec()["servers"], servers()))
        text = spec_text().replace(as_yaml(written), as_yaml(wanted), 1)
        return with_etag(Response(text, mimetype="application/yaml"))


class Docs(Endpoint):
    """Browse this document, and try its operations."""

    access, path = "public", "/docs"

    @declare("getDocs", answer={"type": "string"}, media=("text/html",))
    def get(self) -> Response:
        settings = services().settings
        # Scripts cannot see the cookies, and asking without any would be an error in the console.
        may_be_signed_in = any(cookie_name(settings, name) in request.cookies for name in (ACCESS, REFRESH))
        page = PAGE.get_template("docs.html").render(version=VERSION, may_be_signed_in=may_be_signed_in)
        return Response(page, mimetype="text/html", headers={"Content-Security-Policy": POLICY})


class DocsAsset(Endpoint):
    """Get a file of the page /docs."""

    access, path, revalidated = "public", "/docs/<name>", True

    @declare("getDocsFile", answer={"type": "string"}, errors=(404,), media=tuple(sorted(TYPES.values())))
    def get(self, name: str) -> Response:
        path = _asset(name)
        return with_etag(Response(path.read_bytes(), mimetype=TYPES[path.suffix]))


def _asset(name: str) -> Path:
    """Raises NotFound."""
    if name in OWN:
        return Path(__file__).parent / "static" / name
    if name in OF_SWAGGER_UI:
        return Path(str(files("flask_swagger_ui"))) / "dist" / name
    raise NotFound()
