"""Health, version, configuration and initialization of an embedded engine deployed as a service."""

from collections.abc import Mapping
from uuid import UUID

from flask import Response, current_app
from sqlalchemy import select

from app.base.errors import Conflict
from app.companies.service import AlreadyInitialized
from app.config.settings import VERSION
from app.core.db.transaction import company_transaction
from app.core.services import services
from app.core.web.body import answer, optional_json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.guardian.service import has_administrator, initialize_engine
from app.system import schemas
from app.system.health import CheckResult
from app.system.resources import Health, Version, check_init_token
from app.system.service import platform_company
from app.users.models import User


class GuardianHealth(Health):
    """Check the health of the policy engine."""

    path, name = "/guardian/health", "guardian_service"
    operation_ids = {"GET": "getGuardianHealth"}

    def other_checks(self) -> Mapping[str, CheckResult]:
        return {}


class GuardianVersion(Version):
    """Get the version of the policy engine."""

    path = "/guardian/version"
    operation_ids = {"GET": "getGuardianVersion"}


class GuardianConfig(Endpoint):
    """Get the configuration of the policy engine. It lists the services whose permissions are part of this release."""

    access, path = "public", "/guardian/config"

    @declare("getGuardianConfig", answer=schemas.EngineConfigSchema())
    def get(self) -> Response:
        names = sorted({permission.service for permission in services().catalogue})
        env, debug = services().settings.flask_env, bool(current_app.debug)
        return answer({"env": env, "debug": debug, "version": VERSION, "services": names})


class GuardianInitDb(Endpoint):
    """The first administrator."""

    access, path = "public", "/guardian/init-db"

    @declare("getGuardianInitialization", answer=schemas.InitializedSchema())
    def get(self) -> Response:
        """Check whether the platform company has an administrator."""
        company_id = platform_company()
        if company_id is None:
            return answer({"initialized": False})
        with company_transaction(company_id, writes=False):
            return answer({"initialized": has_administrator()})

    @declare(
        "initializeGuardian",
        body=schemas.EngineInitSchema(),
        answer=schemas.EngineInitializedSchema(),
        status=201,
        errors=(401, 403, 409),
        also=(200,),
    )
    def post(self) -> Response:
        """Initialize the policy engine: the only user of a company becomes its administrator. 200 if already so.

        Without a body the company is the platform.
        """
        check_init_token()
        ids = schemas.EngineInitSchema().checked(optional_json_body()) or _first_ids()
        company_id, user_id = ids["company_id"], ids["user_id"]
        is_new = initialize_engine(company_id, user_id)
        return answer({"initialized": True, "company_id": company_id, "user_id": user_id}, 201 if is_new else 200)


def _first_ids() -> dict[str, UUID]:
    """The platform company and its only user. Raises Conflict before there is one, and Forbidden for several users."""
    company_id = platform_company()
    if company_id is None:
        raise Conflict("There is no company yet; POST /init-db creates the first one.")
    with company_transaction(company_id, writes=False) as session:
        user_ids = session.scalars(select(User.id).limit(2)).all()
    if len(user_ids) != 1:
        raise AlreadyInitialized("The company is already initialized.")
    return {"company_id": company_id, "user_id": user_ids[0]}
