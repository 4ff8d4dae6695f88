"""Load on several servers while their database comes and goes, and what each request was answered, and when."""

import threading
import time

from clients import Refused, Unanswered
from test_kill import SOURCES, Fate, Worker
from world import Caller, World

PAUSE_S = 0.08
# A client that is told that the service is away waits so long before it asks again.
AWAY_S = 0.1
PROBE_S = 0.1


class Witness(Caller):
    """A caller who notes when it was answered, and takes "unavailable" for no answer: it may have been done."""

    def __init__(self, server, key):
        super().__init__(server, key)
        self.answered, self.unavailable = [], []

    def call(self, action, **params):
        since = time.monotonic()
        try:
            reply = super().call(action, **params)
        except Refused as refused:
            if refused.status < 500:
                raise
            assert refused.code in ("ServiceUnavailable", "InternalError"), refused
            self.unavailable.append((time.monotonic() - since, refused.code))
            raise Unanswered(refused.code) from refused
        self.answered.append(time.monotonic())
        return reply


class Tireless(Worker):
    """Goes on when its server dies or says that it is unavailable."""

    # No large ones: it runs for minutes.
    sources = {name: source for name, source in SOURCES.items() if name != "large"}

    def run(self, stop):
        while not (stop.is_set() or self.surprises):
            if self.caller.server.process and self.caller.server.port:
                self.one()
            stop.wait(PAUSE_S)

    def one(self):
        try:
            self.chance.choice(self.deeds)()
        except Unanswered:
            time.sleep(AWAY_S)
        except BaseException as error:
            self.surprises.append(error)


class Probe:
    """Writes into the database itself, without any server, as long as the block lasts: when could it be written?"""

    def __init__(self, metadata):
        self.metadata, self.stop, self.written = metadata, threading.Event(), []
        metadata.change("CREATE TABLE probe (at BIGINT NOT NULL)")
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.wait(PROBE_S):
            try:
                self.metadata.change("INSERT INTO probe (at) VALUES (?)", len(self.written))
            except Exception:  # Whatever the driver says: it could not be written.
                continue
            self.written.append(time.monotonic())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(60)
        self.metadata.change("DROP TABLE probe")


def longest_gap(times, since, until):
    """The longest time without any of the times."""
    times = [since, *(time for time in sorted(times) if since <= time <= until), until]
    return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))


class Load:
    """Workers on every server of a cluster, as long as the block lasts."""

    def __init__(self, cluster, each=2):
        self.cluster, self.stop = cluster, threading.Event()
        for name, (_, data) in SOURCES.items():
            cluster.first.put(data, f"{name}.qcow2")
        key, recipient = cluster.accounts[0].key(), cluster.accounts[1].id
        servers = cluster.servers * each
        self.workers = [Tireless(Witness(server, key), recipient, number) for number, server in enumerate(servers)]
        self.threads = [threading.Thread(target=worker.run, args=(self.stop,)) for worker in self.workers]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()

    def answered(self):
        """The times of all requests that were carried out."""
        return [time for worker in self.workers for time in list(worker.caller.answered)]

    def unavailable(self):
        """How long each request took that was told that the service is away, with the code."""
        return [told for worker in self.workers for told in list(worker.caller.unavailable)]

    def surprises(self):
        return [error for worker in self.workers for error in worker.surprises]

    def counts(self):
        """What was acknowledged."""
        images = [image for worker in self.workers for image in worker.images]
        instances = [instance for worker in self.workers for instance in worker.instances]
        gone = [image for image in images if image.fate is Fate.GONE and image.id]
        return {
            "requests": len(self.answered()),
            "images": sum(bool(image.id) for image in images),
            "deletes": len(gone),
            "launches": sum(bool(instance.id) for instance in instances),
            "unanswered": len(self.unavailable()),
        }

    def world(self, server):
        return World(server, tuple(self.cluster.accounts))
