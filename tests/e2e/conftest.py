"""Servers and accounts for the tests.

One server with many accounts serves the whole session; a test takes two accounts that no other test
uses. Two more servers hold images and instances in their transitional states for a while. Tests that
stop, kill or break a server start one of their own.
"""

import itertools
import os

import pytest

from metadata import File
from policies import USERS
from server import AccountConfig, Server
from world import World

# Both SDKs would send requests for 127.0.0.1 through a proxy of the environment.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(name, None)
    os.environ.pop(name.lower(), None)

HOLD = "1500ms"


def pairs(count, users=None):
    """Pairs of accounts, the first of each with users."""
    ids = (f"1{number:015d}" for number in itertools.count(1 if users is None else 500_001))
    return [(AccountConfig(next(ids), users or {}), AccountConfig(next(ids))) for _ in range(count)]


class Shared:
    """A server that several tests share, and the accounts on it that are still free."""

    def __init__(self, folder, count, count_with_users=0, **timing):
        self.free, self.free_with_users = pairs(count), pairs(count_with_users, USERS)
        accounts = [account for pair in self.free + self.free_with_users for account in pair]
        self.server = Server(folder, accounts, **timing)

    def world(self, users=False):
        return World(self.server, (self.free_with_users if users else self.free).pop())

    def serve(self):
        """Serves, and at the end looks at what all the tests together have left behind."""
        self.server.start()
        yield self
        self.server.audit()
        assert self.server.stop() == 0, self.server.stderr()[-4000:]


def uses(request, fixture):
    """How many tests of this session use a fixture, directly or through another one."""
    return sum(fixture in item.fixturenames for item in request.session.items)


@pytest.fixture(scope="session")
def shared(request, tmp_path_factory):
    # A test takes one pair, and so may a fixture of its module.
    count, with_users = uses(request, "shared") + 10, uses(request, "ram_world")
    yield from Shared(tmp_path_factory.mktemp("shared"), count, with_users).serve()


@pytest.fixture(scope="session")
def shared_slow_images(request, tmp_path_factory):
    count = uses(request, "slow_images")
    yield from Shared(tmp_path_factory.mktemp("slow-images"), count, image=HOLD).serve()


@pytest.fixture(scope="session")
def shared_slow_instances(request, tmp_path_factory):
    count = uses(request, "slow_instances")
    yield from Shared(tmp_path_factory.mktemp("slow-instances"), count, instance=HOLD).serve()


@pytest.fixture
def world(shared):
    """Two accounts."""
    return shared.world()


@pytest.fixture
def ram_world(shared):
    """Two accounts, the first with the users of `policies.py`."""
    return shared.world(users=True)


@pytest.fixture
def slow_images(shared_slow_images):
    """Two accounts on a server where making an image or a snapshot takes a while."""
    return shared_slow_images.world()


@pytest.fixture
def slow_instances(shared_slow_instances):
    """Two accounts on a server where every transition of an instance takes a while."""
    return shared_slow_instances.world()


def pytest_configure(config):
    config.addinivalue_line("markers", "embedded: is about the embedded file; has it on every engine")
    config.addinivalue_line("markers", "ha: needs Patroni and etcd, and takes minutes")
    config.addinivalue_line("markers", "postgres: needs PostgreSQL; starts one if E2E_POSTGRES names none")


@pytest.fixture
def engine(request):
    """Gives the metadata of servers of a test's own, by their folder: where it is about the embedded file, that."""
    if request.node.get_closest_marker("embedded"):
        return lambda folder: File(folder / "data/metadata.db")
    return lambda folder: None


@pytest.fixture
def private(tmp_path, engine):
    """Makes worlds on servers of their own, which a test may stop, kill and start again."""
    servers = []

    def make(users=None, config="", **timing):
        [pair] = pairs(1, users or {})
        folder = tmp_path / f"server-{len(servers)}"
        server = Server(folder, pair, metadata=engine(folder), **timing)
        server.more_config = config
        servers.append(server)
        server.start()
        return World(server, pair)

    yield make
    for server in servers:
        if server.process:
            server.kill()


@pytest.fixture(params=["new", "old", "v2"])
def generation(request):
    """Each generation of the SDK, and each way of signing, in turn."""
    return request.param
