"""How to go on from the demo data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.demo.companies import EXAMPLES
from app.demo.service import ACCOUNTS, ADMIN, CUSTOMERS, PASSWORD, SUBCONTRACTORS, USERS, Filled

TEXT = """\
{companies}

Sign in with the password {password} as one of
{accounts}

In a browser: {url}/docs
With curl:
  curl -c cookies.txt -H 'Content-Type: application/json' {url}/auth/login \\
    -d '{{"email": "{email}", "password": "{password}"}}'
  curl -b cookies.txt '{url}/users?limit=3'"""


def hints(filled: Sequence[Filled], url: str) -> str:
    return TEXT.format(
        companies="\n".join(map(_company, filled)),
        accounts="\n".join(_accounts()),
        email=f"{ADMIN.name}@{EXAMPLES[0].domain}",
        password=PASSWORD,
        url=url.rstrip("/"),
    )


def _company(filled: Filled) -> str:
    name = f"{filled.example.name}{' (the platform company)' if filled.is_platform else ''}"
    if not filled.is_new:
        return f"{name} is already there."
    example = filled.example
    people = f"{USERS} users, {CUSTOMERS} customers, {SUBCONTRACTORS} subcontractors"
    return f"{name}: {example.units} units, {example.positions} positions, {people}."


def _accounts() -> Iterator[str]:
    for account in (ADMIN, *ACCOUNTS.values()):
        addresses = ", ".join(f"{account.name}@{example.domain}" for example in EXAMPLES)
        yield f"  {addresses:<50} may {account.may}"
