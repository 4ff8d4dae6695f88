"""The servers that the clients talk to, and what is broken for them on purpose."""

import sqlite3

from appstream_world import AppServer
from server import AccountConfig, Server
from world import SMALL

OBJECT = "golden.qcow2"
WRONG_SECRET = "not the secret"


def accounts(clients):
    """An account for each client, so that nobody sees what another one left behind."""
    return {client: AccountConfig(f"1{number:015d}") for number, client in enumerate(clients, 1)}


class StrictServer(Server):
    """A server that refuses the second call of an operation within a second."""

    def write_config(self):
        path = super().write_config()
        with path.open("a") as file:
            file.write("[throttling]\noperation_per_second = 1\noperation_burst = 1\n")
        return path


class Stage:
    """The servers of a run. Starts them when it is entered, and audits and stops them at the end."""

    def __init__(self, folder, clients):
        self.accounts = accounts(clients)
        configured = list(self.accounts.values())
        self.servers = {
            "main": AppServer(folder / "main", configured),
            "strict": StrictServer(folder / "strict", configured),
        }
        self.servers["main"].put(SMALL, OBJECT)
        self.outage = None

    def __enter__(self):
        try:
            for server in self.servers.values():
                server.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            return self.kill()
        for server in self.servers.values():
            server.audit()
            assert server.stop() == 0, server.stderr()[-4000:]

    def kill(self):
        for server in self.servers.values():
            if server.process:
                server.kill()

    def setting(self, client):
        """What a client is told: where the servers are, and its keys."""
        key = self.accounts[client].key()
        return {
            "servers": {name: f"127.0.0.1:{server.port}" for name, server in self.servers.items()},
            "key": key.id,
            "secrets": {"right": key.secret, "wrong": WRONG_SECRET},
        }

    def provide(self, need):
        """Does what a step asks for before it goes on."""
        {"outage": self.begin_outage, "recovery": self.end_outage}[need]()

    def begin_outage(self):
        """Holds the metadata, so that the server cannot have it."""
        path = self.servers["main"].data / "metadata.db"
        self.outage = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.outage.execute("BEGIN EXCLUSIVE")

    def end_outage(self):
        if self.outage:
            self.outage.close()
            self.outage = None
