"""Sharing images with other accounts."""

import pytest

from server import PUBLIC_IMAGE
from shapes import check
from test_delete_image import INVALID_IMAGE_ID, NO_PERMISSION, USED_TO_CREATE
from test_images import invalid
from world import Caller, assert_refused, refusal

MISSING_ONE_PARAMETER = (
    400, "MissingParameter", "The input parameter that is mandatory for processing this request is not supplied.",
)  # fmt: skip
SHARE = "ModifyImageSharePermission"
SHARES = "DescribeImageSharePermission"


def shared_with(caller, image, **params):
    return [entry["AliyunUid"] for entry in caller.call(SHARES, ImageId=image, **params)["Accounts"]["Account"]]


def test_a_share_is_seen_at_once_and_ends_at_once(world, generation):
    owner, other = world.owner, world.other
    image = owner.import_image()
    sdk = owner.sdk(generation)
    assert other.image(image) is None

    reply = sdk.call(SHARE, ImageId=image, AddAccounts=other.account)
    check(SHARE, reply.body, "RequestId")
    assert other.image(image)["ImageOwnerAlias"] == "others"
    [entry] = other.call("DescribeImages", ImageId=image)["Images"]["Image"]
    assert entry["ImageOwnerAlias"] == "others"
    assert owner.image(image)["ImageOwnerAlias"] == "self"

    sdk.call(SHARE, ImageId=image, RemoveAccounts=other.account)
    assert other.image(image) is None
    assert other.call("DescribeImages", ImageId=image)["Images"]["Image"] == []
    assert_refused(refusal(other.launch, image), *INVALID_IMAGE_ID)


def test_describe_shares_shape(world, generation):
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    reply = world.owner.sdk(generation).call(SHARES, ImageId=image)
    check(SHARES, reply.body, "Accounts ImageId PageNumber PageSize RequestId TotalCount")
    assert reply["Accounts"] == {"Account": [{"AliyunUid": world.other.account}]}
    assert (reply["ImageId"], reply["PageNumber"], reply["PageSize"], reply["TotalCount"]) == (image, 1, 10, 1)


def test_an_image_without_shares_has_an_empty_list(world, generation):
    image = world.owner.import_image()
    reply = world.owner.sdk(generation).call(SHARES, ImageId=image)
    assert (reply["Accounts"], reply["TotalCount"]) == ({"Account": []}, 0)


def test_many_accounts_in_one_call(world):
    """The accounts may live elsewhere: nothing is known of most of them here."""
    owner = world.owner
    image = owner.import_image()
    accounts = [f"19{number:014d}" for number in range(120)]
    owner.share(image, *accounts)
    assert shared_with(owner, image, PageSize="100") == accounts[:100]
    assert shared_with(owner, image, PageSize="100", PageNumber="2") == accounts[100:]
    assert shared_with(owner, image) == accounts[:10]
    assert shared_with(owner, image, PageNumber="13") == []
    assert shared_with(owner, image, AliyunId=int(accounts[33])) == [accounts[33]]
    assert shared_with(owner, image, AliyunId=1) == []
    for name, value in (("PageSize", "101"), ("PageSize", "0"), ("PageNumber", "0")):
        assert_refused(refusal(owner.call, SHARES, ImageId=image, **{name: value}), *invalid(name))

    owner.call(SHARE, ImageId=image, RemoveAccounts=",".join(accounts[1:]))
    assert shared_with(owner, image) == accounts[:1]


def test_shares_are_a_set(world):
    owner, other = world.owner, world.other
    image = owner.import_image()
    for _ in range(2):
        owner.share(image, other.account, other.account)
    owner.call(SHARE, ImageId=image, AddAccounts=f" {other.account} ,,")
    assert shared_with(owner, image) == [other.account]
    for _ in range(2):
        owner.call(SHARE, ImageId=image, RemoveAccounts=other.account)
    assert shared_with(owner, image) == []


def test_parameters_that_are_missing(world):
    image = world.owner.import_image()
    call = world.owner.call
    assert_refused(refusal(call, SHARE, AddAccounts=world.other.account), *MISSING_ONE_PARAMETER)
    assert_refused(refusal(call, SHARE, ImageId=image), *MISSING_ONE_PARAMETER)
    assert_refused(refusal(call, SHARE, ImageId=image, AddAccounts=""), *MISSING_ONE_PARAMETER)


@pytest.mark.parametrize("accounts", ["not an account", "1/2", "x" * 200])
def test_accounts_that_are_malformed(world, accounts):
    image = world.owner.import_image()
    assert_refused(refusal(world.owner.call, SHARE, ImageId=image, AddAccounts=accounts), *invalid("AddAccounts"))
    refused = refusal(world.owner.call, SHARE, ImageId=image, RemoveAccounts=accounts)
    assert_refused(refused, *invalid("RemoveAccounts"))
    assert shared_with(world.owner, image) == []


def test_a_malformed_account_among_good_ones_changes_nothing(world):
    image = world.owner.import_image()
    both = f"{world.other.account},not an account"
    assert_refused(refusal(world.owner.call, SHARE, ImageId=image, AddAccounts=both), *invalid("AddAccounts"))
    assert shared_with(world.owner, image) == []


def test_only_the_owner_shares(world, generation):
    owner, other = world.owner, world.other
    private, shared = owner.import_images(2)
    owner.share(shared, other.account)
    call = other.sdk(generation).call
    before = [world.server.print_of(image) for image in (private, shared)]
    for image, expected in ((private, INVALID_IMAGE_ID), (shared, NO_PERMISSION), ("m-unknown", INVALID_IMAGE_ID)):
        assert_refused(refusal(call, SHARE, ImageId=image, AddAccounts="1000000000000001"), *expected)
        assert_refused(refusal(call, SHARE, ImageId=image, RemoveAccounts=other.account), *expected)
        assert_refused(refusal(call, SHARES, ImageId=image), *expected)
    assert [world.server.print_of(image) for image in (private, shared)] == before


def test_public_images_are_not_shared(world):
    refused = refusal(world.owner.call, SHARE, ImageId=PUBLIC_IMAGE, AddAccounts=world.other.account)
    assert_refused(refused, 400, "InvalidImageType.NotSupported", "The specified image type is not supported.")


def test_an_owner_is_no_recipient(world):
    image = world.owner.import_image()
    refused = refusal(world.owner.call, SHARE, ImageId=image, AddAccounts=world.owner.account)
    assert_refused(refused, *invalid("AddAccounts"))
    assert world.owner.image(image)["ImageOwnerAlias"] == "self"


def test_a_recipient_launches_switches_and_copies(world):
    owner, other = world.owner, world.other
    image = owner.import_image()
    owner.share(image, other.account)
    created, switched = other.launch(image), other.launch()
    other.reinit(switched, image)
    copy = other.call("CreateImage", ImageName="my-own", InstanceId=created)["ImageId"]
    assert other.image_becomes(copy, "Available")["ImageOwnerAlias"] == "self"
    assert owner.image(copy) is None, "a copy belongs to the one who made it"
    assert owner.instance(created) is None
    assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)

    # What a recipient has made stays when the share ends.
    owner.call(SHARE, ImageId=image, RemoveAccounts=other.account)
    assert other.instance(created)["ImageId"] == image
    assert other.instance(switched)["ImageId"] == image
    assert other.image(copy)
    assert_refused(refusal(other.call, "ReinitInstance", InstanceId=created, ImageId=image), *INVALID_IMAGE_ID)
    later = other.call("CreateImage", ImageName="my-later", InstanceId=created)["ImageId"]
    other.image_becomes(later, "Available")
    for instance in (created, switched):
        other.release(instance)
    owner.delete(image)
    other.delete(copy)


def test_users_of_the_recipients_account_see_the_share(ram_world):
    image = ram_world.other.import_image()
    ram_world.other.share(image, ram_world.owner.account)
    assert ram_world.user("describe").image(image)["ImageOwnerAlias"] == "others"
    assert_refused(refusal(ram_world.user("ens").delete, image), *NO_PERMISSION)


def test_shares_outlive_a_restart(private):
    world = private()
    image = world.owner.import_image()
    world.owner.share(image, world.other.account)
    world.server.restart()
    assert Caller(world.server, world.other.key).image(image)["ImageOwnerAlias"] == "others"
