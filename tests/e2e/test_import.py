"""Importing bytes: good ones arrive whole, hostile ones end in a failed status and leave nothing."""

import hashlib
import os

import pytest

import qcow2
from clients import Refused
from server import sha256, wait
from test_delete_image import WRONG_STATUS
from test_images import invalid
from world import FAILED, IMPORT, SMALL, assert_refused, mapping, refusal

GOOD = qcow2.acceptable()
HOSTILE = qcow2.hostile()


def stored_files(server, image):
    """Every file in any region that has to do with an image, half-written ones included."""
    replicas = [row["id"] for row in server.query("SELECT id FROM replicas WHERE holder_id = ?", image)]
    assert replicas
    return [name for name in server.objects() if any(replica in name for replica in replicas)]


def told(caller, image):
    """All that the API says about an image, as it came over the wire."""
    raw = caller.raw
    answers = [
        raw.send(raw.v1("DescribeSelfImages", {"ImageId": image})),
        raw.send(raw.v1("DescribeImages", {"ImageId": image})),
        raw.send(raw.v1("DescribeSelfImages", {"ImageId": image}, change={"Format": "XML"})),
        raw.send(raw.v1("RunInstances", {"ImageId": image, "InstanceType": "ens.sn1.small"})),
        raw.send(raw.v1("ModifyImageAttribute", {"ImageId": image, "ImageName": "x"})),
    ]
    return b"\n".join(answer.raw for answer in answers).decode()


def assert_failed_cleanly(world, image, *secrets, timeout_s=20.0):
    """Checks the end of an import that cannot succeed, and that the image can be deleted."""
    owner, server = world.owner, world.server
    entry = owner.image_becomes(image, *FAILED, timeout_s=timeout_s)
    assert stored_files(server, image) == []
    [row] = server.query("SELECT state, reason FROM images WHERE id = ?", image)
    assert row["state"] == "failed" and row["reason"] and "\n" not in row["reason"]
    wait("the reason in the log", lambda: row["reason"] in server.stderr(), 5)
    said = told(owner, image)
    for secret in (row["reason"], str(server.folder), "panicked", "src/", *secrets):
        assert secret not in said, f"{secret!r} was told"
    assert str(server.folder) not in row["reason"]

    assert owner.delete(image)["Code"] == 0
    assert owner.image(image) is None
    wait("the record to be closed", lambda: server.is_erased(image))
    assert stored_files(server, image) == []
    return entry["Status"]


# Good files


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_arrives_whole(world, name):
    data = GOOD[name]
    image = world.owner.import_image(data)
    stored = world.server.object(image)
    assert stored.stat().st_size == len(data) and sha256(stored) == hashlib.sha256(data).hexdigest()
    [row] = world.server.query("SELECT * FROM replicas WHERE holder_id = ?", image)
    assert (row["state"], row["region"]) == ("available", "cn-beijing")
    assert (row["size_bytes"], row["sha256"]) == (len(data), sha256(stored))
    assert world.owner.image(image)["ImageStorageSize"] == str(len(data))
    assert stored_files(world.server, image) == [f"cn-beijing/{stored.name}"]
    world.owner.release(world.owner.launch(image))
    world.owner.delete(image)
    wait("the bytes to be erased", lambda: not stored.exists())


def test_a_file_of_many_parts_arrives_whole(world):
    """More than one part of an upload: 24 MiB."""
    data = qcow2.golden(seed=7, clusters=384)
    image = world.owner.import_image(data)
    assert world.server.object(image).read_bytes() == data


def test_bytes_go_to_the_region_that_was_asked_for(world):
    for region in ("cn-beijing", "ap-southeast-1"):
        image = world.owner.import_image(TargetOSSRegionId=region)
        assert world.server.object(image).parent.name == region
        assert world.owner.image(image)["RegionId"] == region


def test_without_a_target_the_bytes_go_to_the_buckets_region(world):
    image = world.owner.import_image(TargetOSSRegionId=None)
    assert world.server.object(image).parent.name == world.owner.image(image)["RegionId"] == "cn-beijing"


def test_the_source_is_read_once_and_may_go_afterwards(world):
    name = world.server.put(SMALL, "short-lived.qcow2")
    image = world.owner.import_image(OSSObject=name)
    (world.server.bucket / name).unlink()
    world.owner.release(world.owner.launch(image))
    assert world.server.object(image).read_bytes() == SMALL


def test_many_imports_at_once(world):
    images = world.owner.import_images(40)
    assert {world.server.object(image).read_bytes() == SMALL for image in images} == {True}


# Hostile files


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_leaves_nothing(world, name):
    image = world.owner.import_image(HOSTILE[name], ready=False)
    assert assert_failed_cleanly(world, image, "/etc/passwd", "json:") == "Pack_failed"


def test_a_hostile_file_is_refused_by_the_other_way_of_naming_it(world):
    source = world.server.put(HOSTILE["backing file"])
    params = {name: value for name, value in IMPORT.items() if name not in ("OSSBucket", "OSSRegion")}
    image = world.owner.call("ImportImage", **params, ImageName="hostile", DiskDeviceMapping=mapping(source))["ImageId"]
    assert_failed_cleanly(world, image)


def test_a_good_import_beside_hostile_ones_succeeds(world):
    hostile = [world.owner.import_image(HOSTILE[name], ready=False) for name in list(HOSTILE)[:20]]
    good = world.owner.import_image()
    for image in hostile:
        world.owner.image_becomes(image, *FAILED)
        world.owner.delete(image)
    assert world.server.object(good).read_bytes() == SMALL


# Sources that are not there


def test_a_missing_object(world):
    image = world.owner.import_image(ready=False, OSSObject="no-such-object.qcow2")
    assert assert_failed_cleanly(world, image, "no-such-object") == "Pack_failed"


@pytest.mark.parametrize("bucket", ["no-such-bucket", "..", "../golden", "/etc", "etc/", "a", "x" * 64, "Golden", "."])
def test_a_missing_bucket_is_refused_at_once(world, bucket):
    params = IMPORT | {"ImageName": "an-image", "OSSObject": "passwd", "OSSBucket": bucket}
    assert_refused(refusal(world.owner.call, "ImportImage", **params), *invalid("OSSBucket"))
    assert world.owner.images() == []


def test_a_directory_in_the_place_of_the_object(world):
    (world.server.bucket / "a-directory").mkdir(exist_ok=True)
    image = world.owner.import_image(ready=False, OSSObject="a-directory")
    assert_failed_cleanly(world, image, "a-directory", timeout_s=60)


def test_what_is_no_regular_file_fails_and_holds_nothing_up(private):
    """A pipe in the place of the object is never opened to wait for a writer."""
    world = private()
    pipe = world.server.bucket / "pipe.qcow2"
    os.mkfifo(pipe)
    images = [world.owner.import_image(ready=False, OSSObject=pipe.name) for _ in range(8)]
    try:
        world.owner.import_image()
        for image in images:
            world.owner.image_becomes(image, *FAILED)
        assert world.server.stop() == 0
    finally:
        # Whoever waits for a writer gets one, and goes.
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))


def test_keys_that_would_leave_the_bucket(world):
    """Whatever a key looks like, it never reaches a file outside the bucket."""
    outside = world.server.folder / "outside.qcow2"
    outside.write_bytes(SMALL)
    keys = ["../outside.qcow2", "a/../../outside.qcow2", str(outside), "./../outside.qcow2", "..", ".", "/", "//",
            "%2e%2e/outside.qcow2", "..\\outside.qcow2", "\0", "a\0b", "x" * 1023, "x/" * 500]  # fmt: skip
    images = []
    for key in keys:
        try:
            images.append(world.owner.import_image(ready=False, OSSObject=key))
        except Refused as refused:
            assert_refused(refused, *invalid("OSSObject"))
    for image in images:
        assert_failed_cleanly(world, image, timeout_s=60)
    assert outside.exists()


def test_a_key_that_is_too_long(world):
    params = IMPORT | {"ImageName": "an-image", "OSSObject": "x" * 1024}
    assert_refused(refusal(world.owner.call, "ImportImage", **params), *invalid("OSSObject"))


def test_two_disks_are_refused(world):
    source = world.server.put(SMALL)
    params = IMPORT | {"ImageName": "an-image", "DiskDeviceMapping": mapping(source, source)}
    assert_refused(refusal(world.owner.call, "ImportImage", **params), *invalid("DiskDeviceMapping"))


@pytest.mark.parametrize("text", ["[", "{", "[1]", '["a"]', "nonsense", '[{"OSSBucket":', "[[]]", "[" * 5000])
def test_a_mapping_that_is_no_list_of_sources(world, text):
    params = IMPORT | {"ImageName": "an-image", "DiskDeviceMapping": text}
    params.pop("OSSBucket")
    refused = refusal(world.owner.raw.call, "ImportImage", params)
    assert refused.status == 400 and refused.code in ("InvalidParameter.DiskDeviceMapping", "MissingParameter")


# Stores that fail


class Away:
    """Takes a region's store away by putting a file in the place of its folder."""

    def __init__(self, server, region):
        self.folder = server.data / "objects" / region
        self.kept = self.folder.with_name(f"{region}.away")

    def __enter__(self):
        os.rename(self.folder, self.kept)
        self.folder.write_text("not a folder")

    def __exit__(self, *_):
        self.folder.unlink()
        os.rename(self.kept, self.folder)


def has_failed(server, image):
    """Tells whether an attempt at the bytes of an image has failed."""
    return server.query("SELECT 1 FROM replicas WHERE holder_id = ? AND last_error IS NOT NULL", image)


def test_a_region_that_is_away_for_long_fails_the_import(private):
    world = private()
    server, owner = world.server, world.owner
    kept = owner.import_image()
    with Away(server, "cn-beijing"):
        lost = owner.import_image(ready=False)
        elsewhere = owner.import_image(TargetOSSRegionId="ap-southeast-1")
        assert server.object(elsewhere).read_bytes() == SMALL, "a region that is away delays only itself"
        owner.image_becomes(lost, *FAILED, timeout_s=60)
        assert str(server.folder) not in told(owner, lost)
        [row] = server.query("SELECT reason FROM images WHERE id = ?", lost)
        assert str(server.folder) not in row["reason"]
        # A delete is accepted at once; the bytes are erased when the region is back.
        owner.delete(kept)
        assert owner.image(kept) is None
        wait("an attempt to erase", lambda: has_failed(server, kept))
        assert not server.is_erased(kept)
    wait("the bytes to be erased", lambda: server.is_erased(kept), 60)
    owner.delete(lost)
    wait("the record to be closed", lambda: server.is_erased(lost), 60)
    owner.delete(elsewhere)
    server.audit()
    assert server.stop() == 0


def test_a_region_that_is_away_for_a_moment_only_delays_the_import(private):
    world = private()
    server, owner = world.server, world.owner
    with Away(server, "cn-beijing"):
        image = owner.import_image(ready=False)
        wait("a failed attempt", lambda: has_failed(server, image))
        assert owner.image(image)["Status"] in ("Creating", "Packing", "Uploading")
        assert_refused(refusal(owner.delete, image), *WRONG_STATUS)
    owner.image_becomes(image, "Available", timeout_s=60)
    assert server.object(image).read_bytes() == SMALL
    server.audit()


def test_bytes_that_changed_on_disk_are_not_copied(private):
    """An image is made of bytes whose hash is known; others must not become one."""
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    instance = owner.launch(image)
    with server.object(image).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    copy = owner.call("CreateImage", ImageName="a-copy", InstanceId=instance)["ImageId"]
    owner.image_becomes(copy, *FAILED, timeout_s=60)
    assert stored_files(server, copy) == []
    snapshot = owner.create_snapshot(instance, ready=False)
    owner.snapshot_becomes(snapshot, "error")
    assert stored_files(server, snapshot) == []
    owner.call("DeleteSnapshot", SnapshotId=snapshot)
    owner.delete(copy)


def test_bytes_that_are_gone_are_not_copied_and_can_be_deleted(private):
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    instance = owner.launch(image)
    server.object(image).unlink()
    copy = owner.call("CreateImage", ImageName="a-copy", InstanceId=instance)["ImageId"]
    owner.image_becomes(copy, *FAILED, timeout_s=60)
    owner.release(instance)
    owner.delete(image)
    wait("the record to be closed", lambda: server.is_erased(image))


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_imports_go_on_after_a_restart(private, end):
    """Accepted imports are finished by the next process, and what the first one left half-written goes."""
    world = private()
    data = qcow2.golden(seed=9, clusters=200)
    images = [world.owner.import_image(data, ready=False) for _ in range(8)]
    assert getattr(world.server, end)() == (0 if end == "stop" else -9)
    world.server.start()
    for image in images:
        world.owner.image_becomes(image, "Available", timeout_s=60)
        assert world.server.object(image).read_bytes() == data
    world.server.audit()
