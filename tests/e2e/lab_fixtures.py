"""Servers and worlds for the tests of the lab; see `conftest.py`."""

import pytest

from lab_world import LabServer


@pytest.fixture(scope="session")
def lab_shared(tmp_path_factory):
    """A server that several tests share; at the end it is looked at what all of them have left behind."""
    server = LabServer(tmp_path_factory.mktemp("lab")).start()
    yield server
    server.lab.reset()
    server.audit()
    assert server.stop() == 0, server.stderr()[-4000:]


@pytest.fixture
def lab(lab_shared):
    """The lab; what a test has armed is cleared after it."""
    yield lab_shared.lab
    lab_shared.lab.reset()


@pytest.fixture
def one(lab_shared, lab):
    """A world of its own for a test."""
    with lab_shared.world() as world:
        yield world


@pytest.fixture
def lab_alone(tmp_path):
    """Makes servers for one test, whose clock, regions and end no other test sees."""
    servers = []

    def make(more="", **timing):
        server = LabServer(tmp_path / f"lab-{len(servers)}", more, **timing).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        if server.process:
            server.kill()
