"""Guardians behind TLS: certificates, and bytes that the socket does not show."""

import io
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.base.errors import Forbidden, Unavailable
from tests.clients.policy.guardian.asking import (
    SLACK,
    TIMEOUT,
    check,
    client_of,
    denies_in_pieces_and_grants,
    refusal,
    timed_out_after,
)
from tests.fakes.guardian import GRANT, FakeGuardian, answer, denies, dribbles, grants, sends
from tests.support.marks import flaky


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "engine.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_engine(certificate: Path) -> Iterator[FakeGuardian]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeGuardian(grants, tls=context) as running:
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_https_is_spoken_and_its_connection_kept(secure_engine: FakeGuardian) -> None:
    client = client_of(secure_engine.url)

    check(client)
    check(client)

    assert secure_engine.connections == 1


def test_a_certificate_that_nobody_vouches_for_is_503_and_gets_no_token(secure_engine: FakeGuardian) -> None:
    assert isinstance(refusal(client_of(secure_engine.url)), Unavailable)
    assert secure_engine.seen == []


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_503_and_gets_no_token(secure_engine: FakeGuardian) -> None:
    url = secure_engine.url.replace("127.0.0.1", "localhost")

    assert isinstance(refusal(client_of(url)), Unavailable)
    assert secure_engine.seen == []


@flaky
@pytest.mark.usefixtures("trusted")
def test_a_dribble_through_tls_is_504_in_time(secure_engine: FakeGuardian) -> None:
    secure_engine.behaviour = dribbles(GRANT, 0.05)

    assert timed_out_after(client_of(secure_engine.url, timeout=TIMEOUT)) < TIMEOUT + SLACK


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("size", [0, io.DEFAULT_BUFFER_SIZE, 16 * 1024])
def test_an_unasked_grant_that_tls_holds_back_is_not_read(secure_engine: FakeGuardian, size: int) -> None:
    """Behind the rest of a denial, in the same record, stands a grant that the socket does not show."""
    client = client_of(secure_engine.url)
    secure_engine.behaviour = sends(_padded_denial(size) + GRANT) if size else denies_in_pieces_and_grants
    refusal(client)
    secure_engine.behaviour = denies

    assert isinstance(refusal(client), Forbidden)
    assert secure_engine.connections == 2


def _padded_denial(size: int) -> bytes:
    plain = answer(200, b'{"access_granted": false}', headers=["X-Padding: "])
    return plain.replace(b"X-Padding: ", b"X-Padding: " + b"x" * (size - len(plain)))
