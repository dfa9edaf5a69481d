"""Headers of every answer: the request's id, security headers, CORS."""

import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as RouteNotFound

from app.config.settings import Settings
from app.core.web.problems import render_http

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
EXPOSED = "ETag, Location, X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"


def install_headers(app: Flask, settings: Settings) -> None:
    app.url_map.merge_slashes = False
    app.before_request(_set_request_id)
    app.after_request(_header_writer(settings))
    app.register_error_handler(RouteNotFound, _redirect_without_slash)


def _set_request_id() -> None:
    text = request.environ.get("HTTP_X_REQUEST_ID", "")
    g.request_id = text if REQUEST_ID.fullmatch(text) else secrets.token_hex(16)
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _header_writer(settings: Settings) -> Callable[[Response], Response]:
    fixed = dict(HEADERS)
    fixed["Cross-Origin-Resource-Policy"] = "same-site" if settings.cors_origins else "same-origin"
    if settings.flask_env == "production":
        fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    def add_headers(response: Response) -> Response:
        headers = response.headers
        present = {name.lower() for name, _ in headers}
        for name, value in fixed.items():
            if name.lower() not in present:
                headers.add(name, value)
        headers.add("X-Request-ID", g.get("request_id", ""))
        if settings.cors_origins:
            _allow_origin(response, settings)
        return response

    return add_headers


def _allow_origin(response: Response, settings: Settings) -> None:
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in settings.cors_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = (
            "Authorization, Content-Type, If-Match, If-None-Match, X-Request-ID"
        )
        response.headers["Access-Control-Max-Age"] = "600"


def _redirect_without_slash(error: RouteNotFound) -> Any:
    """308 to the path without its trailing slash if that path exists. Werkzeug itself only adds slashes."""
    path = request.path.rstrip("/")
    if request.path.endswith("/") and path and _exists(path):
        return Response(status=308, headers={"Location": _location_of(path)})
    return render_http(error)


UNRESERVED = "/:@!$&'()*+,;=~"


def _location_of(path: str) -> str:
    """A path of this host with the request's query. A path that begins with two slashes would name another host."""
    query = quote(request.query_string, safe=f"{UNRESERVED}?%")
    return "/" + quote(request.script_root + path, safe=UNRESERVED).lstrip("/") + (query and f"?{query}")


def _exists(path: str) -> bool:
    try:
        current_app.url_map.bind("").match(path, method=request.method)
    except MethodNotAllowed:
        return True
    except HTTPException:
        return False
    return True
