"""ECD: templates, bundles, sharing and regional images, which are App Streaming's images."""

import pytest

from appstream_clients import ECD
from appstream_refusals import (
    COMMUNITY_PARENT, CREATING, IN_USE, MISSING_PARAMETER, NO_PERMISSION, NOT_ALLOW, NOT_EXIST, SHARED_IN,
    SHARED_OUT, invalid,
)  # fmt: skip
from appstream_shapes import check_ecd, check_error, check_template_envelope
from appstream_world import ALL_REGIONS, HOME, LARGE, LINUX, REGIONS, SYSTEM
from server import wait
from world import assert_refused, fresh_name, refusal

pytest_plugins = ["appstream_fixtures"]

NO_TEMPLATE = (400, "InvalidTemplate.NotFound", "Template not found.")
FULL_TEMPLATE = {
    "TemplateName": "Team:desk_1-a",
    "AutoPay": True,
    "AutoRenew": False,
    "ChargeType": "PrePaid",
    "DataDiskList": [{"PerformanceLevel": "PL1", "Size": 100}],
    "DefaultLanguage": "en-US",
    "Description": "for the team",
    "InstanceName": "desk",
    "Period": 3,
    "PeriodUnit": "Month",
    "PolicyGroupId": "pg-1",
    "PostPaidAfterUsedUp": True,
    "RegionConfigList": [
        {"RegionId": region, "OfficeSiteId": f"{region}+dir-1", "ResourceInstanceType": "ecd.basic.small",
         "VolumeEncryptionEnable": False} for region in REGIONS[:2]
    ],
    "ResourceGroupId": "rg-1",
    "ResourceTagList": [{"Key": "team", "Value": "a"}],
    "SiteConfigList": [{"AppRuleId": "rule-1", "SiteId": "site-1"}],
    "SystemDiskPerformanceLevel": "PL0",
    "SystemDiskSize": 80,
    "TimerGroupId": "cg-1",
    "UserDuration": 30,
}  # fmt: skip


def the_template(caller, template):
    [entry] = caller.ecd("DescribeTemplates", TemplateIds=[template])["Data"]
    return entry


# Templates


def test_a_template_is_shown_as_it_was_made(tenants):
    owner = tenants.owner
    image = owner.make_image()
    reply = owner.ecd("CreateTemplate", ImageId=image, ProductType="CloudDesktop", **FULL_TEMPLATE)
    check_template_envelope("CreateTemplate", reply.body, "Data")
    template = reply["Data"]
    assert template.startswith("b-")

    reply = owner.ecd("DescribeTemplates", TemplateIds=[template])
    check_template_envelope("DescribeTemplates", reply.body, "Data PageNumber PageSize TotalCount")
    [entry] = reply["Data"]
    configs = [
        config | {"CpuCount": 0, "GpuSpec": "", "MemorySize": 0, "SnapshotPolicyId": "", "SubnetId": "",
                  "VirtualNodePoolId": "", "VolumeEncryptionKey": ""}
        for config in FULL_TEMPLATE["RegionConfigList"]
    ]  # fmt: skip
    expected = FULL_TEMPLATE | {
        "DataDiskList": [{"PerformanceLevel": "PL1", "Size": "100"}],
        "ImageId": image, "ImageType": "User", "ProductType": "CLOUD_DESKTOP", "RegionConfigList": configs,
        "TemplateId": template, "TemplateType": "USER_TEMPLATE", "UserDuration": "30",
        "RequestId": reply["RequestId"],
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected
    assert entry["GmtCreate"].endswith("+00:00") and entry["GmtModified"] == entry["GmtCreate"]
    [entry] = owner.ecd("DescribeTemplates", TemplateIds=[template], BizRegionId=REGIONS[1])["Data"]
    assert [config["RegionId"] for config in entry["RegionConfigList"]] == [REGIONS[1]]


def test_a_template_may_name_any_image_that_its_owner_sees(tenants):
    owner, other = tenants.owner, tenants.other
    own = owner.make_image()
    shared, published, private = other.make_images(3)
    other.share(shared, owner.account)
    other.own("PublishCommunityImage", ImageId=published)
    expected = {SYSTEM: "System", own: "User", shared: "Shared", published: "Community"}
    for image, kind in expected.items():
        assert the_template(owner, owner.template(image))["ImageType"] == kind
    assert the_template(owner, owner.template(None))["ImageId"] == ""
    for image in (private, "img-unknown"):
        assert_refused(refusal(owner.template, image), *NOT_EXIST)
    assert len(owner.templates()) == 5


def test_an_image_that_is_being_made_has_no_templates(slow_making):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    assert_refused(refusal(owner.template, image), *CREATING)
    assert owner.templates() == set()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"TemplateName": None}, MISSING_PARAMETER),
        ({"TemplateName": "a"}, invalid("TemplateName")),
        ({"TemplateName": "1ab"}, invalid("TemplateName")),
        ({"TemplateName": "a.b"}, invalid("TemplateName")),
        ({"TemplateName": "x" * 127}, invalid("TemplateName")),
        ({"Description": "x"}, invalid("Description")),
        ({"Description": "http://x"}, invalid("Description")),
        ({"SystemDiskSize": 30}, invalid("SystemDiskSize")),
        ({"SystemDiskSize": 45}, invalid("SystemDiskSize")),
        ({"SystemDiskSize": 510}, invalid("SystemDiskSize")),
        ({"SystemDiskSize": 50, "ImageId": LARGE}, invalid("SystemDiskSize")),
        ({"SystemDiskPerformanceLevel": "PL3"}, invalid("SystemDiskPerformanceLevel")),
        ({"DataDiskList": [{"Size": 41}]}, invalid("DataDiskList.Size")),
        ({"ProductType": "CloudApp"}, invalid("ProductType")),
        ({"DefaultLanguage": "de-DE"}, invalid("DefaultLanguage")),
        ({"PeriodUnit": "Month", "Period": 4}, invalid("Period")),
        ({"ResourceTagList": [{"Key": f"k{place}"} for place in range(21)]}, invalid("ResourceTagList")),
    ],
)
def test_templates_that_cannot_be_are_refused(tenants, params, expected):
    owner = tenants.owner
    given = {"TemplateName": "ab", "ImageId": SYSTEM} | params
    refused = refusal(owner.ecd, "CreateTemplate", **given)
    assert_refused(refused, *expected)
    check_error(refused.body, owner, "ecd", extra=False)
    assert owner.templates() == set()


def test_templates_are_filtered_and_paged(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    name = fresh_name("needle")
    first, second = owner.template(image, TemplateName=f"a-{name}-b"), owner.template(image)
    third = owner.template(SYSTEM)
    foreign = other.template(SYSTEM)
    assert owner.templates() == {first, second, third} and other.templates() == {foreign}
    for filters, expected in (
        ({"ImageId": image}, {first, second}),
        ({"TemplateIds": [first, third, foreign]}, {first, third}),
        ({"TemplateIds": [foreign]}, set()),
        ({"Keyword": name}, {first}),
        ({"Keyword": second[3:]}, {second}),
        ({"TemplateName": name}, {first}),
        ({"TemplateName": second}, set()),
        ({"TemplateType": "USER_TEMPLATE"}, {first, second, third}),
        ({"TemplateType": "SYSTEM_TEMPLATE"}, set()),
        ({"ProductType": "CloudDesktop"}, {first, second, third}),
        ({"ProductType": "CloudApp"}, set()),
    ):
        assert owner.templates(**filters) == expected, filters
    pages = [owner.ecd("DescribeTemplates", PageNumber=page, PageSize=2) for page in (1, 2, 3)]
    assert [len(page["Data"]) for page in pages] == [2, 1, 0]
    assert {page["TotalCount"] for page in pages} == {3}
    listed = [entry["TemplateId"] for page in pages for entry in page["Data"]]
    assert sorted(listed) == sorted({first, second, third})
    for params, name in (({"PageSize": 101}, "PageSize"), ({"PageNumber": 0}, "PageNumber")):
        assert_refused(refusal(owner.ecd, "DescribeTemplates", **params), *invalid(name))


def test_a_template_changes_in_what_is_given_only(tenants):
    owner = tenants.owner
    image, other_image = owner.make_images(2)
    template = owner.template(image, **FULL_TEMPLATE)
    before = the_template(owner, template)
    reply = owner.ecd("ModifyTemplate", TemplateId=template, ImageId=other_image, Description="changed")
    check_template_envelope("ModifyTemplate", reply.body)
    after = the_template(owner, template)
    changed = {name for name in after if after[name] != before[name]} - {"GmtModified", "RequestId"}
    assert changed == {"ImageId", "Description"}
    assert after["ImageId"] == other_image and after["GmtModified"] >= before["GmtModified"]
    assert owner.templates(ImageId=image) == set() and owner.templates(ImageId=other_image) == {template}


def test_changes_of_templates_that_cannot_be_are_refused(tenants):
    owner, other = tenants.owner, tenants.other
    template, foreign = owner.template(SYSTEM, SystemDiskSize=40), other.template(SYSTEM)
    private = other.make_image()
    for params, expected in (
        ({"TemplateId": None}, MISSING_PARAMETER),
        ({"TemplateId": "b-unknown"}, NO_TEMPLATE),
        ({"TemplateId": foreign}, NO_TEMPLATE),
        ({"ImageId": private}, NOT_EXIST),
        ({"ImageId": LARGE}, invalid("SystemDiskSize")),
        ({"TemplateName": "1"}, invalid("TemplateName")),
    ):
        given = {"TemplateId": template} | params
        assert_refused(refusal(owner.ecd, "ModifyTemplate", **given), *expected)
    assert the_template(owner, template)["ImageId"] == SYSTEM
    assert the_template(other, foreign)["ImageId"] == SYSTEM


def test_templates_are_deleted_all_or_none(tenants):
    owner, other = tenants.owner, tenants.other
    first, second, kept = (owner.template(SYSTEM) for _ in range(3))
    foreign = other.template(SYSTEM)
    for missing in ("b-unknown", foreign):
        refused = refusal(owner.ecd, "DeleteTemplates", TemplateIds=[first, missing])
        assert_refused(refused, *NO_TEMPLATE)
        assert owner.templates() == {first, second, kept} and other.templates() == {foreign}
    reply = owner.ecd("DeleteTemplates", TemplateIds=[first, second])
    check_template_envelope("DeleteTemplates", reply.body, "AccessDeniedDetail")
    assert reply["AccessDeniedDetail"] == ""
    assert owner.templates() == {kept}
    assert_refused(refusal(owner.ecd, "DeleteTemplates", TemplateIds=[first]), *NO_TEMPLATE)


# Bundles


def test_a_bundle_is_shown_as_it_was_made(tenants):
    owner = tenants.owner
    image = owner.make_image(ImageName="studio")
    reply = owner.ecd(
        "CreateBundle", BundleName="desk", Description="for the team", DesktopType="ecd.basic.small",
        ImageId=image, Language="en-US", RegionId=HOME, RootDiskPerformanceLevel="PL2", RootDiskSizeGib=80,
        UserDiskPerformanceLevel="PL3", UserDiskSizeGib=[100],
    )  # fmt: skip
    check_ecd("CreateBundle", reply.body, "BundleId RequestId")
    bundle = reply["BundleId"]
    assert bundle.startswith("b-")
    reply = owner.ecd("DescribeBundles", RegionId=HOME, BundleId=[bundle])
    check_ecd("DescribeBundles", reply.body, "Bundles NextToken RequestId")
    [entry] = reply["Bundles"]
    expected = {
        "BundleId": bundle, "BundleName": "desk", "BundleType": "CUSTOM", "Description": "for the team",
        "DesktopType": "ecd.basic.small", "DesktopTypeFamily": "ecd.basic", "ImageId": image,
        "ImageName": "studio", "ImageStatus": "Available", "Language": "en-US", "OsType": "Windows",
        "Platform": "Windows Server 2022", "VolumeEncryptionEnabled": False,
        "Disks": [
            {"DiskPerformanceLevel": "PL2", "DiskSize": 80, "DiskType": "SYSTEM"},
            {"DiskPerformanceLevel": "PL3", "DiskSize": 100, "DiskType": "DATA"},
        ],
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected


def test_bundles_are_regional_and_filtered(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    first, second = owner.bundle(image), owner.bundle(SYSTEM, DesktopType="ecd.graphics.1xlarge")
    elsewhere, foreign = owner.bundle(image, RegionId="cn-beijing"), other.bundle(SYSTEM)
    assert owner.bundles() == {first, second} and other.bundles() == {foreign}
    for filters, expected in (
        ({"RegionId": "cn-beijing"}, {elsewhere}),
        ({"RegionId": "cn-shanghai"}, set()),
        ({"ImageId": [image]}, {first}),
        ({"ImageId": [image, SYSTEM]}, {first, second}),
        ({"BundleId": [second, elsewhere, foreign]}, {second}),
        ({"BundleType": "CUSTOM"}, {first, second}),
        ({"BundleType": "SYSTEM"}, set()),
        ({"DesktopTypeFamily": "ecd.graphics"}, {second}),
        ({"OsType": "Windows"}, {first, second}),
        ({"OsType": "Linux"}, set()),
        ({"CpuCount": 4}, set()),
        ({"VolumeEncryptionEnabled": True}, set()),
    ):
        assert owner.bundles(**filters) == expected, filters
    part = owner.ecd("DescribeBundles", RegionId=HOME, MaxResults=1)
    rest = owner.ecd("DescribeBundles", RegionId=HOME, MaxResults=1, NextToken=part["NextToken"])
    assert {part["Bundles"][0]["BundleId"], rest["Bundles"][0]["BundleId"]} == {first, second}
    assert part["NextToken"] and not rest["NextToken"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"RegionId": None}, MISSING_PARAMETER),
        ({"RegionId": "cn-nowhere"}, invalid("RegionId")),
        ({"ImageId": None}, MISSING_PARAMETER),
        ({"ImageId": "img-unknown"}, NOT_EXIST),
        ({"DesktopType": None}, MISSING_PARAMETER),
        ({"RootDiskSizeGib": None}, MISSING_PARAMETER),
        ({"RootDiskSizeGib": 0}, invalid("RootDiskSizeGib")),
        ({"RootDiskSizeGib": 50, "ImageId": LARGE}, invalid("RootDiskSizeGib")),
        ({"UserDiskSizeGib": None}, MISSING_PARAMETER),
        ({"UserDiskSizeGib": [40, 40]}, invalid("UserDiskSizeGib")),
        ({"RootDiskPerformanceLevel": "PL9"}, invalid("RootDiskPerformanceLevel")),
        ({"BundleName": "x"}, invalid("BundleName")),
    ],
)
def test_bundles_that_cannot_be_are_refused(tenants, params, expected):
    owner = tenants.owner
    given = {"ImageId": SYSTEM} | params
    assert_refused(refusal(owner.bundle, given.pop("ImageId"), **given), *expected)
    assert owner.bundles() == set()


def test_bundles_are_deleted_all_or_none(tenants):
    owner, other = tenants.owner, tenants.other
    first, second, kept = (owner.bundle(SYSTEM) for _ in range(3))
    elsewhere, foreign = owner.bundle(SYSTEM, RegionId="cn-beijing"), other.bundle(SYSTEM)
    for missing in ("b-unknown", foreign, elsewhere):
        refused = refusal(owner.ecd, "DeleteBundles", RegionId=HOME, BundleId=[first, missing])
        assert_refused(refused, *invalid("BundleId"))
        assert owner.bundles() == {first, second, kept} and other.bundles() == {foreign}
    reply = owner.ecd("DeleteBundles", RegionId=HOME, BundleId=[first, second])
    check_ecd("DeleteBundles", reply.body, "RequestId")
    assert owner.bundles() == {kept}


# Sharing


def test_shares_are_given_and_taken_back(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    accounts = [int(other.account), 1999999999999999]
    reply = owner.ecd("ModifyImagePermission", ImageId=image, RegionId=HOME, AddAccount=accounts)
    check_ecd("ModifyImagePermission", reply.body, "RequestId")
    reply = owner.ecd("DescribeImagePermission", ImageId=image, RegionId=HOME)
    check_ecd("DescribeImagePermission", reply.body, "AliUids RequestId")
    assert sorted(reply["AliUids"]) == sorted([other.account, "1999999999999999"])
    owner.share(image, other.account)
    owner.ecd(
        "ModifyImagePermission", ImageId=image, RegionId="cn-beijing", AddAccount=["1888888888888888"],
        RemoveAccount=[other.account],
    )  # fmt: skip
    reply = owner.ecd("DescribeImagePermission", ImageId=image, RegionId=HOME)
    assert sorted(reply["AliUids"]) == ["1888888888888888", "1999999999999999"]
    assert other.image(image) is None
    owner.unshare(image, "1777777777777777")


def test_sharing_has_limits(tenants):
    owner = tenants.owner
    image = owner.make_image()
    accounts = [f"19{number:014d}" for number in range(60)]
    assert_refused(refusal(owner.share, image, *accounts[:21]), *invalid("AddAccount"))
    for at in (0, 20):
        owner.share(image, *accounts[at : at + 20])
    assert_refused(refusal(owner.share, image, *accounts[40:51]), *invalid("AddAccount"))
    owner.share(image, *accounts[40:50])
    assert_refused(refusal(owner.share, image, accounts[50]), *invalid("AddAccount"))
    owner.share(image, accounts[0])
    # Ten are read, more are ignored.
    owner.unshare(image, *accounts[:12])
    shares = owner.ecd("DescribeImagePermission", ImageId=image, RegionId=HOME)["AliUids"]
    assert sorted(shares) == accounts[10:50]


def test_shares_that_cannot_be_are_refused(tenants):
    owner, other = tenants.owner, tenants.other
    image, shared = owner.make_images(2)
    owner.share(shared, other.account)
    before = tenants.server.print_of(image)
    for caller, params, expected in (
        (owner, {"AddAccount": [owner.account]}, invalid("AddAccount")),
        (owner, {"AddAccount": ["alice"]}, invalid("AddAccount")),
        (owner, {}, MISSING_PARAMETER),
        (owner, {"ImageId": None, "AddAccount": [other.account]}, MISSING_PARAMETER),
        (owner, {"RegionId": None, "AddAccount": [other.account]}, MISSING_PARAMETER),
        (owner, {"RegionId": "cn-nowhere", "AddAccount": [other.account]}, invalid("RegionId")),
        (owner, {"ImageId": SYSTEM, "AddAccount": [other.account]}, NO_PERMISSION),
        (other, {"AddAccount": ["1999999999999999"]}, NOT_EXIST),
        (other, {"ImageId": shared, "AddAccount": ["1999999999999999"]}, NO_PERMISSION),
        (other, {"ImageId": shared, "RemoveAccount": [other.account]}, NO_PERMISSION),
    ):
        given = {"ImageId": image, "RegionId": HOME} | params
        assert_refused(refusal(caller.ecd, "ModifyImagePermission", **given), *expected)
    assert tenants.server.print_of(image) == before
    assert_refused(
        refusal(other.ecd, "DescribeImagePermission", ImageId=shared, RegionId=HOME), *NO_PERMISSION
    )


def test_a_recipient_uses_a_shared_image(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    workstation, group = other.workstation(image), other.group(image)
    bundle, template = other.bundle(image), other.template(image)
    owner.unshare(image, other.account)
    # What was made of the image stays; nothing new is.
    assert other.get_workstation(workstation)["ImageId"] == image
    assert other.get_group(group)["AppCenterImageId"] == image
    assert the_template(other, template)["ImageType"] == ""
    assert other.bundles() == {bundle}
    for make in (other.workstation, other.group, other.bundle, other.template):
        assert_refused(refusal(make, image), *NOT_EXIST)


# Regional images


def test_images_of_a_region(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image(ImageName="studio", Description="for the studio")
    owner.distribute(image, "cn-beijing")
    owner.share(image, other.account)
    reply = owner.ecd("DescribeImages", RegionId="cn-beijing", ImageId=[image])
    check_ecd("DescribeImages", reply.body, "Images NextToken RequestId")
    [entry] = reply["Images"]
    expected = {
        "Description": "for the studio", "ImageId": image, "ImageType": "CUSTOM", "Name": "studio",
        "OsType": "Windows", "Platform": "Windows Server 2022", "Progress": "100%", "SharedCount": 1,
        "Size": 2, "Status": "Available", "VolumeEncryptionEnabled": False,
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected
    [entry] = other.ecd("DescribeImages", RegionId=HOME, ImageId=[image])["Images"]
    assert (entry["ImageType"], entry["SharedCount"]) == ("CUSTOM", 0)
    for region in ALL_REGIONS:
        found = owner.ecd("DescribeImages", RegionId=region, ImageId=[image, SYSTEM])["Images"]
        here = {SYSTEM, image} if region in (HOME, "cn-beijing") else {SYSTEM}
        assert {entry["ImageId"] for entry in found} == here


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "SLBO"),
        ({"ImageType": "SYSTEM"}, "SLB"),
        ({"ImageType": "CUSTOM"}, "O"),
        ({"OsType": "Linux"}, "LB"),
        ({"ProtocolType": "HDX"}, "L"),
        ({"FotaVersion": "2.0.3-1"}, "L"),
        ({"SessionType": "SINGLE_SESSION"}, "L"),
        ({"LanguageType": "en-US"}, "L"),
        ({"ImageStatus": "Available"}, "SLBO"),
        ({"ImageStatus": "Creating"}, ""),
        ({"GpuDriverVersion": "1"}, ""),
        ({"GpuCategory": True}, ""),
    ],
)
def test_regional_images_are_filtered(tenants, filters, expected):
    owner = tenants.owner
    images = {"S": SYSTEM, "L": LINUX, "B": LARGE, "O": owner.make_image()}
    reply = owner.ecd("DescribeImages", RegionId=HOME, MaxResults=100, **filters)
    assert {entry["ImageId"] for entry in reply["Images"]} == {images[one] for one in expected}


def test_regional_images_go_on_by_token(tenants):
    owner = tenants.owner
    images = set(owner.make_images(3))
    listed, token = [], None
    for _ in range(10):
        part = owner.ecd("DescribeImages", RegionId=HOME, ImageType="CUSTOM", MaxResults=2, NextToken=token)
        listed += [entry["ImageId"] for entry in part["Images"]]
        token = part["NextToken"]
        if not token:
            break
    assert sorted(listed) == sorted(images)
    for params, name in (({"MaxResults": 101}, "MaxResults"), ({"NextToken": "x"}, "NextToken")):
        assert_refused(refusal(owner.ecd, "DescribeImages", RegionId=HOME, **params), *invalid(name))


# DeleteImages


def delete_images(caller, *images, **params):
    return caller.ecd("DeleteImages", **{"RegionId": HOME, "ImageId": list(images)} | params)


def test_images_are_deleted_together(tenants):
    owner, server = tenants.owner, tenants.server
    images = owner.make_images(3)
    owner.distribute(images[0], *REGIONS)
    owner.template(images[1])
    reply = delete_images(owner, *images, images[0])
    check_ecd("DeleteImages", reply.body, "RequestId")
    assert owner.images(ImageType="User") == [] and owner.templates() == set()
    wait("the bytes to be erased", lambda: all(server.is_erased(image) for image in images))
    assert_refused(refusal(delete_images, owner, images[0]), *NOT_EXIST)


def test_one_image_that_stays_keeps_all(tenants):
    owner, other = tenants.owner, tenants.other
    good, shared, used, parent, foreign = *owner.make_images(4), other.make_image()
    owner.share(shared, other.account)
    other.share(foreign, owner.account)
    owner.group(used)
    owner.make_published_child(parent)
    for bad, expected in (
        (SYSTEM, NOT_ALLOW), ("img-unknown", NOT_EXIST), (foreign, SHARED_IN), (shared, SHARED_OUT),
        (parent, COMMUNITY_PARENT), (used, IN_USE),
    ):  # fmt: skip
        before = tenants.server.print_of(good), tenants.server.print_of(bad)
        for images in ((good, bad), (bad, good)):
            refused = refusal(delete_images, owner, *images)
            assert_refused(refused, *expected)
            check_error(refused.body, owner, "ecd", extra=False)
        assert (tenants.server.print_of(good), tenants.server.print_of(bad)) == before
    delete_images(owner, good)


def test_bundles_keep_their_image_unless_they_go_with_it(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    gone = {owner.bundle(image), owner.bundle(image, RegionId="cn-beijing")}
    kept = owner.bundle(SYSTEM)
    for params in ({}, {"DeleteCascadedBundle": False}):
        before = tenants.server.print_of(image)
        assert_refused(refusal(delete_images, owner, image, **params), *IN_USE)
        assert tenants.server.print_of(image) == before
    delete_images(owner, image, DeleteCascadedBundle=True)
    assert owner.bundles() == {kept} and owner.bundles(RegionId="cn-beijing") == set()
    rows = tenants.server.query("SELECT id FROM bundles WHERE owner = ?", owner.account)
    assert not {row["id"] for row in rows} & gone
    assert other.image(image) is None


def test_bundles_of_other_accounts_do_not_keep_an_image(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.share(image, other.account)
    bundle = other.bundle(image)
    owner.unshare(image, other.account)
    delete_images(owner, image)
    assert other.bundles() == {bundle}
    [entry] = other.ecd("DescribeBundles", RegionId=HOME)["Bundles"]
    assert (entry["ImageId"], entry["ImageName"]) == (image, "")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"ImageId": None}, MISSING_PARAMETER),
        ({"RegionId": None}, MISSING_PARAMETER),
        ({"RegionId": "cn-nowhere"}, invalid("RegionId")),
        ({"ImageId": [f"img-{number}" for number in range(101)]}, invalid("ImageId")),
    ],
)
def test_deletes_that_cannot_be_are_refused(tenants, params, expected):
    owner = tenants.owner
    image = owner.make_image()
    given = {"ImageId": [image], "RegionId": HOME} | params
    assert_refused(refusal(owner.ecd, "DeleteImages", **given), *expected)
    assert owner.image(image)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("DeleteImages", {"RegionId": HOME, "ImageId": [SYSTEM]}),
        ("DeleteTemplates", {"TemplateIds": ["b-unknown"]}),
        ("DescribeTemplates", {}),
        ("CreateTemplate", {"TemplateName": "ab"}),
        ("ModifyImagePermission", {"RegionId": HOME, "ImageId": SYSTEM, "AddAccount": ["1"]}),
        ("CreateBundle", {"RegionId": HOME, "ImageId": SYSTEM, "DesktopType": "a", "RootDiskSizeGib": 80,
                          "UserDiskSizeGib": [0]}),
    ],
)  # fmt: skip
def test_ram_is_asked(ram_tenants, action, params):
    for user in ("product", "ecd-delete-denied"):
        refused = refusal(ram_tenants.user(user).ecd, action, **params)
        assert_refused(refused, *NO_PERMISSION)
        assert refused.body["AccessDeniedDetail"]["AuthAction"] == f"ecd:{action}"


def test_parameters_may_be_in_the_query_too(tenants):
    owner = tenants.owner
    image = owner.make_image()
    reply = owner.bare("CreateTemplate", {"TemplateName": "ab", "ImageId": image}, version=ECD)
    assert owner.templates(ImageId=image) == {reply["Data"]}
    form = owner.raw.v1("DeleteImages", {"ImageId.1": image, "RegionId": HOME}, version=ECD, where="form")
    assert owner.raw.send(form).status == 200
    assert owner.image(image) is None
