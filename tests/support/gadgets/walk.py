"""``python -m tests.support.gadgets.walk URL``: what a service with the slice shows of it, as JSON."""

import json
import sys
from typing import Any

from flask import Flask
from sqlalchemy import create_engine

from app import create_app
from app.core.openapi.document import build_document
from app.core.services import services
from app.core.web.routing import Route, mounted_routes
from app.guardian.catalogue_files import CODES
from app.guardian.service import default_permissions
from app.mounts import SLICES
from migrations import ddl
from tests.across import foreign_rows
from tests.support import contract, gadgets
from tests.support.clients import make_tenant
from tests.support.databases import OWNER, ROLE, settings_for
from tests.support.declared import Maker, routes_of
from tests.support.gadgets.models import Gadget

PATH = gadgets.ENDPOINTS[0].path


def migrate(url: str) -> None:
    """As the migration of the slice would."""
    engine = create_engine(url)
    with engine.begin() as connection:
        Gadget.__table__.create(connection)  # type: ignore[attr-defined]
        ddl.protect(lambda text: connection.exec_driver_sql(text) and None, engine.dialect.name, "gadget")
        ddl.count(lambda text: connection.exec_driver_sql(text) and None, engine.dialect.name, "gadget")
    engine.dispose()


class Corner(foreign_rows.World):
    """The matrix of the slice alone: others walk the rest."""

    @property
    def routes(self) -> list[Route]:
        return [each for each in routes_of(self.app) if each.path.startswith(PATH)]


def found(app: Flask) -> dict[str, Any]:
    with app.app_context():
        spec = build_document(mounted_routes())
    # The answers are held against the document that has the slice.
    contract.spec = lambda: spec  # type: ignore[assignment]
    acme, globex = make_tenant(app, "acme", is_platform=True), make_tenant(app, "globex")
    world = Corner(app, Maker(app, acme), Maker(app, globex))
    for maker in (world.acme, world.globex):
        maker.path(f"{PATH}/<id>")
    admin = acme.admin
    admin.post(PATH, {"name": "second"})
    with app.app_context():
        roles = {
            code: [p.operation for p in default_permissions(code) if p.resource_name == "gadget"] for code in CODES[1:]
        }
        operations = sorted(each.operation for each in services().catalogue if each.resource_name == "gadget")
    with foreign_rows.without_the_criterion():
        unguarded = foreign_rows.leaking_lists(world)
    return {
        "matrix": sorted(f"{each.method} {each.path}" for each in world.routes),
        "openapi": {path: sorted(item) for path, item in spec["paths"].items() if path.startswith(PATH)},
        "operations": operations,
        "default_roles": roles,
        "roles_of_acme": _held(admin),
        "total": admin.get(f"{PATH}?limit=1").get_json()["pagination"]["total"],
        "held": admin.delete(f"/companies/{globex.company_id}?dry_run=true").get_json()["gadget"],
        "reachable": foreign_rows.reachable_items(world),
        "leaking": foreign_rows.leaking_lists(world),
        "accepted": foreign_rows.accepted_references(world),
        "unguarded": unguarded,
    }


def _held(admin: Any) -> dict[str, list[str]]:
    """The permissions that a new company's roles have."""
    roles = admin.get("/users/roles").get_json()["roles"]
    return {role["code"]: sorted(name for name in role["permissions"] if name.startswith("gadget:")) for role in roles}


if __name__ == "__main__":
    migrate(sys.argv[1].replace(f"//{ROLE}@", f"//{OWNER}@"))
    application = create_app(settings_for(sys.argv[1]), slices=(*SLICES, gadgets))
    sys.stdout.write(json.dumps(found(application)))
