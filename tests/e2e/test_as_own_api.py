"""Our own API, version 2026-11-21: ExplainDeleteImage, PublishCommunityImage, WithdrawCommunityImage."""

import pytest

from appstream_clients import OWN
from appstream_refusals import (
    COMMUNITY_PARENT, CREATING, IN_USE, MISSING_PARAMETER, NO_PERMISSION, NOT_ALLOW, NOT_EXIST, SHARED_IN,
    SHARED_OUT, delete_must_fail, delete_must_succeed, invalid,
)  # fmt: skip
from appstream_shapes import check_error
from appstream_world import HOME, REGIONS, SYSTEM
from server import PUBLIC_IMAGE
from shapes import REQUEST_ID, is_time
from world import Caller, assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]

NOT_OWNER = (403, "Image.NotOwner", "The image belongs to another account.")
NOT_AVAILABLE = (400, "Image.NotAvailable", "The image is not available.")
ENS_CREATED_USE = (
    400, "Forbidden.DelerrorteImage", "The image cannot be deleted when used by instance.",
)  # fmt: skip
ENS_SWITCHED_USE = (400, "Error.DeleteImage", "The image cannot be deleted when used by instance.")
ENS_STATUS = (
    400, "IncorrectStatus.Image", "The current status of the image does not support this operation.",
)  # fmt: skip
OPERATIONS = ["ExplainDeleteImage", "PublishCommunityImage", "WithdrawCommunityImage"]


def explained(caller, image, api="appstreaming"):
    """The refusals that are explained, in their order, each as status, code and message with the rest."""
    body = caller.explain(image).body
    assert set(body) == {"Api", "Deletable", "ImageId", "Refusals", "RequestId"}
    assert REQUEST_ID.fullmatch(body["RequestId"])
    assert (body["Api"], body["ImageId"]) == (api, image)
    assert body["Deletable"] is (not body["Refusals"])
    for one in body["Refusals"]:
        assert set(one) == {
            "Blockers", "Clear", "Code", "HiddenBlockers", "HttpStatusCode", "Kind", "Message"
        }  # fmt: skip
        assert type(one["HttpStatusCode"]) is int and type(one["HiddenBlockers"]) is int
    return body["Refusals"]


def rows(refusals):
    return [(one["HttpStatusCode"], one["Code"], one["Message"]) for one in refusals]


def blockers(refusal_):
    """The blockers by kind and id."""
    return {(one["Kind"], one["Id"]) for one in refusal_["Blockers"]}


class EnsCaller(Caller):
    """A caller of ENS that can ask our own API, too."""

    def explain(self, image):
        return self.sdk("new").call_other(OWN, "ExplainDeleteImage", ImageId=image)


def ens(tenant):
    return EnsCaller(tenant.server, tenant.key)


# ExplainDeleteImage, App Streaming


def test_an_image_that_nothing_keeps_is_deletable(tenants):
    owner = tenants.owner
    image = owner.make_image()
    owner.template(image)
    before = tenants.server.print_of(image)
    assert explained(owner, image) == []
    assert tenants.server.print_of(image) == before
    delete_must_succeed(owner, image)


def test_every_refusal_is_explained_at_once_and_goes_with_its_cause(slow_making):
    owner, other = slow_making.owner, slow_making.other
    image = owner.make_image()
    child = owner.make_child(image)
    owner.own("PublishCommunityImage", ImageId=child)
    owner.share(image, other.account, "1999999999999999")
    group, workstation, moved = owner.group(image), owner.workstation(image), owner.workstation(SYSTEM)
    owner.move_workstation(moved, image)
    owner.workstation_becomes(moved, "RUNNING")
    owner.start_distribution(image, *REGIONS)

    refusals = explained(owner, image)
    assert rows(refusals) == [CREATING, SHARED_OUT, COMMUNITY_PARENT, IN_USE, IN_USE]
    assert [blockers(one) for one in refusals] == [
        {("Region", "cn-shanghai"), ("Region", "cn-beijing")},
        {("Share", other.account), ("Share", "1999999999999999")},
        {("CommunityImage", child)},
        {("AppInstanceGroup", group), ("WuyingServer", workstation)},
        {("WuyingServer", moved)},
    ]
    assert all(one["HiddenBlockers"] == 0 and one["Clear"] for one in refusals)
    for one in refusals[3]["Blockers"] + refusals[4]["Blockers"]:
        assert one["Owner"] == owner.account and is_time(one["Since"]) and one["InProgress"] is False
    delete_must_fail(owner, image, CREATING)

    owner.reaches(image, *REGIONS)
    for expected, cure in (
        (SHARED_OUT, lambda: owner.unshare(image, other.account, "1999999999999999")),
        (COMMUNITY_PARENT, lambda: owner.own("WithdrawCommunityImage", ImageId=child)),
        (IN_USE, lambda: (owner.delete_group(group), owner.delete_workstation(workstation))),
        (IN_USE, lambda: owner.move_workstation(moved, SYSTEM)),
    ):
        assert rows(explained(owner, image))[0] == expected
        delete_must_fail(owner, image, expected)
        cure()
    owner.workstation_becomes(moved, "RUNNING")
    assert explained(owner, image) == []
    delete_must_succeed(owner, image)


def test_an_image_that_is_being_made_is_explained(slow_making):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    [one] = explained(owner, image)
    assert rows([one]) == [CREATING]
    assert one["Kind"] == "Making" and blockers(one) == {("Region", HOME)}


def test_a_switch_in_progress_is_said_so(slow_moving):
    owner = slow_moving.owner
    workstation = owner.mother
    owner.workstation_becomes(workstation, "RUNNING")
    image = owner.make_image()
    owner.move_workstation(workstation, image)
    [one] = explained(owner, image)
    assert rows([one]) == [IN_USE] and blockers(one) == {("WuyingServer", workstation)}
    assert one["Blockers"][0]["InProgress"] is True


def test_blockers_of_other_accounts_are_counted_not_named(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    foreign = [other.group(image), other.workstation(image)]
    own = owner.group(image)
    owner.unshare(image, other.account)
    reply = owner.explain(image)
    [one] = reply["Refusals"]
    assert (blockers(one), one["HiddenBlockers"]) == ({("AppInstanceGroup", own)}, 2)
    assert other.account not in str(reply.body) and not any(name in str(reply.body) for name in foreign)
    owner.delete_group(own)
    [one] = explained(owner, image)
    assert (one["Blockers"], one["HiddenBlockers"]) == ([], 2)
    delete_must_fail(owner, image, IN_USE)


def test_whoever_cannot_delete_an_image_learns_that_and_no_more(tenants):
    owner, other = tenants.owner, tenants.other
    shared, published = owner.make_images(2)
    for image in (shared, published):
        owner.group(image)
        owner.make_published_child(image)
    owner.share(shared, other.account)
    owner.own("PublishCommunityImage", ImageId=published)
    for image, expected in ((shared, SHARED_IN), (published, NOT_ALLOW), (SYSTEM, NOT_ALLOW)):
        [one] = explained(other, image)
        assert rows([one]) == [expected] and (one["Blockers"], one["HiddenBlockers"]) == ([], 0)
        delete_must_fail(other, image, expected)


def test_an_image_that_is_hidden_is_not_explained(tenants):
    owner, other = tenants.owner, tenants.other
    private, deleted = owner.make_images(2)
    owner.delete(deleted)
    bodies = []
    for caller, image in ((other, private), (owner, deleted), (owner, "img-unknown")):
        refused = refusal(caller.explain, image)
        assert_refused(refused, *NOT_EXIST)
        check_error(refused.body, owner, "Calotype", extra=False)
        bodies.append(refused.body["Message"])
    assert len(set(bodies)) == 1


# ExplainDeleteImage, ENS


def test_every_refusal_of_an_ens_image_is_explained(tenants):
    owner, other = ens(tenants.owner), ens(tenants.other)
    image = owner.import_image()
    assert explained(owner, image, "ens") == []
    owner.share(image, other.account)
    assert explained(owner, image, "ens") == [], "sharing does not keep an image of ENS"
    created, switched, foreign = owner.launch(image), owner.launch(), other.launch(image)
    owner.reinit(switched, image)
    first, second = explained(owner, image, "ens")
    assert rows([first, second]) == [ENS_CREATED_USE, ENS_SWITCHED_USE]
    assert (blockers(first), first["HiddenBlockers"]) == ({("Instance", created)}, 1)
    assert (blockers(second), second["HiddenBlockers"]) == ({("Instance", switched)}, 0)
    assert_refused(refusal(owner.delete, image), *ENS_CREATED_USE)
    owner.release(created)
    other.release(foreign)
    assert rows(explained(owner, image, "ens")) == [ENS_SWITCHED_USE]
    assert_refused(refusal(owner.delete, image), *ENS_SWITCHED_USE)
    owner.release(switched)
    assert explained(owner, image, "ens") == []
    owner.delete(image)
    assert_refused(refusal(owner.explain, image), *NOT_EXIST)


def test_an_ens_image_that_is_being_made_is_explained(slow_making):
    owner = ens(slow_making.owner)
    image = owner.import_image(ready=False)
    [one] = explained(owner, image, "ens")
    assert rows([one]) == [ENS_STATUS]
    assert_refused(refusal(owner.delete, image), *ENS_STATUS)


def test_foreign_ens_images_are_explained_as_delete_refuses_them(tenants):
    owner, other = ens(tenants.owner), ens(tenants.other)
    image = owner.import_image()
    assert_refused(refusal(other.explain, image), *NOT_EXIST)
    owner.share(image, other.account)
    for one in (image, PUBLIC_IMAGE):
        refused = refusal(other.delete, one)
        assert rows(explained(other, one, "ens")) == [(refused.status, refused.code, refused.message)]


# PublishCommunityImage, WithdrawCommunityImage


def test_a_published_image_is_there_for_everybody(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    assert other.image(image) is None
    for _ in range(2):
        assert set(owner.own("PublishCommunityImage", ImageId=image).body) == {"RequestId"}
        assert [caller.image(image)["ImageType"] for caller in (owner, other)] == ["Community"] * 2
    workstation, group = other.workstation(image), other.group(image)
    child = other.make_child(image)
    assert other.image(child)["ParentImageId"] == image

    for _ in range(2):
        assert set(owner.own("WithdrawCommunityImage", ImageId=image).body) == {"RequestId"}
        assert other.image(image) is None
        assert owner.image(image)["ImageType"] == "User"
    assert_refused(refusal(other.workstation, image), *NOT_EXIST)
    assert other.get_workstation(workstation)["ImageId"] == image
    delete_must_fail(owner, image, IN_USE)
    other.delete_workstation(workstation)
    other.delete_group(group)
    delete_must_succeed(owner, image)


@pytest.mark.parametrize("action", ["PublishCommunityImage", "WithdrawCommunityImage"])
def test_only_the_owner_publishes_and_withdraws(tenants, action):
    owner, other = tenants.owner, tenants.other
    private, shared, published = owner.make_images(3)
    owner.share(shared, other.account)
    owner.own("PublishCommunityImage", ImageId=published)
    expected = {private: NOT_EXIST, shared: NOT_OWNER, published: NOT_OWNER, SYSTEM: NOT_OWNER}
    for image, words in expected.items():
        before = tenants.server.print_of(image)
        refused = refusal(other.own, action, ImageId=image)
        assert_refused(refused, *words)
        check_error(refused.body, other, "Calotype", extra=False)
        assert tenants.server.print_of(image) == before
    ens_image = ens(owner).import_image()
    assert_refused(refusal(owner.own, action, ImageId=ens_image), *NOT_EXIST)


def test_only_available_images_are_published(slow_making):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    assert_refused(refusal(owner.own, "PublishCommunityImage", ImageId=image), *NOT_AVAILABLE)
    owner.image_becomes(image, "AVAILABLE")
    owner.own("PublishCommunityImage", ImageId=image)


def test_a_failed_image_is_not_published(tenants):
    owner = tenants.owner
    parent = owner.make_image()
    workstation = owner.workstation(parent)
    [path] = tenants.server.replicas(parent).values()
    held = path.read_bytes()
    path.unlink()
    image = owner.make_image(workstation, ready=False)
    owner.image_becomes(image, "CREATE_FAILED")
    path.write_bytes(held)
    assert_refused(refusal(owner.own, "PublishCommunityImage", ImageId=image), *NOT_AVAILABLE)
    assert tenants.other.image(image) is None


# Parameters and RAM


@pytest.mark.parametrize("action", OPERATIONS)
def test_the_image_must_be_named(tenants, action):
    owner = tenants.owner
    for params in ({}, {"ImageId": ""}):
        refused = refusal(owner.own, action, **params)
        assert_refused(refused, *MISSING_PARAMETER)
        check_error(refused.body, owner, "Calotype", extra=False)
    for image in ("m-a,m-b", "x" * 300, "../etc"):
        assert_refused(refusal(owner.own, action, ImageId=image), *invalid("ImageId"))
    assert_refused(refusal(owner.own, action, ImageId="img-unknown"), *NOT_EXIST)


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        ("nobody", []),
        ("product", []),
        ("everything", OPERATIONS),
        ("own", OPERATIONS),
        ("explain", ["ExplainDeleteImage"]),
        ("no-publishing", ["ExplainDeleteImage", "WithdrawCommunityImage"]),
    ],
)
def test_ram_is_asked_first(ram_tenants, user, allowed):
    caller = ram_tenants.user(user)
    image = ram_tenants.owner.make_image()
    for action in OPERATIONS:
        if action in allowed:
            caller.own(action, ImageId=image)
            continue
        for one in (image, "img-unknown", SYSTEM):
            refused = refusal(caller.own, action, ImageId=one)
            assert_refused(refused, *NO_PERMISSION)
            detail = refused.body["AccessDeniedDetail"]
            assert detail["AuthAction"] == f"calotype:{action}"
            explicit = user == "no-publishing"
            assert detail["NoPermissionType"] == ("ExplicitDeny" if explicit else "ImplicitDeny")
