"""Where a server keeps its metadata: in the embedded file, or in a schema of its own of a PostgreSQL database.

`E2E_POSTGRES` names the database. Statements have `?` where values go, on both.
"""

import os
import sqlite3
import threading
import uuid
from contextlib import closing, contextmanager

POSTGRES = os.environ.get("E2E_POSTGRES")
# Connections of each server: there are many servers.
CONNECTIONS = 4
# What a process that ended was doing is not touched by another one before its lease runs out. The leases are for
# 60 s, and workers look every 5 s.
LEASE_S = 60 + 10


def fresh_metadata(data):
    """Metadata of a server's own: in its data folder, or where `E2E_POSTGRES` says."""
    return Schema() if POSTGRES else File(data / "metadata.db")


class File:
    """The embedded file: who starts on it is alone, and takes over at once what the process before left."""

    lease_s = 0

    def __init__(self, path):
        self.path = path
        self.config = []

    def query(self, statement, *values):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(statement, values)]

    def change(self, statement, *values):
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(statement, values)

    def is_sound(self):
        return self.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]

    def clear(self):
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    def let_leases_run_out(self):
        """They do at every start."""

    @contextmanager
    def held(self):
        """While another program holds the metadata, no server can write."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    def texts(self):
        """Everything that is kept, to look for what must not be."""
        return [path.read_bytes() for path in self.path.parent.glob(f"{self.path.name}*")]


class Schema:
    """A schema of a PostgreSQL database. Any number of servers may use it."""

    lease_s = LEASE_S

    def __init__(self, url=POSTGRES, connections=CONNECTIONS):
        self.url = url
        self.name = f"e2e_{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._kept = None
        self._run(f"CREATE SCHEMA {self.name}")
        mark = "&" if "?" in url else "?"
        own = f"{url}{mark}options=-csearch_path%3D{self.name}"
        self.config = ["[metadata]", f'url = "{own}"', f"connections = {connections}"]

    def query(self, statement, *values):
        return self._run(statement, values).fetchall()

    def change(self, statement, *values):
        self._run(statement, values)

    def is_sound(self):
        return True

    def clear(self):
        self._run(f"DROP SCHEMA {self.name} CASCADE")
        self._run(f"CREATE SCHEMA {self.name}")

    def let_leases_run_out(self):
        """Does what a minute of waiting would, for tests whose one server is dead and starts again."""
        for table in self.tables() & {"replicas", "exports"}:
            self.change(f"UPDATE {table} SET lease_owner = NULL, lease_until_ms = NULL, due_ms = 0"
                        " WHERE lease_owner IS NOT NULL")  # fmt: skip

    @contextmanager
    def held(self):
        """While another program holds the rows, no server can change them."""
        with self._connect() as db, db.transaction():
            db.execute("LOCK TABLE images, deletions IN EXCLUSIVE MODE")
            yield

    def texts(self):
        """Everything that is kept, to look for what must not be."""
        return [str(self.query(f"SELECT * FROM {table}")).encode() for table in self.tables()]

    def tables(self):
        names = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?"
        return {row["name"] for row in self.query(names, self.name)}

    def _connect(self):
        # The tests of the embedded file do without the driver.
        import psycopg
        from psycopg.rows import dict_row

        db = psycopg.connect(self.url, autocommit=True, row_factory=dict_row, connect_timeout=5)
        db.execute(f"SET search_path TO {self.name}")
        return db

    def _run(self, statement, values=()):
        """Runs a statement. A connection that the database has closed is made anew, once."""
        import psycopg

        statement = statement.replace("%", "%%").replace("?", "%s") if values else statement
        with self._lock:
            fresh = self._kept is None
            self._kept = self._kept or self._connect()
            try:
                return self._kept.execute(statement, values or None)
            except psycopg.OperationalError:
                self._kept.close()
                if fresh:
                    self._kept = None
                    raise
                self._kept = self._connect()
                return self._kept.execute(statement, values or None)
