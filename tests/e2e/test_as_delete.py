"""App Streaming DeleteImage: requirements D21 to D43."""

import base64
import re
import threading

import pytest

from appstream_clients import APPSTREAM
from appstream_refusals import (
    COMMUNITY_PARENT, CREATING, IN_USE, NO_PERMISSION, NOT_ALLOW, NOT_EXIST, SHARED_IN, SHARED_OUT,
    UNAVAILABLE, delete_must_fail, delete_must_succeed,
)  # fmt: skip
from appstream_shapes import check_deleted, check_error
from appstream_world import ALL_REGIONS, HOME, LINUX, REGIONS, SYSTEM, Tenant
from clients import Refused
from server import wait
from shapes import REQUEST_ID
from world import assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]

ALGORITHMS = pytest.mark.parametrize("algorithm", ["acs3", "v1", "sm3"])


# D21, D22


@ALGORITHMS
def test_d21_deletes_a_custom_image(tenants, algorithm):
    owner = tenants.owner
    image = owner.make_image(TagList=[{"Key": "team", "Value": "a"}])
    files = tenants.server.replicas(image)
    assert [path.exists() for path in files.values()] == [True]

    delete_must_succeed(owner, image, algorithm)

    listing = owner.call("ListImage", ImageId=image)
    assert (listing["Count"], listing["Data"]) == (0, [])
    assert not any(path.exists() for path in files.values())
    assert_refused(refusal(owner.workstation, image), *NOT_EXIST)
    assert_refused(refusal(owner.group, image), *NOT_EXIST)
    assert_refused(refusal(owner.template, image), *NOT_EXIST)
    assert_refused(refusal(owner.start_distribution, image, *REGIONS), *NOT_EXIST)
    assert_refused(refusal(owner.share, image, tenants.other.account), *NOT_EXIST)


def test_d21_the_parameter_may_be_in_the_query_or_in_the_body(tenants):
    owner = tenants.owner
    query, form, body, acs3_query, acs3_form = owner.make_images(5)
    raw = owner.raw
    requests = [
        raw.v1("DeleteImage", {"ImageId": query}, version=APPSTREAM),
        raw.v1("DeleteImage", {"ImageId": form}, version=APPSTREAM, where="form"),
        raw.v1("DeleteImage", {"ImageId": body}, version=APPSTREAM, where="body"),
        raw.acs3("DeleteImage", {"ImageId": acs3_query}, version=APPSTREAM),
        raw.acs3("DeleteImage", form={"ImageId": acs3_form}, version=APPSTREAM),
    ]
    for prepared in requests:
        answer = raw.send(prepared)
        assert answer.status == 200
        check_deleted(answer.json)
        assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
        assert answer.headers["content-type"].startswith("application/json")
    assert owner.images(ImageType="User") == []


def test_d21_deletes_an_image_made_of_a_delivery_group(tenants):
    owner = tenants.owner
    group = owner.group(SYSTEM, RuntimePolicy={"DebugMode": "ON"})
    image = owner.call(
        "CreateImageFromAppInstanceGroup", AppInstanceGroupId=group, AppCenterImageName="studio",
        ProductType="CloudApp",
    )["ImageId"]  # fmt: skip
    owner.image_becomes(image, "AVAILABLE")
    delete_must_succeed(owner, image)
    assert owner.get_group(group)["Status"] == "PUBLISHED", "what an image was made of is no use of it"


def test_d22_only_own_images_are_deleted(tenants):
    owner, other = tenants.owner, tenants.other
    shared, private, published = owner.make_images(3)
    owner.share(shared, other.account)
    owner.own("PublishCommunityImage", ImageId=published)
    delete_must_fail(other, SYSTEM, NOT_ALLOW)
    delete_must_fail(other, published, NOT_ALLOW)
    delete_must_fail(other, shared, SHARED_IN)
    delete_must_fail(other, private, NOT_EXIST)
    assert {entry["ImageId"] for entry in owner.images()} >= {shared, private, published, SYSTEM}


# D23


def test_d23_a_delivery_group_keeps_its_image(tenants):
    owner = tenants.owner
    image = owner.make_image()
    groups = [owner.group(image) for _ in range(2)]
    delete_must_fail(owner, image, IN_USE)
    owner.delete_group(groups[0])
    delete_must_fail(owner, image, IN_USE)
    owner.delete_group(groups[1])
    delete_must_succeed(owner, image)


def test_d23_a_workstation_keeps_its_image_stopped_or_not(tenants):
    owner = tenants.owner
    image = owner.make_image()
    workstation = owner.workstation(image)
    delete_must_fail(owner, image, IN_USE)
    owner.call("StopWuyingServer", WuyingServerIdList=[workstation])
    owner.workstation_becomes(workstation, "STOPPED")
    delete_must_fail(owner, image, IN_USE)
    owner.delete_workstation(workstation)
    delete_must_succeed(owner, image)


def test_d23_a_bundle_does_not_keep_its_image(tenants):
    owner = tenants.owner
    image = owner.make_image()
    bundle = owner.bundle(image)
    delete_must_succeed(owner, image)
    assert owner.bundles(BundleId=[bundle]) == {bundle}
    owner.ecd("DeleteBundles", RegionId=HOME, BundleId=[bundle])


def test_d23_what_an_image_was_made_of_may_go_first(tenants):
    owner = tenants.owner
    parent = owner.make_image()
    child = owner.make_child(parent)
    delete_must_succeed(owner, parent)
    assert owner.image(child)["ParentImageId"] == parent
    assert owner.image(child)["BaseImageId"] == SYSTEM
    delete_must_succeed(owner, child)


# D24


def test_d24_the_templates_go_with_the_image(tenants):
    owner = tenants.owner
    image, kept_image = owner.make_images(2)
    gone = {owner.template(image) for _ in range(3)}
    kept = {owner.template(kept_image), owner.template(SYSTEM), owner.template(None)}
    moved = owner.template(image)
    owner.ecd("ModifyTemplate", TemplateId=moved, ImageId=kept_image)
    assert owner.templates(ImageId=image) == gone

    delete_must_succeed(owner, image)

    assert owner.templates() == kept | {moved}
    assert owner.templates(ImageId=image) == set()
    assert owner.templates(TemplateIds=sorted(gone)) == set()
    for template in gone:
        refused = refusal(owner.ecd, "ModifyTemplate", TemplateId=template, Description="too late")
        assert_refused(refused, 400, "InvalidTemplate.NotFound", "Template not found.")


def test_d24_templates_do_not_keep_the_image(tenants):
    owner = tenants.owner
    image = owner.make_image()
    template = owner.template(image)
    owner.ecd("DeleteTemplates", TemplateIds=[template])
    owner.template(image)
    delete_must_succeed(owner, image)


def test_d24_templates_of_accounts_that_saw_the_image_go_too(tenants):
    owner, other = tenants.owner, tenants.other
    shared, published = owner.make_images(2)
    owner.share(shared, other.account)
    owner.own("PublishCommunityImage", ImageId=published)
    for image in (shared, published):
        other.template(image)
    kept = other.template(SYSTEM)
    owner.unshare(shared, other.account)
    for image in (shared, published):
        delete_must_succeed(owner, image)
    assert other.templates() == {kept}


def test_d24_the_deletion_records_what_went_with_the_image(tenants):
    owner = tenants.owner
    image = owner.make_image()
    templates = {owner.template(image) for _ in range(2)}
    reply = delete_must_succeed(owner, image)
    [row] = tenants.server.query("SELECT * FROM deletions WHERE image_id = ?", image)
    assert row["request_id"] == reply["RequestId"]
    assert (row["owner"], row["product"]) == (owner.account, "appstreaming")
    told = owner.own("GetDeletion", ImageId=image)["Deletion"]
    assert set(told["Templates"]) == templates


# D25


def test_d25_the_image_goes_from_every_region(tenants):
    owner = tenants.owner
    image, kept = owner.make_images(2)
    for one in (image, kept):
        owner.distribute(one, *REGIONS[1:])
    files = tenants.server.replicas(image)
    assert sorted(files) == sorted(REGIONS) and all(path.exists() for path in files.values())

    delete_must_succeed(owner, image)

    for region in ALL_REGIONS:
        listed = {entry["ImageId"] for entry in owner.images(BizRegionIdList=[region])}
        assert image not in listed
        assert (kept in listed) == (region in REGIONS)
        regional = owner.ecd("DescribeImages", RegionId=region, MaxResults=100)["Images"]
        assert (kept in {entry["ImageId"] for entry in regional}) == (region in REGIONS)
        assert image not in {entry["ImageId"] for entry in regional}
        assert owner.ecd("DescribeImages", RegionId=region, ImageId=[image])["Images"] == []
    assert not any(path.exists() for path in files.values())
    assert all(path.exists() for path in tenants.server.replicas(kept).values())
    assert tenants.server.query("SELECT * FROM versions WHERE image_id = ?", image) == []


def test_d25_failed_copies_go_too(tenants):
    owner = tenants.owner
    image = owner.make_image()
    [path] = tenants.server.replicas(image).values()
    held = path.read_bytes()
    path.unlink()
    owner.start_distribution(image, "cn-beijing")
    wait("the copy to fail", lambda: owner.entries(image)["cn-beijing"][0] == "CREATE_FAILED")
    path.write_bytes(held)
    delete_must_succeed(owner, image)


# D26, D27


@ALGORITHMS
def test_d26_calls_are_signed(tenants, algorithm):
    owner = tenants.owner
    image = owner.make_image()
    thief = Tenant(tenants.server, type(owner.key)(owner.account, owner.key.id, "not the secret"))
    refused = refusal(thief.sdk(algorithm).call, "DeleteImage", ImageId=image)
    assert (refused.status, refused.body["Code"]) == (400, "SignatureDoesNotMatch")
    unsigned = owner.raw.v1("DeleteImage", {"ImageId": image}, version=APPSTREAM, change={"Signature": None})
    assert owner.raw.send(unsigned).json["Code"] == "MissingSignature"
    assert owner.image(image)


ALLOWED = ["delete", "delete-prefix", "other-case", "product", "everything", "ecd-delete-denied", "from-here"]
DENIED = [
    "nobody", "list", "denied", "denied-first", "all-but-delete", "endpoint-name", "ens", "ecd",
    "groups-only", "from-elsewhere",
]  # fmt: skip


@pytest.mark.parametrize("user", ALLOWED)
def test_d27_a_policy_allows_and_nothing_else_is_needed(ram_tenants, user):
    owner = ram_tenants.owner
    image = owner.make_image()
    owner.distribute(image, "cn-shanghai")
    template = owner.template(image)
    check_deleted(ram_tenants.user(user).delete(image).body)
    assert owner.image(image) is None
    assert template not in owner.templates()


@pytest.mark.parametrize("user", DENIED)
def test_d27_without_a_policy_that_allows_nothing_is_deleted(ram_tenants, user):
    owner, caller = ram_tenants.owner, ram_tenants.user(user)
    image = owner.make_image()
    owner.template(image)
    refused = delete_must_fail(caller, image, NO_PERMISSION)
    detail = refused.body["AccessDeniedDetail"]
    diagnostic = base64.b64decode(detail.pop("EncodedDiagnosticMessage"))
    assert diagnostic.endswith(refused.body["RequestId"].encode())
    assert detail == {
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "NoPermissionType": "ExplicitDeny" if user.startswith("denied") else "ImplicitDeny",
        "AuthAction": "appstreaming:DeleteImage",
        "AuthPrincipalType": "SubUser",
        "AuthPrincipalDisplayName": user,
        "AuthPrincipalOwnerId": owner.account,
    }


def test_d27_a_user_may_delete_what_another_one_made(ram_tenants):
    maker = ram_tenants.user("product")
    image = maker.make_image()
    check_deleted(ram_tenants.user("delete").delete(image).body)


# D28 to D31


@pytest.mark.parametrize(
    "image",
    [None, "", "img-unknown", "imgc-000000000000000000000000", "m-a,m-b", "x" * 300, "../etc", "\u955c"],
)
def test_d28_an_image_that_is_not_there_does_not_exist(tenants, image):
    owner = tenants.owner
    keep = owner.make_image()
    before = tenants.server.print_of(keep)
    params = {} if image is None else {"ImageId": image}
    calls = [lambda: owner.call("DeleteImage", **params), lambda: owner.bare("DeleteImage", params)]
    for call in calls:
        refused = refusal(call)
        assert_refused(refused, *NOT_EXIST)
        check_error(refused.body, owner)
    assert tenants.server.print_of(keep) == before


def test_d28_a_list_of_images_is_none(tenants):
    owner = tenants.owner
    images = owner.make_images(2)
    listed = {f"ImageId.{place}": image for place, image in enumerate(images, 1)}
    for params in (listed, {"ImageId": ",".join(images)}, {"ImageId": f'["{images[0]}"]'}):
        assert_refused(refusal(owner.bare, "DeleteImage", params), *NOT_EXIST)
    assert all(owner.image(image) for image in images)


def test_d29_d30_d31_a_typed_client_reads_the_reply(tenants):
    owner = tenants.owner
    reply = owner.delete(owner.make_image())
    typed = reply.typed
    told = (typed.data, typed.success, typed.code, typed.message, typed.request_id)
    assert told == (True, True, "200", "successful", reply["RequestId"])
    assert REQUEST_ID.fullmatch(reply["RequestId"])
    assert reply.headers["x-acs-request-id"] == reply["RequestId"]


def test_d31_every_answer_has_a_request_id_of_its_own(tenants):
    owner = tenants.owner
    replies = [owner.delete(image)["RequestId"] for image in owner.make_images(2)]
    replies += [refusal(owner.delete, "img-unknown").body["RequestId"] for _ in range(2)]
    assert len(set(replies)) == 4


# D33, D34, D36, D45


def test_d33_all_that_does_not_exist_looks_the_same(tenants):
    owner, other = tenants.owner, tenants.other
    private, deleted = owner.make_images(2)
    owner.delete(deleted)
    calls = [
        refusal(owner.call, "DeleteImage"),
        refusal(owner.delete, "imgc-0mwqw5knh06q9771izzitehyg"),
        refusal(owner.delete, deleted),
        refusal(other.delete, private),
    ]
    bodies = []
    for refused in calls:
        assert_refused(refused, *NOT_EXIST)
        request_id = refused.body.pop("RequestId")
        refused.body["Recommend"] = refused.body["Recommend"].replace(request_id, "")
        bodies.append(refused.body)
    assert all(body == bodies[0] for body in bodies)
    assert owner.image(private)


def test_d33_images_of_ens_do_not_exist_here(tenants):
    [row] = tenants.server.query("SELECT id FROM images WHERE product = 'ens' LIMIT 1")
    delete_must_fail(tenants.owner, row["id"], NOT_EXIST)


@ALGORITHMS
def test_d34_a_system_image_is_not_deleted(tenants, algorithm):
    for image in (SYSTEM, LINUX):
        delete_must_fail(tenants.owner, image, NOT_ALLOW, algorithm)


def test_d34_a_community_image_of_another_account_is_not_deleted(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.own("PublishCommunityImage", ImageId=image)
    assert other.image(image)["ImageType"] == "Community"
    delete_must_fail(other, image, NOT_ALLOW)
    delete_must_succeed(owner, image)
    delete_must_fail(other, image, NOT_EXIST)


def test_d34_a_withdrawn_community_image_does_not_exist_for_others(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.own("PublishCommunityImage", ImageId=image)
    owner.own("WithdrawCommunityImage", ImageId=image)
    delete_must_fail(other, image, NOT_EXIST)
    delete_must_succeed(owner, image)


@ALGORITHMS
def test_d36_a_recipient_does_not_delete(tenants, algorithm):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    assert other.image(image)["ImageType"] == "Shared"
    delete_must_fail(other, image, SHARED_IN, algorithm)
    assert owner.image(image) and other.image(image)
    owner.unshare(image, other.account)
    delete_must_fail(other, image, NOT_EXIST)


# D35


@ALGORITHMS
def test_d35_the_parent_of_a_community_image_stays(tenants, algorithm):
    owner = tenants.owner
    parent = owner.make_image()
    child = owner.make_published_child(parent)
    delete_must_fail(owner, parent, COMMUNITY_PARENT, algorithm)
    delete_must_succeed(owner, child)
    delete_must_succeed(owner, parent)


def test_d35_a_withdrawn_child_does_not_keep_its_parent(tenants):
    owner = tenants.owner
    parent = owner.make_image()
    child = owner.make_published_child(parent)
    delete_must_fail(owner, parent, COMMUNITY_PARENT)
    owner.own("WithdrawCommunityImage", ImageId=child)
    delete_must_succeed(owner, parent)
    assert owner.image(child)["ImageType"] == "User"


def test_d35_a_child_that_another_account_published_counts(tenants):
    owner, other = tenants.owner, tenants.other
    parent = owner.make_image()
    owner.share(parent, other.account)
    child = other.make_published_child(parent)
    owner.unshare(parent, other.account)
    delete_must_fail(owner, parent, COMMUNITY_PARENT)
    other.delete(child)
    delete_must_succeed(owner, parent)


def test_d35_a_grandchild_keeps_only_its_parent(tenants):
    owner = tenants.owner
    image = owner.make_image()
    middle = owner.make_child(image)
    owner.make_published_child(middle)
    delete_must_fail(owner, middle, COMMUNITY_PARENT)
    delete_must_succeed(owner, image)


# D37


def test_d37_uses_of_accounts_that_the_image_was_shared_with_count(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    workstation, group = other.workstation(image), other.group(image)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, IN_USE)
    other.delete_workstation(workstation)
    delete_must_fail(owner, image, IN_USE)
    other.delete_group(group)
    delete_must_succeed(owner, image)


def test_d37_an_update_of_a_group_in_progress_uses_both_images(slow_moving):
    owner = slow_moving.owner
    group, station = owner.group(SYSTEM), owner.mother
    owner.workstation_becomes(station, "RUNNING")
    old, new = owner.make_images(2)
    owner.move_group(group, old)
    owner.group_becomes(group, "PUBLISHED")
    owner.move_group(group, new)
    assert owner.get_group(group)["Status"] == "MAINTAINING"
    delete_must_fail(owner, new, IN_USE)
    delete_must_fail(owner, old, IN_USE)
    assert owner.get_group(group)["Status"] == "MAINTAINING", "checked too late"
    owner.group_becomes(group, "PUBLISHED")
    delete_must_succeed(owner, old)
    delete_must_fail(owner, new, IN_USE)
    owner.delete_group(group)
    delete_must_succeed(owner, new)


def test_d37_an_update_of_a_workstation_in_progress_uses_both_images(slow_moving):
    owner = slow_moving.owner
    owner.workstation_becomes(owner.mother, "RUNNING")
    old, new = owner.make_images(2)
    workstation = owner.workstation(old)
    owner.workstation_becomes(workstation, "RUNNING")
    owner.move_workstation(workstation, new)
    assert owner.get_workstation(workstation)["Status"] == "UPDATING"
    delete_must_fail(owner, new, IN_USE)
    delete_must_fail(owner, old, IN_USE)
    assert owner.get_workstation(workstation)["Status"] == "UPDATING", "checked too late"
    owner.workstation_becomes(workstation, "RUNNING")
    assert owner.get_workstation(workstation)["ImageId"] == new
    delete_must_succeed(owner, old)
    delete_must_fail(owner, new, IN_USE)


def test_d37_what_goes_while_it_is_updated_frees_both_images(slow_moving):
    owner = slow_moving.owner
    owner.workstation_becomes(owner.mother, "RUNNING")
    old, new = owner.make_images(2)
    workstation = owner.workstation(old)
    owner.workstation_becomes(workstation, "RUNNING")
    owner.move_workstation(workstation, new)
    owner.delete_workstation(workstation)
    for image in (old, new):
        delete_must_succeed(owner, image)


def test_d37_a_group_that_is_being_deployed_uses_its_image(slow_moving):
    owner = slow_moving.owner
    owner.workstation_becomes(owner.mother, "RUNNING")
    image = owner.make_image()
    group = owner.group(image)
    delete_must_fail(owner, image, IN_USE)
    assert owner.get_group(group)["Status"] == "DEPLOYING", "checked too late"
    owner.delete_group(group)
    delete_must_succeed(owner, image)


# D38


@ALGORITHMS
def test_d38_an_image_that_is_being_made_stays(slow_making, algorithm):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    delete_must_fail(owner, image, CREATING, algorithm)
    assert owner.image(image)["Status"] in ("INIT", "CREATING"), "checked too late"
    owner.image_becomes(image, "AVAILABLE")
    delete_must_succeed(owner, image)


def test_d38_an_image_that_is_being_distributed_stays(slow_making):
    owner = slow_making.owner
    image = owner.make_image()
    owner.start_distribution(image, "cn-shanghai", "cn-beijing")
    assert owner.image(image)["Status"] == "AVAILABLE"
    delete_must_fail(owner, image, CREATING)
    assert owner.entries(image)["cn-shanghai"][0] in ("INIT", "CREATING"), "checked too late"
    owner.reaches(image, *REGIONS)
    delete_must_succeed(owner, image)


def test_d38_a_failed_image_is_deleted(tenants):
    owner = tenants.owner
    parent = owner.make_image()
    workstation = owner.workstation(parent)
    [path] = tenants.server.replicas(parent).values()
    held = path.read_bytes()
    path.unlink()
    image = owner.make_image(workstation, ready=False)
    owner.image_becomes(image, "CREATE_FAILED")
    path.write_bytes(held)
    owner.delete_workstation(workstation)
    delete_must_succeed(owner, image)


# D42


@ALGORITHMS
def test_d42_the_owner_takes_the_shares_back_first(tenants, algorithm):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account, "1999999999999999")
    delete_must_fail(owner, image, SHARED_OUT, algorithm)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, SHARED_OUT, algorithm)
    owner.unshare(image, "1999999999999999")
    delete_must_succeed(owner, image, algorithm)


# D43


def test_d43_a_store_that_is_away_is_said_so(own_server):
    world = own_server()
    owner = world.owner
    image = owner.make_image()
    wait("the work to be done", world.server.is_quiet)
    answered = threading.Event()
    found = []

    def call():
        try:
            found.append(owner.delete(image))
        except Refused as refused:
            found.append(refused)
        answered.set()

    # Another program that holds the metadata makes the store unavailable for as long as it does.
    with world.server.metadata.held():
        thread = threading.Thread(target=call)
        thread.start()
        answered.wait(25)
    thread.join()
    [refused] = found
    assert isinstance(refused, Refused), refused
    assert_refused(refused, *UNAVAILABLE)
    check_error(refused.body, owner)
    delete_must_succeed(owner, image)


# Section 2: nothing of another product's words


def test_errors_never_tell_of_the_inside(tenants):
    refused = refusal(tenants.owner.delete, SYSTEM)
    assert not re.search(r"sqlite|/tmp|panic|rust", str(refused.body), re.IGNORECASE)
