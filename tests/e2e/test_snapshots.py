"""Snapshots: bytes of their own, from which images are made."""

import pytest

from server import PUBLIC_IMAGE, wait
from shapes import check, check_entry, is_time
from test_delete_image import MISSING_PARAMETER, USED_TO_CREATE
from test_images import invalid
from world import NODE, SMALL, as_json, assert_refused, refusal

SNAPSHOT = (
    "CreationTime Description EnsRegionId Size SnapshotId SnapshotName SnapshotType SourceDiskCategory SourceDiskId"
    " SourceDiskType SourceEnsRegionId SourceSnapshotId Status"
)


@pytest.fixture
def disk(world):
    """The system disk of an instance on an image of its own."""
    world.image = world.owner.import_image()
    world.instance = world.owner.launch(world.image)
    yield world.owner.instance(world.instance)["SystemDisk"]["DiskId"]
    if world.owner.instance(world.instance):
        world.owner.release(world.instance)


def listed(caller, **filters):
    return [entry["SnapshotId"] for entry in caller.call("DescribeSnapshots", **filters)["Snapshots"]]


def is_gone(server, snapshot):
    rows = server.query("SELECT state FROM replicas WHERE holder_id = ?", snapshot)
    return rows and all(row["state"] == "erased" for row in rows)


def test_create_snapshot_replies_with_a_list_under_its_odd_name(world, disk, generation):
    reply = world.owner.sdk(generation).call(
        "CreateSnapshot", DiskId=disk, EnsRegionId=NODE, SnapshotName="my-snapshot", Description="before the update"
    )
    check("CreateSnapshot", reply.body, "OrderId RequestId SnapShotId")
    [snapshot] = reply["SnapShotId"]
    assert snapshot.startswith("s-") or snapshot.startswith("sp-")
    world.owner.snapshot_becomes(snapshot, "available")

    reply = world.owner.sdk(generation).call("DescribeSnapshots", SnapshotId=snapshot)
    check("DescribeSnapshots", reply.body, "PageNumber PageSize RequestId Snapshots TotalCount")
    assert (reply["PageNumber"], reply["PageSize"], reply["TotalCount"]) == (1, 10, 1)
    [entry] = reply["Snapshots"]
    check_entry(entry, SNAPSHOT)
    assert is_time(entry["CreationTime"])
    assert entry["SnapshotName"] == "my-snapshot" and entry["Description"] == "before the update"
    assert entry["SourceDiskId"] == disk and entry["SourceDiskType"] == "1"
    assert entry["EnsRegionId"] == NODE and entry["Status"] == "available"
    assert entry["Size"] == str(2 * 1024), "a text, in MiB"
    assert world.server.object(snapshot).read_bytes() == SMALL


def test_a_snapshot_starts_in_creating(slow_images):
    owner = slow_images.owner
    instance = owner.launch()
    snapshot = owner.create_snapshot(instance, ready=False)
    assert owner.snapshot(snapshot)["Status"] == "creating"
    refused = refusal(owner.call, "CreateImage", ImageName="too-soon", SnapshotId=snapshot)
    assert_refused(refused, *invalid("SnapshotId"))
    owner.snapshot_becomes(snapshot, "available")
    owner.release(instance)
    owner.call("DeleteSnapshot", SnapshotId=snapshot)


def test_a_snapshot_being_made_can_be_deleted_and_leaves_nothing(slow_images):
    owner = slow_images.owner
    instance = owner.launch()
    snapshot = owner.create_snapshot(instance, ready=False)
    owner.call("DeleteSnapshot", SnapshotId=snapshot)
    assert owner.snapshot(snapshot) is None
    owner.release(instance)
    wait("its bytes to be erased", lambda: is_gone(slow_images.server, snapshot))


def test_create_snapshot_refusals(world, disk):
    call = world.owner.call
    assert_refused(refusal(call, "CreateSnapshot", EnsRegionId=NODE), *MISSING_PARAMETER)
    assert_refused(refusal(call, "CreateSnapshot", DiskId=disk), *MISSING_PARAMETER)
    assert_refused(refusal(call, "CreateSnapshot", DiskId="d-unknown", EnsRegionId=NODE), *invalid("DiskId"))
    refused = refusal(world.other.call, "CreateSnapshot", DiskId=disk, EnsRegionId=NODE)
    assert_refused(refused, *invalid("DiskId"))
    for name in ("auto-name", "x", "1name", "http://name"):
        refused = refusal(call, "CreateSnapshot", DiskId=disk, EnsRegionId=NODE, SnapshotName=name)
        assert_refused(refused, *invalid("SnapshotName"))
    for text in ("http://text", "x" * 257):
        refused = refusal(call, "CreateSnapshot", DiskId=disk, EnsRegionId=NODE, Description=text)
        assert_refused(refused, *invalid("Description"))
    assert listed(world.owner) == []


def test_describe_snapshots_filters_and_pages(world, disk):
    owner = world.owner
    first, second = (owner.create_snapshot(world.instance, SnapshotName=f"snap-{number}") for number in (1, 2))
    other_instance = owner.launch()
    third = owner.create_snapshot(other_instance, SnapshotName="third")
    everything = {first, second, third}
    for filters, expected in (
        ({}, everything),
        ({"SnapshotId": first}, {first}),
        ({"SnapshotId": as_json([first, third])}, {first, third}),
        ({"SnapshotId": "s-unknown"}, set()),
        ({"SnapshotName": "snap-2"}, {second}),
        ({"DiskId": disk}, {first, second}),
        ({"DiskId": "d-unknown"}, set()),
        ({"InstanceId": other_instance}, {third}),
        ({"EnsRegionId": NODE}, everything),
        ({"EnsRegionId": "cn-dalian-unicom"}, set()),
        ({"EnsRegionIds": as_json([NODE, "cn-dalian-unicom"])}, everything),
    ):
        assert set(listed(owner, **filters)) == expected, filters
    pages = [listed(owner, PageNumber=page, PageSize=2) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [2, 1, 0]
    assert {*pages[0], *pages[1]} == everything
    assert listed(world.other) == []
    owner.release(other_instance)


def test_create_image_of_a_snapshot(world, disk, generation):
    """The snapshot outlives instance and image, and the new image outlives the snapshot."""
    owner = world.owner
    snapshot = owner.create_snapshot(world.instance)
    owner.release(world.instance)
    owner.delete(world.image)
    wait("the image to be erased", lambda: world.server.is_erased(world.image))
    assert world.server.object(snapshot).read_bytes() == SMALL

    call = owner.sdk(generation).call
    image = call("CreateImage", ImageName="of-a-snapshot", SnapshotId=snapshot)["ImageId"]
    entry = owner.image_becomes(image, "Available")
    assert (entry["SnapshotId"], entry["ImageSize"]) == (snapshot, "2")
    assert [found["ImageId"] for found in call("DescribeSelfImages", SnapshotId=snapshot)["Images"]["Image"]] == [image]
    [found] = call("DescribeImages", SnapshotId=snapshot)["Images"]["Image"]
    assert (found["ImageId"], found["SnapshotId"]) == (image, snapshot)
    assert world.server.object(image).read_bytes() == SMALL

    check("DeleteSnapshot", call("DeleteSnapshot", SnapshotId=snapshot).body, "RequestId")
    wait("the snapshot to be erased", lambda: is_gone(world.server, snapshot))
    assert world.server.object(image).read_bytes() == SMALL
    instance = owner.launch(image)
    assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)
    owner.release(instance)
    owner.delete(image)


def test_delete_snapshot(world, disk, generation):
    call = world.owner.sdk(generation).call
    snapshot = world.owner.create_snapshot(world.instance)
    path = world.server.object(snapshot)
    call("DeleteSnapshot", SnapshotId=snapshot)
    assert listed(world.owner) == []
    wait("the bytes to be erased", lambda: not path.exists())
    assert_refused(refusal(call, "DeleteSnapshot", SnapshotId=snapshot), *invalid("SnapshotId"))
    assert_refused(refusal(call, "DeleteSnapshot", SnapshotId="s-unknown"), *invalid("SnapshotId"))
    assert_refused(refusal(call, "DeleteSnapshot"), *MISSING_PARAMETER)


def test_an_image_being_made_of_a_snapshot_survives_its_deletion(world, disk):
    owner = world.owner
    for _ in range(10):
        snapshot = owner.create_snapshot(world.instance)
        image = owner.call("CreateImage", ImageName="of-a-snapshot", SnapshotId=snapshot)["ImageId"]
        owner.call("DeleteSnapshot", SnapshotId=snapshot)
        owner.image_becomes(image, "Available")
        assert world.server.object(image).read_bytes() == SMALL
        wait("the snapshot to be erased", lambda: is_gone(world.server, snapshot))


def test_a_snapshot_is_no_use_of_an_image(world, disk):
    owner = world.owner
    snapshot = owner.create_snapshot(world.instance)
    owner.release(world.instance)
    owner.delete(world.image)
    assert owner.snapshot(snapshot)["Status"] == "available"


def test_a_snapshot_of_a_switched_instance_has_the_new_content(world):
    owner = world.owner
    image = owner.import_image()
    instance = owner.launch(PUBLIC_IMAGE)
    owner.reinit(instance, image)
    snapshot = owner.create_snapshot(instance)
    assert world.server.object(snapshot).read_bytes() == SMALL
    owner.release(instance)


def test_terraform_reads_snapshots_as_it_is_used_to(world, disk):
    call = world.owner.raw.call
    snapshot = call(
        "CreateSnapshot", {"DiskId": disk, "EnsRegionId": NODE, "SnapshotName": "tf", "Description": "by tf"}
    )["SnapShotId"][0]
    world.owner.snapshot_becomes(snapshot, "available")
    entry = call("DescribeSnapshots", {"SnapshotId": snapshot})["Snapshots"][0]
    assert entry["Status"] == "available" and entry["SourceDiskId"] == disk and entry["EnsRegionId"] == NODE
    call("DeleteSnapshot", {"SnapshotId": snapshot})
    assert call("DescribeSnapshots", {"SnapshotId": snapshot})["Snapshots"] == []
