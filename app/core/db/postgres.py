"""What a PostgreSQL connection needs: safe limits, a role that policies bind, and few round trips.

A transaction that reads one row costs three round trips when BEGIN, the statement and ROLLBACK travel
one by one; on loopback each is some 70 µs of waiting and 30 µs of work for this process. So BEGIN waits
for the first statement, and a statement marked ``single_statement`` takes it along in the same message.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import Transformer
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.db.tenancy import Scope, current_scope
from app.core.db.transaction import is_writing

Params = Any

READING = b"BEGIN READ ONLY"
# psycopg sends no BEGIN of its own, and prepares nothing: it forgets what it prepared at every ROLLBACK,
# which ends each of our reads, and drops the statements of this module with it.
DRIVER = {"autocommit": True, "prepare_threshold": None}
TIMEOUTS = "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000 -c timezone=UTC"
# Without these a host that vanished would hold a thread until TCP gives up, after 15 minutes.
KEEPALIVE = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
CONNECT_ARGS = {"options": TIMEOUTS, "connect_timeout": 2, **DRIVER, **KEEPALIVE}


def begin_of(scope: Scope, *, writes: bool) -> bytes:
    """BEGIN with the tenant that row-level security reads. ``set_config``'s third argument ends the
    setting with the transaction: a pooled connection carries nothing over."""
    begin = "BEGIN" if writes else READING.decode()
    if scope.company_id is not None:
        begin += f"; SELECT set_config('app.company_id', '{UUID(int=scope.company_id.int)}', true)"
    elif scope.platform:
        begin += "; SELECT set_config('app.platform', 'on', true)"
    return begin.encode()


class DeferredBeginCursor(psycopg.Cursor[Any]):
    """Sends the BEGIN that waits on its connection before, or together with, its own statement."""

    single_statement: bool = False

    def execute(self, query: Any, params: Params = None, **options: Any) -> Any:
        state = _state(self.connection)
        begin, state.begin = state.begin, None
        if begin is None:
            return super().execute(query, params, **options)
        if not self.single_statement or not isinstance(query, str):
            super().execute(begin, prepare=False)
            return super().execute(query, params, **options)
        return self._take_along(begin, query, params)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        state = _state(self.connection)
        begin, state.begin = state.begin, None
        if begin is not None:
            super().execute(begin, prepare=False)
        super().executemany(query, params_seq, **options)

    def _take_along(self, begin: bytes, query: str, params: Params) -> Any:
        """One simple-query message, with the statement prepared once per connection: its plan is kept."""
        text, names = numbered(query)
        try:
            values = [params[name] for name in names]
            literals = b", ".join(Transformer(self.connection).as_literal(value) for value in values)
            name = self._prepared(text)
        except BaseException:
            # Nothing was sent yet: what may follow still begins with it.
            _state(self.connection).begin = begin
            raise
        # Never half of a transaction that writes.
        is_all = begin.startswith(READING)
        call = b"EXECUTE " + name + (b"(" + literals + b")" if literals else b"")
        try:
            super().execute(begin + b"; " + call + (b"; COMMIT" if is_all else b""), prepare=False)
        except psycopg.errors.FeatureNotSupported:
            # A migration changed a type under the plan; it is prepared anew the next time.
            del _state(self.connection).prepared[text]
            raise
        for _ in range(1 + begin.count(b";")):
            self.nextset()
        if is_all:
            # Whatever may follow all the same belongs to the tenant too.
            _state(self.connection).begin = begin
        return self

    def _prepared(self, text: str) -> bytes:
        state = _state(self.connection)
        name = state.prepared.get(text)
        if name is None:
            name = b"trip_%d" % state.next_name
            state.next_name += 1
            super().execute(b"PREPARE " + name + b" AS " + text.encode(), prepare=False)
            state.prepared[text] = name
        return name


class _State:
    """Of one connection: the BEGIN that has not been sent yet, and its statements by their text."""

    def __init__(self) -> None:
        self.begin: bytes | None = None
        self.next_name = 0
        self.prepared: dict[str, bytes] = {}


def _state(connection: Any) -> _State:
    found: _State = connection.trips
    return found


PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")


@lru_cache(maxsize=1024)
def numbered(query: str) -> tuple[str, tuple[str, ...]]:
    """psycopg's ``%(name)s`` as PostgreSQL's ``$1``, with the names in order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return PLACEHOLDER.sub(number, query), tuple(names)


def attach(engine: Engine) -> None:
    event.listen(engine, "connect", _open)
    event.listen(engine, "before_cursor_execute", _mark)
    event.listen(engine, "checkout", _ping_if_idle)
    event.listen(engine, "checkin", _note_idle)
    event.listen(engine, "begin", _defer_begin)


def _defer_begin(connection: Connection) -> None:
    """Let the first statement of the transaction send its BEGIN."""
    begin = begin_of(current_scope(), writes=is_writing())
    _state(connection.connection.dbapi_connection).begin = begin


def _open(connection: Any, _record: Any) -> None:
    connection.trips = _State()
    connection.cursor_factory = DeferredBeginCursor


def _mark(_connection: Any, cursor: Any, _statement: str, _params: Any, context: Any, _many: bool) -> None:
    cursor.single_statement = bool(context and context.execution_options.get("single_statement"))


IDLE_SECONDS = 1.0


def _note_idle(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()
    if connection is not None:
        _state(connection).begin = None


def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Instead of pool_pre_ping, whose round trip every request would pay twice."""
    idle_since = record.info.get("idle_since")
    if idle_since is None or time.monotonic() - idle_since < IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise exc.DisconnectionError() from error
