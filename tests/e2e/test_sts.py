"""Roles and their sessions, with the vendor's SDKs, and what a reload of the configuration does to all of it."""

import json
import os
import re
import signal

import pytest
from alibabacloud_credentials.provider import RamRoleArnCredentialsProvider

from clients import STS, NewSdk
from policies import allow, deny
from server import Key, wait
from world import Caller, assert_refused, refusal

ENS_DENIED = (400, "NoPermission", "Permission denied.")
STS_DENIED = (403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
TOKEN_EXPIRED = (400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
UNKNOWN_KEY = (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")

USERS = {"ci": [allow("sts:AssumeRole", "acs:ram::{account}:role/builder")], "nobody": []}
ROLES = {"builder": [allow("ens:*")], "other": [allow("ens:*")]}


@pytest.fixture
def world(private):
    """An account with users and roles, on a server of its own."""
    world = private(USERS)
    world.accounts[0].roles.update(ROLES)
    reload(world.server)
    return world


def reload(server, expected="configuration reloaded"):
    """Writes the configuration anew and lets the server read it."""
    server.write_config()
    told = server.stderr().count(expected)
    os.kill(server.process.pid, signal.SIGHUP)
    wait(expected, lambda: server.stderr().count(expected) > told)


def arn(world, role):
    return f"acs:ram::{world.owner.account}:role/{role}"


def assume(world, role, generation="new", caller=None, **more):
    caller = caller or world.user("ci")
    sdk = caller.sdk(generation)
    return sdk.call_other(STS, "AssumeRole", RoleArn=arn(world, role), RoleSessionName="night", **more)


def session(world, role="builder", **more):
    """Somebody with the temporary keys of a role."""
    given = assume(world, role, **more)["Credentials"]
    key = Key(world.owner.account, given["AccessKeyId"], given["AccessKeySecret"], token=given["SecurityToken"])
    return Caller(world.server, key)


def test_assume_role_with_every_sdk(world, generation):
    reply = assume(world, "builder", generation, DurationSeconds="900")
    assert set(reply.body) == {"AssumedRoleUser", "Credentials", "RequestId"}
    assert reply["AssumedRoleUser"] == {"Arn": f"{arn(world, 'builder')}/night", "AssumedRoleId": "builder:night"}
    given = reply["Credentials"]
    assert set(given) == {"AccessKeyId", "AccessKeySecret", "Expiration", "SecurityToken"}
    assert given["AccessKeyId"].startswith("STS.")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", given["Expiration"])


@pytest.mark.parametrize("way", ["new", "old", "v2", "sm3"])
def test_temporary_keys_with_every_sdk_and_way_of_signing(world, way):
    sdk = session(world).sdk(way)
    reply = sdk.call_other(STS, "GetCallerIdentity")
    assert reply["Arn"] == f"acs:ram::{world.owner.account}:assumed-role/builder/night"
    assert (reply["IdentityType"], reply["RoleId"]) == ("AssumedRoleUser", "builder")
    assert sdk.call("DescribeImages", PageSize=7, ImageName="a b+c~*")["PageSize"] == 7
    refused = refusal(sdk.call, "DeleteImage", ImageId="m-unknown")
    assert (refused.code, refused.status) == ("Error.DeleteImage", 400)


def test_a_session_does_what_its_role_may(world):
    someone = session(world)
    image = someone.import_image()
    someone.delete(image)
    [deletion] = world.server.query("SELECT caller FROM deletions WHERE image_id = ?", image)
    assert deletion["caller"] == f"acs:ram::{world.owner.account}:assumed-role/builder/night"


def test_who_may_not_assume_a_role(world):
    nobody, ci = world.user("nobody"), world.user("ci")
    assert_refused(refusal(assume, world, "builder", caller=nobody), *STS_DENIED)
    assert_refused(refusal(assume, world, "other", caller=ci), *STS_DENIED)
    root = refusal(assume, world, "builder", caller=world.owner)
    assert_refused(root, 403, "NoPermission", "Roles may not be assumed by root accounts.")
    assert root.body["AccessDeniedDetail"]["PolicyType"] == "AssumeRolePolicy"


def test_a_session_policy_takes_away(world):
    policy = json.dumps({"Version": "1", "Statement": [allow("ens:Describe*")]})
    someone = session(world, Policy=policy)
    assert someone.images() == []
    refused = refusal(someone.delete, "m-unknown")
    assert_refused(refused, *ENS_DENIED)
    detail = refused.body["AccessDeniedDetail"]
    assert (detail["PolicyType"], detail["AuthPrincipalType"]) == ("SessionPolicy", "AssumedRoleUser")
    assert detail["AuthPrincipalDisplayName"] == "builder:night"


def test_a_session_outlives_the_process(world):
    someone = session(world)
    for end in (world.server.stop, world.server.kill):
        end()
        world.server.start()
        assert someone.images() == []


def test_a_reload_reaches_keys_policies_roles_and_sessions(world):
    """Removed keys stop working at once, changed policies act at once, and sessions go with their role."""
    owner, server, account = world.owner, world.server, world.accounts[0]
    account.users["late"] = [allow("ens:Describe*")]
    late, someone = world.user("late"), session(world)
    assert_refused(refusal(late.images), *UNKNOWN_KEY)
    reload(server)
    assert late.images() == []

    account.users["late"] = [allow("ens:*"), deny("ens:Describe*")]
    account.roles["builder"] = [allow("ens:DeleteImage")]
    reload(server)
    assert_refused(refusal(late.images), *ENS_DENIED)
    assert_refused(refusal(someone.images), *ENS_DENIED)
    assert refusal(someone.delete, "m-unknown").code == "Error.DeleteImage"

    del account.users["late"]
    del account.roles["builder"]
    reload(server)
    assert_refused(refusal(late.images), *UNKNOWN_KEY)
    assert_refused(refusal(someone.delete, "m-unknown"), *TOKEN_EXPIRED)
    gone = refusal(assume, world, "builder")
    assert_refused(gone, 404, "EntityNotExist.Role", "The specified Role not exists.")
    account.roles["builder"] = [allow("ens:*")]
    reload(server)
    assert someone.images() == [], "the session has not ended by its own time"
    assert owner.images() == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "account = 'nonsense'\n",
        lambda text: text.replace("Allow", "Permit", 1),
        lambda text: text.replace("Principal", "Principals", 1),
        lambda text: text.replace("name = \"builder\"", "name = \"not a role\"", 1),
        lambda text: text + "[[account]]\nid = '4'\n[[account.access_key]]\nid = 'x'\nsecret = ''\n",
        lambda text: "timing = { image = '0s' }\n",
    ],
    ids=["no accounts", "a policy", "a trust policy", "a role", "a key", "no account any more"],
)
def test_a_bad_file_changes_nothing(world, spoil):
    server, someone, ci = world.server, session(world), world.user("ci")
    config = server.write_config()
    good = config.read_text()
    spoiled = spoil(good)
    assert spoiled != good
    config.write_text(spoiled)
    os.kill(server.process.pid, signal.SIGHUP)
    wait("the refusal in the log", lambda: "the old accounts stay" in server.stderr())
    assert someone.images() == world.owner.images() == []
    assert assume(world, "builder", caller=ci)["Credentials"]
    config.write_text(good)


def test_secrets_and_tokens_are_kept_out_of_log_and_metadata(world):
    someone = session(world)
    someone.images()
    wrong = Caller(world.server, Key(someone.account, someone.key.id, "a wrong secret", token=someone.key.token))
    assert refusal(wrong.images).code == "SignatureDoesNotMatch"
    assert world.server.stop() == 0
    kept = [world.server.log.read_bytes(), *world.server.metadata.texts()]
    assert any(someone.key.id.encode() in text for text in kept), "the session is known"
    for secret in (someone.key.secret, someone.key.token, "a wrong secret"):
        assert all(secret.encode() not in text for text in kept)


def test_the_vendors_own_role_flow_over_tls(world, monkeypatch):
    """The credentials library asks for sessions over https alone, and the SDK takes them from it."""
    server = world.server
    assert server.stop() == 0
    server.arguments = ("--tls-self-signed",)
    server.start()
    authority = str(server.data / "tls/ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    key = world.user("ci").key
    provider = RamRoleArnCredentialsProvider(
        access_key_id=key.id,
        access_key_secret=key.secret,
        role_arn=arn(world, "builder"),
        role_session_name="library",
        sts_endpoint=f"127.0.0.1:{server.port}",
    )
    given = provider.get_credentials()
    sdk = NewSdk(
        server.port, given.get_access_key_id(), given.get_access_key_secret(), token=given.get_security_token(),
        protocol="https", ca=authority,
    )  # fmt: skip
    assert sdk.call_other(STS, "GetCallerIdentity")["Arn"].endswith(":assumed-role/builder/library")
    assert sdk.call("DescribeImages", PageSize=7)["PageSize"] == 7
