"""The base schema, and fields that take their limits from the columns of models."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from flask import has_request_context
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate
from sqlalchemy import Select, literal, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.base.errors import Invalid
from app.base.text import CANONICAL_UUID, CONTROL, MOST_MARKS, has_long_run_of_marks, normalize_email
from app.core.db.tenancy import is_in_transaction
from app.core.wire.empty_texts import empty_to_null
from app.core.wire.own_ids import without_own_ids

INT32 = validate.Range(min=-(2**31), max=2**31 - 1)


MOST_SHORTENED = 4
"""The number of code points that normalization and trimming may turn into one."""
MAX_LENGTH = 4000
"""Of a text that states no length."""


class Text(fields.String):
    """Trimmed, NFC text without control characters other than newline and tab."""

    default_error_messages = {
        "control": "Must not contain control characters.",
        "marks": f"Must not contain more than {MOST_MARKS} combining marks in a row.",
        "blank": "Must not be blank.",
        "long": "Longer than maximum length {max}.",
    }

    @cached_property
    def max_length(self) -> int:
        rules = (rule.max for rule in self.validators if isinstance(rule, validate.Length))
        return min(filter(None, rules), default=MAX_LENGTH)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if len(value) > MOST_SHORTENED * self.max_length:
            raise self.make_error("long", max=self.max_length)
        if CONTROL.search(value):
            raise self.make_error("control")
        if has_long_run_of_marks(value):
            raise self.make_error("marks")
        text = unicodedata.normalize("NFC", value).strip()
        if self.required and not text:
            raise self.make_error("blank")
        return text


class AddressToFind(Text):
    """An address in the form that is stored; that it is one does not matter for looking it up."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return normalize_email(super()._deserialize(value, attr, data, **kwargs))


class Email(AddressToFind):
    """One address, trimmed, NFC, in lower case. An internationalized domain is stored as A-labels."""

    default_error_messages = {"address": "Not a valid email address."}
    pattern: ClassVar[validate.Email] = validate.Email()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not self.is_valid(text):
            raise self.make_error("address")
        return text

    @classmethod
    def is_valid(cls, text: str) -> bool:
        """Whether the text is one normalized address.

        A quoted local part could hold a comma. An invisible character could imitate another address, and an encoded
        word (RFC 2047) could become another one in a header. All three are refused.
        """
        try:
            cls.pattern(text)
        except ValidationError:
            return False
        is_ascii_domain = text.rpartition("@")[2].isascii()
        return is_ascii_domain and '"' not in text and "=?" not in text and text.isprintable()


AUTHORITY = re.compile("//([^/?#]*)")


class Url(Text):
    """Without user information and invisible characters, which make it look like the URL of another site."""

    default_error_messages = {
        "user_information": "Must not contain user information.",
        "invisible": "Must not contain invisible characters.",
    }
    pattern: ClassVar[validate.URL] = validate.URL(schemes={"http", "https"})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.isprintable():
            raise self.make_error("invisible")
        self.pattern(text)
        if "@" in AUTHORITY.findall(text)[0]:
            raise self.make_error("user_information")
        return text


class Flag(fields.Boolean):
    """A JSON boolean; texts and numbers that resemble one are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(fields.Float):
    """A JSON number; texts and booleans are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class QueryFlag(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    default_error_messages = {"invalid": "Must be one of: true, false."}
    truthy = {"true"}
    falsy = {"false"}


class Id(fields.UUID):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not CANONICAL_UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return UUID(value)


class Reference(fields.Field[Any]):
    """A value that must exist in ``column``; ``check_refs`` looks it up inside the transaction."""

    def __init__(self, column: InstrumentedAttribute[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column = column

    def exists(self, name: str, value: Any) -> Select[str]:
        """A statement that selects ``name`` if such a row exists."""
        return select(literal(name)).select_from(self.column.class_).where(self.column == value)


class Ref(Reference, Id):
    """The id of a row of the tenant."""

    def __init__(self, model: type[Any], **kwargs: Any) -> None:
        super().__init__(model.id, **kwargs)


class AnotherRef(Id):
    """The id of another row of the path's own kind. The endpoint looks it up itself."""

    def __init__(self, model: type[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model


class CodeRef(Reference, Text):
    """The code of a row of a global table."""

    @cached_property
    def max_length(self) -> int:
        return self.column.type.length or MAX_LENGTH


class Timestamp(fields.AwareDateTime):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", dump_only=True, **kwargs)


def column_field(attribute: InstrumentedAttribute[Any], field: type[fields.Field[Any]] = Text, **options: Any) -> Any:
    """A field with the length and the nullability of a column; ``options`` are marshmallow's."""
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
    """An explicit allow-list of fields. Undeclared and ``dump_only`` fields are refused in a body."""

    class Meta:
        unknown = RAISE

    example: ClassVar[Mapping[str, Any] | None] = None
    """A body for the OpenAPI document. A service with the demo's data accepts it unchanged."""

    error_messages = {"unknown": "Unknown or read-only field."}

    @pre_load
    def _empty_to_null(self, values: Any, **_options: Any) -> Any:
        return empty_to_null(values, self.load_fields)

    def checked(self, body: Mapping[str, Any], *, partial: bool | tuple[str, ...] = False) -> dict[str, Any]:
        """The values of a body. Raises Invalid with a message for every field at fault.

        A request loads its body before its transaction: SQLite's only writer must not wait for a faulty body.
        """
        if has_request_context() and is_in_transaction():
            raise RuntimeError("A body is validated before the transaction.")
        try:
            values: dict[str, Any] = self.load(without_own_ids(body, self.load_fields), partial=partial)
        except ValidationError as error:
            raise Invalid(errors=dict(error.messages_dict)) from None
        return values

    @property
    def is_satisfied_by_nothing(self) -> bool:
        return not any(field.required for field in self.load_fields.values())

    def check_refs(self, session: Session, values: Mapping[str, Any]) -> None:
        """Look up all references in one statement. Raises Invalid, naming each one that the tenant has no row for."""
        lookups = {
            name: field.exists(name, values[name])
            for name, field in self.load_fields.items()
            if isinstance(field, Reference) and values.get(name) is not None
        }
        if not lookups:
            return
        selects = list(lookups.values())
        present = set(session.scalars(selects[0] if len(selects) == 1 else union_all(*selects)))
        missing = {name: ["Not found."] for name in lookups if name not in present}
        if missing:
            raise Invalid(errors=missing)


class OwnedSchema(BaseSchema):
    """The fields of every row of a tenant."""

    id = read_only_id()
    company_id = read_only_id()
    created_at = Timestamp()
    updated_at = Timestamp()
