"""PostgreSQL with synchronous standbys under Patroni and etcd, all on loopback, from Debian's packages."""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from postgres import descendants, free_port, kill_all, own_folder, programs, unprivileged
from server import wait

DATABASE = "postgres"
# The shortest that Patroni recommends: a leader that is gone is replaced when its lock has run out.
LOCK_S = 20
LOOK_S = 1
RETRY_S = 3
START_S = 90


class Etcd:
    """Where Patroni keeps who leads."""

    def __init__(self, folder):
        self.folder = folder / "etcd"
        self.port, self.peers = free_port(), free_port()
        self.process = None

    def start(self):
        here, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peers}"
        command = [
            "etcd", "--name", "one", "--data-dir", self.folder, "--log-level", "error",
            "--listen-client-urls", here, "--advertise-client-urls", here,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"one={peers}",
        ]  # fmt: skip
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(unprivileged(*command), stdout=log, stderr=log, cwd="/")
        wait("etcd", self.is_healthy, timeout_s=START_S, pause_s=0.1)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        except OSError:
            return False


class Node:
    """One PostgreSQL with the Patroni that runs it."""

    def __init__(self, folder, name, etcd, synchronous):
        self.name = name
        self.folder = folder / name
        self.port, self.rest = free_port(), free_port()
        self.process = None
        self.folder.mkdir()
        shutil.chown(self.folder, *[self.folder.parent.owner()] * 2)
        self.config = self.folder / "patroni.yml"
        # Patroni reads YAML, and JSON is YAML.
        self.config.write_text(json.dumps(self.settings(etcd, synchronous), indent=1))

    def settings(self, etcd, synchronous):
        here = f"127.0.0.1:{self.port}"
        trusted = [f"{kind} all 127.0.0.1/32 trust" for kind in ("host all", "host replication")]
        return {
            "scope": "calotype",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"hosts": f"127.0.0.1:{etcd.port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": LOCK_S,
                    "loop_wait": LOOK_S,
                    "retry_timeout": RETRY_S,
                    # A commit is acknowledged when a standby has it, or not at all.
                    "synchronous_mode": synchronous,
                    "synchronous_mode_strict": synchronous,
                    # How far behind one may be that leads next, in bytes: one that lacks something is taken, too.
                    "maximum_lag_on_failover": 1 << 30,
                    "postgresql": {"use_pg_rewind": True, "parameters": {"max_connections": 200}},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": here,
                "connect_address": here,
                "data_dir": str(self.folder / "data"),
                "bin_dir": str(programs()),
                "pgpass": str(self.folder / "pgpass"),
                "parameters": {"unix_socket_directories": str(self.folder)},
                "pg_hba": ["local all all trust", *trusted],
                "authentication": {
                    "superuser": {"username": "postgres", "password": "unused"},
                    "replication": {"username": "replicator", "password": "unused"},
                },
            },
        }

    def start(self):
        with (self.folder / "log").open("ab") as log:
            command = unprivileged("patroni", self.config)
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")

    def processes(self):
        """Patroni and everything of PostgreSQL, whose first process is nobody's child."""
        roots = [self.process.pid] if self.process else []
        try:
            roots.append(int((self.folder / "data/postmaster.pid").read_text().split()[0]))
        except (FileNotFoundError, IndexError):
            pass
        return descendants(*roots)

    def kill(self):
        """Ends everything of the node at once, as a power cut does."""
        kill_all(*self.processes())
        self.process.wait()
        self.process = None

    def freeze(self):
        """Stops everything of the node where it is: connections stay open, and nobody answers on them."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)

    def hold_back(self):
        """From now on the standbys get nothing."""
        senders = [pid for pid in self.processes() if b"walsender" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert senders
        for pid in senders:
            os.kill(pid, signal.SIGSTOP)

    def status(self):
        """What Patroni says of the node, or nothing."""
        return self.get("patroni")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/{path}", timeout=2) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return {}

    def leads(self):
        status = self.status()
        return status.get("role") in ("master", "primary") and status.get("state") == "running"

    def log(self):
        return (self.folder / "log").read_text(errors="replace")


class Patroni:
    """Three nodes: one leads, one has everything that was acknowledged, one more takes that one's place."""

    def __init__(self, synchronous=True):
        self.folder = own_folder("patroni")
        self.etcd = Etcd(self.folder)
        self.roles = ["leader", "replica", "sync_standby" if synchronous else "replica"]
        self.nodes = [Node(self.folder, f"node{number}", self.etcd, synchronous) for number in (1, 2, 3)]

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgres://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def start(self):
        self.etcd.start()
        for node in self.nodes:
            node.start()
        self.becomes_whole()
        return self

    def leader(self, but=None):
        return next((node for node in self.nodes if node.process and node is not but and node.leads()), None)

    def is_whole(self):
        """Whether all nodes run, one of the others has everything that is acknowledged, and Patroni knows it."""
        leader = self.leader()
        members = leader.get("cluster").get("members", []) if leader else []
        roles = sorted(member["role"] for member in members if member["state"] in ("running", "streaming"))
        names = {node.name for node in self.nodes}
        followers = leader.status().get("replication", []) if leader else []
        streaming = {one["application_name"] for one in followers if one["state"] == "streaming"}
        return roles == self.roles and streaming == names - {leader.name}

    def becomes_whole(self):
        try:
            wait("all nodes", self.is_whole, timeout_s=START_S, pause_s=0.2)
        except AssertionError:
            for node in self.nodes:
                print(node.name, node.status(), node.log()[-2000:])
            raise

    def remove(self):
        for node in self.nodes:
            if node.process:
                node.kill()
        if self.etcd.process:
            self.etcd.process.kill()
            self.etcd.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
