"""App Streaming DeleteImage: the order of checks when several errors apply (deleteimage.md, section 5).

Each test makes an adjacent pair true at once, sees the first code, clears its cause, and sees the second.
"""

import pytest

from appstream_refusals import (
    COMMUNITY_PARENT, CREATING, IN_USE, NO_PERMISSION, NOT_ALLOW, NOT_EXIST, SHARED_IN, SHARED_OUT,
    delete_must_fail, delete_must_succeed,
)  # fmt: skip
from appstream_shapes import check_error
from appstream_world import SYSTEM
from world import assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]


def test_the_signature_comes_before_ram(ram_tenants):
    nobody = ram_tenants.user("nobody")
    prepared = nobody.raw.acs3("DeleteImage", form={"ImageId": SYSTEM}, version="2021-09-01", secret="wrong")
    assert nobody.raw.send(prepared).json["Code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("image", [None, "", "img-unknown", "m-a,m-b", "x" * 300])
@pytest.mark.parametrize("user", ["nobody", "denied"])
def test_d27_ram_comes_before_existence(ram_tenants, user, image):
    refused = refusal(ram_tenants.user(user).call, "DeleteImage", ImageId=image)
    assert_refused(refused, *NO_PERMISSION)
    check_error(refused.body, ram_tenants.owner)


def test_d27_ram_comes_before_everything_about_the_image(ram_tenants):
    owner, nobody = ram_tenants.owner, ram_tenants.user("nobody")
    shared, used = owner.make_images(2)
    owner.share(shared, ram_tenants.other.account)
    group = owner.group(used)
    for image in (SYSTEM, shared, used):
        delete_must_fail(nobody, image, NO_PERMISSION)
    owner.delete_group(group)


def test_a_deleted_image_is_not_there_whatever_it_was(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    owner.unshare(image, other.account)
    delete_must_succeed(owner, image)
    for caller in (owner, other):
        delete_must_fail(caller, image, NOT_EXIST)


def test_d36_shared_in_comes_before_community(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    owner.own("PublishCommunityImage", ImageId=image)
    delete_must_fail(other, image, SHARED_IN)
    owner.unshare(image, other.account)
    delete_must_fail(other, image, NOT_ALLOW)


def test_whose_image_it_is_comes_before_its_state(slow_making):
    owner, other = slow_making.owner, slow_making.other
    image, foreign = owner.make_images(2)
    owner.own("PublishCommunityImage", ImageId=image)
    owner.share(foreign, other.account)
    owner.start_distribution(image, "cn-beijing")
    owner.start_distribution(foreign, "cn-beijing")
    delete_must_fail(other, image, NOT_ALLOW)
    delete_must_fail(other, foreign, SHARED_IN)
    delete_must_fail(other, owner.make_image(ready=False), NOT_EXIST)
    delete_must_fail(owner, image, CREATING)


def test_d38_creating_comes_before_shared_out(slow_making):
    owner, other = slow_making.owner, slow_making.other
    image = owner.make_image()
    owner.share(image, other.account)
    group = owner.group(image)
    owner.start_distribution(image, "cn-shanghai")
    delete_must_fail(owner, image, CREATING)
    owner.reaches(image, "cn-shanghai")
    delete_must_fail(owner, image, SHARED_OUT)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, IN_USE)
    owner.delete_group(group)
    delete_must_succeed(owner, image)


def test_d42_shared_out_comes_before_community_parent(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    child = owner.make_published_child(image)
    owner.share(image, other.account)
    delete_must_fail(owner, image, SHARED_OUT)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, COMMUNITY_PARENT)
    owner.delete(child)
    delete_must_succeed(owner, image)


@pytest.mark.parametrize("kind", ["group", "workstation"])
def test_d35_community_parent_comes_before_in_use(tenants, kind):
    owner = tenants.owner
    image = owner.make_image()
    child = owner.make_published_child(image)
    user = getattr(owner, kind)(image)
    delete_must_fail(owner, image, COMMUNITY_PARENT)
    owner.own("WithdrawCommunityImage", ImageId=child)
    delete_must_fail(owner, image, IN_USE)
    getattr(owner, f"delete_{kind}")(user)
    delete_must_succeed(owner, image)


@pytest.mark.parametrize("kind", ["group", "workstation"])
def test_d37_in_use_comes_before_the_templates(tenants, kind):
    owner = tenants.owner
    image = owner.make_image()
    templates = {owner.template(image) for _ in range(2)}
    user = getattr(owner, kind)(image)
    delete_must_fail(owner, image, IN_USE)
    assert owner.templates(ImageId=image) == templates
    getattr(owner, f"delete_{kind}")(user)
    delete_must_succeed(owner, image)
    assert owner.templates() == set()


def test_all_of_them_at_once_one_after_the_other(slow_making):
    owner, other = slow_making.owner, slow_making.other
    image = owner.make_image()
    child = owner.make_child(image)
    owner.own("PublishCommunityImage", ImageId=child)
    template, group = owner.template(image), owner.group(image)
    owner.share(image, other.account)
    owner.start_distribution(image, "cn-beijing")
    delete_must_fail(owner, image, CREATING)
    owner.reaches(image, "cn-beijing")
    delete_must_fail(owner, image, SHARED_OUT)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, COMMUNITY_PARENT)
    owner.own("WithdrawCommunityImage", ImageId=child)
    delete_must_fail(owner, image, IN_USE)
    assert owner.templates() == {template}
    owner.delete_group(group)
    delete_must_succeed(owner, image)
    assert owner.templates() == set()
