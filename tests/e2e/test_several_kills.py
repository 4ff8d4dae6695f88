"""Several servers over one PostgreSQL, some of which are killed: the others finish what they began."""

import os
import random
import signal
import threading
import time

import pytest

import qcow2
from metadata import LEASE_S
from server import wait
from test_kill import SOURCES, Worker, assert_clean, compare
from world import Caller, World

pytest_plugins = ["several_fixtures"]
pytestmark = pytest.mark.postgres

KILLS = int(os.environ.get("E2E_SEVERAL_KILLS", "12"))
WORKERS = 6
PAUSE_S = (0.2, 0.8)
TASKS = "SELECT lease_owner FROM replicas WHERE lease_owner IS NOT NULL"


def test_d50_the_others_finish_what_a_killed_server_began(clusters):
    """It is killed with imports and erasures under way. The others wait for its leases, and then do its work."""
    cluster = clusters()
    dying, *others = cluster.servers
    dying.start()
    wait("the system images", dying.is_quiet, timeout_s=60)
    caller = Caller(dying, cluster.accounts[0].key())
    data = qcow2.golden(seed=9, clusters=100)
    deleted = caller.import_images(4)
    dying.put(data)
    imported = [caller.import_image(data, ready=False) for _ in range(12)]
    for image in deleted:
        caller.delete(image)
    for _ in range(50):
        # What stands still cannot end its work before it is killed.
        os.kill(dying.process.pid, signal.SIGSTOP)
        if left := cluster.metadata.query(TASKS):
            break
        os.kill(dying.process.pid, signal.SIGCONT)
        imported += [caller.import_image(data, ready=False) for _ in range(4)]
    dying.kill()
    assert left, "it had ended all its work; this test shows nothing"
    for server in others:
        server.start()
    since = time.monotonic()
    finisher = Caller(others[0], caller.key)
    for image in imported:
        finisher.image_becomes(image, "Available", timeout_s=LEASE_S)
        assert others[0].object(image).read_bytes() == data
    wait("the erasures", lambda: all(others[0].is_erased(image) for image in deleted), timeout_s=LEASE_S)
    print(f"{len(left)} tasks of the killed server were finished after {time.monotonic() - since:.0f} s")
    others[0].audit()
    cluster.end()


def test_d50_servers_are_killed_again_and_again_under_load(clusters):
    """All serve all the time but for the one that is killed; nothing that any of them acknowledged is lost."""
    cluster = clusters().start()
    for name, (_, data) in SOURCES.items():
        cluster.first.put(data, f"{name}.qcow2")
    key, recipient = cluster.accounts[0].key(), cluster.accounts[1].id
    workers = [
        Worker(Caller(cluster.servers[number % 3], key), recipient, number) for number in range(WORKERS)
    ]
    chance, stop = random.Random(1), threading.Event()

    def live(worker):
        # A worker ends when its server dies, and begins again, until all is over or something is wrong.
        while not stop.is_set() and not worker.surprises:
            if worker.caller.server.process:
                worker.run(stop)
            stop.wait(0.02)

    threads = [threading.Thread(target=live, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            stop.wait(chance.uniform(*PAUSE_S))
            server = chance.choice(cluster.servers)
            server.kill()
            stop.wait(chance.uniform(*PAUSE_S))
            server.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert [error for worker in workers for error in worker.surprises] == []
    cluster.audit(timeout_s=LEASE_S + 60)
    for server in cluster.servers:
        assert_clean(server)
        compare(World(server, tuple(cluster.accounts)), workers)
    cluster.end()
