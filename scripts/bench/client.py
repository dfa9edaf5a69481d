"""Single calls of a service; wrk makes the load."""

from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from scripts.bench.servers import Failed

TIMEOUT_SECONDS = 60


class Client(requests.Session):
    """Keeps connections, for as many threads, and no cookies: callers send their tokens."""

    def __init__(self, connections: int = 1) -> None:
        super().__init__()
        self.trust_env = False
        self.mount("http://", HTTPAdapter(pool_maxsize=connections))
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def call(self, method: str, url: str, token: str = "", **options: Any) -> requests.Response:
        """``options`` are those of ``requests``: ``json``, ``files``, ``headers``."""
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        return self.request(method, url, headers=headers, timeout=TIMEOUT_SECONDS, **options)


def expect(response: requests.Response, status: int) -> requests.Response:
    """Raises Failed for another status."""
    if response.status_code != status:
        request = f"{response.request.method} {response.request.path_url}"
        raise Failed(f"{request} answered {response.status_code} instead of {status}: {response.content[:300]!r}")
    return response
