"""TLS: what the clients see of it, what an operator has to say, and a new certificate while the server runs."""

import os
import signal
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clients import STS, NewSdk, OldSdk, Unanswered
from policies import allow
from server import BINARY, clean_environment, wait
from world import refusal

USERS = {
    "over-tls": [allow("ens:*", Condition={"Bool": {"acs:SecureTransport": "true"}})],
    "over-plain-http": [allow("ens:*", Condition={"Bool": {"acs:SecureTransport": "false"}})],
}


@pytest.fixture
def world(private):
    """Accounts on a server that speaks TLS with a certificate of its own making."""
    world = private(USERS)
    assert world.server.stop() == 0
    world.server.arguments = ("--tls-self-signed",)
    world.server.start()
    return world


def authority(world):
    return world.server.data / "tls/ca.pem"


def sdk(world, user=None, generation="new", ca=None):
    key = (world.user(user) if user else world.owner).key
    ca = str(ca or authority(world))
    if generation == "old":
        return OldSdk(world.server.port, key.id, key.secret, ca=ca)
    algorithm = "v2" if generation == "v2" else None
    return NewSdk(world.server.port, key.id, key.secret, algorithm, protocol="https", ca=ca)


def connect(world, name="localhost", trusted=None):
    context = ssl.create_default_context(cafile=trusted or authority(world))
    stream = socket.create_connection(("127.0.0.1", world.server.port), 10)
    return context.wrap_socket(stream, server_hostname=name)


def test_the_sdks_over_tls(world, generation):
    client = sdk(world, generation=generation)
    assert client.call("DescribeImages", PageSize=7)["PageSize"] == 7
    assert client.call_other(STS, "GetCallerIdentity")["AccountId"] == world.owner.account
    assert refusal(client.call, "DeleteImage", ImageId="m-unknown").code == "Error.DeleteImage"


def test_a_client_that_does_not_trust_the_authority_sends_nothing(world, tmp_path):
    key = world.owner.key
    stranger = NewSdk(world.server.port, key.id, key.secret, protocol="https")
    with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.call("DescribeImages")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(world, "example.com")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_the_certificate_is_for_this_machine(world, name):
    with closing(connect(world, name)) as stream:
        assert stream.version() == "TLSv1.3"
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert stream.makefile("rb").read().endswith(b"ok\n")


def test_policies_see_the_transport(world):
    assert sdk(world, "over-tls").call("DescribeSelfImages")["Images"]["Image"] == []
    assert refusal(sdk(world, "over-plain-http").call, "DescribeSelfImages").code == "NoPermission"


def test_plain_http_is_told_so(world):
    key = world.owner.key
    refused = refusal(NewSdk(world.server.port, key.id, key.secret).call, "DescribeImages")
    assert (refused.status, refused.code) == (400, "InvalidProtocol.NeedSsl")


def test_keys_are_for_the_owner_only(world):
    key = authority(world).with_name("ca-key.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    before = authority(world).read_bytes()
    world.server.restart()
    assert authority(world).read_bytes() == before
    assert sdk(world).call("DescribeImages", PageSize=7)["PageSize"] == 7
    assert "PRIVATE KEY" not in world.server.stderr()


def test_who_connects_and_says_nothing_is_hung_up_on(world):
    """The handshake has ten seconds; meanwhile everybody else is served, and a stop does not wait for it."""
    address = ("127.0.0.1", world.server.port)
    with ExitStack() as connections:
        silent = [connections.enter_context(closing(socket.create_connection(address, 10))) for _ in range(1500)]
        since = time.monotonic()
        assert sdk(world).call("DescribeImages", PageSize=7)["PageSize"] == 7
        silent[-1].settimeout(20)
        assert silent[-1].recv(1) == b"", "hung up on"
        assert time.monotonic() - since < 15
        late = connections.enter_context(closing(socket.create_connection(address, 10)))
        since = time.monotonic()
        assert world.server.stop() == 0
        assert time.monotonic() - since < 5
        late.close()


# Files


def certificate(folder, name):
    """A certificate for this machine with its key, signed by itself; gives their paths and its serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    local = x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName(local)
    start, serial = datetime.now(UTC) - timedelta(days=1), x509.random_serial_number()
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), serial, start, start + timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(pem)
    paths[1].chmod(0o600)
    return *paths, serial


def shown(world, trusted):
    """The serial number of the certificate that a connection is greeted with now."""
    with closing(connect(world, "localhost", trusted)) as stream:
        return x509.load_der_x509_certificate(stream.getpeercert(binary_form=True)).serial_number


def reload(server, told):
    count = server.stderr().count(told)
    os.kill(server.process.pid, signal.SIGHUP)
    wait(told, lambda: server.stderr().count(told) > count)


def test_a_certificate_from_files_is_reloaded_or_the_old_one_stays(private, tmp_path):
    world = private()
    server = world.server
    assert server.stop() == 0
    cert, key, first = certificate(tmp_path, "first")
    server.arguments = ("--tls-cert", cert, "--tls-key", key)
    server.start()
    assert shown(world, cert) == first
    trusted = tmp_path / "trusted.pem"
    next_cert, next_key, second = certificate(tmp_path, "second")
    trusted.write_bytes(cert.read_bytes() + next_cert.read_bytes())
    kept = cert.read_bytes(), key.read_bytes()

    # Half of a change, a file that is none: all or nothing, accounts included.
    world.accounts[0].users["late"] = []
    server.write_config()
    for spoil in (lambda: cert.write_bytes(next_cert.read_bytes()), lambda: key.write_text("nothing")):
        spoil()
        reload(server, "the old certificate")
        assert shown(world, trusted) == first
        late = sdk(world, "late", ca=trusted)
        assert refusal(late.call, "DescribeImages").code == "InvalidAccessKeyId.NotFound"
        cert.write_bytes(kept[0])
        key.write_bytes(kept[1])

    cert.write_bytes(next_cert.read_bytes())
    key.write_bytes(next_key.read_bytes())
    reload(server, "configuration reloaded")
    assert shown(world, trusted) == second
    assert refusal(sdk(world, "late", ca=trusted).call, "DescribeImages").code == "NoPermission"
    assert "PRIVATE KEY" not in server.stderr() and "nothing" not in server.stderr()


# What an operator has to say


def serve(folder, *arguments):
    """Tries to serve; gives how it ended, or None if it listens."""
    command = [BINARY, "serve", "--data", folder / "data", *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=clean_environment(),
    )  # fmt: skip
    first = process.stdout.readline()
    if first:
        process.terminate()
        process.communicate(timeout=20)
        return None, first
    _, stderr = process.communicate(timeout=20)
    return process.returncode, stderr


def test_plain_http_to_other_machines_must_be_asked_for(tmp_path):
    code, told = serve(tmp_path, "--listen", "0.0.0.0:0")
    assert code == 1 and "can be reached from other machines" in told
    assert all(flag in told for flag in ("--tls-cert", "--tls-self-signed", "--insecure-http"))
    assert not (tmp_path / "data").exists(), "nothing was begun"
    code, told = serve(tmp_path, "--listen", "0.0.0.0:0", "--insecure-http")
    assert code is None and told.startswith("listening on http://0.0.0.0:")
    code, told = serve(tmp_path, "--listen", "0.0.0.0:0", "--tls-self-signed")
    assert code is None and told.startswith("listening on https://0.0.0.0:")


def test_flags_that_do_not_go_together(tmp_path):
    cert, key, _ = certificate(tmp_path, "one")
    other = certificate(tmp_path, "other")[1]
    for arguments, told in [
        (["--tls-cert", cert], "--tls-key"),
        (["--tls-key", key], "--tls-cert"),
        (["--tls-cert", cert, "--tls-key", key, "--tls-self-signed"], "cannot be used with"),
        (["--insecure-http", "--tls-self-signed"], "cannot be used with"),
        (["--tls-cert", cert, "--tls-key", other], "the certificate cannot be used"),
        (["--tls-cert", tmp_path / "missing.pem", "--tls-key", key], "no certificate in"),
    ]:
        code, stderr = serve(tmp_path, "--listen", "127.0.0.1:0", *arguments)
        assert code and told in stderr, (arguments, stderr)
