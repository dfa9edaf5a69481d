"""The measured cases: their requests, callers and aims."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import requests

from scripts.bench.client import Client, expect
from scripts.bench.load import Request
from scripts.bench.seed import COMMON, MEDIUM, PASSWORD, RARE, Tenant
from scripts.bench.servers import Postgres

ITEMS, ACCOUNTS, CHANGED = 1_000, 300, 5_000
FLOOR_B_ITEM, FLOOR_B_LIST = "floor b: item", "floor b: list of 50"
FLOOR_C_ITEM, FLOOR_C_LIST = "floor c: item", "floor c: list of 50"
LIST = "customers, list of 50, company of 100,000"
SMALL_LIST = "customers, list of 50, company of 1,000"
FIRST_CURSOR = "customers, first page by cursor"

client = Client()


@dataclass(frozen=True)
class Case:
    """``aim`` is the least share of the requests/s of the case ``against``."""

    name: str
    requests: tuple[Request, ...]
    against: str = ""
    aim: float = 0.0

    @property
    def is_floor(self) -> bool:
        return self.name.startswith("floor")


@dataclass(frozen=True)
class Setting:
    """The tenants of a run, and some rows of the large one."""

    large: Tenant
    small: Tenant
    deep: Tenant
    customers: tuple[UUID, ...]
    users: tuple[UUID, ...]
    emails: tuple[str, ...]


def read_setting(server: Postgres, large: Tenant, small: Tenant, deep: Tenant) -> Setting:
    customers = _sample(server, "SELECT id FROM customer WHERE company_id = %s ORDER BY id", large)
    users = _sample(
        server, 'SELECT id FROM "user" WHERE company_id = %s AND password_hash IS NOT NULL ORDER BY id', large
    )
    emails = _sample(
        server, 'SELECT email FROM "user" WHERE company_id = %s AND password_hash IS NOT NULL ORDER BY id', large
    )
    return Setting(large, small, deep, customers[:CHANGED], users[:ITEMS], emails[:ACCOUNTS])


def _sample(server: Postgres, statement: str, tenant: Tenant) -> tuple[Any, ...]:
    with server.superuser() as connection:
        values = [row[0] for row in connection.execute(statement, [tenant.company_id])]
    return tuple(random.Random(7).sample(values, CHANGED))


def reads(setting: Setting, service: str) -> list[Case]:
    large, small = setting.large, setting.small
    customers = [f"/customers/{id}" for id in setting.customers[:ITEMS]]
    hundredth = cursor_after(service, large, "/customers?limit=50&page=999")
    last = cursor_after(service, large, "/customers?limit=50&page=1999")
    return [
        Case(FLOOR_B_ITEM, gets([f"/b{path}" for path in customers], large)),
        Case(FLOOR_C_ITEM, gets([f"/c{path}" for path in customers], large)),
        Case("customer, item", gets(customers, large), FLOOR_C_ITEM, 0.7),
        Case("user, item", gets([f"/users/{id}" for id in setting.users], large), FLOOR_C_ITEM, 0.7),
        Case(FLOOR_B_LIST, gets(["/b/customers"], large)),
        Case(FLOOR_C_LIST, gets(["/c/customers"], large)),
        Case(SMALL_LIST, gets(["/customers"], small), FLOOR_C_LIST, 0.7),
        Case(LIST, gets(["/customers"], large), FLOOR_C_LIST, 0.7),
        Case("users, list of 50, company of 100,000", gets(["/users"], large), FLOOR_C_LIST),
        Case("customers, page 1,000 by page", gets(["/customers?page=1000"], large), LIST),
        Case(FIRST_CURSOR, gets(["/customers?cursor="], large), LIST),
        Case("customers, page 1,000 by cursor", gets([f"/customers?cursor={hundredth}"], large), FIRST_CURSOR, 0.9),
        Case("customers, last page by cursor", gets([f"/customers?cursor={last}"], large), FIRST_CURSOR, 0.9),
        *searches(large, small),
        Case("tree of 5,000 units", gets(["/organization_units/tree"], large)),
        Case("login (Argon2id)", tuple(login(email) for email in setting.emails)),
    ]


def searches(large: Tenant, small: Tenant) -> list[Case]:
    """Two letters have no trigram. With the right plan, their search reads all rows of the company and no others."""
    needles = {
        f"search, rare (3 of 100,000: {RARE})": (RARE, 0.2),
        f"search, medium (1,000: {MEDIUM})": (MEDIUM, 0.2),
        f"search, common (25,000: {COMMON})": (COMMON, 0.2),
        "search, two letters (10,000: ab)": ("ab", 0.0),
    }
    counted = [
        Case(name, gets([f"/customers?search={needle}"], large), LIST, aim) for name, (needle, aim) in needles.items()
    ]
    uncounted = gets([f"/customers?search={COMMON}&count=false"], large)
    return [
        *counted,
        Case("search, common, count=false", uncounted, LIST, 0.2),
        Case("search, two letters, company of 1,000", gets(["/customers?search=ab"], small), SMALL_LIST, 0.2),
    ]


def writes(setting: Setting) -> list[Case]:
    """Each thread of wrk changes its own rows, because two writers of one row would conflict."""
    new = {"name": "Bench {n}", "email": "bench.{n}@new.example", "contact_person": "Ada", "address": "Calle 1"}
    change = {"contact_person": "Somebody {n}"}
    tokens = setting.large.tokens
    creates = tuple(Request("POST", "/customers", token, json.dumps(new)) for token in tokens)
    changes = tuple(
        Request("PATCH", f"/customers/{id}", tokens[number % len(tokens)], json.dumps(change))
        for number, id in enumerate(setting.customers)
    )
    floor = gets([f"/c/customers/{id}" for id in setting.customers[:ITEMS]], setting.large)
    return [
        Case(FLOOR_C_ITEM, floor),
        Case("customer, create", creates, FLOOR_C_ITEM, 0.45),
        Case("customer, patch", changes, FLOOR_C_ITEM, 0.45),
    ]


def gets(paths: Sequence[str], tenant: Tenant) -> tuple[Request, ...]:
    """A GET of every path, by the tenant's callers in turn."""
    tokens = tenant.tokens
    count = max(len(paths), len(tokens))
    return tuple(Request("GET", paths[n % len(paths)], tokens[n % len(tokens)]) for n in range(count))


def login(email: str) -> Request:
    return Request("POST", "/auth/login?token=body", body=json.dumps({"email": email, "password": PASSWORD}))


def call(service: str, method: str, path: str, token: str = "", body: Any = None) -> requests.Response:
    return client.call(method, service + path, token, json=body)


def cursor_after(service: str, tenant: Tenant, path: str) -> str:
    page = expect(call(service, "GET", path, tenant.tokens[0]), 200)
    return quote(page.json()["pagination"]["next_cursor"])


def select_cases(cases: list[Case], only: Sequence[str]) -> list[Case]:
    """The cases whose name contains one of the texts, and the cases of their comparison."""
    if not only:
        return cases
    against = {case.name: case.against for case in cases}
    needed = {case.name for case in cases if any(text in case.name for text in only)}
    while more := {against[name] for name in needed} - needed - {""}:
        needed |= more
    return [case for case in cases if case.name in needed]
