"""High availability: the database's primary is killed under load, a standby takes over, servers are killed, too.

At the end: no acknowledged delete came back, no acknowledged image is lost, nothing runs on a deleted image.
"""

import os
import shutil
import time
from contextlib import contextmanager

import pytest

import report
from clients import Refused
from cluster import Cluster
from conftest import pairs
from load import Load, Probe, longest_gap
from metadata import LEASE_S, Schema
from patroni import Patroni
from server import wait
from test_kill import assert_clean, compare

pytestmark = [pytest.mark.postgres, pytest.mark.ha]

KILLS = int(os.environ.get("E2E_HA_KILLS", "2"))
CONNECTIONS = 8
FAIL_OVER_S = 60
# How long all is well between two kills.
CALM_S = 3
# Without an answer for so long a client gives up.
ANSWER_MAX_S = 10


@contextmanager
def running(**how):
    assert shutil.which("patroni") and shutil.which("etcd"), "install Debian's packages patroni and etcd-server"
    made = Patroni(**how)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture(scope="module")
def patroni():
    with running() as made:
        yield made


@pytest.fixture
def cluster(patroni, tmp_path):
    [pair] = pairs(1)
    made = Cluster(tmp_path, pair, metadata=Schema(patroni.url, CONNECTIONS)).start()
    yield made
    made.kill()


def fail_over(patroni, cluster, load, probe, number):
    """Takes the primary away with everything of it, then a server; brings both back. Gives what happened.

    Every second time the primary is not killed but frozen, as if its cable were pulled: connections to it stay open,
    new ones are not refused, and nobody answers.
    """
    old, victim = patroni.leader(), cluster.servers[number % len(cluster.servers)]
    freeze, killed = number % 2 == 1, time.monotonic()
    if freeze:
        old.freeze()
    else:
        old.kill()
    new = wait("another primary", lambda: patroni.leader(but=old), timeout_s=FAIL_OVER_S, pause_s=0.05)
    led = time.monotonic()
    wait("service", lambda: any(at > led for at in load.answered()), timeout_s=FAIL_OVER_S, pause_s=0.05)
    if freeze:
        old.kill()
    victim.kill()
    time.sleep(1)
    victim.start()
    old.start()
    patroni.becomes_whole()
    time.sleep(CALM_S)
    assert load.surprises() == []
    span = killed - 1, time.monotonic()
    return {
        "how": "frozen" if freeze else "killed", "old": old.name, "new": new.name, "led_s": led - killed,
        "database_gap_s": longest_gap(probe.written, *span), "gap_s": longest_gap(load.answered(), *span),
    }  # fmt: skip


def test_d50_what_was_acknowledged_outlives_the_primary(patroni, cluster):
    kills = []
    with Probe(cluster.metadata) as probe, Load(cluster) as load:
        time.sleep(CALM_S)
        for number in range(KILLS):
            kills.append(fail_over(patroni, cluster, load, probe, number))
            print(kills[-1], load.counts())
    assert load.surprises() == []
    cluster.audit(timeout_s=LEASE_S + 60)
    for server in cluster.servers:
        assert_clean(server)
        compare(load.world(server), load.workers)
    slowest_s = max((took_s for took_s, _ in load.unavailable()), default=0)
    print(load.counts(), f"the slowest refusal took {slowest_s:.1f} s", {code for _, code in load.unavailable()})
    assert slowest_s < ANSWER_MAX_S
    cluster.end()
    if os.environ.get("E2E_REPORT"):
        report.write("high availability", report.high_availability(kills, load.counts(), slowest_s))


def test_without_a_synchronous_standby_it_is_noticed_what_is_lost(tmp_path):
    """The same load, and the same comparison, on a database that acknowledges what only its primary has."""
    [pair] = pairs(1)
    with running(synchronous=False) as patroni:
        cluster = Cluster(tmp_path, pair, metadata=Schema(patroni.url, CONNECTIONS)).start()
        try:
            with Load(cluster) as load:
                time.sleep(CALM_S)
                old = patroni.leader()
                old.hold_back()
                time.sleep(CALM_S)
                old.kill()
                wait("another primary", patroni.leader, timeout_s=FAIL_OVER_S, pause_s=0.05)
                wait("service", lambda: serves(cluster), timeout_s=FAIL_OVER_S, pause_s=0.1)
            with pytest.raises(AssertionError, match="lost|came back"):
                compare(load.world(cluster.first), load.workers)
        finally:
            cluster.kill()


def serves(cluster):
    try:
        return cluster.callers()[0].images() is not None
    except Refused:
        return False
