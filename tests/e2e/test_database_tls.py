"""The way to the database: over TLS, with a password, to a certificate that the operator's authority has signed."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import pairs
from metadata import Schema
from postgres import USER, Postgres
from server import Server
from world import Caller

pytestmark = pytest.mark.postgres

PASSWORD = "n0-one-reads-this"
ONLY_TLS = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


def signed(name, key, issuer, issuer_key, authority=False):
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The certificate of an authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(signed("our authority", key, "our authority", key, authority=True))
    return path, key


@pytest.fixture(scope="module")
def database(authority):
    """A server that lets nobody in without TLS and a password."""
    own = Postgres(fsync="off").start()
    schema = Schema(own.url)
    schema._run(f"ALTER USER calotype PASSWORD '{PASSWORD}'")
    own.stop("fast")
    key = ec.generate_private_key(ec.SECP256R1())
    files = {
        "ssl_cert_file": signed("database", key, "our authority", authority[1]),
        "ssl_key_file": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for name, content in files.items():
        path = own.folder / f"{name}.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        if own.folder.owner() == USER:
            shutil.chown(path, USER, USER)
        own.settings[name] = path
    own.settings["ssl"] = "on"
    (own.data / "pg_hba.conf").write_text(ONLY_TLS)
    yield own.start()
    own.remove()


def metadata(database, ca):
    """Metadata in a schema of its own."""
    url = f"postgres://calotype:{PASSWORD}@localhost:{database.port}/postgres"
    schema = Schema(url)
    own = f"{url}?sslmode=require&options=-csearch_path%3D{schema.name}"
    schema.config = ["[metadata]", f"url = {json.dumps(own)}", f"ca = {json.dumps(str(ca))}", "connections = 4"]
    return schema


@pytest.fixture
def server(tmp_path, database, authority):
    [accounts] = pairs(1)
    server = Server(tmp_path, list(accounts), metadata=metadata(database, authority[0]))
    yield server
    if server.process:
        server.kill()


def test_a_server_works_over_tls_with_a_password(server):
    owner = Caller(server.start(), server.accounts[0].key())
    image = owner.import_image()
    owner.delete(image)
    used = server.metadata.query(
        "SELECT DISTINCT s.ssl, s.version FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid"
        " WHERE a.application_name = 'calotype'"
    )
    assert used == [{"ssl": True, "version": "TLSv1.3"}]
    server.audit()
    assert PASSWORD not in server.stderr()
    assert server.stop() == 0


def test_what_another_authority_has_signed_is_not_trusted(server, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(signed("stranger", key, "stranger", key, authority=True))
    server.metadata.config[2] = f"ca = {json.dumps(str(stranger))}"
    refused_to_start(server, "certificate")


def test_a_wrong_password_is_said_and_not_shown(server):
    server.metadata.config[1] = server.metadata.config[1].replace(PASSWORD, "wr0ng-and-secret")
    refused_to_start(server, "password authentication failed")
    assert "wr0ng" not in server.stderr()


def test_the_database_may_insist_on_tls(server):
    server.metadata.config[1] = server.metadata.config[1].replace("sslmode=require", "sslmode=disable")
    refused_to_start(server, "no encryption")


def test_tls_needs_an_authority(server):
    del server.metadata.config[2]
    refused_to_start(server, "metadata.ca")


def refused_to_start(server, said):
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert said in server.stderr() and PASSWORD not in server.stderr(), server.stderr()
