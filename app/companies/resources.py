"""/companies"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Response, request
from uuid_utils.compat import uuid7

from app.base.errors import Conflict
from app.base.text import parse_id
from app.companies.events import on_company_created
from app.companies.models import ACTIVE, INACTIVE, Company
from app.companies.schemas import CompanyChangeSchema, CompanySchema, holdings_schema
from app.companies.service import count_holdings, lock_company, totals_of_companies, totals_of_tenant
from app.core.crud.crud import Crud
from app.core.crud.erase import erase_tenant
from app.core.db.models import db
from app.core.db.tenancy import current_scope
from app.core.db.transaction import company_transaction, platform_session
from app.core.web.body import answer
from app.core.web.declaration import Declaration
from app.core.web.endpoint import UNSAFE_METHODS
from app.core.web.principal import principal
from app.core.wire.schema import QueryFlag


class PlatformCompany(Conflict):
    code, message = "PLATFORM_COMPANY", "The platform company cannot be deleted."


class CompanyNotInactive(Conflict):
    code, message = "COMPANY_NOT_INACTIVE", "Only an inactive company can be deleted with all that it holds."


class CompanyNotEmpty(Conflict):
    code, message = "COMPANY_NOT_EMPTY", "The company still holds something."


class Companies(Crud):
    """Tenants. The platform company's users see all of them, everyone else sees their own."""

    model, schema, change_schema, path = Company, CompanySchema, CompanyChangeSchema, "/companies"
    permission = "company"
    platform = frozenset({"POST", "DELETE"})
    filters = ("name", "email", "status", "company_key", "document_type", "document_number")
    sort = ("created_at", "updated_at", "name")
    parameters = {"DELETE": {"cascade": QueryFlag(), "dry_run": QueryFlag()}}
    cacheable = False

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        declaration = super().declaration_of(method, collection=collection)
        return replace(declaration, answer=holdings_schema()) if method == "DELETE" else declaration

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A company comes into being and goes inside its own tenant."""
        if request.method == "POST":
            with company_transaction(uuid7()):
                yield
        elif request.method == "DELETE":
            with company_transaction(parse_id((request.view_args or {})["id"])):
                yield
        elif principal().is_platform:
            with platform_session(writes=request.method in UNSAFE_METHODS):
                yield
        else:
            with super().transaction():
                yield

    def create(self, values: dict[str, Any]) -> Company:
        admin = values.pop("admin", None)
        company: Company = super().create(values | {"id": current_scope().company_id})
        on_company_created.emit(admin)
        return company

    def change(self, row: Company, values: dict[str, Any]) -> None:
        if row.is_platform and values.get("status", ACTIVE) != ACTIVE:
            raise PlatformCompany("The platform company is always active.")
        super().change(row, values)

    def remove(self, row: Company) -> Response | None:
        if self.params.get("dry_run"):
            return answer(count_holdings())
        lock_company()
        _check_removable(row, count_holdings(), cascade=self.params.get("cascade", False))
        erase_tenant()
        db.session.expunge(row)
        return None

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        if current_scope().platform:
            totals = totals_of_companies(db.session(), [item["id"] for item in items])
            for item in items:
                item.update(totals[item["id"]])
            return
        for item in items:
            item.update(totals_of_tenant())


def _check_removable(company: Company, held: dict[str, int], *, cascade: bool) -> None:
    """Raises Conflict."""
    if company.is_platform:
        raise PlatformCompany()
    if cascade and company.status != INACTIVE:
        raise CompanyNotInactive()
    if not cascade and any(held.values()):
        listed = ", ".join(f"{count} {name}" for name, count in held.items() if count)
        raise CompanyNotEmpty(f"The company still holds: {listed}.")
