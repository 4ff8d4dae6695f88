"""App Streaming images: making them, and ListImage as each account sees it."""

import re
from datetime import UTC, datetime

import pytest

from appstream_refusals import NO_PERMISSION, delete_must_succeed, invalid
from appstream_shapes import check, check_error
from appstream_world import (
    ALL_REGIONS, BYTES, HOME, LARGE, LINUX, LINUX_DETAILS, REGIONS, SYSTEM,
)  # fmt: skip
from world import assert_refused, fresh_name, refusal

pytest_plugins = ["appstream_fixtures"]

OWN = "the caller's own"
STATUS = (400, "IncorrectStatus", "The current status of the resource does not support this operation.")


def ids(entries):
    return {entry["ImageId"] for entry in entries}


# Making images


def test_an_image_of_a_workstation(tenants):
    owner = tenants.owner
    reply = owner.call(
        "CreateImageByInstance", InstanceId=owner.mother, InstanceType="WuyingServer", ImageName="studio",
        Description="for the studio", DiskType="SYSTEM", AutoCleanUserdata=True, CopyProfile=False,
        TagList=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": ""}],
    )  # fmt: skip
    check("CreateImageByInstance", reply.body, "Code Data Message RequestId Success")
    assert (reply["Code"], reply["Success"]) == ("200", True)
    made = reply["Data"]
    assert made["ImageId"].startswith("imgc-") and made["VersionId"].startswith("iv-")
    assert made["TaskId"].startswith("tid-")
    owner.image_becomes(made["ImageId"], "AVAILABLE")

    entry = owner.image(made["ImageId"])
    system = owner.image(SYSTEM)
    expected = {
        "AliUid": int(owner.account),
        "BaseImageId": SYSTEM,
        "BaseImageVersion": system["VersionId"],
        "BizType": 1,
        "Description": "for the studio",
        "ImageCreateMode": "BY_SNAPSHOT_ID",
        "ImageName": "studio",
        "ImageRegionList": [HOME],
        "ImageType": "User",
        "LatestVersionId": made["VersionId"],
        "OnlineVersion": True,
        "OnlineVersionId": made["VersionId"],
        "OsType": "Windows",
        "ParentImageId": SYSTEM,
        "ParentImageVersion": system["VersionId"],
        "PlatformName": "Windows Server 2022",
        "ProductType": "WuyingServer",
        "Status": "AVAILABLE",
        "SystemDiskSize": 2,
        "TagList": [{"Key": "stage", "Value": ""}, {"Key": "team", "Value": "a"}],
        "VersionId": made["VersionId"],
        "VersionName": "v0.1.0",
        "VolumeEncryptionEnabled": False,
    }
    assert {name: entry[name] for name in expected} == expected
    [path] = tenants.server.replicas(made["ImageId"]).values()
    assert path.read_bytes() == BYTES


def test_an_image_of_a_delivery_group(tenants):
    owner = tenants.owner
    group = owner.group(LINUX, RuntimePolicy={"DebugMode": "ON"})
    params = {"AppInstanceGroupId": group, "AppCenterImageName": "apps", "ProductType": "CloudApp"}
    reply = owner.call("CreateImageFromAppInstanceGroup", **params)
    check("CreateImageFromAppInstanceGroup", reply.body, "ImageId RequestId")
    assert re.match("imgc?-", reply["ImageId"])
    owner.image_becomes(reply["ImageId"], "AVAILABLE")
    entry = owner.image(reply["ImageId"])
    expected = {
        "ImageName": "apps", "ImageType": "User", "ProductType": "CloudApp", "ParentImageId": LINUX,
        "BaseImageId": LINUX, "OsType": "Linux", "PlatformName": "Ubuntu", "FeatureList": ["GPU"],
        "PackageType": LINUX_DETAILS["PackageType"], "ProtocolType": LINUX_DETAILS["ProtocolType"],
        "SessionType": LINUX_DETAILS["SessionType"], "SystemDiskSize": 40,
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected


@pytest.mark.parametrize("debug", [None, {"DebugMode": "OFF"}, {}])
def test_a_group_without_debug_mode_gives_no_image(tenants, debug):
    owner = tenants.owner
    group = owner.group(SYSTEM, RuntimePolicy=debug)
    params = {"AppInstanceGroupId": group, "AppCenterImageName": "apps", "ProductType": "CloudApp"}
    refused = refusal(owner.call, "CreateImageFromAppInstanceGroup", **params)
    assert_refused(refused, *invalid("AppInstanceGroupId"))


def test_parents_and_base_of_a_line_of_images(tenants):
    owner = tenants.owner
    first = owner.make_image()
    second = owner.make_child(first)
    third = owner.make_child(second)
    entries = {image: owner.image(image) for image in (SYSTEM, first, second, third)}
    assert entries[SYSTEM]["ParentImageId"] == entries[SYSTEM]["BaseImageId"] == ""
    for parent, child in ((SYSTEM, first), (first, second), (second, third)):
        assert entries[child]["ParentImageId"] == parent
        assert entries[child]["ParentImageVersion"] == entries[parent]["VersionId"]
        assert entries[child]["BaseImageId"] == SYSTEM
        assert entries[child]["BaseImageVersion"] == entries[SYSTEM]["VersionId"]


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"InstanceId": None}, "InstanceId"),
        ({"InstanceId": ""}, "InstanceId"),
        ({"InstanceId": "ws-unknown"}, "InstanceId"),
        ({"InstanceId": "../etc"}, "InstanceId"),
        ({"InstanceType": "CloudDesktop"}, "InstanceId"),
        ({"InstanceType": "Desktop"}, "InstanceType"),
        ({"DiskType": "DATA"}, "DiskType"),
        ({"ImageName": "x"}, "ImageName"),
        ({"ImageName": "x" * 129}, "ImageName"),
        ({"ImageName": "http://x"}, "ImageName"),
        ({"Description": "x" * 257}, "Description"),
        ({"TagList": [{"Key": f"k{number}"} for number in range(21)]}, "TagList"),
        ({"TagList": [{"Value": "without a key"}]}, "TagList"),
    ],
)
def test_what_no_image_can_be_made_of_is_refused(tenants, params, parameter):
    owner = tenants.owner
    given = {"InstanceId": owner.mother, "InstanceType": "WuyingServer", "ImageName": "studio"} | params
    refused = refusal(owner.call, "CreateImageByInstance", **given)
    assert_refused(refused, *invalid(parameter))
    check_error(refused.body, owner)
    assert owner.images(ImageType="User") == []


def test_only_own_workstations_and_groups_give_images(tenants):
    owner, other = tenants.owner, tenants.other
    group = other.group(SYSTEM, RuntimePolicy={"DebugMode": "ON"})
    assert_refused(refusal(owner.make_image, other.mother), *invalid("InstanceId"))
    assert_refused(refusal(other.make_image, group), *invalid("InstanceId"))
    params = {"AppCenterImageName": "apps", "ProductType": "CloudApp"}
    for caller, consumer in ((owner, group), (other, other.mother)):
        params["AppInstanceGroupId"] = consumer
        refused = refusal(caller.call, "CreateImageFromAppInstanceGroup", **params)
        assert_refused(refused, *invalid("AppInstanceGroupId"))


def test_a_workstation_that_moves_gives_no_image(slow_moving):
    owner = slow_moving.owner
    assert_refused(refusal(owner.make_image), *STATUS)
    owner.workstation_becomes(owner.mother, "RUNNING")
    image = owner.make_image()
    owner.move_workstation(owner.mother, image)
    assert_refused(refusal(owner.make_image), *STATUS)
    owner.workstation_becomes(owner.mother, "RUNNING")
    assert owner.image(owner.make_image())["ParentImageId"] == image


def test_a_stopped_workstation_gives_an_image(tenants):
    owner = tenants.owner
    owner.call("StopWuyingServer", WuyingServerIdList=[owner.mother])
    owner.workstation_becomes(owner.mother, "STOPPED")
    assert owner.image(owner.make_image())["Status"] == "AVAILABLE"


# ListImage


def test_the_envelope_of_the_listing(listing):
    owner, image = listing
    reply = owner.call("ListImage")
    check("ListImage", reply.body, "Code Count Data Message PageNumber PageSize RequestId Success")
    assert (reply["Code"], reply["Message"], reply["Success"]) == ("200", "success", True)
    assert (reply["Count"], reply["PageNumber"], reply["PageSize"]) == (4, 1, 10)
    assert ids(reply["Data"]) == {SYSTEM, LINUX, LARGE, image}


def test_an_entry_has_every_member_in_its_type(tenants):
    owner = tenants.owner
    image = owner.make_image(TagList=[{"Key": "a", "Value": "b"}])
    reply = owner.call("ListImage", ImageId=image)
    check("ListImage", reply.body)
    [entry] = reply["Data"]
    assert set(entry) == set(
        "AliUid AppList BaseImageId BaseImageVersion BizType CompatibleMode DataDiskSize Description Distro"
        " DriverList EnvironmentId FeatureList FotaChannel FotaVersion GmtCreate GmtModified ImageCreateMode"
        " ImageIconUrl ImageId ImageName ImageRegionDistributeList ImageRegionList ImageType Language"
        " LatestVersionId OnlineVersion OnlineVersionId OsType PackageType ParentImageId ParentImageVersion"
        " Platform PlatformName ProductType ProtocolType Rating ResourceInstanceCategory Scene SessionType"
        " SnapshotList Status SupportedLanguageList SystemDiskSize TagList VersionId VersionName"
        " VolumeEncryptionEnabled VolumeEncryptionKey".split()
    )
    [copy] = entry["ImageRegionDistributeList"]
    assert set(copy) == {"ImageId", "Progress", "RegionId", "Status", "VersionId"}
    for name in ("GmtCreate", "GmtModified"):
        told = datetime.strptime(entry[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - told).total_seconds()) < 60


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"ImageId": SYSTEM}, {SYSTEM}),
        ({"ImageId": SYSTEM[:-1]}, set()),
        ({"ImageId": f"{SYSTEM},{LINUX}"}, set()),
        ({"ImageName": "desktopimage"}, {SYSTEM, LINUX, LARGE}),
        ({"ImageName": "%"}, set()),
        ({"ImageType": "System"}, {SYSTEM, LINUX, LARGE}),
        ({"ImageType": "User"}, {OWN}),
        ({"ImageType": "Shared"}, set()),
        ({"ImageType": "User", "ProductType": "CloudApp"}, set()),
        ({"OsType": "Windows"}, {SYSTEM, OWN}),
        ({"OsType": "Linux"}, {LINUX, LARGE}),
        ({"OsType": "Android"}, set()),
        ({"PlatformName": "Windows Server 2022"}, {SYSTEM, OWN}),
        ({"PlatformName": "Ubuntu"}, {LINUX, LARGE}),
        ({"PlatformNameList": ["Ubuntu", "Windows Server 2022"]}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"PlatformNameList": ["Windows 11"]}, set()),
        ({"ProductType": "CloudApp"}, {SYSTEM, LINUX, LARGE}),
        ({"ProductType": "WuyingServer"}, {SYSTEM, LARGE, OWN}),
        ({"ProductType": "CloudDesktop"}, {SYSTEM, LARGE}),
        ({"ProductTypeList": ["CloudApp", "CloudDesktop"]}, {SYSTEM, LINUX, LARGE}),
        ({"ProductTypeList": ["WuyingServer", "CloudApp"]}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"ProtocolType": "HDX"}, {LINUX}),
        ({"LanguageType": "en-US"}, {LINUX}),
        ({"LanguageType": "ja-JP"}, set()),
        ({"PackageType": "Ecs"}, {LINUX}),
        ({"Distro": "jammy"}, {LINUX}),
        ({"FotaVersion": "2.0.3-1"}, {LINUX}),
        ({"FotaVersion": "2.0.3"}, set()),
        ({"ResourceInstanceType": "eds.enterprise_office.2c4g"}, {LINUX}),
        ({"FeatureList": ["GPU"]}, {LINUX}),
        ({"FeatureList": ["GPU", "Other"]}, set()),
        ({"Status": "AVAILABLE"}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"Status": "CREATE_FAILED"}, set()),
        ({"BizRegionIdList": [HOME]}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"BizRegionIdList": ["cn-shanghai"]}, {SYSTEM, LINUX, LARGE}),
        ({"BizRegionIdList": ["cn-nowhere"]}, set()),
        ({"BizType": 1}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"BizType": 2}, set()),
        ({"BizTypeList": [1, 2]}, {SYSTEM, LINUX, LARGE, OWN}),
        ({"BizTypeList": [2]}, set()),
        ({"TagList": [{"Key": "team"}]}, {OWN}),
        ({"TagList": [{"Key": "team", "Value": "a"}]}, {OWN}),
        ({"TagList": [{"Key": "team", "Value": "b"}]}, set()),
        ({"TagList": [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "test"}]}, {OWN}),
        ({"TagList": [{"Key": "team", "Value": "a"}, {"Key": "other"}]}, set()),
    ],
)
def test_filters(listing, filters, expected):
    owner, image = listing
    reply = owner.call("ListImage", **filters)
    assert ids(reply["Data"]) == {image if one == OWN else one for one in expected}
    assert reply["Count"] == len(expected)


@pytest.mark.parametrize(
    ("filters", "parameter"),
    [
        ({"PageNumber": 0}, "PageNumber"),
        ({"PageNumber": -1}, "PageNumber"),
        ({"PageSize": 0}, "PageSize"),
        ({"PageSize": 101}, "PageSize"),
        ({"ImageType": "user"}, "ImageType"),
        ({"Status": "DELETED"}, "Status"),
        ({"TagList": [{"Value": "a"}]}, "TagList"),
    ],
)
def test_filters_that_cannot_be_are_refused(tenants, filters, parameter):
    refused = refusal(tenants.owner.call, "ListImage", **filters)
    assert_refused(refused, *invalid(parameter))
    check_error(refused.body, tenants.owner)


def test_numbers_that_are_none_are_refused(tenants):
    for parameter in ("PageNumber", "PageSize", "BizType"):
        refused = refusal(tenants.owner.bare, "ListImage", {parameter: "ten"})
        assert_refused(refused, *invalid(parameter))


def test_names_are_fuzzy_and_match_letter_for_letter(tenants):
    owner = tenants.owner
    part = fresh_name("Needle")
    image = owner.make_image(ImageName=f"a {part}_% b")
    owner.make_image()
    for found in (part, part[1:-1], "_% b", f"a {part}_% b"):
        assert image in ids(owner.images(ImageName=found)), found
    for missed in (part.lower(), f"{part}%b", "a_N"):
        assert image not in ids(owner.images(ImageName=missed)), missed


def test_pages(tenants):
    owner = tenants.owner
    images = set(owner.make_images(5))
    every = [entry["ImageId"] for entry in owner.images(ImageType="User")]
    assert set(every) == images and len(every) == 5
    for size in (1, 2, 3, 5, 100):
        paged, page = [], 1
        while True:
            reply = owner.call("ListImage", ImageType="User", PageNumber=page, PageSize=size)
            assert (reply["Count"], reply["PageNumber"], reply["PageSize"]) == (5, page, size)
            if not reply["Data"]:
                break
            assert len(reply["Data"]) <= size
            paged += [entry["ImageId"] for entry in reply["Data"]]
            page += 1
        assert paged == every
    last = owner.make_image()
    assert owner.images(ImageType="User")[0]["ImageId"] == last, "the newest comes first"


def test_types_as_each_account_sees_them(tenants):
    owner, other = tenants.owner, tenants.other
    private, shared, published, both = owner.make_images(4)
    for image in (shared, both):
        owner.share(image, other.account)
    for image in (published, both):
        owner.own("PublishCommunityImage", ImageId=image)
    mine = other.make_image()

    # Tests that run before may have published images of their own.
    known = {private, shared, published, both, mine}
    expected = {
        owner: {"User": {private, shared}, "Shared": set(), "Community": {published, both}},
        other: {"User": {mine}, "Shared": {shared, both}, "Community": {published}},
    }
    for caller, types in expected.items():
        everything = {entry["ImageId"]: entry["ImageType"] for entry in caller.images()}
        for kind, images in types.items():
            assert {image for image in known if everything.get(image) == kind} == images, kind
            listed = caller.images(ImageType=kind)
            if kind != "Community":
                assert ids(listed) == images
                assert {entry["ImageType"] for entry in listed} <= {kind}
            assert ids(listed) & known >= images
        assert ids(caller.images(ImageType="System")) == {SYSTEM, LINUX, LARGE}
    assert other.image(private) is None and owner.image(mine) is None
    assert {other.image(image)["AliUid"] for image in (shared, published)} == {int(owner.account)}


def test_a_share_shows_and_hides_an_image_at_once(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    for _ in range(2):
        owner.share(image, other.account)
        assert other.image(image)["ImageType"] == "Shared"
        assert owner.image(image)["ImageType"] == "User"
        owner.unshare(image, other.account)
        assert other.image(image) is None


def test_regions_and_versions(tenants):
    owner = tenants.owner
    image, elsewhere = owner.make_images(2)
    owner.distribute(image, *REGIONS)
    for region in ALL_REGIONS:
        found = ids(owner.images(BizRegionIdList=[region], ImageType="User"))
        expected = {HOME: {image, elsewhere}, "ap-southeast-1": set()}
        assert found == expected.get(region, {image})
    assert ids(owner.images(BizRegionIdList=["cn-shanghai", "ap-southeast-1"], ImageType="User")) == {image}
    entry = owner.image(image)
    versions = {copy["VersionId"] for copy in entry["ImageRegionDistributeList"]}
    assert versions == {entry["VersionId"]} == {entry["LatestVersionId"]} == {entry["OnlineVersionId"]}
    assert {copy["ImageId"] for copy in entry["ImageRegionDistributeList"]} == {image}


def test_the_filter_and_the_shown_status_agree(slow_making):
    owner = slow_making.owner
    done = owner.make_image()
    image = owner.make_image(ready=False)
    shown = owner.image(image)["Status"]
    found = {
        status: ids(owner.images(Status=status, ImageType="User"))
        for status in ("INIT", "CREATING", "AVAILABLE", "CREATE_FAILED")
    }
    assert owner.image(image)["Status"] == shown == "INIT", "checked too late"
    assert found == {"INIT": {image}, "CREATING": set(), "AVAILABLE": {done}, "CREATE_FAILED": set()}
    owner.image_becomes(image, "AVAILABLE")
    assert ids(owner.images(Status="AVAILABLE", ImageType="User")) == {done, image}


def test_a_system_image_is_what_the_configuration_says(tenants):
    entry = tenants.owner.image(LINUX)
    expected = {
        "BaseImageId": "", "Distro": "jammy", "FeatureList": ["GPU"], "FotaVersion": "2.0.3-1",
        "ImageName": LINUX, "ImageRegionList": ALL_REGIONS, "ImageType": "System", "Language": "en-US",
        "OsType": "Linux", "PackageType": "Ecs", "ParentImageId": "", "PlatformName": "Ubuntu",
        "ProductType": "CloudApp", "ProtocolType": "HDX", "SessionType": "SINGLE_SESSION",
        "Status": "AVAILABLE", "SupportedLanguageList": ["en-US"], "SystemDiskSize": 40,
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected
    assert tenants.owner.image(LARGE)["SystemDiskSize"] == 60


def test_regions_of_the_product(tenants):
    reply = tenants.owner.call("ListRegions", ProductType="CloudApp")
    check("ListRegions", reply.body, "RegionModels RequestId")
    assert {region["regionId"] for region in reply["RegionModels"]} == set(ALL_REGIONS)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("ListImage", {}),
        ("CreateImageByInstance", {"InstanceId": "ws-unknown"}),
        ("ListRegions", {}),
        ("ListWuyingServer", {}),
        ("ListAppInstanceGroup", {"ProductType": "CloudApp"}),
    ],
)
def test_ram_is_asked(ram_tenants, action, params):
    caller = ram_tenants.user("delete")
    refused = refusal(caller.call, action, **params)
    assert_refused(refused, *NO_PERMISSION)
    assert refused.body["AccessDeniedDetail"]["AuthAction"] == f"appstreaming:{action}"
    if action.startswith("List"):
        ram_tenants.user("list").call(action, **params)


def test_an_image_in_the_making_outlives_its_workstation(slow_making):
    owner = slow_making.owner
    workstation = owner.workstation(SYSTEM)
    image = owner.make_image(workstation, ready=False)
    owner.delete_workstation(workstation)
    owner.image_becomes(image, "AVAILABLE")
    delete_must_succeed(owner, image)
