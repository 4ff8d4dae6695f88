"""The older and smaller operations on instances, disks and snapshots, through both generations of the SDK."""

import pytest

from server import PUBLIC_IMAGE, wait
from shapes import check, check_entry, is_time
from test_delete_image import USED_TO_CREATE, delete_must_fail
from test_images import invalid
from test_instances import WRONG_STATUS
from world import NODE, assert_refused, refusal

PROTECTED = (400, "OperationDenied.DeletionProtection", "The instance is protected against release.")
DISK = (
    "Category CreationTime DeleteWithInstance Description DiskChargeType DiskId DiskName Encrypted EncryptedKeyId"
    " EnsRegionId InstanceId InstanceName Portable SerialId Size SnapshotId Status Tags Type"
)


@pytest.fixture
def instance(world):
    owner = world.owner
    wait("the system image", lambda: owner.call("DescribeImages", ImageId=PUBLIC_IMAGE)["Images"]["Image"])
    instance = owner.launch()
    yield instance
    if owner.instance(instance):
        owner.release(instance)


def test_create_instance_nests_its_ids(world, generation):
    owner = world.owner
    image = owner.import_image()
    reply = owner.sdk(generation).call(
        "CreateInstance", EnsRegionId=NODE, ImageId=image, InstanceType="ens.sn1.small", Period="1", Quantity="2",
        PaymentType="Subscription", InstanceName="older",
    )  # fmt: skip
    check("CreateInstance", reply.body, "Code InstanceIds RequestId")
    ids = reply["InstanceIds"]["InstanceId"]
    assert len(set(ids)) == 2
    for instance in ids:
        entry = owner.instance_becomes(instance, "Running")
        assert entry["InstanceResourceType"] == "EnsInstance" and entry["InstanceName"] == "older"
        delete_must_fail(owner, image, USED_TO_CREATE)
        owner.call("ReleasePrePaidInstance", InstanceId=instance)
    owner.delete(image)


def test_reboots(slow_instances):
    owner = slow_instances.owner
    wait("the system image", lambda: owner.call("DescribeImages", ImageId=PUBLIC_IMAGE)["Images"]["Image"])
    instance = owner.launch()
    reply = owner.call("RebootInstance", InstanceId=instance, ForceStop="true")
    check("RebootInstance", reply.body, "Code RequestId")
    assert owner.instance(instance)["Status"] == "Starting"
    assert_refused(refusal(owner.call, "RebootInstance", InstanceId=instance), *WRONG_STATUS)
    owner.instance_becomes(instance, "Running")
    reply = owner.call("RebootInstances", InstanceIds=[instance, "i-unknown"])
    check("RebootInstances", reply.body, "InstanceResponses RequestId")
    assert [one["Code"] for one in reply["InstanceResponses"]] == [0, 400]
    owner.instance_becomes(instance, "Running")
    owner.release(instance)


def test_an_instance_is_named_protected_and_released(world, instance):
    owner = world.owner
    reply = owner.call(
        "ModifyInstanceAttribute", InstanceId=instance, InstanceName="renamed", HostName="renamed.example",
        DeletionProtection=True, Password="Secret-12345",
    )  # fmt: skip
    check("ModifyInstanceAttribute", reply.body, "Code RequestId")
    entry = owner.instance(instance)
    assert (entry["InstanceName"], entry["HostName"]) == ("renamed", "renamed.example")
    assert entry["DeletionProtection"] is True
    for action in ("ReleasePostPaidInstance", "ReleaseInstance"):
        assert_refused(refusal(owner.call, action, InstanceId=instance), *PROTECTED)
    owner.call("ModifyInstanceAttribute", InstanceId=instance, DeletionProtection=False)
    disk = entry["SystemDisk"]["DiskId"]
    assert_refused(refusal(owner.call, "ReleaseInstance", InstanceId=disk), *WRONG_STATUS)
    reply = owner.call("ReleaseInstance", InstanceId=instance)
    check("ReleaseInstance", reply.body, "RequestId ResourceType")
    assert reply["ResourceType"] == "instance"
    assert owner.instance(instance) is None
    assert_refused(refusal(owner.call, "ReleaseInstance", InstanceId=instance), *invalid("InstanceId"))


def test_disks_through_each_generation_of_the_sdk(world, instance, generation):
    reply = world.owner.sdk(generation).call("DescribeDisks", InstanceId=instance, PageSize="50")
    check("DescribeDisks", reply.body, "Code Disks PageNumber PageSize RequestId TotalCount")
    [disk] = reply["Disks"]["Disks"]
    check_entry(disk, DISK)
    assert is_time(disk["CreationTime"]) and disk["Status"] == "In-use" and disk["Type"] == "1"
    assert disk["DiskId"] == world.owner.instance(instance)["SystemDisk"]["DiskId"]
    others = world.other.call("DescribeDisks")["Disks"]["Disks"]
    assert others == []


def test_a_snapshot_is_renamed(world, instance):
    owner = world.owner
    snapshot = owner.create_snapshot(instance)
    reply = owner.call("ModifySnapshotAttribute", SnapshotId=snapshot, SnapshotName="renamed", Description="again")
    check("ModifySnapshotAttribute", reply.body, "RequestId")
    entry = owner.snapshot(snapshot)
    assert (entry["SnapshotName"], entry["Description"]) == ("renamed", "again")
    refused = refusal(owner.call, "ModifySnapshotAttribute", SnapshotId=snapshot, SnapshotName="automatic")
    assert_refused(refused, *invalid("SnapshotName"))
    owner.call("DeleteSnapshot", SnapshotId=snapshot)
