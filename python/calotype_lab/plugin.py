"""The pytest plugin: a server for the session, and a world for each test."""

import pytest

from .server import Server, find_binary


def pytest_addoption(parser):
    """Adds the option that names the binary."""
    parser.getgroup("calotype").addoption("--calotype-bin", help="the calotype binary to test against")


@pytest.fixture(scope="session")
def calotype_config():
    """The configuration file of the servers, as text; override it for regions, buckets or system images."""
    return ""


@pytest.fixture(scope="session")
def calotype_server(request, tmp_path_factory, calotype_config):
    """A server with a lab, for the whole session; with pytest-xdist, one for each worker."""
    binary = find_binary(request.config.getoption("--calotype-bin"))
    with Server(binary, tmp_path_factory.mktemp("calotype"), calotype_config) as server:
        yield server


@pytest.fixture(scope="session")
def calotype_lab(calotype_server):
    """The lab of that server."""
    return calotype_server.lab


@pytest.fixture
def calotype(request, calotype_lab):
    """A world for one test, with what the marker `calotype(seed=..., users=...)` asks for."""
    marker = request.node.get_closest_marker("calotype")
    with calotype_lab.world(name=request.node.name, **(marker.kwargs if marker else {})) as world:
        yield world


@pytest.fixture
def calotype_alone(request, tmp_path, calotype_config):
    """The lab of a server for one test, whose clock and regions no other test sees."""
    binary = find_binary(request.config.getoption("--calotype-bin"))
    with Server(binary, tmp_path / "calotype", calotype_config) as server:
        yield server.lab


def pytest_configure(config):
    """Tells of the marker."""
    config.addinivalue_line("markers", "calotype(seed, users, roles, saved): what the world of a test has")
