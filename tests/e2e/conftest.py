"""Servers and accounts for the tests.

One server with many accounts serves the whole session; a test takes two accounts that no other test
uses. Two more servers hold images and instances in their transitional states for a while. Tests that
stop, kill or break a server start one of their own.
"""

import itertools
import os

import pytest

from policies import USERS
from server import AccountConfig, Server
from world import World

# Both SDKs would send requests for 127.0.0.1 through a proxy of the environment.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(name, None)
    os.environ.pop(name.lower(), None)

PAIRS = 400
PAIRS_WITH_USERS = 80
HOLD = "1500ms"


def pairs(count, users=None):
    """Pairs of accounts, the first of each with users."""
    ids = (f"1{number:015d}" for number in itertools.count(1 if users is None else 500_001))
    return [(AccountConfig(next(ids), users or {}), AccountConfig(next(ids))) for _ in range(count)]


class Shared:
    """A server that several tests share, and the accounts on it that are still free."""

    def __init__(self, folder, **timing):
        self.free, self.free_with_users = pairs(PAIRS), pairs(PAIRS_WITH_USERS, USERS)
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


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    yield from Shared(tmp_path_factory.mktemp("shared")).serve()


@pytest.fixture(scope="session")
def shared_slow_images(tmp_path_factory):
    yield from Shared(tmp_path_factory.mktemp("slow-images"), image=HOLD).serve()


@pytest.fixture(scope="session")
def shared_slow_instances(tmp_path_factory):
    yield from Shared(tmp_path_factory.mktemp("slow-instances"), instance=HOLD).serve()


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


@pytest.fixture
def private(tmp_path):
    """Makes worlds on servers of their own, which a test may stop, kill and start again."""
    servers = []

    def make(users=None, **timing):
        [pair] = pairs(1, users or {})
        server = Server(tmp_path / f"server-{len(servers)}", pair, **timing).start()
        servers.append(server)
        return World(server, pair)

    yield make
    for server in servers:
        if server.process:
            server.kill()


@pytest.fixture(params=["new", "old", "v2"])
def generation(request):
    """Each generation of the SDK, and each way of signing, in turn."""
    return request.param
