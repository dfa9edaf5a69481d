"""The pool of connections: one company has at most half of it at a time."""

from collections import defaultdict, deque
from threading import Event, Lock
from typing import Any

from sqlalchemy import exc
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from app.core.db.tenancy import current_scope

TENANT = "tenant"
"""The entry of a checked-out connection's ``record_info`` with the company that it counts for."""


class ShareInUse(exc.TimeoutError):
    """The company uses its whole share of the connections."""


class Shares:
    """The number of connections of each company, a number as well: a UUID is hashed in Python. Waiters take turns."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._used: defaultdict[int, int] = defaultdict(int)
        self._waiting: defaultdict[int, deque[Event]] = defaultdict(deque)

    def take(self, company: int, seconds: float) -> bool:
        with self._lock:
            if self._used[company] < self._most:
                self._used[company] += 1
                return True
            turn = Event()
            self._waiting[company].append(turn)
        return turn.wait(seconds) or self._leave(company, turn)

    def give_back(self, company: int) -> None:
        with self._lock:
            if company in self._waiting:
                return self._call(company)
            self._used[company] -= 1
            if not self._used[company]:
                del self._used[company]

    def _call(self, company: int) -> None:
        """Pass a connection on to the first in line."""
        line = self._waiting[company]
        line.popleft().set()
        if not line:
            del self._waiting[company]

    def _leave(self, company: int, turn: Event) -> bool:
        """Stop waiting. True if the turn has come at the last moment."""
        with self._lock:
            if turn.is_set():
                return True
            line = self._waiting[company]
            line.remove(turn)
            if not line:
                del self._waiting[company]
        return False


class TenantPool(QueuePool):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shares = Shares(max(1, self.size() // 2))

    def connect(self) -> PoolProxiedConnection:
        """Wait for the tenant's share, and then for a connection. Raises TimeoutError."""
        company_id = current_scope().company_id
        # An unknown name is looked up in the tenant of the zero UUID, which is no company: strangers would share its
        # share, and its waits would tell an unknown name from one of a company at rest.
        if company_id is None or not company_id.int:
            return super().connect()
        company = company_id.int
        if not self._shares.take(company, self._timeout):
            raise ShareInUse("The company's share of the connections is in use.")
        try:
            connection = super().connect()
        except BaseException:
            self._shares.give_back(company)
            raise
        connection.record_info[TENANT] = company  # type: ignore[index]
        return connection

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        company = record.record_info.pop(TENANT, None)  # type: ignore[union-attr]
        super()._do_return_conn(record)
        if company is not None:
            self._shares.give_back(company)
