"""gunicorn's settings, read from the working directory. Arguments override them."""

import ctypes
import os
from contextlib import suppress

from gunicorn.http.wsgi import Response

import dev_env

TRUE = {"1", "t", "true", "y", "yes", "on"}


def _number(name, default):
    """The number, or the default for an invalid value, which the service reports with all other faults."""
    value = os.environ.get(name, "").strip()
    return int(value) if value.isdecimal() and int(value) > 0 else default


M_MMAP_THRESHOLD = -3  # malloc.h


def post_fork(server, worker):
    """Return the memory of a password hash to the system when it is freed.

    glibc raises this threshold after the first large block and then keeps 19 MiB in every thread's arena. After
    some logins a worker held 374 MB instead of 125.
    """
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

accesslog = None  # the service writes one line per request
loglevel = os.environ.get("LOG_LEVEL") or "info"

if os.environ.get("SERVER_NAME_HEADER", "").strip().lower() not in TRUE:
    Response.default_headers = _without_server(Response.default_headers)
