"""The lab's faults: every documented refusal, delays, and connections that end without an answer."""

import json
import subprocess
import threading
import time

import pytest

from appstream_refusals import (
    COMMUNITY_PARENT, CREATING, IN_USE, NO_PERMISSION, NOT_ALLOW, NOT_EXIST, SHARED_IN, SHARED_OUT, UNAVAILABLE,
)  # fmt: skip
from clients import Unanswered
from lab_world import problem
from server import BINARY, wait
from world import assert_refused, refusal

pytest_plugins = ["lab_fixtures"]

MANDATORY = "The input parameters that is mandatory for processing this request is not supplied."
IN_USE_BY_INSTANCE = "The image cannot be deleted when used by instance."

# The tables of the two pages of DeleteImage, row by row.
ENS = [
    (400, "MissingParameter", MANDATORY),
    (400, "NoPermission", "Permission denied."),
    (400, "Forbidden.DelerrorteImage", IN_USE_BY_INSTANCE),
    (400, "Error.DeleteImage", IN_USE_BY_INSTANCE),
    (400, "Error.DeleteImage", "The image is not exist."),
    (400, "IncorrectStatus.Image", "The current status of the image does not support this operation."),
    (400, "InvalidParameter.ImageId", "The specified field ImageId invalid. Please check it again."),
]
APPSTREAM = [
    (400, "InternalError", "Internal error."), NOT_EXIST, NOT_ALLOW, COMMUNITY_PARENT, SHARED_IN, IN_USE, CREATING,
    (400, "DeleteTemplate.Failed", "Delete template failed."), (400, "QueryTemplate.Failed", "Query template failed."),
    (400, "InvalidTemplate.NotFound", "Template not found."), SHARED_OUT, UNAVAILABLE,
]  # fmt: skip

# The gateway's table, with a row for each parameter that can be absent.
TO_SIGN = "server string to sign is:"
GATEWAY = [
    *((400, f"Missing{name}", f"{name} is mandatory for this action.") for name in (
        "AccessKeyId", "Action", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce", "Timestamp",
        "Version",
    )),
    (400, "MissingParameter", MANDATORY),
    (400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."),
    (400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."),
    (400, "SignatureNonceUsed", "Specified signature nonce was used already."),
    (400, "SignatureDoesNotMatch", f"Specified signature is not matched with our calculation. {TO_SIGN}"),
    (400, "SignatureDoesNotMatch", "Specified signature does not match our calculation. server StringToSign is []"
     " server CanonicalRequest is []"),
    (400, "IncompleteSignature", f"The request signature does not conform to Aliyun standards. {TO_SIGN}"),
    (400, "InvalidSignatureMethod", "Specified signature method is not valid."),
    (404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
    (400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled."),
    (400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."),
    (400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed."),
    (400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."),
    (404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."),
    (400, "InvalidVersion", "Specified parameter Version is not valid."),
    (400, "InvalidParameter.Format", "Specified parameter format is not valid."),
    (400, "InvalidSignatureNonce", "Specified parameter SignatureNonce is not valid."),
    (404, "InvalidProduct.NotFound", "Cannot find product according to your specified domain."),
    (403, "UnsupportedHTTPMethod", "This http method is not supported."),
    (400, "InvalidProtocol.NeedSsl", "Your request is denied as lack of ssl protect."),
    (400, "Throttling", "Request was denied due to request throttling."),
    (400, "Throttling.User", "Request was denied due to user flow control."),
    (400, "Throttling.Api", "Request was denied due to api flow control."),
    NO_PERMISSION,
    (403, "Forbidden.RAM",
     "User not authorized to operate on the specified resource, or this API doesn't support RAM."),
    (400, "NoPermission", "Permission denied."),
    (500, "InternalError", "The request processing has failed due to some unknown error."),
    (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."),
]  # fmt: skip


def rows(table):
    return pytest.mark.parametrize("row", table, ids=[f"{row[1]}-{row[0]}-{index}" for index, row in enumerate(table)])


def arm(world, row, **more):
    status, code, message = row
    return world.fault("DeleteImage", error=code, status=status, message=message, **more)


@rows(ENS)
def test_each_row_of_delete_image_of_ens(one, row, generation):
    with arm(one, row, api="ens") as fault:
        refused = refusal(one.caller().sdk(generation).call, "DeleteImage", ImageId="m-any")
        assert_refused(refused, *row)
        assert fault.met == 1


@rows(APPSTREAM)
def test_each_row_of_delete_image_of_app_streaming(one, row):
    with arm(one, row, api="appstreaming"):
        refused = refusal(one.tenant().call, "DeleteImage", ImageId="imgc-any")
        assert_refused(refused, *row)
        assert (refused.body["Success"], refused.body["Data"]) == (False, False)


@rows(GATEWAY)
@pytest.mark.parametrize("api", ["ens", "appstreaming"])
def test_each_code_of_the_gateway(one, row, api):
    caller = one.caller() if api == "ens" else one.tenant()
    with arm(one, row, api=api):
        assert_refused(refusal(caller.call, "DeleteImage", ImageId="m-any"), *row)


def test_the_lab_lists_what_it_can_do(lab):
    errors = lab.errors()
    told = {(row["status"], row["error"], row["message"]) for row in errors["gateway"] + errors["ens"]}
    named = {(row[0], row[1], row[2]) for row in ENS + GATEWAY}
    # One row stands for each parameter that it can name.
    marked = {row for row in named if row[1].startswith(("Missing", "Invalid")) and row not in told}
    assert named - told == marked and len(marked) == 10, marked
    assert {(400, "Missing%s", "%s is mandatory for this action.")} < told
    assert {row[1] for row in APPSTREAM} < {row["error"] for row in errors["appstreaming"]}
    assert lab.errors("sts").keys() == {"sts", "gateway"}


def test_a_refusal_changes_nothing_and_is_over_after_its_calls(lab_shared, lab):
    with lab_shared.world(seed={"images": [{"name": "golden"}]}) as world:
        owner, image = world.caller(), world["golden"]
        before = world.server.print_of(image)
        arm(world, ENS[5], api="ens", times=2)
        for _ in range(2):
            assert refusal(owner.delete, image).code == "IncorrectStatus.Image"
        assert world.server.print_of(image) == before
        assert owner.delete(image).status == 200


def test_a_denial_tells_which_policy_it_was(lab_shared, lab):
    allowed = {"name": "ci", "statements": [{"Effect": "Allow", "Action": "ens:*", "Resource": "*"}]}
    with lab_shared.world(users=[allowed]) as world:
        for caller in (world.caller(), world.caller("ci")):
            arm(world, ENS[1], api="ens")
            detail = refusal(caller.delete, "m-any").body["AccessDeniedDetail"]
            assert (detail["AuthAction"], detail["NoPermissionType"]) == ("ens:DeleteImage", "ImplicitDeny")


def test_throttling_says_when_to_come_back(one):
    with one.fault("DescribeImages", error="Throttling.User"):
        raw = one.caller().raw
        answer = raw.send(raw.v1("DescribeImages"))
        assert (answer.status, answer.headers["x-acs-retry-after"]) == (400, "1000")


def test_the_nth_call_and_only_it(one):
    owner = one.caller()
    fault = one.fault("DescribeImages", error="ServiceUnavailable", nth=3)
    assert [code(owner, "DescribeImages") for _ in range(5)] == [None, None, "ServiceUnavailable", None, None]
    assert fault.met == 1


def code(caller, action, **params):
    try:
        caller.call(action, **params)
    except Exception as error:
        return error.code
    return None


def test_the_first_fault_is_met_and_the_others_count(one):
    owner = one.caller()
    one.fault("DescribeImages", error="InternalError", times=2)
    one.fault("DescribeImages", error="ServiceUnavailable", nth=2, times=2)
    codes = [code(owner, "DescribeImages") for _ in range(5)]
    assert codes == ["InternalError", "InternalError", "ServiceUnavailable", "ServiceUnavailable", None]


def test_until_it_is_cleared(one):
    owner = one.caller()
    fault = one.fault(error="ServiceUnavailable", times=0)
    assert {code(owner, name) for name in ("DescribeImages", "DescribeInstances") * 3} == {"ServiceUnavailable"}
    fault.clear()
    assert code(owner, "DescribeImages") is None


def test_for_one_image_wherever_it_is_named(one):
    owner = one.caller()
    fault = one.fault(image="m-mine", error="ServiceUnavailable", times=0)
    assert code(owner, "DeleteImage", ImageId="m-other") == "Error.DeleteImage"
    assert code(owner, "DeleteImage", ImageId="m-mine2") == "Error.DeleteImage"
    assert code(owner, "DeleteImage", ImageId="m-mine") == "ServiceUnavailable"
    assert code(owner, "DescribeSelfImages", ImageId="m-mine") == "ServiceUnavailable"
    tenant = one.tenant()
    assert refusal(tenant.ecd, "DeleteImages", RegionId="cn-hangzhou", ImageId=["imgc-1", "m-mine"]).status == 503
    assert fault.met == 3


def test_worlds_do_not_meet_each_others_faults(lab_shared, one):
    with lab_shared.world() as other:
        one.fault("DescribeImages", error="ServiceUnavailable", times=0)
        assert code(other.caller(), "DescribeImages") is None
        assert code(one.caller(), "DescribeImages") == "ServiceUnavailable"


def test_a_fault_for_everybody(lab, one):
    with lab.fault("DescribeImages", error="ServiceUnavailable"):
        assert code(one.caller(), "DescribeImages") == "ServiceUnavailable"


def test_who_is_not_proven_meets_nothing(one):
    with one.fault("DescribeImages", error="ServiceUnavailable", times=0) as fault:
        raw = one.caller().raw
        answer = raw.send(raw.v1("DescribeImages", secret="not the secret"))
        assert answer.json["Code"] == "SignatureDoesNotMatch"
        assert fault.met == 0


def test_a_delay(one):
    with one.fault("DescribeImages", delay_ms=300):
        began = time.monotonic()
        assert code(one.caller(), "DescribeImages") is None
        assert time.monotonic() - began >= 0.3
    with one.fault("DescribeImages", delay_ms=100, error="InternalError"):
        assert code(one.caller(), "DescribeImages") == "InternalError"


def test_a_delay_holds_up_nobody_else(one):
    with one.fault("DescribeImages", delay_ms=2_000):
        slow = threading.Thread(target=one.caller().call, args=("DescribeImages",))
        slow.start()
        wait("it to be met", lambda: one.lab.faults()[0]["met"])
        began = time.monotonic()
        assert code(one.caller(), "DescribeImages") is None
        assert time.monotonic() - began < 1.5
        slow.join()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_ends_without_an_answer(lab_shared, lab, when, generation):
    with lab_shared.world(seed={"images": [{"name": "golden"}]}) as world:
        owner, image = world.caller(), world["golden"]
        with world.fault("DeleteImage", drop=when) as fault, pytest.raises(Unanswered):
            owner.sdk(generation).call("DeleteImage", ImageId=image)
        assert fault_met_once(world, fault)
        # The client cannot tell; the server can.
        if when == "before":
            assert owner.delete(image).status == 200
        else:
            assert refusal(owner.delete, image).message == "The image is not exist."
            wait("the bytes to be erased", lambda: world.server.is_erased(image))


def fault_met_once(world, fault):
    entries = [entry for entry in world.record()["entries"] if not entry["answered"]]
    return fault.id and len(entries) == 1 and entries[0]["operation"] == "DeleteImage"


def test_what_is_armed_is_listed_and_cleared(lab, one):
    fault = one.fault("DeleteImage", api="ens", error="NoPermission", nth=2)
    [listed] = lab.faults()
    assert listed == {
        "id": fault.id, "account": one.account, "api": "ens", "operation": "DeleteImage", "error": "NoPermission",
        "nth": 2, "times": 1, "delay_ms": 0, "seen": 0, "met": 0,
    }  # fmt: skip
    lab.fault("DeleteImage", delay_ms=1)
    assert lab.clear(one.account) == 1
    assert len(lab.faults()) == 1
    assert lab.clear() == 1
    assert lab.faults() == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({}, "a fault has an error, a drop or a delay_ms"),
        ({"error": "NoSuch.Code"}, "NoSuch.Code is not documented there"),
        ({"api": "ens", "error": "Image.NotExist"}, "Image.NotExist is not documented there"),
        ({"operation": "NoSuch", "delay_ms": 1}, "no such operation"),
        ({"api": "sts", "operation": "DeleteImage", "delay_ms": 1}, "no such operation"),
        ({"error": "InternalError", "drop": "before"}, "not both"),
        ({"drop": "sometimes"}, "unknown variant"),
        ({"delay_ms": 600_001}, "600000 at most"),
        ({"delay_ms": -1}, "invalid value"),
        ({"delay_ms": 1, "nth": 0}, "begins with 1"),
        ({"delay_ms": 1, "message": "x"}, "belong to an error"),
        ({"delay_ms": 1, "colour": "red"}, "unknown field `colour`"),
    ],
)
def test_what_can_never_happen_is_not_armed(lab, fault, told):
    status, text = problem(lab.request, "POST", "/faults", fault)
    assert status == 400 and told in text, text
    assert lab.faults() == []


def test_what_is_not_there_is_not_cleared(lab):
    for path in ("/faults/999999", "/faults/x"):
        assert problem(lab.request, "DELETE", path) == (404, "there is no such fault")


# Every code of every API on every operation


def all_operations():
    listed = subprocess.run([BINARY, "operations", "--json"], capture_output=True, text=True, check=True)
    return json.loads(listed.stdout)


@pytest.mark.parametrize("api", ["ens", "appstreaming", "ecd", "sts", "calotype"])
def test_every_refusal_of_every_operation(one, lab, api):
    """Whatever the tables of the API and of the gateway say can be met on each of its operations."""
    told = lab.errors(api)
    table = {(row["status"], row["error"], row["message"]) for row in told[api] + told["gateway"]}
    sdk = one.caller().sdk("new")
    for operation in (operation for operation in all_operations() if operation["api"] == api):
        for status, code, message in sorted(table):
            name = "RoleArn" if api == "sts" else "Action" if code.startswith("Missing") else "ImageId"
            row = (status, code.replace("%s", name), message.replace("%s", name))
            one.fault(operation["name"], api=api, error=row[1], status=status, message=row[2])
            refused = refusal(sdk.call_other, operation["version"], operation["name"])
            assert_refused(refused, *row)
    assert all(fault["met"] == 1 for fault in lab.faults())
