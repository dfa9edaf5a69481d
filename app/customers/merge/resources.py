"""/customers/{id}/merge: two customers become one, and two again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import ValidationError, fields, validate

from app.core.crud.crud import Crud
from app.core.db.lookup import check_exists
from app.core.db.reparent import SIDES
from app.core.db.transaction import company_transaction
from app.core.web.body import answer
from app.core.web.declaration import CREATED, declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.containers import Map
from app.core.wire.schema import AnotherRef, BaseSchema, Flag, QueryFlag, Timestamp, read_only_id
from app.customers.merge.execute import FIELDS, Merge, lock_pair, parts_that_clash
from app.customers.merge.models import CustomerMerge
from app.customers.merge.undo import undo
from app.customers.models import Customer
from app.customers.parts.part import CUSTOMER
from app.customers.resources import Customers
from app.customers.schemas import CustomerSchema

MOST_CHOICES = 100


def check_names(choices: dict[str, str]) -> None:
    """Raises ValidationError. Kinds of parts come from the tables, when all of them are known."""
    allowed = (*FIELDS, *parts_that_clash())
    unknown = {name: ["Unknown field."] for name in choices if name not in allowed}
    if unknown:
        raise ValidationError({**unknown, "allowed": [", ".join(allowed)]})


class NewMergeSchema(BaseSchema):
    """``fields`` maps fields of the customer, and kinds of parts, to the side that wins."""

    source_id = AnotherRef(Customer, required=True)
    choices = Map(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(SIDES)),
        validate=[validate.Length(max=MOST_CHOICES), check_names],
        data_key="fields",
        load_default=dict,
    )


class ConflictSchema(BaseSchema):
    """``target`` and ``source`` are values of a field of the customer, or ids of parts."""

    kind = fields.String(dump_only=True)
    field = fields.String(dump_only=True)
    winner = fields.String(dump_only=True)
    target = fields.Raw(dump_only=True)
    source = fields.Raw(dump_only=True)


class MergedSchema(BaseSchema):
    """``id`` is that of the merge and of the merged customer; ``customer`` is the survivor."""

    id = read_only_id()
    dry_run = Flag(dump_only=True)
    expires_at = Timestamp(allow_none=True)
    customer = fields.Nested(CustomerSchema, dump_only=True)
    moved = fields.Dict(keys=fields.String(), values=fields.Integer(), dump_only=True)
    conflicts = fields.List(fields.Nested(ConflictSchema), dump_only=True)


class MergeSchema(BaseSchema):
    id = read_only_id()
    source_id = read_only_id()
    customer_id = read_only_id()
    created_at = Timestamp()
    expires_at = Timestamp()
    merged_by = read_only_id(allow_none=True)


class UndoneSchema(BaseSchema):
    """Both customers as they are now."""

    customer = fields.Nested(CustomerSchema, dump_only=True)
    restored = fields.Nested(CustomerSchema, dump_only=True)


class CustomerMerges(Crud):
    """Customers that were merged into another."""

    model, schema, path = CustomerMerge, MergeSchema, "/customers/<customer_id>/merge"
    permission, parent, moved = "customer_merge", CUSTOMER, True
    sort = ("created_at",)
    verbs = ("list", "retrieve")


class MergeCustomers(Endpoint):
    path, permission, item = CustomerMerges.path, CustomerMerges.permission, "customer_id"
    parameters = {"POST": {"dry_run": QueryFlag()}}
    bodies = {"POST": NewMergeSchema()}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A dry run reads the same rows, and locks none."""
        with company_transaction(principal().company_id, writes=not self.params.get("dry_run", False)):
            yield

    @declare("mergeCustomers", body=NewMergeSchema(), answer=MergedSchema(), also=(200,), errors=(409,), **CREATED)
    def post(self, customer_id: UUID) -> Response:
        """Merge another customer into this one. With dry_run=true, 200 shows the result and nothing changes."""
        check_exists(Customer, customer_id)
        values = self.body()
        merge = lock_pair(customer_id, values["source_id"], values["choices"])
        item = {"id": merge.source.id, "conflicts": merge.conflicts}
        if self.params.get("dry_run", False):
            return answer(item | _preview(merge))
        record, moved_counts = merge.execute()
        item |= {"dry_run": False, "expires_at": record.expires_at, "moved": moved_counts}
        location = f"{request.script_root}{request.path}/{record.id}"
        return answer(item | {"customer": Customers().serialize(merge.target)}, 201, {"Location": location})


class UndoMerge(Endpoint):
    path, permission, item = f"{CustomerMerges.path}/<merge_id>/undo", CustomerMerges.permission, "merge_id"
    operations = {"POST": "DELETE"}

    @declare("undoCustomerMerge", answer=UndoneSchema(), errors=(409,))
    def post(self, customer_id: UUID, merge_id: UUID) -> Response:
        """Undo the newest merge of a customer, within 30 days."""
        customer, restored = undo(customer_id, merge_id)
        customers = Customers()
        return answer({"customer": customers.serialize(customer), "restored": customers.serialize(restored)})


def _preview(merge: Merge) -> dict[str, Any]:
    customer = Customers().serialize(merge.target) | merge.field_changes | merge.service_totals()
    return {"dry_run": True, "expires_at": None, "customer": customer, "moved": merge.moved_counts()}
