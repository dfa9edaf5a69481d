"""Two companies with rows of every kind."""

import pytest
from flask import Flask

from tests.across.foreign_rows import World, is_list
from tests.support.clients import Tenant
from tests.support.declared import Maker


@pytest.fixture
def world(app: Flask, acme: Tenant, globex: Tenant) -> World:
    found = World(app, Maker(app, acme), Maker(app, globex))
    for maker in (found.acme, found.globex):
        for route in found.routes:
            if route.endpoint.access != "public":
                maker.path(f"{route.path}/<id>" if route.method == "POST" and is_list(found, route) else route.path)
    return found
