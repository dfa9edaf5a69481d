"""Bounds on guessing: a delay per account and network, and a number of failures per account.

Strangers cannot lock an owner out: only the first bound holds where the owner signed in lately.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from app.accounts.auth import failures
from app.accounts.auth.failures import MAX_ACCOUNT_FAILURES, AccountBarred, CounterTable, Refused
from app.accounts.auth.models import AccountFailure, LoginFailure
from app.accounts.auth.networks import client_network, is_known_network
from app.base.errors import Invalid, Unauthenticated
from app.core.db.transaction import after_commit, company_transaction, unit_of_work
from app.core.security.derived_keys import macs

MAX_WAIT = 2.0
UNBOUNDED = 2**31 - 1
BUCKET_BYTES = 3
"""Names that nobody has share 2**24 counters per account: a flood of them must not fill the database."""


class Attempt:
    """An attempt that is counted before its check, so that parallel guesses share the limits."""

    def __init__(self, subject: str, company_id: UUID, user_id: UUID, address: str | None) -> None:
        """The ids are zero for a ``subject`` that is unknown."""
        self._company_id, self._user_id, self._address = company_id, user_id, address
        self._network_key = _key(LoginFailure, _from_network(subject, address))
        length = 32 if user_id.int else BUCKET_BYTES
        self._account_key = _key(AccountFailure, _of_account(subject), length=length)
        self._account_bound = MAX_ACCOUNT_FAILURES
        self._is_settled = False

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Around the check. Raises TooManyRequests. Unauthenticated and Invalid are failures, other errors are none."""
        self._reserve()
        try:
            yield
        except (Unauthenticated, Invalid):
            self._settle(is_failure=True)
            raise
        except Exception:
            self._settle(is_failure=False)
            raise

    def forgive(self) -> None:
        """Forget the failures after a success, in the current unit of work."""
        failures.clear_network(self._network_key)
        failures.clear_account(self._account_key)
        after_commit(self._mark_settled)

    def _mark_settled(self) -> None:
        self._is_settled = True

    def _reserve(self) -> None:
        """Only failures refuse: an attempt waits for those in flight."""
        give_up_at = time.monotonic() + MAX_WAIT
        while (refused := self._count()) is not None:
            if isinstance(refused.error, AccountBarred) and self._is_at_known_network():
                self._account_bound = UNBOUNDED
            elif not refused.is_in_flight or time.monotonic() >= give_up_at:
                raise refused.error
            else:
                self._wait(give_up_at)

    def _wait(self, until: float) -> None:
        """Reads only: on SQLite the attempts in flight must not wait for those that wait for them."""
        is_blocked = True
        while is_blocked and time.monotonic() < until:
            time.sleep(random.uniform(0.02, 0.1))  # noqa: S311
            with unit_of_work(writes=False):
                is_blocked = failures.are_in_flight(self._network_key, self._account_key)

    def _count(self) -> Refused | None:
        try:
            with unit_of_work():
                failures.count_from_network(self._network_key)
                failures.count_from_anywhere(self._account_key, self._account_bound)
        except Refused as refused:
            return refused
        return None

    def _is_at_known_network(self) -> bool:
        with company_transaction(self._company_id, writes=False):
            return is_known_network(self._user_id, client_network(self._address))

    def _settle(self, *, is_failure: bool) -> None:
        if not self._is_settled:
            with unit_of_work():
                failures.settle(self._network_key, self._account_key, is_failure=is_failure)


def change_subject(user_id: UUID) -> str:
    """The subject of attempts at the current password of somebody who is signed in."""
    return f"change {user_id}"


def forgive_account(user_id: UUID) -> None:
    """Forget the failures from all networks, after a change of the password. In the current unit of work."""
    for subject in (str(user_id), change_subject(user_id)):
        for key in _macs(_of_account(subject)):
            failures.clear_account(key)


def reserve_daily(subject: str, address: str | None = None) -> bool:
    """Count an attempt from a network, in its own transaction. False after five, until a day has passed since."""
    key = _key(LoginFailure, _from_network(f"daily {subject}", address))
    with unit_of_work():
        return failures.count_daily(key)


def _from_network(subject: str, address: str | None) -> str:
    return f"{subject}\n{client_network(address)}"


def _of_account(subject: str) -> str:
    return f"account\n{subject}"


def _key(table: CounterTable, text: str, *, length: int = 32) -> bytes:
    """Outside of transactions: with SECRET_KEY_PREVIOUS it takes over what was counted before."""
    key, *former = (mac[:length] for mac in _macs(text))
    if former:
        with unit_of_work():
            failures.take_over(table, key, former)
    return key


def _macs(text: str) -> tuple[bytes, ...]:
    return macs("login-failure", text.encode())
