"""/customers/profile: a signed-in user's own record as a customer."""

from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import validate
from sqlalchemy import select

from app.base.errors import Conflict, Invalid, NotFound
from app.base.roles import CUSTOMER, MANAGER, VIEWER
from app.core.db.models import db
from app.core.web.body import answer, no_content, optional_json_body
from app.core.web.declaration import CREATED_WITH_VERSION, declare
from app.core.web.endpoint import Endpoint
from app.core.web.etag import is_unchanged
from app.core.web.permission import require
from app.core.web.principal import principal
from app.core.wire.schema import BaseSchema, Email, Flag, Id, Ref, Text, column_field, read_only_id
from app.customers.models import Customer
from app.customers.resources import Customers
from app.customers.schemas import CustomerSchema
from app.users.models import User

LONGEST_NAME = Customer.name.property.columns[0].type.length


class ProfileExists(Conflict):
    code, message = "PROFILE_EXISTS", "You have a profile already."


class ProfileNotFound(NotFound):
    code, message = "PROFILE_NOT_FOUND", "You have no profile."


class CustomerProfileSchema(CustomerSchema):
    """The account determines user and e-mail address."""

    name = column_field(Customer.name, Text, validate=[validate.Length(min=1)])
    email = column_field(Customer.email, Email, dump_only=True)
    user_id = Ref(User, dump_only=True, allow_none=True)


class ProfileCheckSchema(BaseSchema):
    example = {}
    user_id = Id(allow_none=True, load_default=None)


class ProfileCheckedSchema(BaseSchema):
    exists = Flag(dump_only=True)
    customer_id = read_only_id(allow_none=True)


class Profile(Endpoint):
    path, permission, item, revalidated = "/customers/profile", "customer_profile", "", True
    bodies = {"POST": CustomerProfileSchema(), "PATCH": CustomerProfileSchema(partial=True)}
    default_roles = dict.fromkeys((MANAGER, VIEWER, CUSTOMER), ("CREATE", "READ", "UPDATE", "DELETE"))

    @declare("getProfile", answer=CustomerSchema(), errors=(404,))
    def get(self) -> Response:
        """Get the caller's profile as a customer."""
        customers, row = Customers(), _own_profile()
        if is_unchanged(row.row_version):
            return Response(status=304, headers=customers.etag_headers(row))
        return customers.respond(row)

    @declare(
        "createProfile", body=CustomerProfileSchema(), answer=CustomerSchema(), errors=(409,), **CREATED_WITH_VERSION
    )
    def post(self) -> Response:
        """Create the caller's profile as a customer. Without a name it gets that of the company or of the caller."""
        user_id = principal().user_id
        if customer_of(user_id) is not None:
            raise ProfileExists(errors={"user_id": ["Has a profile already."]})
        values = self.body()
        self.bodies["POST"].check_refs(db.session(), values)
        customers = Customers()
        row = customers.create({"name": _profile_name(values)} | values | {"user_id": user_id})
        return customers.respond(row, 201, Location=f"{request.script_root}{self.path}")

    @declare("updateProfile", body=CustomerProfileSchema(partial=True), answer=CustomerSchema(), errors=(404, 409, 412))
    def patch(self) -> Response:
        """Update the caller's profile as a customer."""
        return Customers().write(_own_profile(), self.bodies["PATCH"], self.body())

    @declare("deleteProfile", status=204, errors=(404, 409, 412))
    def delete(self) -> Response:
        """Delete the caller's profile, and everything in it."""
        customers, row = Customers(), _own_profile()
        customers.check_version(row)
        customers.remove(row)
        return no_content()


class ProfileCheck(Endpoint):
    path, permission, item = f"{Profile.path}/check", Profile.permission, ""
    operations = {"POST": "READ"}

    def before(self, **_ids: Any) -> None:
        self.user_id: UUID = ProfileCheckSchema().checked(optional_json_body())["user_id"] or principal().user_id
        if self.user_id != principal().user_id:
            require(Customers.permission, "READ")

    @declare("checkProfile", body=ProfileCheckSchema(), answer=ProfileCheckedSchema())
    def post(self) -> Response:
        """Check whether a user has a profile. Only readers of customers may ask about another user."""
        row = customer_of(self.user_id)
        return answer({"exists": row is not None, "customer_id": row.id if row else None})


def customer_of(user_id: UUID) -> Customer | None:
    return db.session.scalar(select(Customer).where(Customer.user_id == user_id))


def _own_profile() -> Customer:
    """Raises NotFound."""
    row = customer_of(principal().user_id)
    if row is None:
        raise ProfileNotFound()
    return row


def _profile_name(values: dict[str, Any]) -> str:
    """Raises Invalid."""
    user = db.session.scalars(select(User).where(User.id == principal().user_id)).one()
    full_name = " ".join(part for part in (user.first_name, user.last_name) if part)
    name = values.get("name") or values.get("company_name") or full_name
    if not name:
        raise Invalid.field("name", "Neither a company name nor a name of yours is known.")
    return name[:LONGEST_NAME].strip()
