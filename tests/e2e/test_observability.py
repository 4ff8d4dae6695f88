"""What an operator sees: metrics, the lines of a deletion under one request id, and the audit."""

import http.client
import json
import re
from itertools import pairwise

import pytest

from server import wait
from world import refusal

FAR = "cn-beijing"
SERIES = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One reading of `/metrics`."""

    def __init__(self, server):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        self.text = response.read().decode()
        connection.close()
        assert (response.status, self.text.endswith("\n# EOF\n")) == (200, True)
        self.series = {}
        for line in self.text.splitlines():
            if line.startswith("#"):
                continue
            found = SERIES.fullmatch(line)
            assert found, line
            key = found["name"], frozenset(LABEL.findall(found["labels"] or ""))
            assert key not in self.series, line
            self.series[key] = float(found["value"])

    def __call__(self, name, **labels):
        return self.series[f"calotype_{name}", frozenset(labels.items())]


@pytest.fixture
def observed(private, monkeypatch):
    """A world whose server logs JSON, and writes nothing but JSON."""
    monkeypatch.setattr("server.Server.environment", {"CALOTYPE_LOG_FORMAT": "json", "CALOTYPE_LOG": "debug"})
    return private(users={"nobody": []})


def lines(server):
    """The log up to its last whole line."""
    return [json.loads(line) for line in server.stderr().splitlines(keepends=True) if line.endswith("\n")]


def steps(server, request_id):
    return [line for line in lines(server) if line.get("request_id") == request_id]


def test_a_region_that_fails_shows_and_recovers(observed):
    owner, server = observed.owner, observed.server
    image = owner.import_image()
    size = server.object(image).stat().st_size
    # A file in the place of the folder: nobody, not even root, erases anything below it.
    home, away = server.data / "objects" / FAR, server.data / "away"
    home.rename(away)
    home.write_text("not a folder")
    request_id = owner.delete(image)["RequestId"]

    def retried():
        metrics = Metrics(server)
        return metrics("tasks_total", region=FAR, kind="erase", outcome="retry") >= 2 and metrics

    metrics = wait("two attempts to fail", retried)
    assert metrics("store_up") == 1
    assert metrics("delete_decisions_total", product="ens", outcome="accepted") == 1
    assert metrics("requests_total", api="ens", operation="DeleteImage", code="OK") == 1
    assert metrics("request_duration_seconds_count", api="ens", operation="DeleteImage") == 1
    assert metrics("deletions_pending") == 1
    assert 0 < metrics("deletions_oldest_age_seconds") < 60
    assert metrics("tasks_waiting", region=FAR, kind="erase") == 1
    assert metrics("tasks_total", region=FAR, kind="erase", outcome="done") == 0
    assert metrics("erased_bytes_total", region=FAR) == 0

    home.unlink()
    away.rename(home)
    wait("the bytes to be erased", lambda: server.is_erased(image))
    wait("the end to be told", lambda: steps(server, request_id)[-1]["message"] == "deletion complete")
    metrics = Metrics(server)
    assert metrics("deletions_pending") == metrics("deletions_oldest_age_seconds") == 0
    assert metrics("tasks_waiting", region=FAR, kind="erase") == 0
    assert metrics("tasks_total", region=FAR, kind="erase", outcome="done") == 1
    assert metrics("erased_bytes_total", region=FAR) == size

    told = steps(server, request_id)
    messages = [line["message"] for line in told]
    assert messages[0] == "delete_image accepted" and messages[-2:] == ["bytes erased", "deletion complete"]
    assert {line["image"] for line in told} == {image}
    retries = [line for line in told if line["message"] == "bytes are still to be erased"]
    assert [line["attempt"] for line in retries] == list(range(1, len(retries) + 1)) and len(retries) >= 2
    assert all(line["region"] == FAR and line["error"] and line["level"] == "WARN" for line in retries)
    assert all(earlier["due"] <= later["due"] for earlier, later in pairwise(retries))
    assert told[-2]["bytes"] == size and told[-2]["attempt"] == len(retries) + 1
    assert told[-1]["took_ms"] > 0 and told[-1]["deletion"] == told[0]["deletion"]


def test_every_decision_is_audited(observed):
    owner, other, server = observed.owner, observed.other, observed.server
    image = owner.import_image()
    instance = owner.launch(image)
    ids = {
        "created_use": refusal(owner.delete, image).body["RequestId"],
        "not_found": refusal(other.delete, image).body["RequestId"],
        "implicit_deny": refusal(observed.user("nobody").delete, image).body["RequestId"],
    }
    owner.call("ReleasePostPaidInstance", InstanceId=instance)
    ids[None] = owner.delete(image)["RequestId"]
    events = [line for line in lines(server) if line["target"] == "calotype::audit"]
    assert {event.get("refusal"): event["request_id"] for event in events} == ids
    assert len(events) == len(ids)
    assert [event["decision"] for event in events] == ["refused", "refused", "denied", "accepted"]
    assert [event["account"] for event in events] == [owner.account, other.account, owner.account, owner.account]
    for event in events:
        assert (event["image"], event["source_ip"], event["product"]) == (image, "127.0.0.1", "ens")
    assert events[0]["blockers"] == 1 and instance not in str(events[0])
    assert events[2]["caller"].endswith("user/nobody")

    # Whatever was called, and however much is shown.
    log = server.stderr()
    for account in server.accounts:
        for user in [None, *account.users]:
            assert account.key(user).secret not in log
    assert "Signature=" not in log and "Statement" not in log


def test_the_log_is_text_unless_it_shall_be_json(private):
    world = private()
    image = world.owner.import_image()
    world.owner.delete(image)
    wait("the end to be told", lambda: "deletion complete" in world.server.stderr())
    [line] = [line for line in world.server.stderr().splitlines() if "calotype::audit" in line]
    assert f'decision="accepted" ' in line and f'image="{image}"' in line, line
