"""The lab of a server: what `docs/lab.md` describes, as Python."""

import http.client
import json
import threading
from contextlib import contextmanager

from . import clients

TIMEOUT_S = 60


class Problem(Exception):
    """The lab has not done it; nothing is changed."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class Lab:
    """A lab. `server` is the host and port of the server that it is of."""

    def __init__(self, address, server=None):
        self.address, self.server = address, server
        self._local = threading.local()

    def request(self, method, path, body=None, kind="application/json"):
        """Asks for anything; gives what was answered, or raises `Problem`."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        for attempt in (1, 2):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
            try:
                connection.request(method, path, data, {"Content-Type": kind})
                response = connection.getresponse()
                answer = json.loads(response.read())
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A connection that was kept open too long.
                connection.close()
                self._local.connection = None
                if attempt == 2:
                    raise
        if response.status >= 400:
            raise Problem(response.status, answer["error"])
        return answer

    def world(self, **wanted):
        """Makes a world: `name`, `users`, `roles`, `seed`, `saved`."""
        return World(self, self.request("POST", "/worlds", wanted))

    def worlds(self):
        """Lists the worlds."""
        return self.request("GET", "/worlds")

    def fault(self, operation=None, **fault):
        """Arms a fault. In a `with` block it is cleared at the end."""
        if operation is not None:
            fault["operation"] = operation
        return Fault(self, self.request("POST", "/faults", fault))

    def faults(self):
        """Lists the faults."""
        return self.request("GET", "/faults")

    def clear(self, account=None):
        """Clears the faults of an account, or all; gives how many."""
        path = "/faults" if account is None else f"/faults?account={account}"
        return self.request("DELETE", path)["cleared"]

    def errors(self, api=None):
        """The documented errors of an API, or of all, and those of the gateway."""
        return self.request("GET", "/errors" if api is None else f"/errors?api={api}")

    def hold(self, **hold):
        """Holds something in a state. In a `with` block it is released at the end."""
        return Hold(self, self.request("POST", "/holds", hold))

    def holds(self):
        """Lists what is held."""
        return self.request("GET", "/holds")

    def take_away(self, region, store="refusing"):
        """Takes the store of a region away: `refusing`, `hanging` or `half`."""
        return self.request("PUT", f"/regions/{region}", {"store": store})

    def give_back(self, region):
        """Gives the store of a region back."""
        return self.request("DELETE", f"/regions/{region}")

    @contextmanager
    def away(self, region, store="refusing"):
        """Takes the store of a region away for a `with` block."""
        self.take_away(region, store)
        try:
            yield
        finally:
            self.give_back(region)

    def clock(self):
        """The time, and how far it is ahead."""
        return self.request("GET", "/clock")

    def advance(self, by, clients="along"):
        """Moves the clock forward, by `90s` or `2h`. With `behind`, what clients sign is as old as it looks."""
        return self.request("POST", "/clock", {"advance": by, "clients": clients})

    def reset(self):
        """Takes back everything that is armed, taken away or held."""
        return self.request("POST", "/reset")


class World:
    """An account that was made for a test, with clients of the official SDKs that are pointed at it."""

    def __init__(self, lab, made):
        self.lab, self.account, self.name = lab, made["account"], made["name"]
        self.access_key_id, self.access_key_secret = made["access_key_id"], made["access_key_secret"]
        self.users, self.roles = made["users"], made["roles"]
        # The ids of what was seeded, by name; of what was loaded, by the ids it had.
        self.things, self.ids = made.get("things", {}), made.get("ids", {})
        self._clients = {}

    def __getitem__(self, name):
        """The id of what the seed calls so."""
        return self.things[name]

    def client(self, api, user=None):
        """A client of the official SDK: of `ens`, `appstream`, `ecd` or `sts`, for the account or one of its users."""
        if (api, user) not in self._clients:
            key = self.users[user] if user else vars(self)
            pair = key["access_key_id"], key["access_key_secret"]
            self._clients[api, user] = clients.client(api, self.lab.server, *pair)
        return self._clients[api, user]

    @property
    def ens(self):
        return self.client("ens")

    @property
    def appstream(self):
        return self.client("appstream")

    @property
    def ecd(self):
        return self.client("ecd")

    @property
    def sts(self):
        return self.client("sts")

    def fault(self, operation=None, **fault):
        """Arms a fault for this account alone."""
        return self.lab.fault(operation, account=self.account, **fault)

    def hold(self, **hold):
        """Holds something in a state."""
        return self.lab.hold(**hold)

    def record(self, form="marked"):
        """What was asked and answered so far. Marked, it is the same in each run that does the same."""
        return self.lab.request("GET", f"/worlds/{self.account}/record?form={form}")

    def forget_record(self):
        """Begins the record anew."""
        self.lab.request("DELETE", f"/worlds/{self.account}/record")

    def save(self):
        """Everything that the account has; `lab.world(saved=...)` makes another one like it."""
        return self.lab.request("GET", f"/worlds/{self.account}/saved")

    def remove(self):
        """Removes the account with everything that it has."""
        self.lab.request("DELETE", f"/worlds/{self.account}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class Fault:
    """A fault that is armed."""

    def __init__(self, lab, armed):
        self.lab, self.id = lab, armed["id"]

    @property
    def met(self):
        """How many calls have met it."""
        return self.lab.request("GET", f"/faults/{self.id}")["met"]

    def clear(self):
        """Clears it."""
        self.lab.request("DELETE", f"/faults/{self.id}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.clear()
        except Problem as problem:
            # It was cleared with others.
            if problem.status != 404:
                raise


class Hold:
    """Something that is held in a state."""

    def __init__(self, lab, held):
        self.lab, self.id = lab, held["id"]

    def release(self):
        """Lets it go on."""
        self.lab.request("POST", f"/holds/{self.id}/release")

    def fail(self):
        """Lets it fail."""
        self.lab.request("POST", f"/holds/{self.id}/fail")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.release()
        except Problem as problem:
            # It was let go before.
            if problem.status != 404:
                raise
