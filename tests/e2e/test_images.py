"""The image operations besides DeleteImage: what they answer, list and change."""

import pytest

import qcow2
from policies import allow
from server import BUCKET, PUBLIC_IMAGE, PUBLIC_WINDOWS_IMAGE
from shapes import check, check_entry, is_time
from test_delete_image import INVALID_IMAGE_ID, MISSING_PARAMETER, NO_PERMISSION, WRONG_STATUS
from world import IMPORT, SMALL, assert_refused, fresh_name, mapping, refusal

DESCRIBE_IMAGES = "Code Images PageNumber PageSize RequestId TotalCount"
IMAGE = (
    "Architecture CreationTime DiskDeviceMappings ImageId ImageName ImageOwnerAlias ImageSize Platform RegionId"
    " SnapshotId"
)
SELF_IMAGE = f"{IMAGE} ComputeType ImageStorageSize InstanceId OsVersion Status"
IMAGE_INFO = (
    "ComputeType Description DiskDeviceMappings ImageId ImageOwnerAlias ImageSize ImageVersion OSName OSType RegionId"
)
MAPPING = "Format Size Type imageId"


def invalid(name):
    return 400, f"InvalidParameter.{name}", f"The specified field {name} invalid. Please check it again."


@pytest.fixture(scope="module")
def crowd(shared):
    """A world whose owner has 55 images, the newest last, and whose other account sees one of them."""
    world = shared.world()
    images = [world.owner.import_image(ready=False, ImageName=f"crowd-{number:03d}") for number in range(55)]
    for image in images:
        world.owner.image_becomes(image, "Available")
    world.owner.share(images[7], world.other.account)
    world.images = images
    return world


# ImportImage and CreateImage


def test_import_image_replies_with_the_id_and_no_code(world, generation):
    sdk = world.owner.sdk(generation)
    source = world.server.put(SMALL)
    reply = sdk.call("ImportImage", **IMPORT, OSSObject=source, ImageName="imported")
    check("ImportImage", reply.body, "ImageId RequestId")
    entry = world.owner.image_becomes(reply["ImageId"], "Available")
    check_entry(entry, SELF_IMAGE)
    assert is_time(entry.pop("CreationTime"))
    assert entry == {
        "Architecture": "x86_64",
        "ComputeType": "ens_vm",
        "DiskDeviceMappings": {
            "DiskDeviceMapping": [
                {"Format": "qcow2", "Size": "2", "Type": "system", "imageId": reply["ImageId"]},
            ]
        },
        "ImageId": reply["ImageId"],
        "ImageName": "imported",
        "ImageOwnerAlias": "self",
        "ImageSize": "2",
        "ImageStorageSize": str(len(SMALL)),
        "InstanceId": "",
        "OsVersion": "6.8",
        "Platform": "centos",
        "RegionId": "cn-beijing",
        "SnapshotId": "",
        "Status": "Available",
    }


def test_import_image_by_a_mapping(world, generation):
    sdk = world.owner.sdk(generation)
    params = {name: value for name, value in IMPORT.items() if name not in ("OSSBucket", "OSSRegion")}
    source = world.server.put(SMALL)
    reply = sdk.call("ImportImage", **params, DiskDeviceMapping=mapping(source), ImageName="mapped")
    world.owner.image_becomes(reply["ImageId"], "Available")
    assert world.server.object(reply["ImageId"]).read_bytes() == SMALL


def test_import_image_starts_in_creating(slow_images):
    image = slow_images.owner.import_image(ready=False)
    assert slow_images.owner.image(image)["Status"] == "Creating"
    assert slow_images.owner.call("DescribeImages", ImageId=image)["Images"]["Image"] == [], "not usable yet"
    assert_refused(refusal(slow_images.owner.launch, image), *WRONG_STATUS)
    slow_images.owner.image_becomes(image, "Available")
    slow_images.owner.release(slow_images.owner.launch(image))


@pytest.mark.parametrize(
    "absent", ["Architecture", "ComputeType", "ImageFormat", "ImageName", "OSType", "OSSBucket", "OSSObject"]
)
def test_import_image_without_a_parameter(world, absent):
    params = IMPORT | {"ImageName": "an-image", "OSSObject": world.server.put(SMALL)}
    del params[absent]
    assert_refused(refusal(world.owner.call, "ImportImage", **params), *MISSING_PARAMETER)
    assert world.owner.images() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Architecture", "i386"),
        ("ComputeType", "bare_metal"),
        ("ImageFormat", "raw"),
        ("ImageFormat", "vhd"),
        ("OSType", "solaris"),
        ("LicenseType", "Free"),
        ("TargetOSSRegionId", "nowhere"),
    ],
)
def test_import_image_with_a_wrong_parameter(world, name, value):
    params = IMPORT | {"ImageName": "an-image", "OSSObject": world.server.put(SMALL), name: value}
    assert_refused(refusal(world.owner.call, "ImportImage", **params), *invalid(name))
    assert world.owner.images() == []


BAD_NAMES = ["a", "1abc", "_abc", "-abc", "http://abc", "https://abc", "x" * 129, "tab\tbed", "line\nfeed"]
GOOD_NAMES = ["ab", "x" * 128, "golden-image_1:2", "\u955c\u50cf-\u4e00", "http-like"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_refused(world, name):
    params = IMPORT | {"OSSObject": world.server.put(SMALL)}
    assert_refused(refusal(world.owner.call, "ImportImage", **params, ImageName=name), *invalid("ImageName"))
    assert_refused(refusal(world.owner.call, "CreateImage", InstanceId="i-none", ImageName=name), *invalid("ImageName"))


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_are_taken(world, name, generation):
    params = IMPORT | {"OSSObject": world.server.put(SMALL)}
    image = world.owner.sdk(generation).call("ImportImage", **params, ImageName=name)["ImageId"]
    assert world.owner.image_becomes(image, "Available")["ImageName"] == name


def test_names_need_not_differ(world):
    one, other = (world.owner.import_image(ImageName="twin") for _ in range(2))
    assert one != other
    assert {entry["ImageId"] for entry in world.owner.images(ImageName="twin")} == {one, other}


def test_create_image_of_an_instance(world, generation):
    owner = world.owner
    base = owner.import_image()
    instance = owner.launch(base)
    reply = owner.sdk(generation).call(
        "CreateImage", ImageName="made", InstanceId=instance, TargetOSSRegionId="ap-southeast-1"
    )
    check("CreateImage", reply.body, "Code ImageId RequestId")
    entry = owner.image_becomes(reply["ImageId"], "Available")
    check_entry(entry, SELF_IMAGE)
    assert (entry["InstanceId"], entry["ImageName"], entry["ImageSize"]) == (instance, "made", "2")
    assert (entry["RegionId"], entry["ImageOwnerAlias"], entry["SnapshotId"]) == ("ap-southeast-1", "self", "")
    made = world.server.object(reply["ImageId"])
    assert made.read_bytes() == SMALL and made.parent.name == "ap-southeast-1"
    assert made != world.server.object(base), "an image has bytes of its own"

    # The image outlives what it was made of.
    owner.release(instance)
    owner.delete(base)
    assert owner.image(reply["ImageId"])["Status"] == "Available"
    owner.release(owner.launch(reply["ImageId"]))


def test_create_image_of_a_public_image_and_of_a_stopped_instance(world):
    owner = world.owner
    instance = owner.launch(PUBLIC_IMAGE)
    owner.call("StopInstance", InstanceId=instance, ForceStop="true")
    owner.instance_becomes(instance, "Stopped")
    image = owner.call(
        "CreateImage", ImageName="of-public", InstanceId=instance, DeleteAfterImageUpload="false", WithDataDisks=False
    )["ImageId"]
    assert owner.image_becomes(image, "Available")["ImageSize"] == "20"
    assert world.server.object(image).read_bytes() == world.server.object(PUBLIC_IMAGE).read_bytes()
    owner.release(instance)


def test_create_image_refusals(world):
    owner, other = world.owner, world.other
    foreign = other.launch()
    create = owner.call
    assert_refused(refusal(create, "CreateImage", ImageName="an-image"), *MISSING_PARAMETER)
    assert_refused(refusal(create, "CreateImage", InstanceId="i-none"), *MISSING_PARAMETER)
    for instance in ("i-none", foreign, "i-a,i-b"):
        refused = refusal(create, "CreateImage", ImageName="an-image", InstanceId=instance)
        assert_refused(refused, *invalid("InstanceId"))
    refused = refusal(create, "CreateImage", ImageName="an-image", SnapshotId="s-none")
    assert_refused(refused, *invalid("SnapshotId"))
    other.release(foreign)
    assert owner.images() == []


def test_create_image_of_an_instance_on_the_way_is_refused(slow_instances):
    owner = slow_instances.owner
    instance = owner.launch(ready=False)
    refused = refusal(owner.call, "CreateImage", ImageName="too-soon", InstanceId=instance)
    assert (refused.status, refused.code) == (400, "IncorrectInstanceStatus")
    owner.release(instance)


# DescribeImages


def test_describe_images_shape(crowd, generation):
    reply = crowd.owner.sdk(generation).call("DescribeImages")
    check("DescribeImages", reply.body, DESCRIBE_IMAGES)
    assert (reply["PageNumber"], reply["PageSize"], reply["TotalCount"]) == (1, 10, 57)
    entries = reply["Images"]["Image"]
    assert len(entries) == 10
    for entry in entries:
        check_entry(entry, IMAGE)
        assert is_time(entry["CreationTime"])
        [disk] = entry["DiskDeviceMappings"]["DiskDeviceMapping"]
        check_entry(disk, MAPPING)
        assert disk["imageId"] == entry["ImageId"]


def test_describe_images_shows_public_own_and_shared_ones(crowd):
    def aliases(caller):
        pages = [caller.call("DescribeImages", PageSize="50", PageNumber=str(page)) for page in (1, 2)]
        return {entry["ImageId"]: entry["ImageOwnerAlias"] for page in pages for entry in page["Images"]["Image"]}

    public = {PUBLIC_IMAGE: "system", PUBLIC_WINDOWS_IMAGE: "system"}
    assert aliases(crowd.owner) == public | dict.fromkeys(crowd.images, "self")
    assert aliases(crowd.other) == public | {crowd.images[7]: "others"}


def test_describe_images_filters(crowd):
    def ids(**filters):
        return [entry["ImageId"] for entry in crowd.owner.call("DescribeImages", **filters)["Images"]["Image"]]

    assert ids(ImageId=crowd.images[3]) == [crowd.images[3]]
    assert ids(ImageId=PUBLIC_IMAGE) == [PUBLIC_IMAGE]
    assert ids(ImageId=crowd.images[3][:-1]) == [], "one id, not a part of it"
    assert ids(ImageId="m-unknown") == []
    assert ids(ImageName="crowd-003") == [crowd.images[3]]
    assert ids(ImageName="no-such-name") == []
    assert ids(ImageId=crowd.images[3], Status="Creating") == [crowd.images[3]], "documented as not in use"
    assert ids(SnapshotId="s-unknown") == []


# DescribeSelfImages


def test_describe_self_images_counts_in_texts(crowd, generation):
    reply = crowd.owner.sdk(generation).call("DescribeSelfImages", PageNumber=2, PageSize=20)
    check("DescribeSelfImages", reply.body, DESCRIBE_IMAGES)
    assert (reply["PageNumber"], reply["PageSize"], reply["TotalCount"]) == ("2", "20", "55")
    assert type(reply["Code"]) is int
    for entry in reply["Images"]["Image"]:
        check_entry(entry, SELF_IMAGE)


def test_describe_self_images_pages_do_not_overlap(crowd):
    seen = []
    for page in range(1, 5):
        entries = crowd.owner.images(PageNumber=page, PageSize=17)
        assert len(entries) == (17 if page < 4 else 4)
        seen += [entry["ImageId"] for entry in entries]
    assert sorted(seen) == sorted(crowd.images)
    beyond = crowd.owner.call("DescribeSelfImages", PageNumber=99, PageSize=50)
    assert (beyond["Images"]["Image"], beyond["TotalCount"], beyond["PageNumber"]) == ([], "55", "99")


@pytest.mark.parametrize("action", ["DescribeImages", "DescribeSelfImages"])
def test_paging_limits(crowd, action):
    call = crowd.owner.call
    text = action == "DescribeImages"
    assert len(call(action, PageSize="50" if text else 50)["Images"]["Image"]) == 50
    for name, value in (("PageSize", 51), ("PageSize", 0), ("PageSize", -1), ("PageNumber", 0), ("PageNumber", -1)):
        refused = refusal(call, action, **{name: str(value) if text else value})
        assert_refused(refused, *invalid(name))
    raw = crowd.owner.raw
    for name in ("PageSize", "PageNumber"):
        for value in ("ten", "1.5", "99999999999999999999", "9223372036854775807", "0x10"):
            assert_refused(refusal(raw.call, action, {name: value}), *invalid(name))


def test_describe_self_images_matches_parts_and_puts_the_exact_one_first(crowd):
    """Terraform takes element 0 of this listing."""
    exact = crowd.images[30]
    for part in (exact, exact[:-1], exact[2:], exact[:20]):
        found = [entry["ImageId"] for entry in crowd.owner.images(ImageId=part, PageSize=50)]
        assert exact in found and all(part in image for image in found)
    assert crowd.owner.images(ImageId=exact)[0]["ImageId"] == exact
    assert len(crowd.owner.images(ImageId="m-", PageSize=50)) == 50
    assert crowd.owner.images(ImageId="m-unknown") == []

    names = {entry["ImageName"] for entry in crowd.owner.images(ImageName="wd-01", PageSize=50)}
    assert names == {f"crowd-01{digit}" for digit in range(10)}
    assert crowd.owner.images(ImageName="crowd-017", ImageId=crowd.images[18]) == []


def test_describe_self_images_of_the_recipient(crowd):
    [entry] = crowd.other.images()
    assert (entry["ImageId"], entry["ImageOwnerAlias"]) == (crowd.images[7], "others")


@pytest.mark.parametrize("part", ["%", "_", "'", '"', "\\", ";--", "*", "m-%"])
def test_filters_take_every_character_as_itself(crowd, part):
    assert crowd.owner.images(ImageId=part) == []
    assert crowd.owner.images(ImageName=part) == []


# DescribeImageInfos


@pytest.mark.parametrize(
    ("os_type", "expected"),
    [
        (None, {PUBLIC_IMAGE, PUBLIC_WINDOWS_IMAGE}),
        ("linux", {PUBLIC_IMAGE}),
        ("Linux", {PUBLIC_IMAGE}),
        ("windows", {PUBLIC_WINDOWS_IMAGE}),
        ("Windows", {PUBLIC_WINDOWS_IMAGE}),
    ],
)
def test_describe_image_infos(crowd, os_type, expected, generation):
    params = {"OsType": os_type} if os_type else {}
    reply = crowd.owner.sdk(generation).call("DescribeImageInfos", **params)
    check("DescribeImageInfos", reply.body, "Code Images RequestId")
    entries = reply["Images"]["Image"]
    assert {entry["ImageId"] for entry in entries} == expected
    for entry in entries:
        check_entry(entry, IMAGE_INFO)
        assert entry["ImageOwnerAlias"] == "system"
        assert entry["OSType"] in ("linux", "windows")
        assert entry["ImageSize"] == ("20" if entry["OSType"] == "linux" else "40")


# ModifyImageAttribute


def test_modify_image_attribute_renames_at_once(world, generation):
    image = world.owner.import_image()
    before = world.server.print_of(image)
    reply = world.owner.sdk(generation).call("ModifyImageAttribute", ImageId=image, ImageName="renamed")
    check("ModifyImageAttribute", reply.body, "Code RequestId")
    assert world.owner.image(image)["ImageName"] == "renamed"
    after = world.server.print_of(image)
    before["images"][0]["name"] = "renamed"
    assert after["images"][0].pop("modified_ms") > before["images"][0].pop("modified_ms")
    assert after == before


def test_modify_image_attribute_refusals(world):
    owner, other = world.owner, world.other
    image, shared = owner.import_images(2)
    owner.share(shared, other.account)
    rename = "ModifyImageAttribute"
    assert_refused(refusal(owner.call, rename, ImageName="new-name"), *MISSING_PARAMETER)
    assert_refused(refusal(owner.call, rename, ImageId=image), *MISSING_PARAMETER)
    for name in BAD_NAMES:
        assert_refused(refusal(owner.call, rename, ImageId=image, ImageName=name), *invalid("ImageName"))
    for unseen in ("m-unknown", "not,one"):
        assert_refused(refusal(owner.call, rename, ImageId=unseen, ImageName="new-name"), *INVALID_IMAGE_ID)
    assert_refused(refusal(other.call, rename, ImageId=image, ImageName="new-name"), *INVALID_IMAGE_ID)
    for not_own in (shared, PUBLIC_IMAGE):
        assert_refused(refusal(other.call, rename, ImageId=not_own, ImageName="new-name"), *NO_PERMISSION)
    assert "new-name" not in {entry["ImageName"] for entry in owner.images()}


def test_modify_image_attribute_of_an_image_being_made(slow_images):
    image = slow_images.owner.import_image(ready=False)
    refused = refusal(slow_images.owner.call, "ModifyImageAttribute", ImageId=image, ImageName="too-soon")
    assert_refused(refused, *WRONG_STATUS)


# Terraform: V1 signatures, everything of the API in the form body.


def test_terraform_reads_images_as_it_is_used_to(world):
    """The steps of alicloud_ens_image: create, read, update, read, delete, read."""
    owner, call = world.owner, world.owner.raw.call
    instance = owner.launch()
    image = call(
        "CreateImage",
        {
            "ImageName": "tf",
            "InstanceId": instance,
            "TargetOSSRegionId": "cn-beijing",
            "DeleteAfterImageUpload": "false",
        },
    )["ImageId"]
    owner.image_becomes(image, "Available")
    entry = call("DescribeSelfImages", {"ImageId": image})["Images"]["Image"][0]
    assert entry["ImageId"] == image and entry["RegionId"] == "cn-beijing" and entry["InstanceId"] == instance
    assert is_time(entry["CreationTime"]) and entry["Status"] == "Available"
    assert call("ModifyImageAttribute", {"ImageId": image, "ImageName": "tf-new"})["Code"] == 0
    assert call("DescribeSelfImages", {"ImageId": image})["Images"]["Image"][0]["ImageName"] == "tf-new"
    assert call("DeleteImage", {"ImageId": image})["Code"] == 0
    gone = call("DescribeSelfImages", {"ImageId": image})
    assert gone["Images"]["Image"] == [] and gone["TotalCount"] == "0"
    owner.release(instance)


# RAM, for the operations besides DeleteImage


def test_operations_need_their_own_actions(private):
    world = private(
        {
            "nobody": [],
            "reader": [allow("ens:Describe*")],
            "importer": [allow(["ens:ImportImage", "ens:DescribeSelfImages"])],
            "renamer": [allow("ens:ModifyImageAttribute", "acs:ens:*:{account}:image/*")],
        }
    )
    image = world.user("importer").import_image()
    for action, params in (
        ("ImportImage", IMPORT | {"ImageName": "an-image", "OSSObject": world.server.put(SMALL)}),
        ("CreateImage", {"ImageName": "an-image", "InstanceId": "i-none"}),
        ("DescribeImages", {}),
        ("DescribeSelfImages", {}),
        ("DescribeImageInfos", {}),
        ("ModifyImageAttribute", {"ImageId": image, "ImageName": "new-name"}),
        ("ModifyImageSharePermission", {"ImageId": image, "AddAccounts": world.other.account}),
        ("DescribeImageSharePermission", {"ImageId": image}),
        ("DescribeInstances", {}),
        ("StopInstance", {"InstanceId": "i-none"}),
        ("StartInstance", {"InstanceId": "i-none"}),
        ("ReinitInstance", {"InstanceId": "i-none", "ImageId": image}),
        ("ReleasePostPaidInstance", {"InstanceId": "i-none"}),
        ("ReleasePrePaidInstance", {"InstanceId": "i-none"}),
        ("CreateSnapshot", {"DiskId": "d-none", "EnsRegionId": "cn-dalian-unicom"}),
        ("DescribeSnapshots", {}),
        ("DeleteSnapshot", {"SnapshotId": "s-none"}),
        ("DescribeEnsRegions", {}),
        ("ListTagResources", {"ResourceType": "instance", "ResourceId": ["i-none"]}),
    ):
        refused = refusal(world.user("nobody").call, action, **params)
        assert_refused(refused, *NO_PERMISSION)
        assert refused.body["AccessDeniedDetail"]["AuthAction"] == f"ens:{action}"
        if action.startswith("Describe") and "ImageId" not in params:
            world.user("reader").call(action, **params)
    assert_refused(refusal(world.user("nobody").launch), *NO_PERMISSION)
    world.user("renamer").call("ModifyImageAttribute", ImageId=image, ImageName="by-arn")
    assert world.owner.image(image)["ImageName"] == "by-arn"


def test_accounts_do_not_see_each_other(world):
    image = world.owner.import_image()
    instance = world.owner.launch(image)
    snapshot = world.owner.create_snapshot(instance)
    stranger = world.other
    assert stranger.image(image) is None and stranger.instance(instance) is None
    assert stranger.snapshot(snapshot) is None
    assert stranger.call("DescribeInstances", ImageId=image)["TotalCount"] == 0
    listed = stranger.call("ListTagResources", ResourceType="instance", ResourceId=[instance])
    assert listed["TagResources"] == []
    assert_refused(refusal(stranger.call, "DescribeImageSharePermission", ImageId=image), *INVALID_IMAGE_ID)
    for action in ("StopInstance", "StartInstance", "ReleasePostPaidInstance"):
        assert_refused(refusal(stranger.call, action, InstanceId=instance), *invalid("InstanceId"))
    assert_refused(refusal(stranger.call, "DeleteSnapshot", SnapshotId=snapshot), *invalid("SnapshotId"))
    assert world.owner.instance(instance)["Status"] == "Running"
    world.owner.release(instance)


def test_sizes_are_whole_gib_rounded_up(world):
    data = qcow2.write({0: b"x" * 65536}, virtual_size=10 * qcow2.GIB + 512)
    image = world.owner.import_image(data)
    assert world.owner.image(image)["ImageSize"] == "11"
    assert world.owner.image(image)["DiskDeviceMappings"]["DiskDeviceMapping"][0]["Size"] == "11"


def test_a_bucket_folder_needs_no_configuration(world):
    folder = world.server.data / "buckets" / "by-folder"
    folder.mkdir(parents=True)
    (folder / "deep").mkdir()
    (folder / "deep" / "image.qcow2").write_bytes(SMALL)
    image = world.owner.import_image(
        OSSBucket="by-folder", OSSObject="deep/image.qcow2", ImageName=fresh_name("by-folder"), OSSRegion=None
    )
    assert world.server.object(image).read_bytes() == SMALL
    assert BUCKET != "by-folder"
