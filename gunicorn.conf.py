"""gunicorn's settings; it reads this file by itself from the working directory. Arguments win."""

import ctypes
import os
from contextlib import suppress

from gunicorn.http.wsgi import Response

import dev_env

TRUE = {"1", "t", "true", "y", "yes", "on"}


def _number(name, default):
    """A value that is no number is left to the service, which names every fault at once."""
    value = os.environ.get(name, "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else default


M_MMAP_THRESHOLD = -3  # malloc.h


def post_fork(server, worker):
    """Memory of a password hash goes back to the system when it is freed.

    glibc raises this threshold after the first large block and then keeps 19 MiB in every thread's
    arena: after some logins a worker held 374 MB instead of 125.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1024 * 1024)


def post_worker_init(worker):
    """Every serving process works off the outbox, unless MAIL_WORKER says that another does."""
    # Imported here: the arbiter, which only supervises, does without the whole service.
    from app.core.jobs.worker import start_worker

    if "identity" in getattr(worker.wsgi, "extensions", {}):
        worker.outbox = start_worker(worker.wsgi)


def worker_exit(server, worker):
    """The mail at hand is finished and marked first, or it would be sent twice."""
    outbox = getattr(worker, "outbox", None)
    if outbox is not None:
        outbox.stop()


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
# Longer than the 60 s that load balancers keep an idle connection, so that they close it, not we.
keepalive = 65
# A slow leak never grows old. The jitter keeps the workers from leaving together.
max_requests = 100_000
max_requests_jitter = 20_000
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True

limit_request_line = 8190
# gunicorn itself believes no forwarded header; TRUSTED_PROXIES tells the service how many to believe.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""

accesslog = None  # the service writes one line per request
loglevel = os.environ.get("LOG_LEVEL") or "info"

if os.environ.get("SERVER_NAME_HEADER", "").strip().lower() not in TRUE:
    Response.default_headers = _without_server(Response.default_headers)
