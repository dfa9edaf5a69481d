"""Names are looked up within the deadline, by the resolver of a namespace that has no network but its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.config.settings import ROOT
from tests.support.marks import flaky

UNSHARE = ("unshare", "--map-root-user", "--mount", "--net")
CALL = """
import fcntl, socket, struct, sys, threading, time

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as interface:
    fcntl.ioctl(interface, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
nameserver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "silent":
    nameserver.bind(("127.0.0.1", 53))

from app.base.errors import ApiError
from app.clients.policy.transport import RemoteTransport

transport = RemoteTransport("http://engine.example", float(sys.argv[2]), 1)
for _ in range(3):
    started = time.monotonic()
    try:
        transport.send("GET", "/", b"", {})
    except ApiError as error:
        print("refusal", error.status, time.monotonic() - started, threading.active_count())
"""


@pytest.fixture
def resolv_conf(tmp_path: Path) -> Path:
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        pytest.skip("This user may not make namespaces.")
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\n")
    return path


@pytest.mark.parametrize(
    ("nameserver", "status", "timeout"), [("absent", "503", 10.0), pytest.param("silent", "504", 0.5, marks=flaky)]
)
def test_a_name_without_address_is_503_and_looking_it_up_counts(
    resolv_conf: Path, nameserver: str, status: str, timeout: float
) -> None:
    mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    call = [sys.executable, "-c", CALL, nameserver, str(timeout)]

    done = subprocess.run(
        [*UNSHARE, "sh", "-c", mount, str(resolv_conf), *call], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    calls = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("refusal")]
    assert [found for found, _, _ in calls] == [status] * 3, done.stderr
    assert all(float(seconds) < timeout + 0.6 for _, seconds, _ in calls)
    assert status == "503" or all(float(seconds) >= timeout for _, seconds, _ in calls)
    # The main thread, and one that closes all connections whose look-up has not ended.
    assert all(int(threads) <= 2 for _, _, threads in calls)
