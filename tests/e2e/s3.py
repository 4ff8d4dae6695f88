"""Runs a real S3 server, of one node or of several, and looks at what it keeps on disk."""

import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from urllib.error import HTTPError, URLError

from server import MARKER, START_S, quoted, wait

KEY_ID = "s3-key-id"
SECRET = "s3-secret-that-nobody-is-told"
KEY = f"access_key = {{ id = {quoted(KEY_ID)}, secret = {quoted(SECRET)} }}"
DRIVES_OF_NODE = 2


def program():
    """The server that `cargo xtask s3-server` builds."""
    named = os.environ.get("CALOTYPE_S3_SERVER")
    built = [Path(named)] if named else sorted((Path(__file__).parents[2] / "target/tools").glob("*/minio"))
    assert built, "there is no S3 server; build it with `cargo xtask s3-server`"
    return built[-1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Node:
    """One process of a store."""

    def __init__(self, store, number):
        self.store, self.port = store, free_port()
        self.log = store.folder / f"node-{number}.log"
        drives = DRIVES_OF_NODE if store.size > 1 else 1
        self.drives = [store.folder / f"node-{number}" / f"drive-{drive}" for drive in range(drives)]
        self.process = None

    def start(self):
        places = [f"http://127.0.0.1:{node.port}{drive}" for node in self.store.nodes for drive in node.drives]
        command = [program(), "server", "--quiet", "--address", f"127.0.0.1:{self.port}"]
        command += places if len(places) > 1 else self.drives
        settings = {"MINIO_ROOT_USER": KEY_ID, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off"}
        # Several drives may be folders of one disk only where nobody relies on them.
        settings["MINIO_CI_CD"] = "1"
        # In a container it would wait for names that are not of this machine.
        settings["_MINIO_SERVER_LOCAL"] = f"127.0.0.1:{self.port}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | settings)

    def is_up(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/minio/health/cluster", timeout=2) as answer:
                return answer.status == 200
        except (HTTPError, URLError, OSError):
            return False

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Store:
    """An S3 server, and the folders that it keeps its buckets in."""

    def __init__(self, folder, size=1):
        self.folder, self.size = Path(folder), size
        self.nodes = []
        self.nodes += [Node(self, number) for number in range(size)]

    def start(self):
        for node in self.nodes:
            for drive in node.drives:
                drive.mkdir(parents=True, exist_ok=True)
            node.start()
        for node in self.nodes:
            wait("the S3 server", node.is_up, timeout_s=3 * START_S, pause_s=0.05)
        return self

    def kill(self):
        for node in self.nodes:
            node.kill()

    def homes(self, bucket):
        return [drive / bucket for node in self.nodes for drive in node.drives]

    def make(self, *buckets):
        """Makes buckets, which to this server are folders."""
        for bucket in buckets:
            for home in self.homes(bucket):
                home.mkdir()

    def names(self, bucket, prefix=""):
        """The names of the objects below a prefix, on any drive, the marker not."""
        found = set()
        for home in self.homes(bucket):
            found |= {str(path.parent.relative_to(home / prefix)) for path in (home / prefix).rglob("xl.meta")}
        return found - {MARKER}

    def url(self, bucket, node=0):
        return f"s3://{bucket}?endpoint=http://127.0.0.1:{self.nodes[node].port}"


def region(name, objects, key=True):
    """A region of the configuration."""
    lines = ["[[region]]", f"id = {quoted(name)}", f"objects = {quoted(objects)}", *([KEY] if key else [])]
    return "\n".join(lines) + "\n"


def bucket(name, objects, key=True):
    """A bucket of the configuration."""
    lines = ["[[bucket]]", f"name = {quoted(name)}", "region = 'cn-beijing'", f"objects = {quoted(objects)}"]
    return "\n".join([*lines, *([KEY] if key else [])]) + "\n"
