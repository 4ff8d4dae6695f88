"""Several servers over one database and the same folders of the regions."""

import itertools
from concurrent.futures import ThreadPoolExecutor

from appstream_world import REGIONS, AppServer, Tenant
from metadata import Schema
from server import BUCKET, Server, quoted, wait
from world import Caller

ALL_REGIONS = (*REGIONS, "ap-southeast-1")


class Member(AppServer):
    """One of several servers. Its data folder is its own, the bytes and the metadata are everybody's."""

    alone = False

    def __init__(self, folder, accounts, shared, metadata, **timing):
        super().__init__(folder, accounts, metadata=metadata, **timing)
        self.store = shared / "objects"
        self.bucket = shared / BUCKET

    def write_config(self):
        path = super().write_config()
        with path.open("a") as file:
            for region in ALL_REGIONS:
                file.write(f"[[region]]\nid = '{region}'\nobjects = {quoted(f'file:{self.store / region}')}\n")
        return path

    def start(self):
        # The system images may be the work of another one, which is dead.
        return Server.start(self)


class Cluster:
    """Servers that start, and may end, each for itself."""

    def __init__(self, folder, accounts, count=3, metadata=None, **timing):
        self.metadata = metadata or Schema()
        shared = folder / "shared"
        for name in ("objects", BUCKET):
            (shared / name).mkdir(parents=True)
        self.servers = [
            Member(folder / f"server-{number}", accounts, shared, self.metadata, **timing) for number in range(count)
        ]
        self.accounts = accounts

    def start(self):
        """Starts all of them at the same moment, so that they meet in their first steps as well."""
        for server in self.servers:
            server.write_config()
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(Member.start, self.servers))
        wait("the system images", self.first.is_quiet, timeout_s=60)
        return self

    @property
    def first(self):
        return self.servers[0]

    def tenants(self, account=0):
        """The same account, at each server: with the APIs of App Streaming and ECD."""
        return [Tenant(server, self.accounts[account].key()) for server in self.servers]

    def callers(self, account=0):
        """The same, with ENS."""
        return [Caller(server, self.accounts[account].key()) for server in self.servers]

    def pairs(self):
        """Two different servers, again and again: every pair in both orders."""
        return itertools.cycle(itertools.permutations(range(len(self.servers)), 2))

    def audit(self, timeout_s=120.0):
        self.first.audit(timeout_s)

    def end(self):
        """Stops those that run; every one must end well."""
        for server in self.servers:
            if server.process:
                assert server.stop() == 0, server.stderr()[-4000:]
            assert "panicked" not in server.stderr()

    def kill(self):
        for server in self.servers:
            if server.process:
                server.kill()
