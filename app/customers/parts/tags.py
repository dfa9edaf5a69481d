"""Tags of a company, and their assignment to customers."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import ColumnElement, Index, Select, String, UniqueConstraint, delete, func, literal, select
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.base.text import CANONICAL_UUID, fold
from app.core.crud.crud import Crud
from app.core.crud.filters import Filter
from app.core.db.lookup import check_exists, get_row
from app.core.db.models import Model, Named, TenantRecord, db, folded, listed_by, same_tenant
from app.core.db.tenancy import TenantScoped, current_tenant
from app.core.db.transaction import execute_and_count, upsert
from app.core.web.body import answer, no_content
from app.core.web.declaration import declare
from app.core.web.default_roles import MANAGED
from app.core.web.endpoint import Endpoint
from app.core.wire.schema import OwnedSchema, column_field
from app.customers.models import Customer
from app.customers.parts.part import CUSTOMER

COLOR = validate.Regexp(r"^#[0-9a-fA-F]{6}$", error="Must be a color such as #1e90ff.")

TAG = "tags"


class Tag(TenantRecord, Named, Model):
    """A tag of the company."""

    __tablename__ = "tag"
    __table_args__ = (UniqueConstraint("company_id", "name_key"), *listed_by("tag", "created_at"))

    name: Mapped[str] = mapped_column(String(50))
    search_text: Mapped[str] = folded("name", "description")
    color: Mapped[str | None] = mapped_column(String(7))
    description: Mapped[str | None] = mapped_column(String(255))


class CustomerTag(TenantScoped, Model):
    """A tag on a customer."""

    __tablename__ = "customer_tag"
    __table_args__ = (
        same_tenant("customer_id", "customer"),
        same_tenant("tag_id", "tag"),
        Index("ix_customer_tag_company_id_tag_id", "company_id", "tag_id", "customer_id"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class TagSchema(OwnedSchema):
    example = {"name": "Winter route"}
    name = column_field(Tag.name, required=True)
    color = column_field(Tag.color, validate=[COLOR])
    description = column_field(Tag.description)
    customer_count = fields.Integer(dump_only=True)


class TagCollection(Crud, abstract=True):
    """Tags, each with the number of its customers."""

    model, schema, default_roles = Tag, TagSchema, MANAGED
    filters, sort = ("name",), ("created_at", "updated_at", "name")
    # The count of customers changes without the version.
    cacheable = False

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        ids = [item["id"] for item in items]
        numbers = select(CustomerTag.tag_id, func.count()).where(CustomerTag.tag_id.in_(ids))
        counts = dict(db.session.execute(numbers.group_by(CustomerTag.tag_id)).all()) if ids else {}
        for item in items:
            item["customer_count"] = counts.get(item["id"], 0)


class Tags(TagCollection):
    """Tags of the company."""

    path, permission = "/tags", "tag"


class TagsOfCustomer(TagCollection):
    """Tags of a customer."""

    nouns = ("tag of a customer", "tags of a customer")
    path, permission = "/customers/<customer_id>/tags", "customer_tag"
    parent, moved, verbs = CUSTOMER, True, ("list",)

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        return (Tag.id.in_(select(CustomerTag.tag_id).where(CustomerTag.customer_id == parent_id)),)


class TagOfCustomer(Endpoint):
    path, permission, item = f"{TagsOfCustomer.path}/<tag_id>", TagsOfCustomer.permission, "tag_id"

    @declare("addTagToCustomer", answer=TagSchema(), status=201, also=(200,), errors=(409,))
    def post(self, customer_id: UUID, tag_id: UUID) -> Response:
        """Add a tag to a customer. 200 if the customer has it already."""
        check_exists(Customer, customer_id)
        tag = get_row(Tag, tag_id)
        is_new = assign_tag(tag_id, (Customer.id == customer_id,))
        return answer(Tags().serialize(tag), 201 if is_new else 200)

    @declare("removeTagFromCustomer", status=204)
    def delete(self, customer_id: UUID, tag_id: UUID) -> Response:
        """Remove a tag from a customer."""
        check_exists(Customer, customer_id)
        check_exists(Tag, tag_id)
        unassign_tag(tag_id, (Customer.id == customer_id,))
        return no_content()


def assign_tag(tag_id: UUID, conditions: Collection[ColumnElement[bool]]) -> int:
    """Tag the customers that meet the conditions, in one statement. Returns the number of new assignments."""
    source = select(Customer.company_id, Customer.id, literal(tag_id), literal(utcnow(), CustomerTag.created_at.type))
    # In id order, as a merge locks customers; so two transactions never wait for each other.
    source = source.where(Customer.company_id == current_tenant(), *conditions).order_by(Customer.id)
    columns = ("company_id", "customer_id", "tag_id", "created_at")
    statement = upsert(CustomerTag).from_select(columns, source).on_conflict_do_nothing()
    options = {"unguarded": "one statement, narrowed by itself", "preserve_rowcount": True}
    return execute_and_count(statement.execution_options(**options))


def unassign_tag(tag_id: UUID, conditions: Collection[ColumnElement[bool]]) -> int:
    """Remove the tag from the customers that meet the conditions. Returns the number of removed assignments."""
    is_selected = CustomerTag.customer_id.in_(select(Customer.id).where(*conditions))
    return execute_and_count(delete(CustomerTag).where(CustomerTag.tag_id == tag_id, is_selected))


def _customers_with_tag(text: str) -> Select[UUID]:
    """Ids of customers by the id or the name of a tag."""
    by_name = select(Tag.id).where(Tag.name_key == fold(text.strip())).scalar_subquery()
    tag_id = UUID(text) if CANONICAL_UUID.fullmatch(text) else by_name
    return select(CustomerTag.customer_id).where(CustomerTag.tag_id == tag_id)


TAG_FILTER = Filter(
    lambda text: Customer.id.in_(_customers_with_tag(text)),
    {"type": "string", "description": "Name or id of a tag; repeat it for all of several."},
    repeated=True,
    members=_customers_with_tag,
)
