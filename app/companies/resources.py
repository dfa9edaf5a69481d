"""/companies"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, request
from uuid_utils.compat import uuid7

from app.base.errors import Forbidden
from app.base.text import parse_id
from app.companies.deletion import CompanyIsDeleting, PlatformCompany, delete_company, ensure_not_deleting
from app.companies.events import on_company_created
from app.companies.models import ACTIVE, DELETING, Company
from app.companies.schemas import CompanyCreationSchema, CompanySchema, holdings_schema
from app.companies.service import count_holdings, totals_of_companies, totals_of_tenant
from app.core.crud.crud import Crud
from app.core.db.models import db
from app.core.db.tenancy import current_scope
from app.core.db.transaction import company_transaction, platform_session
from app.core.files.picture import Picture
from app.core.web.body import answer, json_body
from app.core.web.declaration import CREATED_WITH_VERSION, Declaration, declare
from app.core.web.endpoint import UNSAFE_METHODS, Endpoint
from app.core.web.principal import principal
from app.core.wire.schema import QueryFlag

BY_PLATFORM = ("status", "days_credit")
"""Fields that a tenant reads and does not change, not even of itself."""


class Companies(Crud):
    """Tenants. The platform company's users see all of them, everyone else sees their own."""

    model, schema, path = Company, CompanySchema, "/companies"
    permission = "company"
    platform = frozenset({"DELETE"})
    verbs = ("list", "retrieve", "replace", "modify", "remove")
    filters = ("name", "email", "status", "company_key", "document_type", "document_number")
    sort = ("created_at", "updated_at", "name")
    parameters = {"DELETE": {"cascade": QueryFlag(), "dry_run": QueryFlag()}}
    cacheable = False

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        declaration = super().declaration_of(method, collection=collection)
        return replace(declaration, answer=holdings_schema(), also=(202,)) if method == "DELETE" else declaration

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A company is deleted inside its own tenant."""
        if request.method == "DELETE":
            with company_transaction(parse_id((request.view_args or {})["id"])):
                yield
        elif principal().is_platform:
            with platform_session(writes=request.method in UNSAFE_METHODS):
                yield
        else:
            with super().transaction():
                yield

    def change(self, row: Company, values: dict[str, Any]) -> None:
        if row.status == DELETING:
            raise CompanyIsDeleting()
        changed = [name for name in BY_PLATFORM if values.get(name, getattr(row, name)) != getattr(row, name)]
        if changed and not principal().is_platform:
            raise Forbidden(f"Only the platform company's users change {' and '.join(changed)}.")
        if row.is_platform and values.get("status", ACTIVE) != ACTIVE:
            raise PlatformCompany("The platform company is always active.")
        super().change(row, values)

    def remove(self, row: Company) -> Response | None:
        if self.params.get("dry_run"):
            return answer(count_holdings())
        if delete_company(row, cascade=self.params.get("cascade", False)):
            return None
        db.session.flush()
        return answer(count_holdings(), 202)

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        if current_scope().platform:
            totals = totals_of_companies(db.session(), [item["id"] for item in items])
            for item in items:
                item.update(totals[item["id"]])
            return
        for item in items:
            item.update(totals_of_tenant())


class CreateCompany(Endpoint):
    """Create a company."""

    path, permission, platform = Companies.path, Companies.permission, frozenset({"POST"})
    wire: ClassVar = CompanyCreationSchema()

    def before(self, **_ids: Any) -> None:
        self.values = self.wire.checked(json_body())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A company is created inside its own tenant."""
        with company_transaction(uuid7()):
            yield

    @declare("createCompany", body=wire, answer=Companies.wire, errors=(409,), **CREATED_WITH_VERSION)
    def post(self) -> Response:
        self.wire.check_refs(db.session(), self.values)
        admin = self.values.pop("admin", None)
        company = Companies().create(self.values | {"id": current_scope().company_id})
        on_company_created.emit(admin)
        return Companies().respond_with_location(company)


class CompanyLogo(Picture):
    """The logo of a company."""

    model, path, field = Company, "/companies/<id>/logo", "logo"
    permission = "company_logo"

    def company_of(self, id: UUID) -> UUID:
        """Users of the platform change the logo of every company, inside its tenant."""
        return id if principal().is_platform else principal().company_id

    def check_may_write(self, id: UUID) -> None:
        ensure_not_deleting(self.company_of(id))
