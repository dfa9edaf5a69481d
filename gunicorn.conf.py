"""gunicorn's settings, read from the working directory. Arguments override them."""

import ctypes
import os
import socket
import time
from contextlib import suppress

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkSize, LimitRequestHeaders
from gunicorn.http.wsgi import Response

import dev_env
import log_lines

TRUE = {"1", "t", "true", "y", "yes", "on"}


def _number(name, default):
    """The number, or the default for an invalid value, which the service reports with all other faults."""
    value = os.environ.get(name, "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else default


M_MMAP_THRESHOLD = -3  # malloc.h


def post_fork(server, worker):
    """Log in one form, and return the memory of a password hash to the system when it is freed.

    glibc raises this threshold after the first large block and then keeps 19 MiB in every thread's arena. After
    some logins a worker held 374 MB instead of 125.
    """
    log_lines.install()
    log_lines.capture()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1024 * 1024)


def post_worker_init(worker):
    """Start the outbox worker in every serving process, unless MAIL_WORKER=external."""
    # Imported here, because the supervising arbiter does not need the service.
    from app.core.jobs.worker import start_worker

    if "identity" in getattr(worker.wsgi, "extensions", {}):
        worker.outbox = start_worker(worker.wsgi)


def worker_exit(server, worker):
    """Finish and mark the current mail first; otherwise it would be sent twice."""
    outbox = getattr(worker, "outbox", None)
    if outbox is not None:
        outbox.stop()


MOST_HEADER_BYTES = 32 * 1024
FREE_CHUNKS, BYTES_PER_CHUNK = 16_000, 4096


def pre_request(worker, req):
    """Parsing the 800 KB of cookies that gunicorn's own limits allow would take 0.2 s."""
    if sum(len(value) for _, value in req.headers) > MOST_HEADER_BYTES:
        raise LimitRequestHeaders("too many bytes")
    if isinstance(req.body.reader, ChunkedReader):
        req.body.reader.parse_chunk_size = _FewChunks(req.body.reader.parse_chunk_size)


class _FewChunks:
    """Refuses a body of very many small chunks: a megabyte of single bytes would take more than 2 s."""

    def __init__(self, parse_chunk_size):
        self._parse, self._left = parse_chunk_size, FREE_CHUNKS

    def __call__(self, unreader, data=None):
        size, rest = self._parse(unreader, data)
        self._left += size / BYTES_PER_CHUNK - 1
        if self._left < 0:
            raise InvalidChunkSize(b"too many small chunks")
        return size, rest


MOST_DRAINED = 64 * 1024 * 1024
DRAIN_SECONDS = 10


def post_request(worker, req, environ, resp):
    """Read off what an answer left unread. Closing at once would reset the connection, and a browser, which still
    sends, would show that instead of the answer. gunicorn itself would answer a malformed rest a second time."""
    is_announced = environ.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in environ
    if not is_announced or req.body.failed:
        return
    source, req.unreader.sock = req.unreader.sock, _UntilDeadline(req.unreader.sock, DRAIN_SECONDS)
    left = MOST_DRAINED
    # An error marks the body as failed, and gunicorn closes such a connection.
    with suppress(Exception):
        while left > 0 and (data := req.body.read(min(left, 65536))):
            left -= len(data)
    req.body.failed = req.body.failed or left <= 0
    req.unreader.sock = source
    source.settimeout(None)


class _UntilDeadline:
    """A socket that receives for so many seconds in all, however slowly the bytes come."""

    def __init__(self, source, seconds):
        self._source, self._end = source, time.monotonic() + seconds

    def recv(self, size):
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._source.settimeout(left)
        return self._source.recv(size)


def _write_error(connection, status, reason, _message):
    """What gunicorn itself refuses, such as a long request line, has no body: its page would repeat the input."""
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    util.write_nonblock(connection, head.encode())
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        # As in post_request. This thread may wait for the client; the one that closes may not.
        source, left = _UntilDeadline(connection, LINGER_SECONDS), MOST_LINGERING
        while left > 0 and (data := source.recv(4096)):
            left -= len(data)


def _close_at_once(connection, timeout=0.001, close=util.close_graceful):
    """gunicorn waits 2 s for the client to close, in the thread that accepts all others."""
    close(connection, timeout=timeout)


LINGER_SECONDS, MOST_LINGERING = 2, 64 * 1024
util.write_error, util.close_graceful = _write_error, _close_at_once


class Lines(Logger):
    """gunicorn's own messages, in the form of the service's log."""

    def setup(self, cfg):
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(log_lines.LineFormatter())


def _without_server(default_headers):
    def headers(self):
        return [line for line in default_headers(self) if not line.startswith("Server:")]

    return headers


dev_env.load(os.environ)

bind = "127.0.0.1:5000"
worker_class = "gthread"
workers = _number("WEB_CONCURRENCY", 2)
threads = _number("THREADS", 42)

timeout = 30
graceful_timeout = 30
# Load balancers keep an idle connection for 60 s. They must close it, not the service.
keepalive = 65
# Replacing workers limits slow leaks. The jitter prevents simultaneous replacements.
max_requests = 100_000
max_requests_jitter = 20_000
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True

limit_request_line = 8190
# gunicorn itself trusts no forwarded header. The service trusts as many proxies as TRUSTED_PROXIES says.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""

logger_class = Lines
accesslog = None  # the service writes one line per request
loglevel = os.environ.get("LOG_LEVEL") or "info"

if os.environ.get("SERVER_NAME_HEADER", "").strip().lower() not in TRUE:
    Response.default_headers = _without_server(Response.default_headers)
