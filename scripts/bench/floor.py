"""A lower bound for a service of this kind: one indexed query, with and without one permission check.

``/b/…`` is a bare Flask route with one SQLAlchemy Core query and ``json.dumps``. ``/c/…`` first asks the policy
engine over a kept connection. The table is the service's own, under the same row-level security. Each connection
is opened for one company, so no statement is needed to set it.
"""

import json
import os
from uuid import UUID

import urllib3
from flask import Flask, Response, request, send_file
from sqlalchemy import DateTime, Integer, Row, String, Uuid, column, create_engine, select, table

COMPANY = UUID(os.environ["FLOOR_COMPANY"])
THREADS = int(os.environ["THREADS"])
CUSTOMER = table(
    "customer",
    column("id", Uuid()),
    column("company_id", Uuid()),
    column("name", String()),
    column("email", String()),
    column("contact_person", String()),
    column("phone_number", String()),
    column("address", String()),
    column("logo_file_id", Uuid()),
    column("created_at", DateTime(timezone=True)),
    column("updated_at", DateTime(timezone=True)),
    column("row_version", Integer()),
)
ITEM = select(CUSTOMER)
LIST = ITEM.where(CUSTOMER.c.company_id == COMPANY).order_by(CUSTOMER.c.created_at, CUSTOMER.c.id).limit(50)

app = Flask(__name__)
engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
    pool_size=THREADS,
    max_overflow=0,
    connect_args={"options": f"-c app.company_id={COMPANY} -c timezone=UTC"},
)
pool = urllib3.PoolManager(maxsize=THREADS, retries=False, timeout=5)
CHECK = f"{os.environ['GUARDIAN_SERVICE_URL']}/check-access"


@app.get("/b/customers/<uuid:id>")
def item(id: UUID) -> Response:
    with engine.connect() as connection:
        statement = ITEM.where(CUSTOMER.c.company_id == COMPANY, CUSTOMER.c.id == id)
        return json_response(as_dict(connection.execute(statement).one()))


@app.get("/b/customers")
def list_of_50() -> Response:
    with engine.connect() as connection:
        return json_response({"data": [as_dict(row) for row in connection.execute(LIST)]})


@app.get("/c/customers/<uuid:id>")
def checked_item(id: UUID) -> Response:
    require("READ")
    return item(id)


@app.get("/c/customers")
def checked_list() -> Response:
    require("LIST")
    return list_of_50()


@app.get("/c/file/<uuid:id>")
def checked_file(id: UUID) -> Response:
    """The query stands for that of the session, as part of the check."""
    with engine.connect() as connection:
        connection.execute(ITEM.where(CUSTOMER.c.company_id == COMPANY, CUSTOMER.c.id == id)).one()
    return checked_file_alone()


@app.get("/c/file")
def checked_file_alone() -> Response:
    require("READ")
    return send_file(os.environ["FLOOR_FILE"], mimetype="image/png")


def require(operation: str) -> None:
    access_request = {"company_id": str(COMPANY), "resource_name": "customer", "operation": operation}
    headers = {"Content-Type": "application/json", "Cookie": request.headers.get("Authorization", "")}
    reply = pool.request("POST", CHECK, body=json.dumps(access_request), headers=headers)
    if json.loads(reply.data)["access_granted"] is not True:
        raise PermissionError


def as_dict(row: Row[tuple[object, ...]]) -> dict[str, object]:
    return dict(row._mapping)


def json_response(value: object) -> Response:
    return Response(json.dumps(value, default=str), mimetype="application/json")
