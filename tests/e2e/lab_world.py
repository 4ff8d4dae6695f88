"""What a test of the lab works with: a server whose lab is on, and worlds with callers of both kinds of API."""

import socket
import sys
from pathlib import Path

from appstream_world import AppServer, Tenant
from server import Key
from world import Caller

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from calotype_lab import Lab, Problem  # noqa: E402
from calotype_lab import World as LabWorld  # noqa: E402


class LabServer(AppServer):
    """A server without accounts of its own, whose lab is on."""

    def __init__(self, folder, more="", **timing):
        super().__init__(folder, [], **timing)
        self.more = more

    def write_config(self):
        path = super().write_config()
        path.write_text(self.more + path.read_text())
        return path

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.lab_port = free.getsockname()[1]
        self.arguments = ("--lab", f"127.0.0.1:{self.lab_port}")
        super().start()
        self.lab = Lab(f"127.0.0.1:{self.lab_port}", f"127.0.0.1:{self.port}")
        return self

    def world(self, **wanted):
        return TestWorld(self, self.lab.request("POST", "/worlds", wanted))


class TestWorld(LabWorld):
    """A world, called through the clients of the other tests."""

    __test__ = False

    def __init__(self, server, made):
        super().__init__(server.lab, made)
        self.server = server

    def key(self, user=None):
        key = self.users[user] if user else vars(self)
        return Key(self.account, key["access_key_id"], key["access_key_secret"], user)

    def caller(self, user=None):
        """The account or one of its users, as a caller of ENS."""
        return Caller(self.server, self.key(user))

    def tenant(self, user=None):
        """The account or one of its users, as a caller of App Streaming and ECD."""
        return Tenant(self.server, self.key(user))


def problem(call, *args, **kwargs):
    """Makes a request to the lab that must be refused, and gives its status and text."""
    try:
        answer = call(*args, **kwargs)
    except Problem as refused:
        return refused.status, refused.text
    raise AssertionError(f"accepted: {answer}")
