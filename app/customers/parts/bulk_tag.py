"""POST /customers/bulk-tag"""

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
from app.core.wire.containers import Items, Map
from app.core.wire.query import MAX_REPEATED, parse_parameters
from app.core.wire.schema import BaseSchema, Flag, Id, QueryFlag, Ref
from app.customers.models import Customer
from app.customers.parts.tags import CustomerTag, Tag, TagOfCustomer, assign_tag, unassign_tag
from app.customers.resources import Customers

MOST_CUSTOMERS, MOST_FILTERS, MAX_FILTER_LENGTH = 10_000, 50, 1000


class BulkTagSchema(BaseSchema):
    """``filter`` has the filters of ``GET /customers`` as its members."""

    tag_id = Ref(Tag, required=True)
    filter = Map(keys=fields.String(), validate=validate.Length(min=1, max=MOST_FILTERS))
    ids = Items(Id(), validate=validate.Length(min=1, max=MOST_CUSTOMERS))
    remove = Flag(load_default=False)

    @validates_schema
    def check_choice(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if ("filter" in values) == ("ids" in values):
            raise ValidationError("Give either filter or ids.", "filter")


class BulkTaggedSchema(BaseSchema):
    """The number of customers that match, and of those that got or lost the tag."""

    matched = fields.Integer(dump_only=True)
    changed = fields.Integer(dump_only=True)
    dry_run = Flag(dump_only=True)


class BulkTag(Endpoint):
    path, permission = "/customers/bulk-tag", TagOfCustomer.permission
    parameters = {"POST": {"dry_run": QueryFlag()}}

    def before(self, **_ids: Any) -> None:
        self.values = BulkTagSchema().checked(json_body())
        if self.values["remove"]:
            require(self.permission, "DELETE")
        # The number of matching customers discloses their data, so the caller must be able to read them.
        require(Customers.permission, "LIST" if "filter" in self.values else "READ")
        self.conditions = tuple(_conditions(self.values))

    @declare("tagManyCustomers", body=BulkTagSchema(), answer=BulkTaggedSchema())
    def post(self) -> Response:
        """Add a tag to up to 10,000 customers, or remove it."""
        BulkTagSchema().check_refs(db.session(), self.values)
        conditions, dry_run = self.conditions, self.params.get("dry_run", False)
        matched, tagged = _count_matches(self.values["tag_id"], conditions)
        _check_matched(matched, self.values)
        changed = tagged if self.values["remove"] else matched - tagged
        if not dry_run:
            change = unassign_tag if self.values["remove"] else assign_tag
            changed = change(self.values["tag_id"], conditions)
        return answer({"matched": matched, "changed": changed, "dry_run": dry_run})


def _conditions(values: dict[str, Any]) -> Iterator[ColumnElement[bool]]:
    if "ids" in values:
        yield Customer.id.in_(set(values["ids"]))
        return
    listing = Customers.listing
    allowed = tuple(name for name in listing.parameters if name not in (*PAGING, "expand"))
    unknown = [name for name in values["filter"] if name not in allowed]
    if unknown:
        raise Invalid.field(unknown[0][:100], "There is no such filter.")
    texts = {name: list(_query_texts(name, value)) for name, value in values["filter"].items()}
    yield from listing.conditions(parse_parameters(texts, allowed, listing.repeated))


def _query_texts(name: str, value: Any) -> Iterator[str]:
    """The values of a filter as a query string has them. Raises Invalid."""
    items = value if isinstance(value, list) and value else [value]
    if len(items) > MAX_REPEATED:
        raise Invalid.field("filter", f"{name[:100]}: at most {MAX_REPEATED}.")
    for item in items:
        if isinstance(item, bool):
            yield "true" if item else "false"
        elif isinstance(item, str) and item.strip() and len(item) <= MAX_FILTER_LENGTH:
            yield item
        else:
            raise Invalid.field("filter", f"{name[:100]}: must be a text, true or false, or an array of them.")


def _count_matches(tag_id: Any, conditions: tuple[ColumnElement[bool], ...]) -> tuple[int, int]:
    """The number of matching customers, and of those with the tag, in one statement."""
    has_tag = Customer.id.in_(select(CustomerTag.customer_id).where(CustomerTag.tag_id == tag_id))
    statement = select(func.count(), func.count().filter(has_tag)).select_from(Customer).where(*conditions)
    matched, tagged = db.session.execute(statement).one()
    return int(matched), int(tagged)


def _check_matched(matched: int, values: dict[str, Any]) -> None:
    """Raises Invalid."""
    if matched > MOST_CUSTOMERS:
        raise Invalid.field("filter", f"{matched} customers meet it; at most {MOST_CUSTOMERS} are tagged at once.")
    missing = len(set(values["ids"])) - matched if "ids" in values else 0
    if missing:
        raise Invalid.field("ids", f"{missing} of them were not found.")
