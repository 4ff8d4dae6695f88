"""PostgreSQL goes away under load and comes back: clear refusals, nothing lost, and service resumes by itself."""

import subprocess
import time

import pytest

from cluster import Cluster
from conftest import pairs
from load import Load
from metadata import LEASE_S, Schema
from postgres import Postgres
from server import BINARY, Server, wait
from test_kill import assert_clean, compare
from world import refusal

pytestmark = pytest.mark.postgres

# Within this time a client is told that the service is away.
REFUSED_S = 4.0
# What the machine of the tests may add when all of them wake at once.
SLACK_S = 1.0
AWAY_S = 3
RESUMES_S = 30
CALM_S = 2


@pytest.fixture
def postgres():
    made = Postgres().start()
    yield made
    made.remove()


@pytest.fixture
def cluster(postgres, tmp_path):
    [pair] = pairs(1)
    made = Cluster(tmp_path, pair, metadata=Schema(postgres.url, connections=8)).start()
    yield made
    made.kill()


ENDS = {
    "stopped": lambda postgres: postgres.stop("fast"),
    "stopped at once": lambda postgres: postgres.stop("immediate"),
    "killed": lambda postgres: postgres.kill(),
}


def test_d50_service_resumes_when_the_database_does(postgres, cluster):
    """The servers run on: requests are refused within a few seconds, and then served again."""
    with Load(cluster) as load:
        time.sleep(CALM_S)
        for what, end in ENDS.items():
            gone = time.monotonic()
            end(postgres)
            time.sleep(AWAY_S)
            assert not [at for at in load.answered() if at > gone + AWAY_S - 1], "nothing is carried out now"
            postgres.start()
            back = time.monotonic()
            wait("service", lambda: any(at > back for at in load.answered()), RESUMES_S)
            print(f"{what}: service after {time.monotonic() - back:.1f} s")
            time.sleep(CALM_S)
            assert load.surprises() == []
    told = load.unavailable()
    assert told and {code for _, code in told} == {"ServiceUnavailable"}
    slowest_s = max(took_s for took_s, _ in told)
    print(load.counts(), f"the slowest refusal took {slowest_s:.1f} s")
    assert slowest_s < REFUSED_S + SLACK_S
    cluster.audit(timeout_s=LEASE_S + 60)
    for server in cluster.servers:
        assert_clean(server)
        compare(load.world(server), load.workers)
    cluster.end()


def test_a_request_while_the_database_is_away_is_refused_and_done_later(postgres, cluster):
    callers = cluster.callers()
    kept, gone = callers[0].import_images(2)
    postgres.stop("immediate")
    for caller in callers:
        for call in (lambda: caller.images(), lambda: caller.delete(gone)):
            since = time.monotonic()
            assert refusal(call).code == "ServiceUnavailable"
            assert time.monotonic() - since < REFUSED_S
    postgres.start()
    for caller in callers:
        wait("service", lambda: serves(caller), RESUMES_S)
        assert {image["ImageId"] for image in caller.images()} == {kept, gone}
    callers[2].delete(gone)
    cluster.audit()
    cluster.end()


def test_a_database_that_is_silent_is_away_as_well(postgres, cluster):
    """It hangs: connections stay open, new ones are taken by the system, and nobody answers."""
    callers = cluster.callers()
    image = callers[0].import_image()
    postgres.freeze()
    took = []
    for caller in callers:
        # With a connection that is there, and with a new one.
        for call in (lambda: caller.images(), lambda: caller.delete(image), lambda: caller.images()):
            since = time.monotonic()
            assert refusal(call).code == "ServiceUnavailable"
            took.append(time.monotonic() - since)
    postgres.thaw()
    print("refused after", [f"{one:.1f} s" for one in took])
    assert max(took) < REFUSED_S
    for caller in callers:
        wait("service", lambda: serves(caller), RESUMES_S)
    told = refusal(callers[0].delete, image) if not callers[0].images() else None
    assert told is None or told.code == "Error.DeleteImage", "a delete that was told nothing may have been done"
    cluster.audit()
    cluster.end()


def serves(caller):
    try:
        return caller.images() is not None
    except Exception as error:
        assert "ServiceUnavailable" in str(error), error
        return False


def test_a_server_that_starts_without_its_database_says_so(postgres, tmp_path):
    [pair] = pairs(1)
    server = Server(tmp_path / "server", pair, metadata=Schema(postgres.url))
    postgres.stop("fast")
    command = [BINARY, "serve", "--config", server.write_config(), "--data", server.data, "--listen", "127.0.0.1:0"]
    since = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    print(ended.stderr)
    assert ended.returncode == 1 and time.monotonic() - since < REFUSED_S
    assert "the metadata cannot be opened" in ended.stderr and "panicked" not in ended.stderr
    assert "refused" in ended.stderr, "it says why"
    postgres.start()
    assert server.start().stop() == 0
