"""Hints for using the demo data."""

from collections.abc import Iterator, Sequence

from app.demo.companies import EXAMPLES
from app.demo.service import ACCOUNTS, ADMIN, CUSTOMERS, PASSWORD, SUBCONTRACTORS, USERS, DemoCompany

TEXT = """\
{companies}

Sign in with the password {password} as one of
{accounts}

In a browser: {url}/docs
With curl:
  curl -c cookies.txt -H 'Content-Type: application/json' {url}/auth/login \\
    -d '{{"email": "{email}", "password": "{password}"}}'
  curl -b cookies.txt '{url}/users?limit=3'"""


def hints(companies: Sequence[DemoCompany], url: str) -> str:
    return TEXT.format(
        companies="\n".join(map(_summary, companies)),
        accounts="\n".join(_accounts()),
        email=f"{ADMIN.name}@{EXAMPLES[0].domain}",
        password=PASSWORD,
        url=url.rstrip("/"),
    )


def _summary(company: DemoCompany) -> str:
    name = f"{company.example.name}{' (the platform company)' if company.is_platform else ''}"
    if not company.is_new:
        return f"{name} is already there."
    example = company.example
    people = f"{USERS} users, {CUSTOMERS} customers, {SUBCONTRACTORS} subcontractors"
    return f"{name}: {example.units} units, {example.positions} positions, {people}."


def _accounts() -> Iterator[str]:
    for account in (ADMIN, *ACCOUNTS.values()):
        addresses = ", ".join(f"{account.name}@{example.domain}" for example in EXAMPLES)
        yield f"  {addresses:<50} may {account.may}"
