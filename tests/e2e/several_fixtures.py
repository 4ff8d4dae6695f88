"""PostgreSQL and several servers over it, for the tests that need them."""

import os
import time

import pytest

import report
from cluster import Cluster
from conftest import pairs
from metadata import POSTGRES, Schema
from policies import allow
from postgres import Postgres

USERS = {"ci": [allow("sts:AssumeRole", "acs:ram::{account}:role/builder")]}
ROLES = {"builder": [allow("ens:*")]}


@pytest.fixture(scope="session")
def database():
    """The address of the database of `E2E_POSTGRES`, or of one that is started for these tests."""
    if POSTGRES:
        yield POSTGRES
        return
    own = Postgres(fsync="off").start()
    yield own.url
    own.remove()


@pytest.fixture(scope="session")
def cluster(database, tmp_path_factory):
    """Three servers that run all the time. At the end it is looked at what all the tests have left behind."""
    [pair] = pairs(1)
    running = Cluster(tmp_path_factory.mktemp("cluster"), pair, metadata=Schema(database)).start()
    yield running
    running.audit()
    running.end()


@pytest.fixture
def clusters(database, tmp_path):
    """Makes servers that a test may kill and start again."""
    made = []

    def make(**more):
        [pair] = pairs(1, USERS)
        pair[0].roles.update(ROLES)
        made.append(Cluster(tmp_path / f"cluster-{len(made)}", pair, metadata=Schema(database), **more))
        return made[-1]

    yield make
    for cluster in made:
        cluster.kill()


@pytest.fixture(scope="session")
def races(request):
    """The figures of the races, by their names. The long form puts them into the documentation."""
    figures, since = {}, time.monotonic()
    yield figures
    if os.environ.get("E2E_REPORT") and not request.session.testsfailed:
        report.write("races", report.races(figures, time.monotonic() - since))
