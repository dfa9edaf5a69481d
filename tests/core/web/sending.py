"""Requests with bodies of every kind."""

from typing import Any

from werkzeug.test import TestResponse

from tests.support.clients import ApiClient


def send(
    client: ApiClient, data: bytes | str, path: str = "/customers", method: str = "POST", **options: Any
) -> TestResponse:
    options.setdefault("content_type", "application/json")
    return client.request(method, path, data=data, **options)


def refused(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]
