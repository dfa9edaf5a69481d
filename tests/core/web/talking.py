"""Answers to requests of browsers and of other sites."""

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.clients import ApiClient


def speaks(app: Flask, client: ApiClient) -> ApiClient:
    """The same caller to another application on the same database."""
    return ApiClient(app, client.token, client.user_id, client.company_id, client.email)


def shared_with(answer: TestResponse) -> list[str]:
    """The headers that let another origin read the answer."""
    return [name for name, _ in answer.headers if name.startswith("Access-Control")]


def by_cookie(client: ApiClient) -> dict[str, str]:
    return {"Cookie": f"access_token={client.token}"}
