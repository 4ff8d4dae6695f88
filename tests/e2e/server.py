"""Runs servers, writes their configuration, and looks at what they keep on disk."""

import hashlib
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from metadata import fresh_metadata

BINARY = Path(os.environ.get("CALOTYPE_BIN") or Path(__file__).parents[2] / "target/debug/calotype")
START_S = 20
STOP_S = 15
BUCKET = "golden"
MARKER = "calotype-store"
PUBLIC_IMAGE = "centos_6_08_64_20G_alibase_20171208"
PUBLIC_WINDOWS_IMAGE = "windows_2019_64_40G_alibase_20200101"


def wait(what, probe, timeout_s=20.0, pause_s=0.01):
    """Polls until `probe` gives something true, and gives that."""
    deadline = time.monotonic() + timeout_s
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain: {what}")
        time.sleep(pause_s)
    return found


@dataclass(frozen=True)
class Key:
    """An access key: of an account itself, or of one of its users; with a token, of a session."""

    account: str
    id: str
    secret: str
    user: str | None = None
    token: str | None = None


@dataclass
class AccountConfig:
    """An account of the configuration; `users` maps names to lists of policy statements, and so does `roles`.

    Every user and role of the account may assume its roles, as far as its own policies let it.
    """

    id: str
    users: dict = field(default_factory=dict)
    roles: dict = field(default_factory=dict)

    def key(self, user=None):
        name = f"{self.id}-{user or 'root'}"
        secret = hashlib.sha256(f"secret of {name}".encode()).hexdigest()[:30]
        return Key(self.id, f"ak-{name}", secret, user)

    def toml(self):
        yield "[[account]]"
        yield f"id = {quoted(self.id)}"
        yield "[[account.access_key]]"
        yield from self._key_toml(None)
        for user, statements in self.users.items():
            yield "[[account.user]]"
            yield f"name = {quoted(user)}"
            yield f"policies = [ {self._policies(statements)} ]"
            yield "[[account.user.access_key]]"
            yield from self._key_toml(user)
        trusted = {"RAM": f"acs:ram::{self.id}:root"}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}
        for role, statements in self.roles.items():
            yield "[[account.role]]"
            yield f"name = {quoted(role)}"
            yield f"trust = {quoted(json.dumps({'Version': '1', 'Statement': [trust]}))}"
            yield f"policies = [ {self._policies(statements)} ]"

    def _policies(self, statements):
        document = json.dumps({"Version": "1", "Statement": statements}).replace("{account}", self.id)
        return f"{{ name = 'only', document = {quoted(document)} }}" if statements else ""

    def _key_toml(self, user):
        key = self.key(user)
        return [f"id = {quoted(key.id)}", f"secret = {quoted(key.secret)}"]


def quoted(text):
    """A TOML basic string."""
    return json.dumps(str(text))


class Server:
    """One server process, its folder, and what lies in it. May be started again after it ended."""

    # Variables that the process gets besides those of the tests, and further words of its command line.
    environment = {}
    arguments = ()
    # More of the configuration, from the next start or command on.
    more_config = ""
    # Whether no other process uses its metadata.
    alone = True

    def __init__(self, folder, accounts, image="0s", instance="0s", metadata=None):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.store = self.data / "objects"
        self.bucket = self.folder / BUCKET
        self.metadata = metadata or fresh_metadata(self.data)
        self.log = self.folder / "stderr.log"
        self.accounts = accounts
        self.timing = {"image": image, "instance": instance}
        self.process = None
        self.port = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bucket.mkdir(exist_ok=True)

    def write_config(self):
        lines = [*self.metadata.config, "[timing]"]
        lines += [f"{name} = {quoted(value)}" for name, value in self.timing.items()]
        lines += ["[[bucket]]", f"name = {quoted(BUCKET)}", "region = 'cn-beijing'"]
        lines += [f"objects = {quoted(f'file:{self.bucket}')}"]
        for image in (PUBLIC_IMAGE, PUBLIC_WINDOWS_IMAGE):
            lines += ["[[public_image]]", f"id = {quoted(image)}", "api = 'ens'"]
        for account in self.accounts:
            lines += account.toml()
        path = self.folder / "calotype.toml"
        # A command that reads it at the same moment sees the old one or the new one.
        fresh = path.with_name(f"calotype.{threading.get_ident()}.toml")
        fresh.write_text("\n".join(lines) + "\n" + self.more_config)
        return fresh.replace(path)

    def start(self):
        """Starts the process and waits until it listens."""
        assert self.process is None, "runs already"
        if self.port and self.alone:
            self.metadata.let_leases_run_out()
        assert BINARY.exists(), f"there is no {BINARY}; build it, or set CALOTYPE_BIN"
        command = [BINARY, "serve", "--config", self.write_config(), "--data", self.data, "--listen", "127.0.0.1:0"]
        command += self.arguments
        environment = clean_environment() | self.environment
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                # A limit on files shall fail writes, as a full disk does, and not end the process.
                restore_signals=False,
            )
        lines = queue.Queue()
        threading.Thread(target=_read_lines, args=(self.process.stdout, lines), daemon=True).start()
        self.port = self._port(lines)
        return self

    def _port(self, lines):
        deadline = time.monotonic() + START_S
        try:
            while (line := lines.get(timeout=max(0, deadline - time.monotonic()))) is not None:
                if found := re.search(r"listening on https?://127\.0\.0\.1:(\d+)", line):
                    return int(found[1])
        except queue.Empty:
            pass
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.stderr()[-4000:]}")

    def stop(self):
        """Asks the process to end, as an operator would, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def kill(self):
        """Ends the process at once."""
        self.process.kill()
        return self._reap()

    def _reap(self):
        process, self.process = self.process, None
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not end within {STOP_S} s") from None
        finally:
            process.stdout.close()

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def stderr(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def put(self, data, name=None):
        """Puts a file into the bucket, and gives its key."""
        name = name or f"{hashlib.sha256(data).hexdigest()[:16]}.qcow2"
        path = self.bucket / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return name

    def query(self, statement, *values):
        """Reads rows of the metadata, as dictionaries."""
        return self.metadata.query(statement, *values)

    def objects(self):
        """The files of all regions but their markers: path within the object folder to path."""
        root = self.store
        files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != MARKER)
        return {str(path.relative_to(root)): path for path in files}

    def command(self, name, *arguments, timeout_s=120):
        """Runs a command of the binary on this server's folder, beside it or alone, and gives how it ended."""
        command = [BINARY, name, "--config", self.write_config(), "--data", self.data, *arguments]
        environment = clean_environment() | self.environment
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment)

    def object(self, holder):
        """The one file that holds the bytes of an image or a snapshot."""
        rows = self.query("SELECT region, object_key FROM replicas WHERE holder_id = ? AND state = 'available'", holder)
        assert len(rows) == 1, rows
        return self.store / rows[0]["region"] / rows[0]["object_key"]

    def print_of(self, image):
        """Everything that is kept of an image, to see that nothing of it changed."""
        print_ = {
            table: self.query(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY 1, 2", image)
            for table, column in (("images", "id"), ("replicas", "holder_id"), ("shares", "image_id"),
                                  ("usages", "image_id"), ("deletions", "image_id"))
        }  # fmt: skip
        files = [row["object_key"] for row in print_["replicas"] if row["object_key"]]
        hashes = {name: sha256(path) for name in files for path in self.store.rglob(name)}
        print_["files"] = {name: digest for name, digest in hashes.items() if digest}
        return print_

    def is_erased(self, image):
        """Tells whether nothing but the record of its deletion is left of an image."""
        kept = self.print_of(image)
        return (
            all(row["deleted_ms"] for row in kept["images"])
            and all(row["state"] == "erased" for row in kept["replicas"])
            and len(kept["deletions"]) == 1
            and kept["deletions"][0]["completed_ms"]
            and not (kept["files"] or kept["shares"] or kept["usages"])
        )

    def is_quiet(self):
        """Tells whether there is no work left to do."""
        [row] = self.query(
            "SELECT (SELECT COUNT(*) FROM replicas WHERE state IN ('copying', 'erasing'))"
            " + (SELECT COUNT(*) FROM images WHERE state = 'making' AND deleted_ms IS NULL)"
            " + (SELECT COUNT(*) FROM snapshots WHERE state = 'creating')"
            " + (SELECT COUNT(*) FROM instances WHERE reinit_image_id IS NOT NULL)"
            " + (SELECT COUNT(*) FROM deletions WHERE completed_ms IS NULL) AS n"
        )
        return row["n"] == 0

    def audit(self, timeout_s=60.0):
        """Waits until all work is done, then compares records with records and with bytes."""
        wait("the work to be done", self.is_quiet, timeout_s)
        assert self.metadata.is_sound()

        files = self.objects()
        available = self.query("SELECT * FROM replicas WHERE state = 'available'")
        recorded = {f"{row['region']}/{row['object_key']}": row for row in available}
        assert len(recorded) == len(available), "two replicas share one object"
        assert set(files) == set(recorded), {
            "stray": sorted(set(files) - set(recorded)),
            "missing": sorted(set(recorded) - set(files)),
        }
        for name, row in recorded.items():
            assert (files[name].stat().st_size, sha256(files[name])) == (row["size_bytes"], row["sha256"]), name

        nothing = {
            "a use of a deleted image": "SELECT * FROM usages u WHERE NOT EXISTS"
            " (SELECT 1 FROM images i WHERE i.id = u.image_id AND i.deleted_ms IS NULL)",
            "a share of a deleted image": "SELECT * FROM shares s WHERE NOT EXISTS"
            " (SELECT 1 FROM images i WHERE i.id = s.image_id AND i.deleted_ms IS NULL)",
            "an instance on a deleted image": "SELECT * FROM instances n WHERE NOT EXISTS"
            " (SELECT 1 FROM images i WHERE i.id = n.image_id AND i.deleted_ms IS NULL)",
            "an instance without a use": "SELECT * FROM instances n WHERE NOT EXISTS"
            " (SELECT 1 FROM usages u WHERE u.image_id = n.image_id AND u.consumer_id = n.id)",
            "a use without an instance": "SELECT * FROM usages u WHERE NOT EXISTS"
            " (SELECT 1 FROM instances n WHERE n.id = u.consumer_id AND n.image_id = u.image_id)",
            "an available image without bytes": "SELECT * FROM images i"
            " WHERE state = 'available' AND deleted_ms IS NULL AND NOT EXISTS"
            " (SELECT 1 FROM replicas r WHERE r.holder_id = i.id AND r.state = 'available')",
            "bytes of a deleted image": "SELECT * FROM replicas r JOIN images i ON i.id = r.holder_id"
            " WHERE i.deleted_ms IS NOT NULL AND r.state <> 'erased'",
            "bytes of nothing": "SELECT * FROM replicas r WHERE state = 'available'"
            " AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = r.holder_id)"
            " AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.id = r.holder_id)",
            "a deleted image without its deletion": "SELECT * FROM images i WHERE deleted_ms IS NOT NULL"
            " AND (SELECT COUNT(*) FROM deletions d WHERE d.image_id = i.id) <> 1",
        }
        for what, statement in nothing.items():
            assert self.query(statement) == [], what

        checked = self.command("check", "--deep")
        assert checked.returncode == 0, checked


def clean_environment():
    """The environment of the binary: none of the variables that configure it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALOTYPE_")}


def sha256(path):
    """The hash of a file, or None if there is none; it may go at any moment."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def _read_lines(stream, lines):
    """Keeps the pipe empty, so that a server that prints a lot is never blocked."""
    try:
        for line in stream:
            lines.put(line)
    except ValueError:
        pass  # The pipe was closed from this side.
    lines.put(None)
