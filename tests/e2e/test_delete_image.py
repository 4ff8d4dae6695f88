"""DeleteImage: requirements D1 to D20 and the order of checks, through both generations of the SDK."""

import re
import string

import pytest

from clients import Raw, timestamp
from policies import allow
from server import PUBLIC_IMAGE, wait
from shapes import REQUEST_ID
from world import FAILED, assert_refused, fresh_name, refusal

MISSING_PARAMETER = (
    400, "MissingParameter", "The input parameters that is mandatory for processing this request is not supplied.",
)  # fmt: skip
INVALID_IMAGE_ID = (400, "InvalidParameter.ImageId", "The specified field ImageId invalid. Please check it again.")
NO_PERMISSION = (400, "NoPermission", "Permission denied.")
NOT_EXIST = (400, "Error.DeleteImage", "The image is not exist.")
WRONG_STATUS = (400, "IncorrectStatus.Image", "The current status of the image does not support this operation.")
USED_TO_CREATE = (400, "Forbidden.DelerrorteImage", "The image cannot be deleted when used by instance.")
USED_OTHERWISE = (400, "Error.DeleteImage", "The image cannot be deleted when used by instance.")


def delete_must_fail(caller, image, expected, generation="new", keeper=None):
    """Checks that a delete is refused in these words, and that it changed nothing at all."""
    before = caller.server.print_of(image)
    refused = refusal(caller.sdk(generation).call, "DeleteImage", ImageId=image)
    assert_refused(refused, *expected)
    assert_error_body(refused.body, caller)
    if generation == "old":
        status, code, message = expected
        assert refused.shown == f"HTTP Status: {status} Error:{code} {message} RequestID: {refused.body['RequestId']}"
    else:
        assert refused.shown == f"code: 400, {expected[2]} request id: {refused.body['RequestId']}"
    assert caller.server.print_of(image) == before
    if keeper:
        assert keeper.image(image), "the owner must still see the image"
    return refused


def assert_error_body(body, caller, members=("RequestId", "HostId", "Code", "Message", "Recommend")):
    """Checks the shape of an error: exactly these members, all of them texts."""
    assert set(body) - {"AccessDeniedDetail"} == set(members)
    assert all(type(body[name]) is str and body[name] for name in members)
    assert REQUEST_ID.fullmatch(body["RequestId"])
    assert body["HostId"] == f"127.0.0.1:{caller.server.port}"
    about = f"q={body['Code']}&product=Ens&requestId={body['RequestId']}"
    assert body["Recommend"] == f"https://api.aliyun.com/troubleshoot?{about}"


def delete_must_succeed(caller, image, generation="new"):
    reply = caller.sdk(generation).call("DeleteImage", ImageId=image)
    assert set(reply.body) == {"Code", "RequestId"}
    assert type(reply.body["Code"]) is int and reply.body["Code"] == 0
    assert REQUEST_ID.fullmatch(reply.body["RequestId"])
    wait("the bytes to be erased", lambda: caller.server.is_erased(image))


# D1, D2


def test_d1_deletes_a_custom_image(world, generation):
    owner = world.owner
    image = owner.import_image()
    owner.share(image, world.other.account)
    bytes_of_image = world.server.object(image)
    assert bytes_of_image.exists()

    delete_must_succeed(owner, image, generation)

    sdk = owner.sdk(generation)
    for caller in (sdk, world.other.sdk(generation)):
        for action in ("DescribeSelfImages", "DescribeImages"):
            assert caller.call(action, ImageId=image)["Images"]["Image"] == []
    assert_refused(refusal(owner.launch, image), *INVALID_IMAGE_ID)
    assert_refused(refusal(world.other.launch, image), *INVALID_IMAGE_ID)
    assert not bytes_of_image.exists()
    assert world.server.query("SELECT * FROM shares WHERE image_id = ?", image) == []


def test_d1_deletes_an_image_made_of_an_instance(world, generation):
    owner = world.owner
    instance = owner.launch()
    image = owner.call("CreateImage", ImageName=fresh_name("made"), InstanceId=instance)["ImageId"]
    owner.image_becomes(image, "Available")
    delete_must_succeed(owner, image, generation)
    assert owner.instance(instance), "the instance that an image was made of is no use of it"
    owner.release(instance)


def test_d1_a_typed_client_reads_the_reply(world):
    reply = world.owner.delete(world.owner.import_image())
    assert (reply.typed.code, reply.typed.request_id) == (0, reply["RequestId"])


def test_d2_wrong_secret_is_refused_in_each_sdks_own_words(world, generation):
    owner = world.owner
    image = owner.import_image()
    before = world.server.print_of(image)
    thief = type(owner)(world.server, type(owner.key)(owner.account, owner.key.id, "not the secret"))
    refused = refusal(thief.sdk(generation).call, "DeleteImage", ImageId=image)

    assert refused.status == 400 and refused.body["Code"] == "SignatureDoesNotMatch"
    told = refused.body["Message"]
    if generation == "old":
        # This SDK compares the string it signed with the one in the message, and finds them equal.
        assert refused.code == "InvalidAccessKeySecret"
        assert refused.message == "The AccessKeySecret is incorrect. Please check your AccessKeyId and AccessKeySecret."
    else:
        assert refused.code == "SignatureDoesNotMatch"
    if generation == "new":
        assert re.fullmatch(
            r"Specified signature does not match our calculation\. server StringToSign is \[ACS3-HMAC-SHA256\n"
            r"[0-9a-f]{64}\] server CanonicalRequest is \[POST\n/\nImageId=.*\]",
            told,
            re.DOTALL,
        )
    else:
        words = "Specified signature is not matched with our calculation. server string to sign is:"
        assert told.startswith(f"{words}POST&%2F&AccessKeyId%3D")
    assert owner.key.secret not in told and "not the secret" not in told
    assert world.server.print_of(image) == before


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"Signature": None}, 400, "MissingSignature", "Signature is mandatory for this action."),
        ({"AccessKeyId": None}, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action."),
        (
            {"AccessKeyId": None, "Signature": None, "SignatureMethod": None},
            400,
            "MissingAccessKeyId",
            "AccessKeyId is mandatory for this action.",
        ),
        ({"AccessKeyId": "nobody"}, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."),
        ({"SignatureMethod": "HMAC-MD5"}, 400, "InvalidSignatureMethod", "Specified signature method is not valid."),
        ({"Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, 400, "SignatureDoesNotMatch", None),
    ],
)
def test_d2_unsigned_calls_are_refused(world, change, status, code, message):
    image = world.owner.import_image()
    before = world.server.print_of(image)
    raw = world.owner.raw
    answer = raw.send(raw.v1("DeleteImage", {"ImageId": image}, change=change))
    assert (answer.status, answer.json["Code"]) == (status, code)
    assert message in (None, answer.json["Message"])
    assert world.server.print_of(image) == before


@pytest.mark.parametrize("which", ["signature", "query", "body"])
def test_d2_a_request_changed_on_the_way_is_refused(world, which):
    ours, theirs = world.owner.import_images(2)
    raw = world.owner.raw
    prepared = raw.acs3("DeleteImage", **{"form" if which == "body" else "params": {"ImageId": ours}})
    if which == "signature":
        prepared.headers["Authorization"] = prepared.headers["Authorization"][:-4] + "0000"
    prepared.target = prepared.target.replace(ours, theirs) if which == "query" else prepared.target
    prepared.body = prepared.body.replace(ours.encode(), theirs.encode())
    answer = raw.send(prepared)
    assert answer.status == 400 and answer.json["Code"] in ("SignatureDoesNotMatch", "IncompleteSignature")
    assert {entry["ImageId"] for entry in world.owner.images()} == {ours, theirs}


# D3 to D7: RAM


def denied(world, user, generation="new", kind="ImplicitDeny", image=None):
    """Checks that a user is refused by RAM, and that the refusal says why."""
    image = image or world.owner.import_image()
    refused = delete_must_fail(world.user(user), image, NO_PERMISSION, generation, keeper=world.owner)
    detail = refused.body["AccessDeniedDetail"]
    assert all(type(value) is str for value in detail.values())
    assert detail.pop("EncodedDiagnosticMessage")
    assert detail == {
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "NoPermissionType": kind,
        "AuthAction": "ens:DeleteImage",
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": user,
        "AuthPrincipalOwnerId": world.owner.account,
    }
    return refused


def test_d3_a_user_without_the_action_is_refused(ram_world, generation):
    denied(ram_world, "describe-images", generation)


@pytest.mark.parametrize("user", ["nobody", "describe", "all-but-delete", "other-product"])
def test_d3_no_other_action_grants_it(ram_world, user):
    denied(ram_world, user)


@pytest.mark.parametrize("user", ["delete", "delete-in-a-list", "delete-prefix", "other-case", "ens", "everything"])
def test_d3_a_user_with_the_action_deletes(ram_world, user, generation):
    delete_must_succeed(ram_world.user(user), ram_world.owner.import_image(), generation)


@pytest.mark.parametrize("user", ["denied", "denied-first", "denied-on-images"])
def test_d3_an_explicit_deny_beats_allow(ram_world, user):
    denied(ram_world, user, kind="ExplicitDeny")


@pytest.mark.parametrize("user", ["delete", "any-image", "any-image-of-any-account"])
def test_d4_all_resources_and_image_resources_grant(ram_world, user):
    delete_must_succeed(ram_world.user(user), ram_world.owner.import_image())


def test_d4_the_resource_of_this_image_grants_and_that_of_another_does_not(private):
    world = private()
    owner = world.owner
    ours, theirs, last = owner.import_images(3)
    # Only now is it known which image the policies name.
    world.accounts[0].users.update(
        {
            "documented": [allow("ens:DeleteImage", f"acs:ens::{{account}}:image/{ours}")],
            "with-any-region": [allow("ens:DeleteImage", f"acs:ens:*:{{account}}:image/{theirs}")],
        }
    )
    world.server.restart()

    denied(world, "documented", image=theirs)
    denied(world, "with-any-region", image=ours)
    denied(world, "documented", image=last)
    delete_must_succeed(world.user("documented"), ours)
    delete_must_succeed(world.user("with-any-region"), theirs)
    assert owner.image(last)


@pytest.mark.parametrize("user", ["other-image", "other-account"])
def test_d4_other_resources_do_not_grant(ram_world, user):
    denied(ram_world, user)


@pytest.mark.parametrize("user", ["instances-only", "all-instances-only"])
def test_d5_a_resource_type_that_does_not_fit_makes_the_policy_ineffective(ram_world, user):
    denied(ram_world, user)


@pytest.mark.parametrize("user", ["from-elsewhere", "over-tls", "with-mfa", "until-2020", "one-condition-of-two"])
def test_d6_a_condition_that_does_not_hold_does_not_grant(ram_world, user):
    denied(ram_world, user)


def test_d6_a_deny_whose_condition_holds_refuses(ram_world):
    denied(ram_world, "not-from-here", kind="ExplicitDeny")


@pytest.mark.parametrize("user", ["from-here", "over-plain-http", "until-2090"])
def test_d6_a_condition_that_holds_grants(ram_world, user):
    delete_must_succeed(ram_world.user(user), ram_world.owner.import_image())


def test_d7_no_other_action_is_needed(ram_world, generation):
    """The user may neither see images, nor instances, nor shares."""
    image = ram_world.owner.import_image()
    ram_world.owner.share(image, ram_world.other.account)
    user = ram_world.user("delete")
    assert refusal(user.images).code == "NoPermission"
    delete_must_succeed(user, image, generation)


# D8, D9: whose image, and one only


def test_d8_takes_one_id_only(world):
    """Lists in any spelling are no id, and none of their images is touched."""
    images = world.owner.import_images(2)
    one, other = images
    before = [world.server.print_of(image) for image in images]
    raw = world.owner.raw
    for params in (
        {"ImageId": f"{one},{other}"},
        {"ImageId": f'["{one}"]'},
        {"ImageId": f'["{one}","{other}"]'},
        {"ImageId": f"{one} "},
        {"ImageId.1": one},
        {"ImageId.1": one, "ImageId.2": other},
    ):
        for where in ("query", "body", "form"):
            assert_refused(refusal(raw.call, "DeleteImage", params, where=where), *INVALID_IMAGE_ID)
    assert [world.server.print_of(image) for image in images] == before


def test_d8_takes_the_id_from_query_and_form_and_headers_or_parameters(world):
    owner, raw = world.owner, world.owner.raw
    ways = [
        lambda image: raw.v1("DeleteImage", {"ImageId": image}, where="query"),
        lambda image: raw.v1("DeleteImage", {"ImageId": image}, where="query", method="GET"),
        lambda image: raw.v1("DeleteImage", {"ImageId": image}, where="body"),
        lambda image: raw.v1("DeleteImage", {"ImageId": image}, where="form"),
        lambda image: raw.acs3("DeleteImage", {"ImageId": image}),
        lambda image: raw.acs3("DeleteImage", {"ImageId": image}, method="GET"),
        lambda image: raw.acs3("DeleteImage", form={"ImageId": image}),
        lambda image: raw.acs3("DeleteImage", {"ImageId": image}, algorithm="ACS3-HMAC-SM3"),
    ]
    for way, image in zip(ways, owner.import_images(len(ways)), strict=True):
        answer = raw.send(way(image))
        assert (answer.status, answer.json["Code"]) == (200, 0), answer.raw
        assert owner.image(image) is None


def test_d9_a_public_image_is_refused(world, generation):
    delete_must_fail(world.owner, PUBLIC_IMAGE, NO_PERMISSION, generation)
    [entry] = world.owner.call("DescribeImages", ImageId=PUBLIC_IMAGE)["Images"]["Image"]
    assert entry["ImageOwnerAlias"] == "system"


def test_d9_another_accounts_image_is_refused_as_if_it_did_not_exist(world, generation):
    image = world.owner.import_image()
    foreign = delete_must_fail(world.other, image, NOT_EXIST, generation, keeper=world.owner)
    unknown = delete_must_fail(world.other, "m-" + "0" * 25, NOT_EXIST, generation)
    # The two refusals differ in nothing but the id of the request.
    assert {**foreign.body, "RequestId": "", "Recommend": ""} == {**unknown.body, "RequestId": "", "Recommend": ""}


def test_d9_users_of_one_account_delete_each_others_images(ram_world):
    image = ram_world.user("ens").import_image()
    delete_must_succeed(ram_world.user("delete"), image)


# D10 to D13: the reply


def test_d10_d11_d12_the_reply_has_two_members_and_ids_are_unique(world):
    seen = set()
    raw = world.owner.raw
    for image in world.owner.import_images(3):
        answer = raw.send(raw.v1("DeleteImage", {"ImageId": image}))
        assert answer.status == 200
        body = answer.json
        assert list(body.keys() - {"Code", "RequestId"}) == [] and len(body) == 2
        assert type(body["Code"]) is int and body["Code"] == 0
        assert re.search(rb'"Code"\s*:\s*0[,}]', answer.raw)
        assert REQUEST_ID.fullmatch(body["RequestId"])
        assert answer.headers["x-acs-request-id"] == body["RequestId"]
        assert answer.headers["content-type"] == "application/json;charset=utf-8"
        assert "x-acs-retry-after" not in answer.headers
        seen.add(body["RequestId"])
    assert len(seen) == 3


def test_d13_gateway_errors_may_occur_besides(world):
    image = world.owner.import_image()
    before = world.server.print_of(image)
    raw = world.owner.raw
    for change, code in (
        ({"Format": "YAML"}, "InvalidParameter.Format"),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
        ({"Timestamp": timestamp()[:-1]}, "InvalidTimeStamp.Format"),
        ({"Version": "2017-11-11"}, "InvalidVersion"),
        ({"SignatureNonce": None}, "MissingSignatureNonce"),
    ):
        answer = raw.send(raw.v1("DeleteImage", {"ImageId": image}, change=change))
        assert answer.status == 400
        assert code.encode() in answer.raw
    assert world.server.print_of(image) == before


# D14, D15


@pytest.mark.parametrize("params", [{}, {"ImageId": ""}], ids=["absent", "empty"])
@pytest.mark.parametrize("where", ["query", "body", "form"])
def test_d14_image_id_absent_or_empty(world, params, where):
    assert_refused(refusal(world.owner.raw.call, "DeleteImage", params, where=where), *MISSING_PARAMETER)


def test_d14_image_id_absent_through_the_sdk(world, generation):
    assert_refused(refusal(world.owner.sdk(generation).call, "DeleteImage"), *MISSING_PARAMETER)


def test_d15a_ram_refuses_with_status_400(ram_world, generation):
    denied(ram_world, "describe", generation)


def test_d15b_a_shared_in_image_is_not_the_callers_to_delete(world, generation):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    refused = delete_must_fail(world.other, image, NO_PERMISSION, generation, keeper=world.owner)
    assert "AccessDeniedDetail" not in refused.body, "no policy refused this"
    assert world.other.image(image)["ImageOwnerAlias"] == "others"


def test_d15b_a_public_image_is_nobodys_to_delete(world, generation):
    for caller in (world.owner, world.other):
        refused = delete_must_fail(caller, PUBLIC_IMAGE, NO_PERMISSION, generation)
        assert "AccessDeniedDetail" not in refused.body


# D16, D17: images in use


def test_d16_created_use_blocks_until_released(world, generation):
    owner = world.owner
    image = owner.import_image()
    instance = owner.launch(image)
    delete_must_fail(owner, image, USED_TO_CREATE, generation, keeper=owner)

    owner.call("StopInstance", InstanceId=instance)
    owner.instance_becomes(instance, "Stopped")
    delete_must_fail(owner, image, USED_TO_CREATE, generation, keeper=owner)

    owner.release(instance)
    delete_must_succeed(owner, image, generation)


def test_d16_created_use_blocks_while_the_instance_is_being_made(slow_instances):
    owner = slow_instances.owner
    image = owner.import_image()
    instance = owner.launch(image, ready=False)
    delete_must_fail(owner, image, USED_TO_CREATE, keeper=owner)
    assert owner.instance(instance)["Status"] == "Pending"
    owner.release(instance)
    delete_must_succeed(owner, image)


def test_d16_a_prepaid_instance_blocks_too(world):
    owner = world.owner
    image = owner.import_image()
    instance = owner.launch(image, InstanceChargeType="PrePaid", Period=1, PeriodUnit="Month")
    delete_must_fail(owner, image, USED_TO_CREATE, keeper=owner)
    owner.call("ReleasePrePaidInstance", InstanceId=instance)
    delete_must_succeed(owner, image)


def test_d16_an_instance_of_a_recipient_blocks_the_owner(world, generation):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    instance = world.other.launch(image)
    delete_must_fail(world.owner, image, USED_TO_CREATE, generation, keeper=world.owner)

    # The use outlives the share.
    world.owner.call("ModifyImageSharePermission", ImageId=image, RemoveAccounts=world.other.account)
    delete_must_fail(world.owner, image, USED_TO_CREATE, generation, keeper=world.owner)
    world.other.release(instance)
    delete_must_succeed(world.owner, image, generation)


def test_d16_the_last_of_several_instances_frees_the_image(world):
    owner = world.owner
    image = owner.import_image()
    instances = [owner.launch(image) for _ in range(3)]
    for instance in instances:
        delete_must_fail(owner, image, USED_TO_CREATE)
        owner.release(instance)
    delete_must_succeed(owner, image)


def test_d17a_switched_use_blocks_until_released(world, generation):
    owner = world.owner
    first, second = owner.import_images(2)
    instance = owner.launch(first)
    owner.reinit(instance, second)
    delete_must_fail(owner, second, USED_OTHERWISE, generation, keeper=owner)
    delete_must_succeed(owner, first, generation)  # It is no longer used.
    delete_must_fail(owner, second, USED_OTHERWISE, generation, keeper=owner)
    owner.release(instance)
    delete_must_succeed(owner, second, generation)


def test_d17a_both_images_are_used_while_the_switch_runs(slow_instances, generation):
    owner = slow_instances.owner
    first, second = owner.import_images(2)
    instance = owner.launch(first)
    owner.reinit(instance, second, ready=False)
    delete_must_fail(owner, second, USED_OTHERWISE, generation, keeper=owner)
    delete_must_fail(owner, first, USED_TO_CREATE, generation, keeper=owner)
    assert owner.instance(instance)["Status"] == "ReIniting"

    wait("the switch to end", lambda: owner.is_settled_on(instance, second))
    delete_must_succeed(owner, first, generation)
    delete_must_fail(owner, second, USED_OTHERWISE, generation, keeper=owner)
    owner.release(instance)
    delete_must_succeed(owner, second, generation)


def test_d17a_a_release_ends_a_switch_that_runs(slow_instances):
    owner = slow_instances.owner
    first, second = owner.import_images(2)
    instance = owner.launch(first)
    owner.reinit(instance, second, ready=False)
    owner.release(instance)
    delete_must_succeed(owner, first)
    delete_must_succeed(owner, second)


def test_d17a_a_switch_by_a_recipient_blocks_the_owner(world):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    instance = world.other.launch()
    world.other.reinit(instance, image)
    delete_must_fail(world.owner, image, USED_OTHERWISE, keeper=world.owner)
    world.other.release(instance)
    delete_must_succeed(world.owner, image)


def test_d17b_an_unknown_image_does_not_exist(world, generation):
    for image in ("m-unknown", "m-" + "z" * 25, "anything.at_all", "x" * 128):
        delete_must_fail(world.owner, image, NOT_EXIST, generation)


# D18, D19, D20


def test_d18_an_image_being_made_is_refused(slow_images, generation):
    owner = slow_images.owner
    image = owner.import_image(ready=False)
    delete_must_fail(owner, image, WRONG_STATUS, generation, keeper=owner)
    assert owner.image(image)["Status"] == "Creating"
    owner.image_becomes(image, "Available")
    delete_must_succeed(owner, image, generation)


def test_d18_an_image_being_made_of_an_instance_is_refused(slow_images, generation):
    owner = slow_images.owner
    instance = owner.launch()
    image = owner.call("CreateImage", ImageName=fresh_name("made"), InstanceId=instance)["ImageId"]
    delete_must_fail(owner, image, WRONG_STATUS, generation, keeper=owner)
    owner.image_becomes(image, "Available")
    delete_must_succeed(owner, image, generation)
    owner.release(instance)


def test_d18_a_failed_image_can_be_deleted(world, generation):
    image = world.owner.import_image(b"no qcow2", ready=False)
    world.owner.image_becomes(image, *FAILED)
    delete_must_succeed(world.owner, image, generation)


@pytest.mark.parametrize("image", ["x" * 129, "x" * 4000, "m a", "m/a", "../m", "m-\u00e9", "m%41", "m-a;", "m:a", "*"])
def test_d19_a_malformed_id_is_refused(world, image, generation):
    assert_refused(refusal(world.owner.sdk(generation).call, "DeleteImage", ImageId=image), *INVALID_IMAGE_ID)


def test_d19_letters_digits_and_three_marks_are_well_formed(world):
    delete_must_fail(world.owner, string.ascii_letters + string.digits + "_-.", NOT_EXIST)
    for mark in sorted(set(string.punctuation) - set("_-.")) + [" ", "\t", "\n", "\0"]:
        refused = refusal(world.owner.call, "DeleteImage", ImageId=f"m{mark}1")
        assert_refused(refused, *INVALID_IMAGE_ID)


def test_d20_shares_do_not_block_and_go_with_the_image(world, generation):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    assert world.other.image(image)
    assert world.other.call("DescribeImages", ImageId=image)["Images"]["Image"]

    reply = world.owner.sdk(generation).call("DeleteImage", ImageId=image)
    # At once, without waiting for the bytes:
    assert world.other.image(image) is None
    assert world.other.call("DescribeImages", ImageId=image)["Images"]["Image"] == []
    assert_refused(refusal(world.other.launch, image), *INVALID_IMAGE_ID)
    assert world.server.query("SELECT * FROM shares WHERE image_id = ?", image) == []
    assert reply["Code"] == 0
    wait("the bytes to be erased", lambda: world.server.is_erased(image))


# Order of checks: each adjacent pair that can be true at once. The first one is answered.


def test_order_signature_before_missing_parameter(world):
    raw = Raw(world.server.port, world.owner.key.id, "wrong")
    refused = refusal(raw.call, "DeleteImage")
    assert (refused.status, refused.code) == (400, "SignatureDoesNotMatch")


def test_order_signature_before_ram_and_existence(ram_world):
    raw = Raw(ram_world.server.port, ram_world.user("nobody").key.id, "wrong")
    for image in ("m-unknown", ram_world.owner.import_image(), "not,one"):
        assert refusal(raw.call, "DeleteImage", {"ImageId": image}).code == "SignatureDoesNotMatch"


def test_order_missing_parameter_before_ram(ram_world, generation):
    assert_refused(refusal(ram_world.user("nobody").sdk(generation).call, "DeleteImage"), *MISSING_PARAMETER)


def test_order_invalid_parameter_before_ram(ram_world, generation):
    call = ram_world.user("nobody").sdk(generation).call
    assert_refused(refusal(call, "DeleteImage", ImageId="m-a,m-b"), *INVALID_IMAGE_ID)


def test_order_ram_before_existence(ram_world, generation):
    """So a caller without permission learns nothing: the three refusals are the same."""
    private, public = ram_world.other.import_image(), PUBLIC_IMAGE
    told = []
    for image in ("m-unknown", private, public, ram_world.owner.import_image()):
        refused = delete_must_fail(ram_world.user("nobody"), image, NO_PERMISSION, generation)
        detail = refused.body["AccessDeniedDetail"]
        told.append({name: text for name, text in detail.items() if name != "EncodedDiagnosticMessage"})
    assert all(detail == told[0] for detail in told)


def test_order_ram_before_status(private):
    world = private({"nobody": []}, image="1500ms")
    image = world.owner.import_image(ready=False)
    refused = delete_must_fail(world.user("nobody"), image, NO_PERMISSION)
    assert refused.body["AccessDeniedDetail"]["AuthAction"] == "ens:DeleteImage"
    delete_must_fail(world.owner, image, WRONG_STATUS)


def test_order_ram_before_use(ram_world):
    owner = ram_world.owner
    image = owner.import_image()
    instance = owner.launch(image)
    denied(ram_world, "nobody", image=image)
    delete_must_fail(ram_world.user("delete"), image, USED_TO_CREATE)
    owner.release(instance)


def test_order_existence_before_status(slow_images):
    """Another account's image that is being made does not exist, whatever its status."""
    image = slow_images.owner.import_image(ready=False)
    delete_must_fail(slow_images.other, image, NOT_EXIST)
    delete_must_fail(slow_images.owner, image, WRONG_STATUS)


def test_order_existence_before_use(world):
    image = world.owner.import_image()
    instance = world.owner.launch(image)
    delete_must_fail(world.other, image, NOT_EXIST)
    world.owner.release(instance)


def test_order_ownership_before_status(slow_images):
    image = slow_images.owner.import_image(ready=False)
    slow_images.owner.share(image, slow_images.other.account)
    delete_must_fail(slow_images.other, image, NO_PERMISSION)
    delete_must_fail(slow_images.owner, image, WRONG_STATUS)


def test_order_ownership_before_use(world, generation):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    instance = world.other.launch(image)
    delete_must_fail(world.other, image, NO_PERMISSION, generation)
    world.other.release(instance)

    instance = world.owner.launch(PUBLIC_IMAGE)
    delete_must_fail(world.owner, PUBLIC_IMAGE, NO_PERMISSION, generation)
    world.owner.release(instance)


def test_order_created_use_before_switched_use(world, generation):
    owner = world.owner
    image = owner.import_image()
    switched = owner.launch()
    owner.reinit(switched, image)
    delete_must_fail(owner, image, USED_OTHERWISE, generation)
    created = owner.launch(image)
    delete_must_fail(owner, image, USED_TO_CREATE, generation)
    owner.release(created)
    delete_must_fail(owner, image, USED_OTHERWISE, generation)
    owner.release(switched)
    delete_must_succeed(owner, image, generation)
