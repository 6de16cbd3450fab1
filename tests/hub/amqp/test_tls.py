"""``amqps``: whom we trust, who we are, and what is said when certificates do not fit."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.amqp import connect
from hub.amqp.declare import depth
from schemas.errors import Misconfigured, Transient
from tests.hub.amqp.liar import Peer, a_broker, lying

NOW = datetime.now(UTC)


class Authority:
    """A certificate authority that lives for a test; *folder* holds what it issued."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "测试 CA")])
        self.own = folder / "ca.pem"
        own = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.own.write_bytes(self._signed(own))

    def issue(self, name: str, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """A certificate for *address*, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = self._builder(subject, key.public_key()).add_extension(places, critical=False)
        certificate, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(self._signed(builder))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, secret

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


def server_side(authority: Authority, address: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("broker", address))
    return context


async def test_a_broker_of_an_authority_we_name(authority: Authority) -> None:
    """``cafile`` in the address: the line is as any other."""
    async with lying(a_broker, server_side(authority)) as url:
        line = await connect(f"{url}?cafile={authority.own}", name="test")
        assert (3, 4) == await depth(await line.channel(), "q")
        line.abort()


async def test_a_broker_that_asks_who_we_are(authority: Authority) -> None:
    """``certfile`` and ``keyfile``: who has none is not let in."""
    context = server_side(authority)
    context.load_verify_locations(authority.own)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, secret = authority.issue("hub")

    async with lying(a_broker, context) as url:
        trusting = f"{url}?cafile={authority.own}"
        line = await connect(f"{trusting}&certfile={certificate}&keyfile={secret}", name="test")
        assert (3, 4) == await depth(await line.channel(), "q")
        line.abort()

        with pytest.raises(Transient):
            await connect(trusting, name="test")


@pytest.mark.parametrize("wrong", ["authority", "address", "none"])
async def test_one_who_is_not_the_broker(tmp_path: Path, authority: Authority, wrong: str) -> None:
    """`Misconfigured`, and no password is sent."""
    heard: list[bytes] = []

    async def listening(peer: Peer) -> None:
        heard.append(await peer.reader.read(100))

    trusted = Authority(tmp_path / "other").own if wrong == "authority" else authority.own
    address = "127.0.0.2" if wrong == "address" else "127.0.0.1"
    async with lying(listening, server_side(authority, address)) as url:
        with pytest.raises(Misconfigured) as caught:
            await connect(url if wrong == "none" else f"{url}?cafile={trusted}", name="test")

    assert "broker.certificate" == caught.value.code
    assert caught.value.facts["said"]
    assert b"" == b"".join(heard)


@pytest.mark.parametrize("name", ["cafile", "certfile"])
async def test_certificates_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A person's work, said at once."""
    (tmp_path / "broken.pem").write_text("no certificate", encoding="ascii")

    for file in (tmp_path / "none.pem", tmp_path / "broken.pem"):
        with pytest.raises(Misconfigured) as caught:
            await connect(f"amqps://h/v?{name}={file}", name="test")
        assert "broker.certificate" == caught.value.code


async def test_a_broker_that_speaks_no_tls(authority: Authority) -> None:
    """`Transient`, in time: it may be another's port for a moment."""
    async with lying(a_broker) as url:
        address = url.replace("amqp://", "amqps://")
        with pytest.raises(Transient):
            await connect(f"{address}?cafile={authority.own}", name="test", within_s=0.5)
