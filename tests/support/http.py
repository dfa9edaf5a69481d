"""Requests over a socket, to a service that runs as a process."""

from typing import Any

import requests

SECONDS = 60.0


def send(method: str, url: str, **options: Any) -> requests.Response:
    """One request on a connection of its own, past any proxy that the environment names, and no redirect followed."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **{"timeout": SECONDS, "allow_redirects": False, **options})
