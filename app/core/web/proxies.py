"""What trusted proxies say about a request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._~!$&'()*+;=:@%-]+)+/?")
"""A path of segments. Browsers read two slashes, or a slash and a backslash, as the beginning of a host."""


def behind_proxies(application: WSGIApplication, count: int) -> ProxyFix:
    """Believe the forwarded headers of so many proxies, but no X-Forwarded-Prefix that is no path."""
    checked = partial(_with_checked_prefix, application)
    return ProxyFix(checked, x_for=count, x_proto=count, x_host=count, x_prefix=count)


def _with_checked_prefix(
    application: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    if not PREFIX.fullmatch(environ["SCRIPT_NAME"]):
        environ["SCRIPT_NAME"] = environ["werkzeug.proxy_fix.orig"]["SCRIPT_NAME"] or ""
    return application(environ, start_response)
