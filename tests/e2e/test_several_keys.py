"""Several servers over one PostgreSQL: nonces are spent, and temporary keys known, on all of them."""

import os
import signal

import pytest

from appstream_clients import APPSTREAM
from clients import STS
from server import Key, wait
from test_delete_again import at_once
from test_protocol import LIST, REPLAYED
from test_sts import TOKEN_EXPIRED
from world import Caller, assert_refused, refusal

pytest_plugins = ["several_fixtures"]
pytestmark = pytest.mark.postgres

ROUNDS = 20


def outcome(answer):
    body = answer.json
    return answer.status, body.get("Code"), body.get("Message")


def is_accepted(answer):
    return answer.status == 200


@pytest.mark.parametrize("operation", ["DescribeSelfImages", "DeleteImage", "DeleteImage of App Streaming"])
@pytest.mark.parametrize("way", ["v1", "acs3"])
def test_a_nonce_that_one_server_took_is_refused_by_the_others(cluster, operation, way):
    callers, tenants = cluster.callers(), cluster.tenants()
    raw = callers[0].raw
    sign = getattr(raw, way)
    match operation:
        case "DescribeSelfImages":
            prepared = sign(LIST)
        case "DeleteImage":
            prepared = sign("DeleteImage", {"ImageId": callers[1].import_image()})
        case _:
            prepared = sign("DeleteImage", {"ImageId": tenants[1].make_image()}, version=APPSTREAM)
    ports = [server.port for server in cluster.servers]
    assert is_accepted(raw.send(prepared, port=ports[0]))
    for port in (ports[1], ports[2], ports[0]):
        assert outcome(raw.send(prepared, port=port)) == REPLAYED


@pytest.mark.parametrize("operation", [LIST, "DeleteImage"])
def test_of_the_same_request_on_all_servers_at_once_one_is_taken(cluster, operation):
    caller = cluster.callers()[0]
    raw, ports = caller.raw, [server.port for server in cluster.servers]
    for _ in range(ROUNDS):
        image = caller.import_image() if operation != LIST else None
        prepared = raw.v1("DeleteImage", {"ImageId": image}) if image else raw.v1(LIST)
        answers = at_once(*(lambda port=port: outcome(raw.send(prepared, port=port)) for port in ports))
        accepted = [answer for answer in answers if answer[0] == 200]
        assert len(accepted) == 1, answers
        assert [answer for answer in answers if answer[0] != 200] == [REPLAYED] * 2


def assume(caller, account):
    given = caller.sdk("new").call_other(
        STS, "AssumeRole", RoleArn=f"acs:ram::{account}:role/builder", RoleSessionName="night"
    )["Credentials"]
    return Key(account, given["AccessKeyId"], given["AccessKeySecret"], token=given["SecurityToken"])


def test_temporary_keys_work_and_end_on_every_server(clusters):
    cluster = clusters().start()
    account = cluster.accounts[0]
    issuers = [Caller(server, account.key("ci")) for server in cluster.servers]
    for issuer in issuers:
        key, ended = assume(issuer, account.id), assume(issuer, account.id)
        change = "UPDATE sessions SET expires_ms = 1 WHERE access_key_id = ?"
        cluster.metadata.change(change, ended.id)
        for server in cluster.servers:
            assert Caller(server, key).images() == []
            assert_refused(refusal(Caller(server, ended).images), *TOKEN_EXPIRED)

    # One server is told that the role is gone, and the others follow: each reads its own file.
    del account.roles["builder"]
    for server in cluster.servers:
        server.write_config()
    os.kill(cluster.servers[1].process.pid, signal.SIGHUP)
    for server in cluster.servers:
        wait("the reload", lambda: "configuration reloaded" in server.stderr())
        assert_refused(refusal(Caller(server, key).images), *TOKEN_EXPIRED)
    cluster.end()
