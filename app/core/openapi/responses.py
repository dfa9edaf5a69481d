"""The responses of an operation, and the responses that operations share."""

from app.core.openapi.schemas import TEXT, Components, Json, ref
from app.core.web.declaration import Declaration
from app.core.web.endpoint import UNSAFE_METHODS
from app.core.web.routing import Route

PROBLEM_CONTENT: Json = {"application/problem+json": {"schema": ref("schemas", "Problem")}}
REQUEST_ID = "X-Request-ID"
SECONDS: Json = {"type": "integer", "minimum": 0}

HEADERS: dict[str, Json] = {
    REQUEST_ID: {"description": "The id of the request, also in the log.", "required": True, "schema": TEXT},
    "ETag": {"description": "The version of the resource, for If-Match and If-None-Match.", "schema": TEXT},
    "Location": {"description": "The path of the resource.", "schema": {"type": "string", "format": "uri-reference"}},
    "Set-Cookie": {"description": "The session's cookies, HttpOnly.", "schema": TEXT},
    "WWW-Authenticate": {"description": "The challenge (RFC 6750).", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait before another attempt.", "schema": SECONDS},
    "RateLimit-Limit": {"description": "Requests allowed in the window.", "schema": SECONDS},
    "RateLimit-Remaining": {"description": "Requests left in the window.", "schema": SECONDS},
    "RateLimit-Reset": {"description": "Seconds until the window ends.", "schema": SECONDS},
}
LIMITED = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

# Status → name, description, headers.
PROBLEMS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("BadRequest", "The request is malformed or not valid.", ()),
    401: ("Unauthorized", "The token is missing, invalid, expired or revoked.", ("WWW-Authenticate",)),
    403: ("Forbidden", "The caller may not do this.", ()),
    404: ("NotFound", "The caller's company has no such resource.", ()),
    409: ("Conflict", "The request contradicts the state of the resource.", ()),
    412: ("PreconditionFailed", "If-Match names another version.", ()),
    413: ("ContentTooLarge", "The body is too large.", ()),
    415: ("UnsupportedMediaType", "The body has another media type.", ()),
    416: ("RangeNotSatisfiable", "The file has no such part.", ()),
    429: ("TooManyRequests", "Too many attempts.", LIMITED),
    502: ("BadGateway", "A service behind this one gave no usable answer.", ()),
    503: ("ServiceUnavailable", "The service is temporarily unavailable.", ("Retry-After",)),
    504: ("GatewayTimeout", "A service behind this one did not answer in time.", ()),
}
ANY_PROBLEM = ("Problem", "Any other error, such as 413, 415, 502, 503 or 504.", ("Retry-After",))
EMPTY: dict[int, tuple[str, str, tuple[str, ...]]] = {
    204: ("NoContent", "Done.", ()),
    302: ("Found", "A browser is led to Location.", ("Location",)),
    304: ("NotModified", "The resource still has the version that If-None-Match names.", ("ETag",)),
    307: ("MovedTo", "The resource was merged into another, which is at Location.", ("Location",)),
}
REASONS = {200: "Nothing new was created.", 202: "Accepted; a job does the rest.", 206: "The part that Range asks for."}
SUCCESS = {200: "Success.", 201: "Created.", 202: "Accepted."}


def describe_responses(declared: Declaration, route: Route, components: Components, schema: Json | None) -> Json:
    """Responses by status, then ``default``. ``schema`` describes the answer."""
    by_status = _describe_successes(declared, components, schema)
    if declared.has_version and route.method == "GET":
        by_status["304"] = _share(components, EMPTY[304])
    if route.method == "GET" and route.endpoint.moved and "<" in route.path:
        by_status["307"] = _share(components, EMPTY[307])
    for status in sorted(_expected_problems(route, declared)):
        by_status.setdefault(str(status), _share(components, PROBLEMS[status]))
    return by_status | {"default": _share(components, ANY_PROBLEM)}


def _expected_problems(route: Route, declared: Declaration) -> set[int]:
    """Statuses of the refusals that a client of this operation can cause."""
    statuses = {400, *declared.errors} - UNEXPECTED
    if route.endpoint.limits:
        statuses.add(429)
    if route.endpoint.access != "public":
        statuses |= {401, 403}
    if "<" in route.path:
        statuses.add(404)
    if route.method in UNSAFE_METHODS:
        statuses.add(403)
    return statuses


UNEXPECTED = {413, 415, 502, 503, 504}


def _describe_successes(declared: Declaration, components: Components, schema: Json | None) -> Json:
    schemas = {name: TEXT if name == "text/html" else schema for name in declared.media} if schema is not None else {}
    content = {name: {"schema": schema} for name, schema in schemas.items()}
    headers = (*declared.headers, *(("ETag",) if declared.has_version and declared.status != 204 else ()))
    if declared.status == 204:
        preview = _response(components, "What would be done.", (), content)
        later = {str(status): _response(components, REASONS[status], (), content) for status in declared.also}
        return ({"200": preview} if content else {}) | later | {"204": _share(components, EMPTY[204])}
    success = _response(components, SUCCESS[declared.status], headers, content)
    if declared.has_version:
        success = _share_resource(components, schema, success)
    by_status = {str(declared.status): success}
    for status in declared.also:
        by_status[str(status)] = _describe_alternative(declared, components, status, content)
    return dict(sorted(by_status.items()))


def _share_resource(components: Components, schema: Json | None, response: Json) -> Json:
    """A reference to the response with this resource and its version, for all operations that answer it."""
    name = (schema or {}).get("$ref", "").rpartition("/")[2]
    return ref("responses", name) if name and components.responses.setdefault(name, response) == response else response


def _describe_alternative(declared: Declaration, components: Components, status: int, content: Json) -> Json:
    if status in EMPTY:
        return _share(components, EMPTY[status])
    if status < 400:
        headers = (*declared.also_headers, *(("ETag",) if declared.has_version else ()))
        return _response(components, REASONS[status], headers, content)
    _, description, headers = PROBLEMS[status]
    return _response(components, description, headers, content | PROBLEM_CONTENT)


def _share(components: Components, kind: tuple[str, str, tuple[str, ...]]) -> Json:
    name, description, headers = kind
    if name not in components.responses:
        content = {} if kind in EMPTY.values() else PROBLEM_CONTENT
        components.responses[name] = _response(components, description, headers, content)
    return ref("responses", name)


def _response(components: Components, description: str, headers: tuple[str, ...], content: Json) -> Json:
    names = (REQUEST_ID, *headers)
    components.headers |= {name: HEADERS[name] for name in names}
    response: Json = {"description": description, "headers": {name: ref("headers", name) for name in names}}
    return response | ({"content": content} if content else {})
