"""PostgreSQL connections: limits, the tenant of a transaction, and few round trips.

BEGIN, one read and ROLLBACK cost three round trips. On loopback each takes 70 µs of waiting and 30 µs of CPU
here. BEGIN is therefore sent with the first statement; one marked ``single_statement`` shares its message.

Only such a statement is sent again, once, and only after three SQLSTATEs, with the remedy of ``REMEDIES``:

- 26000: its prepared name is unknown.
- 42P05: its name is prepared already.
- 0A000: a result of the prepared statement has another type now.

Its transaction, also one that writes, then begins again. No write is lost or repeated: the statement is a SELECT
and the first of its transaction, PostgreSQL raises these errors before it executes the SELECT, and the message of
a writing transaction has no COMMIT. All other statements, and so every write, are sent once.
"""

import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from sqlalchemy import BindParameter, Boolean, Date, DateTime, Integer, Uuid, exc
from sqlalchemy.engine import Connection
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.db.mode import STATEMENT_SECONDS, is_writing, statement_seconds, statement_timeout
from app.core.db.tenancy import Scope, current_scope

Params = Any
T = TypeVar("T")

READING = b"BEGIN READ ONLY"
# psycopg sends no BEGIN and prepares nothing. At every ROLLBACK, which ends each of our reads, it would forget its
# statements and drop those of this module.
DRIVER = {"autocommit": True, "prepare_threshold": None}
TIMEOUTS = f"-c statement_timeout={STATEMENT_SECONDS:g}s -c lock_timeout=2s -c idle_in_transaction_session_timeout=10s"
# Without these a lost host would block a thread for 15 minutes, until TCP gives up.
KEEPALIVE = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
CONNECT_ARGS = {"options": f"{TIMEOUTS} -c timezone=UTC", "connect_timeout": 2, **DRIVER, **KEEPALIVE}


# The server ends a statement by itself. Its own limit therefore comes first, unless it is out of reach or hangs.
GRACE_SECONDS = 1.0


class AnswerTimeout(psycopg.errors.QueryCanceled):
    """The server's answer did not come in time. The connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that ends itself where the limit of a statement does not end it."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        seconds = statement_seconds()
        try:
            return super().wait(gen, interval, seconds and seconds + GRACE_SECONDS)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise AnswerTimeout("the server did not answer in time") from None


def _connect(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*args, **options)


def begin_of(scope: Scope, *, writes: bool) -> bytes:
    """BEGIN with the tenant that row-level security reads; the settings end with the transaction."""
    begin = "BEGIN" if writes else READING.decode()
    seconds = statement_seconds()
    if seconds != STATEMENT_SECONDS:
        begin += f"; SET LOCAL statement_timeout = {int((seconds or 0) * 1000)}"
    if scope.company_id is not None:
        begin += f"; SELECT set_config('app.company_id', '{UUID(int=scope.company_id.int)}', true)"
    elif scope.platform:
        begin += "; SELECT set_config('app.platform', 'on', true)"
    return begin.encode()


class SingleStatement(NamedTuple):
    """A statement in one message with its BEGIN, named by its hash; ``parameters`` are ``$1``, ``$2`` … in order."""

    name: bytes
    text: bytes
    parameters: tuple[str, ...]

    @property
    def preparation(self) -> bytes:
        return b"PREPARE " + self.name + b" AS " + self.text


class TransactionState:
    """The BEGIN that a connection has not sent yet, and the names of its prepared statements."""

    def __init__(self) -> None:
        self.begin: bytes | None = None
        self.prepared: set[bytes] = set()


class DeferredBeginCursor(psycopg.Cursor[Any]):
    """Sends a deferred BEGIN before its statement, or in the same message."""

    single: SingleStatement | None = None

    def execute(self, query: Any, params: Params = None, **options: Any) -> Any:
        state = _state(self.connection)
        begin, state.begin = state.begin, None
        if begin is None:
            return super().execute(query, params, **options)
        if self.single is None:
            super().execute(begin, prepare=False)
            return super().execute(query, params, **options)
        return self._execute_with(begin, self.single, params)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        state = _state(self.connection)
        begin, state.begin = state.begin, None
        if begin is not None:
            super().execute(begin, prepare=False)
        super().executemany(query, params_seq, **options)

    def _execute_with(self, begin: bytes, single: SingleStatement, params: Params) -> Any:
        """Prepare once per connection, so that PostgreSQL keeps the plan, and again if the statement was lost."""
        state = _state(self.connection)
        try:
            call = self._call(single, params)
        except BaseException:
            # Nothing was sent yet: the next statement still needs it.
            state.begin = begin
            raise
        preparation = () if single.name in state.prepared else (single.preparation,)
        try:
            self._send(begin, *preparation, call)
        except LOST as error:
            if isinstance(error, psycopg.errors.FeatureNotSupported) and single.name not in state.prepared:
                raise
            state.prepared.discard(single.name)
            super().execute(b"ROLLBACK", prepare=False)
            self._send(begin, *REMEDIES[type(error)](single), call)
        state.prepared.add(single.name)
        if begin.startswith(READING):
            # The message has ended the transaction. Another statement needs the tenant again.
            state.begin = begin
        return self

    def _call(self, single: SingleStatement, params: Params) -> bytes:
        transformer = Transformer(self.connection)
        literals = b", ".join(transformer.as_literal(params[name]) for name in single.parameters)
        return b"EXECUTE " + single.name + (b"(" + literals + b")" if literals else b"")

    def _send(self, begin: bytes, *statements: bytes) -> None:
        """Send one simple-query message. The cursor then has the result of the last statement."""
        # Only reads: a COMMIT here would commit half of a transaction that writes.
        end = (b"COMMIT",) if begin.startswith(READING) else ()
        super().execute(b"; ".join((begin, *statements, *end)), prepare=False)
        for _ in range(begin.count(b";") + len(statements)):
            self.nextset()


# Statements to send before an EXECUTE that failed with the error.
REMEDIES: dict[type[psycopg.Error], Callable[[SingleStatement], tuple[bytes, ...]]] = {
    # 26000, by DEALLOCATE, DISCARD, or a pooler that changed the connection to the server.
    psycopg.errors.InvalidSqlStatementName: lambda single: (single.preparation,),
    # 42P05, with the same text: a pooler gave us the connection of another client.
    psycopg.errors.DuplicatePreparedStatement: lambda _: (),
    # 0A000, by a migration after the planning.
    psycopg.errors.FeatureNotSupported: lambda single: (b"DEALLOCATE " + single.name, single.preparation),
}
LOST = tuple(REMEDIES)


def _state(connection: Any) -> TransactionState:
    state: TransactionState = connection.transaction_state
    return state


PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")


def numbered(query: str) -> tuple[str, tuple[str, ...]]:
    """The query with ``$1`` … in place of psycopg's ``%(name)s``, and the names in order."""
    names: list[str] = []

    def number(placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        if name is None:
            return "%"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return PLACEHOLDER.sub(number, query), tuple(names)


# Only values of these types are written into a message: the server logs its text and shows it to operators.
LITERAL = (Boolean, Date, DateTime, Integer, Uuid)
MAX_SINGLES = 1000
_singles: dict[str, SingleStatement | None] = {}


def _single(query: str, context: Any) -> SingleStatement | None:
    """None unless the statement is marked ``single_statement`` and no parameter is free text."""
    if context is None or not context.execution_options.get("single_statement"):
        return None
    if query not in _singles:
        # Statements with this mark are built once each. One that is not must fill no memory.
        if len(_singles) >= MAX_SINGLES:
            return None
        _singles[query] = _build_single(query, context.compiled.binds)
    return _singles[query]


def _build_single(query: str, binds: Mapping[str, BindParameter[Any]]) -> SingleStatement | None:
    text, names = numbered(query)
    if not all(_may_be_literal(binds.get(name)) for name in names):
        return None
    return SingleStatement(b"s_" + sha256(text.encode()).hexdigest()[:16].encode(), text.encode(), names)


def _may_be_literal(bind: BindParameter[Any] | None) -> bool:
    """A parameter with its own value holds a constant of the code, such as a table's name."""
    return bind is not None and (not bind.required or isinstance(bind.type, LITERAL))


def _defer_begin(connection: Connection) -> None:
    begin = begin_of(current_scope(), writes=is_writing())
    _state(connection.connection.dbapi_connection).begin = begin


def _open(connection: Any, _record: Any) -> None:
    connection.transaction_state = TransactionState()
    connection.cursor_factory = DeferredBeginCursor


def _mark(_connection: Any, cursor: Any, statement: str, _params: Any, context: Any, _many: bool) -> None:
    cursor.single = _single(statement, context)


IDLE_SECONDS = 1.0
PING_SECONDS = 1.0


def _note_idle(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()
    if connection is not None:
        _state(connection).begin = None


def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Replaces pool_pre_ping, which costs every request two more round trips."""
    idle_since = record.info.get("idle_since")
    if idle_since is None or time.monotonic() - idle_since < IDLE_SECONDS:
        return
    try:
        with statement_timeout(PING_SECONDS):
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        # What ended one idle connection has probably ended the others, and each would take its time to tell.
        raise exc.InvalidatePoolError() from error


LISTENERS: dict[str, Callable[..., Any]] = {
    "do_connect": _connect,
    "connect": _open,
    "before_cursor_execute": _mark,
    "checkout": _ping_if_idle,
    "checkin": _note_idle,
    "begin": _defer_begin,
}
