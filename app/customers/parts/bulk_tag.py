"""POST /customers/bulk-tag"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response
from marshmallow import ValidationError, fields, validate, validates_schema
from sqlalchemy import ColumnElement, func, select

from app.base.errors import Invalid
from app.core.crud.filters import PAGING
from app.core.db.models import db
from app.core.web.body import answer, json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require
from app.core.wire.parameters import parse_parameters
from app.core.wire.schema import MAX_RAW_LENGTH, BaseSchema, Flag, Id, QueryFlag, Ref
from app.customers.models import Customer
from app.customers.parts.tags import CustomerTag, Tag, TagOfCustomer, assign, unassign
from app.customers.resources import Customers

MOST = 10_000


class BulkTagSchema(BaseSchema):
    """``filter`` has the filters of ``GET /customers`` as its members."""

    tag_id = Ref(Tag, required=True)
    filter = fields.Dict(keys=fields.String(), validate=validate.Length(min=1))
    ids = fields.List(Id(), validate=validate.Length(min=1, max=MOST))
    remove = Flag(load_default=False)

    @validates_schema
    def check_choice(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if ("filter" in values) == ("ids" in values):
            raise ValidationError("Give either filter or ids.", "filter")


class BulkTaggedSchema(BaseSchema):
    """``matched`` customers were meant; ``changed`` of them did not have the tag, or had it."""

    matched = fields.Integer(dump_only=True)
    changed = fields.Integer(dump_only=True)
    dry_run = Flag(dump_only=True)


class BulkTag(Endpoint):
    """One tag on many customers."""

    path, permission = "/customers/bulk-tag", TagOfCustomer.permission
    parameters = {"POST": {"dry_run": QueryFlag()}}

    def before(self, **_ids: Any) -> None:
        self.values = BulkTagSchema().checked(json_body())
        if self.values["remove"]:
            require(self.permission, "DELETE")
        # How many customers meet a filter is something about them.
        require(Customers.permission, "LIST" if "filter" in self.values else "READ")

    @declare("tagManyCustomers", body=BulkTagSchema(), answer=BulkTaggedSchema())
    def post(self) -> Response:
        """Add a tag to up to 10,000 customers, or remove it."""
        BulkTagSchema().check_refs(db.session(), self.values)
        conditions, dry_run = tuple(_meant(self.values)), self.params.get("dry_run", False)
        matched, tagged = _counted(self.values["tag_id"], conditions)
        _check(matched, self.values)
        changed = tagged if self.values["remove"] else matched - tagged
        if not dry_run:
            change = unassign if self.values["remove"] else assign
            changed = change(self.values["tag_id"], conditions)
        return answer({"matched": matched, "changed": changed, "dry_run": dry_run})


def _meant(values: dict[str, Any]) -> Iterator[ColumnElement[bool]]:
    if "ids" in values:
        yield Customer.id.in_(set(values["ids"]))
        return
    listing = Customers.listing
    allowed = tuple(name for name in listing.parameters if name not in (*PAGING, "expand"))
    unknown = [name for name in values["filter"] if name not in allowed]
    if unknown:
        raise Invalid.field(unknown[0][:100], "There is no such filter.")
    asked = {name: list(_texts(name, value)) for name, value in values["filter"].items()}
    yield from listing.conditions(parse_parameters(asked, allowed, listing.repeated))


def _texts(name: str, value: Any) -> Iterator[str]:
    """As they would stand in a query. Raises Invalid."""
    for each in value if isinstance(value, list) and value else [value]:
        if isinstance(each, bool):
            yield "true" if each else "false"
        elif isinstance(each, str) and each.strip() and len(each) <= MAX_RAW_LENGTH:
            yield each
        else:
            raise Invalid.field("filter", f"{name[:100]}: must be a text, true or false, or an array of them.")


def _counted(tag_id: Any, conditions: tuple[ColumnElement[bool], ...]) -> tuple[int, int]:
    """Customers that are meant, and those of them that have the tag; one statement."""
    has_it = Customer.id.in_(select(CustomerTag.customer_id).where(CustomerTag.tag_id == tag_id))
    numbers = select(func.count(), func.count().filter(has_it)).select_from(Customer).where(*conditions)
    matched, tagged = db.session.execute(numbers).one()
    return int(matched), int(tagged)


def _check(matched: int, values: dict[str, Any]) -> None:
    """Raises Invalid."""
    if matched > MOST:
        raise Invalid.field("filter", f"{matched} customers meet it; at most {MOST} are tagged at once.")
    missing = len(set(values["ids"])) - matched if "ids" in values else 0
    if missing:
        raise Invalid.field("ids", f"{missing} of them were not found.")
