"""Servers and accounts for the tests of App Streaming and ECD; see `conftest.py`."""

import pytest

from appstream_policies import USERS
from appstream_world import AppServer, AppWorld
from conftest import HOLD, pairs, uses


class Tenancy:
    """A server that several tests share, and the accounts on it that are still free."""

    def __init__(self, folder, count, count_with_users=0, **timing):
        self.free, self.free_with_users = pairs(count), pairs(count_with_users, USERS)
        accounts = [account for pair in self.free + self.free_with_users for account in pair]
        self.server = AppServer(folder, accounts, **timing)

    def world(self, users=False):
        return AppWorld(self.server, (self.free_with_users if users else self.free).pop())

    def serve(self):
        """Serves, and at the end looks at what all the tests together have left behind."""
        self.server.start()
        yield self
        self.server.audit()
        assert self.server.stop() == 0, self.server.stderr()[-4000:]


@pytest.fixture(scope="session")
def as_shared(request, tmp_path_factory):
    count = uses(request, "as_shared") + 10
    yield from Tenancy(tmp_path_factory.mktemp("as-shared"), count, 8).serve()


@pytest.fixture(scope="session")
def as_shared_slow_images(request, tmp_path_factory):
    count = uses(request, "as_shared_slow_images") + 1
    yield from Tenancy(tmp_path_factory.mktemp("as-slow-images"), count, image=HOLD).serve()


@pytest.fixture(scope="session")
def as_shared_slow_instances(request, tmp_path_factory):
    count = uses(request, "as_shared_slow_instances") + 1
    yield from Tenancy(tmp_path_factory.mktemp("as-slow-instances"), count, instance=HOLD).serve()


@pytest.fixture(scope="session")
def listing(tmp_path_factory):
    """An account and its one image, which has tags, on a server where nobody publishes images."""
    for tenancy in Tenancy(tmp_path_factory.mktemp("as-listing"), 1).serve():
        owner = tenancy.world().owner
        tags = [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "test"}]
        yield owner, owner.make_image(TagList=tags)


@pytest.fixture
def tenants(as_shared):
    """Two accounts."""
    return as_shared.world()


@pytest.fixture(scope="module")
def ram_tenants(as_shared):
    """Two accounts for a whole module, the first with the users of `appstream_policies.py`."""
    return as_shared.world(users=True)


@pytest.fixture
def slow_making(as_shared_slow_images):
    """Two accounts on a server where making or copying an image takes a while."""
    return as_shared_slow_images.world()


@pytest.fixture
def slow_moving(as_shared_slow_instances):
    """Two accounts on a server where every transition of a group or workstation takes a while."""
    return as_shared_slow_instances.world()


@pytest.fixture
def own_server(tmp_path, engine):
    """Makes worlds on servers of their own, which a test may stop, kill, break and start again."""
    servers = []

    def make(**timing):
        [pair] = pairs(1, USERS)
        folder = tmp_path / f"server-{len(servers)}"
        server = AppServer(folder, pair, metadata=engine(folder), **timing).start()
        servers.append(server)
        return AppWorld(server, pair)

    yield make
    for server in servers:
        if server.process:
            server.kill()
