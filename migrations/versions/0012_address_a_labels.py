"""addresses with an internationalized domain, in A-labels as they are looked up now

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-21 23:20:00.000000
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BATCH = 1000
MAX_ADDRESS, MAX_DOMAIN = 254, 253
JSON_DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TYPES = {
    **dict.fromkeys(("company_id", "id", "user_id", "customer_id"), sa.Uuid()),
    **dict.fromkeys(("methods", "kept"), JSON_DOCUMENT),
    "row_version": sa.Integer(),
}
SEARCHED = {
    "user": ("email", "username", "first_name", "last_name"),
    "company": ("name", "business_name", "company_key", "email"),
    "customer": ("name", "email", "contact_person", "company_name", "tax_id", "phone_number"),
    "subcontractor": ("name", "email", "contact_person", "description"),
}
"""The columns whose folded texts are the ``search_text``."""


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, TYPES.get(column, sa.String())) for column in columns))


KEY, VERSIONED = ("company_id", "id"), ("row_version", "search_text")
COMPANY = _table("company", "id", *VERSIONED, *SEARCHED["company"])
USER, CUSTOMER, SUBCONTRACTOR = (
    _table(name, *KEY, *VERSIONED, *SEARCHED[name]) for name in ("user", "customer", "subcontractor")
)
LOGIN_KEY = _table("login_key", "company_id", "user_id", "email_key")
CONTACT = _table("customer_contact", *KEY, *VERSIONED, "customer_id", "first_name", "last_name", "methods")
CONTACTS_TEXT = _table("customer", *KEY, "contacts_text")
LINK = _table("one_time_link", *KEY, "address")
MERGE = _table("customer_merge", *KEY, "kept")
PROTECTED = (COMPANY, USER, CUSTOMER, SUBCONTRACTOR, CONTACT, LINK, MERGE)


def upgrade() -> None:
    with _every_company():
        collisions = [*_rewrite_users(), *_rewrite_customers()]
        if collisions:
            raise RuntimeError(
                "Each of these pairs has one e-mail address, written in two ways, and only one row may have it: "
                f"{'; '.join(collisions)}. Change the address of one row of each pair, then migrate again."
            )
        for table in (COMPANY, SUBCONTRACTOR):
            for row, address in _changed(table, "email"):
                _write_email(table, row, address)
        for row, address in _changed(LINK, "address"):
            _write(LINK, row, address=address)
        _rewrite_contacts()
        _rewrite_merges()


def downgrade() -> None:
    """Nothing: how a row was written before is not on record, and the former release accepts A-labels as well."""


def _rewrite_users() -> Iterator[str]:
    """The pairs of users that would have one address."""
    for row, address in _changed(USER, "email"):
        key, own = _fold(address), LOGIN_KEY.c.user_id == row.id
        other = _scalar(sa.select(LOGIN_KEY.c.user_id).where(LOGIN_KEY.c.email_key == key, ~own))
        if other is not None:
            yield f"users {row.id} and {other}"
            continue
        _write_email(USER, row, address)
        op.execute(sa.update(LOGIN_KEY).where(LOGIN_KEY.c.company_id == row.company_id, own).values(email_key=key))


def _rewrite_customers() -> Iterator[str]:
    """The pairs of customers of one company that would have one address."""
    for row, address in _changed(CUSTOMER, "email"):
        same = (CUSTOMER.c.company_id == row.company_id, CUSTOMER.c.email == address, CUSTOMER.c.id != row.id)
        other = _scalar(sa.select(CUSTOMER.c.id).where(*same))
        if other is None:
            _write_email(CUSTOMER, row, address)
        else:
            yield f"customers {row.id} and {other}"


def _rewrite_contacts() -> None:
    for row in _rows(CONTACT):
        methods = [_method(method) for method in row.methods or ()]
        if methods == (row.methods or []):
            continue
        addresses = "\n".join(method["value"] for method in methods if method["kind"] == "email")
        _write(CONTACT, row, methods=methods, search_text=_folded(row.first_name, row.last_name, addresses))
        same = CONTACT.c.company_id == row.company_id, CONTACT.c.customer_id == row.customer_id
        texts = sa.select(sa.func.aggregate_strings(CONTACT.c.search_text, "\n")).where(*same).scalar_subquery()
        customer = CONTACTS_TEXT.c.company_id == row.company_id, CONTACTS_TEXT.c.id == row.customer_id
        op.execute(sa.update(CONTACTS_TEXT).where(*customer).values(contacts_text=texts))


def _method(method: dict[str, Any]) -> dict[str, Any]:
    return method | {"value": _in_a_labels(method["value"])} if method["kind"] == "email" else method


def _rewrite_merges() -> None:
    """An undo brings the addresses of before back, and compares them with those of now."""
    for row in _rows(MERGE):
        kept = row.kept and _undo_log(row.kept)
        if kept != row.kept:
            _write(MERGE, row, kept=kept)


def _undo_log(kept: dict[str, Any]) -> dict[str, Any]:
    values = {name: _with_email(kept[name]) for name in ("customer", "before", "after")}
    texts = (values["customer"][name] for name in SEARCHED["customer"])
    if values["customer"] != kept["customer"]:
        values["customer"]["search_text"] = _folded(*texts)
    return kept | values | {"addresses": [address and _in_a_labels(address) for address in kept["addresses"]]}


def _with_email(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"email": _in_a_labels(values["email"])} if values.get("email") else values


# Rows


def _rows(table: sa.TableClause) -> Iterator[Any]:
    """In batches after the last key, so that rows may be updated meanwhile."""
    key = [table.c[name] for name in KEY if name in table.c]
    batch = sa.select(table).order_by(*key).limit(BATCH)
    rows = op.get_bind().execute(batch).all()
    while rows:
        yield from rows
        last = [sa.literal(getattr(rows[-1], column.name), column.type) for column in key]
        rows = op.get_bind().execute(batch.where(sa.tuple_(*key) > sa.tuple_(*last))).all()


def _changed(table: sa.TableClause, column: str) -> Iterator[tuple[Any, str]]:
    """Rows whose address is looked up in another form, each with that form."""
    for row in _rows(table):
        address = getattr(row, column)
        if address and (form := _in_a_labels(address)) != address:
            yield row, form


def _write_email(table: sa.TableClause, row: Any, address: str) -> None:
    values = row._asdict() | {"email": address}
    _write(table, row, email=address, search_text=_folded(*(values[name] for name in SEARCHED[table.name])))


def _write(table: sa.TableClause, row: Any, **values: Any) -> None:
    """Raise the version, which is the ETag, but not ``updated_at``: the undo of a merge takes that for an edit."""
    if "row_version" in table.c:
        values["row_version"] = table.c.row_version + 1
    key = [table.c[name] == getattr(row, name) for name in KEY if name in table.c]
    op.execute(sa.update(table).where(*key).values(values))


def _scalar(statement: sa.Select[Any]) -> Any:
    return op.get_bind().execute(statement.limit(1)).scalar()


# As in ``app.base.text`` of this release


def _in_a_labels(address: str) -> str:
    """As ``normalize_email``, for internationalized domains only; what IDNA 2008 refuses stays as it is.

    So does an address that is too long for its column then: no mailbox has one (RFC 5321, 4.5.3.1).
    """
    local, at, domain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", address).strip().lower()).rpartition(
        "@"
    )
    if domain.isascii() or len(domain) > MAX_DOMAIN or not domain.isprintable():
        return address
    # Its tables take memory, and serving processes load the migrations too.
    import idna

    try:
        form = local + at + idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return address
    return form if len(form) <= MAX_ADDRESS else address


def _folded(*texts: str | None) -> str:
    return "\n".join(_fold(text) for text in texts if text)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@contextmanager
def _every_company() -> Iterator[None]:
    """Row-level security binds the owner too, except in here."""
    if op.get_bind().dialect.name != "postgresql":
        yield
        return
    for table in PROTECTED:
        op.execute(f'ALTER TABLE "{table.name}" NO FORCE ROW LEVEL SECURITY')
    yield
    for table in PROTECTED:
        op.execute(f'ALTER TABLE "{table.name}" FORCE ROW LEVEL SECURITY')
