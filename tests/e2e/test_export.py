"""Exports of images to a bucket: whole or not at all, over kills and away buckets, and in the way of a delete."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import qcow2
from clients import Refused
from server import BUCKET, PUBLIC_IMAGE, wait
from shapes import check, check_entry, is_time
from test_delete_image import INVALID_IMAGE_ID, WRONG_STATUS, delete_must_fail
from test_images import invalid
from world import SMALL, assert_refused, refusal

IMAGE_TYPE = (400, "InvalidImageType.NotSupported", "The specified image type is not supported.")
MISSING_ONE = (
    400, "MissingParameter", "The input parameter that is mandatory for processing this request is not supplied.",
)  # fmt: skip
TARGET = {"OSSBucket": BUCKET, "OSSRegionId": "cn-beijing"}
LARGE = qcow2.golden(seed=7, clusters=512)
ENTRY = "Architecture CreationTime ExportedImageURL ImageExportStatus ImageId ImageName ImageOwnerAlias Platform"


def status(caller, image):
    return caller.call("DescribeExportImageStatus", ImageId=image)["ImageExportStatus"]


def becomes(caller, image, wanted, timeout_s=20.0):
    def probe():
        found = status(caller, image)
        assert found in (wanted, "Exporting"), found
        return found == wanted

    wait(f"the export of {image} to become {wanted}", probe, timeout_s)


def export(caller, image, **params):
    return caller.call("ExportImage", **TARGET | {"ImageId": image} | params)["ExportedImageURL"]


def exported(world, image, prefix=""):
    return world.server.bucket / prefix / f"{image}.qcow2"


def leftovers(world):
    """What no reader of the bucket sees."""
    return [path.name for path in world.server.bucket.rglob("*#*")]


def test_an_export_through_each_generation_of_the_sdk(world, generation):
    owner, sdk = world.owner, world.owner.sdk(generation)
    image = owner.import_image()
    reply = sdk.call("DescribeExportImageStatus", ImageId=image)
    check("DescribeExportImageStatus", reply.body, "ImageExportStatus RequestId")
    assert reply["ImageExportStatus"] == "Unexported"
    prefix = f"by/{generation}"
    reply = sdk.call("ExportImage", **TARGET, ImageId=image, OSSPrefix=prefix, RoleName="AliyunExport")
    check("ExportImage", reply.body, "ExportedImageURL RequestId")
    url = f"oss://{BUCKET}/{prefix}/{image}.qcow2"
    assert reply["ExportedImageURL"] == url
    becomes(owner, image, "Exported")
    assert exported(world, image, prefix).read_bytes() == SMALL

    reply = sdk.call("DescribeExportImageInfo", ImageId=image)
    check("DescribeExportImageInfo", reply.body, "Images PageNumber PageSize RequestId TotalCount")
    [entry] = reply["Images"]["Image"]
    check_entry(entry, ENTRY)
    assert is_time(entry["CreationTime"]) and entry["ImageOwnerAlias"] == "self"
    assert (entry["ExportedImageURL"], entry["ImageExportStatus"]) == (url, "Exported")
    # What was exported can be imported again, byte for byte.
    again = owner.import_image(OSSObject=f"{prefix}/{image}.qcow2")
    assert world.server.object(again).read_bytes() == SMALL
    owner.delete(image)
    owner.delete(again)
    exported(world, image, prefix).unlink()


def test_d18_an_image_that_is_exported_cannot_be_deleted(slow_images, generation):
    owner = slow_images.owner
    image = owner.import_image()
    export(owner, image)
    assert status(owner, image) == "Exporting"
    delete_must_fail(owner, image, WRONG_STATUS, generation)
    assert_refused(refusal(export, owner, image), *WRONG_STATUS)
    becomes(owner, image, "Exported")
    owner.delete(image)
    assert exported(slow_images, image).read_bytes() == SMALL, "what was exported is the bucket's"
    assert_refused(refusal(status, owner, image), *INVALID_IMAGE_ID)
    exported(slow_images, image).unlink()


def test_what_is_not_the_callers_own_is_not_exported(world):
    owner, other = world.owner, world.other
    image = owner.import_image()
    assert_refused(refusal(export, other, image), *INVALID_IMAGE_ID)
    owner.share(image, other.account)
    assert_refused(refusal(export, other, image), *IMAGE_TYPE)
    wait("the system image", lambda: owner.call("DescribeImages", ImageId=PUBLIC_IMAGE)["Images"]["Image"])
    assert_refused(refusal(export, owner, PUBLIC_IMAGE), *IMAGE_TYPE)
    for absent in ("ImageId", "OSSBucket", "OSSRegionId"):
        params = TARGET | {"ImageId": image, absent: None}
        assert_refused(refusal(owner.raw.call, "ExportImage", {k: v for k, v in params.items() if v}), *MISSING_ONE)
    for name, value in (("OSSBucket", "../images"), ("OSSRegionId", "cn-shanghai"), ("OSSPrefix", "../..")):
        assert_refused(refusal(export, owner, image, **{name: value}), *invalid(name))
    assert not exported(world, image).exists()
    owner.delete(image)


def test_nobody_ever_sees_half_an_object(private):
    world = private()
    owner = world.owner
    image = owner.import_image(LARGE)
    for _ in range(3):
        path = exported(world, image)
        path.unlink(missing_ok=True)
        export(owner, image)
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
        assert path.read_bytes() == LARGE
        becomes(owner, image, "Exported")
    assert leftovers(world) == []


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.2])
def test_an_export_goes_on_after_a_kill(private, after_s):
    world = private()
    owner = world.owner
    images = [owner.import_image(LARGE) for _ in range(3)]
    for image in images:
        export(owner, image)
    time.sleep(after_s)
    world.server.kill()
    for image in images:
        if exported(world, image).exists():
            assert exported(world, image).read_bytes() == LARGE, "whole or not at all"
    world.server.start()
    for image in images:
        becomes(owner, image, "Exported")
        assert exported(world, image).read_bytes() == LARGE
        owner.delete(image)
    assert leftovers(world) == [], "nothing of the killed attempts is left"
    world.server.audit()


def test_a_bucket_that_is_away_ends_the_export_and_frees_the_image(private):
    world = private()
    owner, bucket = world.owner, world.server.bucket
    image = owner.import_image()
    away = bucket.rename(bucket.with_name("away"))
    # Nobody can write below a file, not even who may write everywhere.
    bucket.write_text("not a folder")
    export(owner, image)
    delete_must_fail(owner, image, WRONG_STATUS)
    becomes(owner, image, "ExportError", timeout_s=60.0)
    [row] = world.server.query("SELECT tries, last_error FROM exports WHERE image_id = ?", image)
    assert row == {"tries": 6, "last_error": "the write to the bucket failed"}
    assert str(bucket) not in owner.call("DescribeExportImageInfo")["Images"]["Image"][0]["ExportedImageURL"]
    bucket.unlink()
    away.rename(bucket)
    assert not exported(world, image).exists()
    export(owner, image)
    becomes(owner, image, "Exported")
    owner.delete(image)


def test_exports_and_deletes_at_once(private):
    """Either the delete is refused, or the export finds no image; the bytes of an export are always whole."""
    world = private()
    owner = world.owner
    images = [owner.import_image(ready=False) for _ in range(40)]
    for image in images:
        owner.image_becomes(image, "Available")
    def attempt(call, *args):
        try:
            call(*args)
            return None
        except Refused as refused:
            return refused.status, refused.code, refused.message

    with ThreadPoolExecutor(4) as pool:
        for image in images:
            calls = [pool.submit(attempt, export, owner, image), pool.submit(attempt, owner.delete, image)]
            ended = [call.result() for call in calls]
            # An export of so few bytes may have ended before the delete comes.
            assert ended in ([None, WRONG_STATUS], [INVALID_IMAGE_ID, None], [None, None]), ended
            if ended[0] is None:
                wait("the object", lambda path=exported(world, image): path.exists())
                assert exported(world, image).read_bytes() == SMALL
            if ended[1]:
                becomes(owner, image, "Exported")
                owner.delete(image)
    assert leftovers(world) == []
    world.server.audit()
