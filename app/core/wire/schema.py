"""The wire: base schema and the fields whose limits come from the column they stand for."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.base.errors import Invalid
from app.base.text import CANONICAL_UUID, CONTROL, normalize_email

INT32 = validate.Range(min=-(2**31), max=2**31 - 1)


# Normalising takes time that grows with the square of a run of combining marks, and holds the interpreter.
MAX_RAW_LENGTH = 16_000


class Text(fields.String):
    """Trimmed, NFC text without control characters other than newline and tab."""

    default_error_messages = {
        "control": "Must not contain control characters.",
        "blank": "Must not be blank.",
        "long": "Is too long.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if len(value) > MAX_RAW_LENGTH:
            raise self.make_error("long")
        if CONTROL.search(value):
            raise self.make_error("control")
        text = unicodedata.normalize("NFC", value).strip()
        if self.required and not text:
            raise self.make_error("blank")
        return text


class Email(Text):
    """Trimmed, NFC, lower case, one address."""

    default_error_messages = {"address": "Not a valid email address."}
    pattern: ClassVar[validate.Email] = validate.Email()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = normalize_email(super()._deserialize(value, attr, data, **kwargs))
        if not self.is_valid(text):
            raise self.make_error("address")
        return text

    @classmethod
    def is_valid(cls, text: str) -> bool:
        """Whether it is one normalised address. A quoted local part could hold a comma, an invisible character make it
        look like another, and an encoded word (RFC 2047) stand for another in a header: all are refused."""
        try:
            cls.pattern(text)
        except ValidationError:
            return False
        return '"' not in text and "=?" not in text and text.isprintable()


class Url(Text):
    valid: ClassVar[validate.URL] = validate.URL(schemes={"http", "https"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        self.valid(text)
        return text


class Flag(fields.Boolean):
    """true or false, and nothing that merely looks like them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(fields.Float):
    """A JSON number, and nothing that merely looks like one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class AlwaysComplete(fields.Nested):
    """An object that is given whole, in a PATCH too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, partial=False, **kwargs)


class QueryFlag(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    truthy = {"true"}
    falsy = {"false"}


class Id(fields.UUID):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not CANONICAL_UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return UUID(value)


class Reference(fields.Field[Any]):
    """A value that must stand in ``column`` of a row; ``check_refs`` asks inside the transaction."""

    def __init__(self, column: InstrumentedAttribute[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = column

    def exists(self, name: str, value: Any) -> Select[str]:
        """A select that answers ``name`` if there is such a row."""
        return select(literal(name)).select_from(self.column.class_).where(self.column == value)


class Ref(Reference, Id):
    """The id of a row that the tenant has."""

    def __init__(self, model: type[Any], **kwargs: Any) -> None:
        super().__init__(model.id, **kwargs)


class AnotherRef(Id):
    """The id of a row of the kind that the path names, and another one. The endpoint looks it up itself."""

    def __init__(self, model: type[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model


class CodeRef(Reference, Text):
    """The code of a row of a global table."""


class Timestamp(fields.AwareDateTime):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", dump_only=True, **kwargs)


def column_field(attribute: InstrumentedAttribute[Any], field: type[fields.Field[Any]] = Text, **options: Any) -> Any:
    """A field for a column: the column decides on null and length, ``options`` on the rest."""
    column = attribute.property.columns[0]
    options.setdefault("allow_none", bool(column.nullable))
    validators = list(options.pop("validate", ()))
    length = getattr(column.type, "length", None)
    if length and issubclass(field, fields.String):
        validators.insert(0, validate.Length(max=length))
    return field(validate=validators or None, **options)


def integer(attribute: InstrumentedAttribute[Any], *validators: Any, **options: Any) -> Any:
    return column_field(attribute, fields.Integer, strict=True, validate=(INT32, *validators), **options)


def read_only_id(**options: Any) -> Id:
    return Id(dump_only=True, **options)


class BaseSchema(Schema):
    """An explicit allow-list. What is not declared is refused, what is ``dump_only`` is refused too."""

    class Meta:
        unknown = RAISE

    example: ClassVar[Mapping[str, Any] | None] = None
    """A body for the OpenAPI document, which is accepted as it stands where there is the demo's data."""

    error_messages = {"unknown": "Unknown or read-only field."}

    def checked(self, body: Mapping[str, Any], *, partial: bool | tuple[str, ...] = False) -> dict[str, Any]:
        """The values of a body. Raises Invalid with a message for every field at fault."""
        try:
            values: dict[str, Any] = self.load(body, partial=partial)
        except ValidationError as error:
            raise Invalid(errors=dict(error.messages_dict)) from None
        return values

    def check_refs(self, session: Session, values: Mapping[str, Any]) -> None:
        """Raises Invalid for every reference to a row that is not there for the tenant: one statement."""
        given = {
            name: field.exists(name, values[name])
            for name, field in self.load_fields.items()
            if isinstance(field, Reference) and values.get(name) is not None
        }
        if not given:
            return
        selects = list(given.values())
        found = set(session.scalars(selects[0] if len(selects) == 1 else union_all(*selects)))
        missing = {name: ["Not found."] for name in given if name not in found}
        if missing:
            raise Invalid(errors=missing)


class OwnedSchema(BaseSchema):
    """What every row of a tenant shows."""

    id = read_only_id()
    company_id = read_only_id()
    created_at = Timestamp()
    updated_at = Timestamp()
