"""Two companies with rows of every kind."""

import pytest

from tests.across.foreign_rows import World, is_list
from tests.support.clients import with_new_token
from tests.support.declared import Maker
from tests.support.stages import Stage


@pytest.fixture(scope="module")
def world(stage: Stage) -> World:
    """For tests of one module that change no row, since they share it: whatever is tried in it is refused."""
    stage.restore()
    app, acme, globex = stage.app, with_new_token(stage.acme), with_new_token(stage.globex)
    found = World(app, Maker(app, acme), Maker(app, globex))
    for maker in (found.acme, found.globex):
        for route in found.routes:
            if route.endpoint.access != "public":
                maker.path(f"{route.path}/<id>" if route.method == "POST" and is_list(found, route) else route.path)
    return found
