"""PostgreSQL servers of the tests' own, on loopback, which a test may kill and start again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from server import wait

VERSIONS = Path("/usr/lib/postgresql")
USER = "postgres"
# What every server gets: nothing of it listens beyond this machine.
SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "200", "log_min_messages": "fatal"}


def programs():
    """The folder of the newest programs."""
    found = [path.parent for path in VERSIONS.glob("*/bin/postgres")]
    assert found, "there is no PostgreSQL: install Debian's package postgresql-15"
    return max(found)


def unprivileged(*command):
    """The command, as somebody who is not root: PostgreSQL refuses to run as root. It ends with its parent."""
    if os.geteuid() != 0:
        return list(command)
    ids = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    return ["setpriv", *ids, "--pdeathsig=KILL", *command]


def own_folder(name):
    """A folder that such a process can use."""
    folder = Path(tempfile.mkdtemp(prefix=f"calotype-{name}-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    return folder


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def descendants(*roots):
    """The ids of processes and of all that they have started."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found, open_ = [], list(roots)
    while open_:
        pid = open_.pop()
        found.append(pid)
        open_ += children.get(pid, [])
    return found


def kill_all(*roots):
    """Ends processes with all that they have started, the first ones first, at once."""
    for pid in descendants(*roots):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Postgres:
    """One server and its folder."""

    def __init__(self, **settings):
        self.folder = own_folder("postgres")
        self.data = self.folder / "data"
        self.port = free_port()
        self.process = None
        self.settings = SETTINGS | settings
        options = ["--username=calotype", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._run("initdb", "--pgdata", self.data, *options)

    @property
    def url(self):
        return f"postgres://calotype@127.0.0.1:{self.port}/postgres"

    def start(self):
        command = [programs() / "postgres", "-D", self.data, "-k", self.folder, "-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(unprivileged(*command), stdout=log, stderr=log, cwd="/")
        wait("PostgreSQL to start", self.is_ready, timeout_s=60, pause_s=0.05)
        return self

    def is_ready(self):
        asked = [programs() / "pg_isready", "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.run(asked).returncode == 0

    def stop(self, mode):
        """Stops it `smart`, `fast` or `immediate`."""
        self._run("pg_ctl", "stop", "--pgdata", self.data, "--mode", mode, "--silent")
        self.process.wait(30)
        self.process = None

    def kill(self):
        """Ends the postmaster at once; its processes find out."""
        self.process.kill()
        self.process.wait()
        self.process = None
        # They still have the shared memory, and a new postmaster waits for nobody.
        time.sleep(0.5)

    def freeze(self):
        """Stops all its processes where they are."""
        for pid in descendants(self.process.pid):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in descendants(self.process.pid):
            os.kill(pid, signal.SIGCONT)

    def remove(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program, *arguments):
        subprocess.run(
            unprivileged(programs() / program, *arguments), check=True, stdout=subprocess.DEVNULL, cwd="/"
        )
