"""The OpenAPI document, and a page that shows it without resources of other hosts."""

import gzip
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import orjson
from flask import Response, current_app, request
from jinja2 import Environment, PackageLoader

from app.accounts.auth.answers import ACCESS, REFRESH
from app.base.errors import NotFound
from app.config.settings import VERSION
from app.core.services import services
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import cookie_name
from app.core.web.routing import mounted_routes
from app.system.schemas import IndexSchema

Json = dict[str, Any]
T = TypeVar("T")

OWN_ASSETS = ("docs.css", "docs.js")
SWAGGER_UI_ASSETS = ("favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css")
ASSETS = (*OWN_ASSETS, *SWAGGER_UI_ASSETS)
TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}

# Swagger UI draws its icons from data: URLs. Scripts come only from files of this service.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = Environment(loader=PackageLoader(__package__), autoescape=True)


def spec() -> Json:
    from app.core.openapi.document import build_document

    return _build_once("openapi", lambda: build_document(mounted_routes()))


def _build_once(name: str, build: Callable[[], T]) -> T:
    """The result of the first call in this process: building takes long."""
    results = current_app.extensions
    if name not in results:
        results[name] = build()
    result: T = results[name]
    return result


def servers() -> list[Json]:
    """The base URL of the paths: the prefix of a gateway, if there is one."""
    return [{"url": request.script_root or "/"}]


def compress(response: Response) -> Response:
    """By gzip, for clients that take it (RFC 9110 section 12.5.3). A picture is compressed already."""
    if response.mimetype == "image/png":
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"]:
        response.set_data(_gzipped(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


@lru_cache(maxsize=16)
def _gzipped(body: bytes) -> bytes:
    """Kept, because the largest file takes 50 ms."""
    return gzip.compress(body, compresslevel=6, mtime=0)


def make_revalidated(response: Response) -> Response:
    """Let browsers keep the response but ask for changes each time, so that an upgrade shows at once."""
    compress(response)
    response.headers["Cache-Control"] = "public, no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


class Index(Endpoint):
    """Find the documentation. A browser is led to its page."""

    access, path = "public", "/"

    @declare("getIndex", answer=IndexSchema(), also=(302,))
    def get(self) -> Response:
        root = request.script_root
        if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
            return Response(status=302, headers={"Location": f"{root}{Docs.path}", "Vary": "Accept"})
        links = {"docs": Docs.path, "openapi": OpenApiJson.path, "health": "/health", "config": "/config"}
        index = {name: f"{root}{path}" for name, path in links.items()}
        return answer({"service": "identity_service", "version": VERSION, **index}, headers={"Vary": "Accept"})


class OpenApiJson(Endpoint):
    """Get this document as JSON."""

    access, path, revalidated = "public", "/openapi.json", True

    @declare("getOpenApiJson", answer={"type": "object"})
    def get(self) -> Response:
        document = {**spec(), "servers": servers()}
        return make_revalidated(Response(orjson.dumps(document), mimetype="application/json"))


class OpenApiYaml(Endpoint):
    """Get this document as YAML."""

    access, path, revalidated = "public", "/openapi.yml", True

    @declare("getOpenApiYaml", answer={"type": "object"}, media=("application/yaml",))
    def get(self) -> Response:
        from app.core.openapi.document import dump_yaml

        default, actual = (dump_yaml({"servers": urls}) for urls in (spec()["servers"], servers()))
        text = _build_once("openapi.yml", lambda: dump_yaml(spec()))
        return make_revalidated(Response(text.replace(default, actual, 1), mimetype="application/yaml"))


class Docs(Endpoint):
    """Browse this document, and try its operations."""

    access, path = "public", "/docs"

    @declare("getDocs", answer={"type": "string"}, media=("text/html",))
    def get(self) -> Response:
        settings = services().settings
        # Scripts cannot see the cookies, and a request without them would log an error in the console.
        may_be_signed_in = any(cookie_name(settings, name) in request.cookies for name in (ACCESS, REFRESH))
        page = PAGE.get_template("docs.html").render(version=VERSION, may_be_signed_in=may_be_signed_in)
        return compress(Response(page, mimetype="text/html", headers={"Content-Security-Policy": POLICY}))


class DocsAsset(Endpoint):
    """Get a file of the page /docs."""

    access, path, revalidated = "public", "/docs/<name>", True

    @declare("getDocsFile", answer={"type": "string"}, errors=(404,), media=tuple(sorted(TYPES.values())))
    def get(self, name: str) -> Response:
        path = _asset(name)
        return make_revalidated(Response(path.read_bytes(), mimetype=TYPES[path.suffix]))


def _asset(name: str) -> Path:
    """Raises NotFound."""
    if name in OWN_ASSETS:
        return Path(__file__).parent / "static" / name
    if name in SWAGGER_UI_ASSETS:
        return Path(str(files("flask_swagger_ui"))) / "dist" / name
    raise NotFound()
