"""Keys of every algorithm."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from app.base.keys import PrivateKey


@pytest.fixture(scope="session")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    keys: dict[str, PrivateKey] = {
        "rsa": generate_rsa(65537, 2048),
        "rsa2": generate_rsa(65537, 2048),
        "weak": generate_rsa(65537, 1024),
        "ec": generate_ec(SECP256R1()),
        "ec384": generate_ec(SECP384R1()),
        "ed": Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / name).write_bytes(pem)
    locked = keys["ec"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (folder / "locked").write_bytes(locked)
    (folder / "text").write_text("not a key")
    return {path.name: str(path) for path in folder.iterdir()}
