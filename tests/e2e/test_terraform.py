"""The Terraform provider's resources, as the requests that it sends: create, read, update, import, destroy."""

import pytest

from server import PUBLIC_IMAGE, wait
from shapes import is_time
from terraform import Image, Instance, Provider, ProviderError, Snapshot
from test_delete_image import USED_TO_CREATE
from world import NODE, SMALL

SMALL_TYPE = "ens.sn1.small"
# What the provider always sends, and what a configuration adds in most cases.
LAUNCH = {
    "Amount": 1, "EnsRegionId": NODE, "InstanceChargeType": "PostPaid", "InstanceType": SMALL_TYPE,
    "InternetMaxBandwidthOut": 10, "PasswordInherit": True, "ScheduleAreaLevel": "Region",
}  # fmt: skip


@pytest.fixture
def provider(world):
    return Provider(world.owner)


def launch(provider, image=PUBLIC_IMAGE, tags=None, **config):
    if image == PUBLIC_IMAGE:
        # A server that has just been started for the first time makes its system images.
        listed = lambda: provider.rpc("DescribeImages", {"ImageId": image})["Images"]["Image"]  # noqa: E731
        wait("the system image", listed)
    instance = Instance(provider, LAUNCH | {"ImageId": image} | config, tags or {})
    return instance, instance.create()


def refused(call):
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


# alicloud_ens_image


def test_an_image_is_created_read_renamed_and_destroyed(provider):
    instance, _ = launch(provider)
    image = Image(provider, {"ImageName": "golden", "InstanceId": instance.id, "TargetOSSRegionId": "cn-beijing"})
    state = image.create()
    assert is_time(state.pop("create_time"))
    assert state == {
        "image_name": "golden", "instance_id": instance.id, "status": "Available", "target_oss_region_id": "cn-beijing",
    }  # fmt: skip
    # A plan without changes settles: what is read is what was configured.
    assert image.read()["image_name"] == "golden"
    assert image.rename("golden-2")["image_name"] == "golden-2"
    # Another resource that only has the id of it is what an import makes.
    imported = Image(provider, {}, image.id)
    assert imported.read() == image.read()
    image.destroy()
    assert image.read() is None, "gone, which makes the next plan create it"
    instance.destroy()


def test_the_status_of_an_image_is_waited_for(slow_images):
    provider = Provider(slow_images.owner)
    instance, _ = launch(provider)
    image = Image(provider, {"ImageName": "slow", "InstanceId": instance.id})
    image.create()
    assert provider.sent.count("DescribeSelfImages") > 3, "it was polled"
    assert image.read()["target_oss_region_id"], "computed, where it was not configured"
    image.destroy()
    instance.destroy()


def test_the_first_of_a_fuzzy_lookup_is_the_image(world, provider):
    """The provider takes element 0 of a lookup by part of the id."""
    owner = world.owner
    ids = [owner.import_image() for _ in range(3)]
    common = ids[0][:10]
    assert len(owner.images(ImageId=common)) >= 1
    for id_ in ids:
        assert Image(provider, {}, id_).describe()["ImageId"] == id_
        owner.delete(id_)


def test_an_image_in_use_is_not_destroyed_and_not_retried(provider):
    instance, _ = launch(provider)
    image = Image(provider, {"ImageName": "in-use", "InstanceId": instance.id})
    image.create()
    user, _ = launch(provider, image.id)
    provider.sent.clear()
    error = refused(image.destroy)
    assert (error.status, error.code, error.message) == USED_TO_CREATE
    assert not error.is_not_found, "or it would vanish from the state"
    assert provider.sent == ["DeleteImage"], "one attempt"
    # Terraform destroys what depends on it first.
    user.destroy()
    image.destroy()
    instance.destroy()


def test_an_image_that_is_exported_is_not_destroyed_until_it_is_done(slow_images):
    owner, provider = slow_images.owner, Provider(slow_images.owner)
    id_ = owner.import_image()
    owner.call("ExportImage", ImageId=id_, OSSBucket="golden", OSSRegionId="cn-beijing")
    image = Image(provider, {}, id_)
    error = refused(image.destroy)
    assert error.code == "IncorrectStatus.Image" and not error.is_retried and not error.is_not_found
    status = lambda: owner.call("DescribeExportImageStatus", ImageId=id_)["ImageExportStatus"]  # noqa: E731
    provider.becomes(id_, status, "Exported")
    assert (slow_images.server.bucket / f"{id_}.qcow2").read_bytes() == SMALL
    image.destroy()
    (slow_images.server.bucket / f"{id_}.qcow2").unlink()


# alicloud_ens_instance


@pytest.mark.parametrize("charge_type, payment", [("PostPaid", "PayAsYouGo"), ("PrePaid", "Subscription")])
def test_an_instance_is_created_read_and_destroyed(provider, charge_type, payment):
    config = {
        "AutoReleaseTime": "2030-01-01T00:00:00Z", "HostName": "web-1", "InstanceChargeType": charge_type,
        "InstanceName": "web", "KeyPairName": "key-1", "NetWorkId": "n-1", "SecurityId": "sg-1",
        "SpotStrategy": "NoSpot", "VSwitchId": "vsw-1", "UniqueSuffix": False,
        "SystemDisk": {"Category": "cloud_ssd", "Size": 40},
        # Members that were not configured come as empty texts and false.
        "DataDisk": [{"Category": "cloud_efficiency", "Encrypted": False, "KMSKeyId": "", "Size": 20}],
    }  # fmt: skip
    instance, state = launch(provider, tags={"For": "Test", "Created": "TF"}, **config)
    [disk] = state.pop("data_disk")
    assert disk.pop("disk_id").startswith("d-") and disk == {"category": "cloud_efficiency", "size": 20}
    assert state == {
        "auto_release_time": "2030-01-01T00:00:00Z", "ens_region_id": NODE, "host_name": "web-1",
        "image_id": PUBLIC_IMAGE, "instance_name": "web", "instance_type": SMALL_TYPE,
        "internet_max_bandwidth_out": 10, "key_pair_name": "key-1", "net_work_id": "n-1", "payment_type": payment,
        "security_id": "sg-1", "spot_strategy": "NoSpot", "status": "Running",
        "system_disk": {"category": "cloud_ssd", "size": 40}, "tags": {"For": "Test", "Created": "TF"},
        "vswitch_id": "vsw-1",
    }  # fmt: skip
    instance.destroy()
    assert instance.read() is None


def test_what_is_not_configured_is_there_to_be_read(provider):
    """The reads of the provider crash where a member is missing; here nothing optional is configured."""
    instance, state = launch(provider, InternetMaxBandwidthOut=0)
    assert state["security_id"] is None and state["data_disk"] == [] and state["tags"] == {}
    assert state["host_name"] == "" and state["instance_name"] == instance.id
    assert state["system_disk"]["size"] == 20, "that of the image"
    instance.destroy()


def test_an_instance_is_changed(provider):
    instance, _ = launch(provider, InstanceName="before", HostName="before")
    state = instance.modify(InstanceName="after")
    assert (state["instance_name"], state["host_name"]) == ("after", "before")
    state = instance.modify(HostName="after", UserData="IyEvYmluL3No")
    assert (state["instance_name"], state["host_name"]) == ("after", "after")
    assert instance.modify(Password="Secret-12345")["host_name"] == "after"
    provider.sent.clear()
    error = refused(lambda: instance.change_type("ens.sn1.large"))
    assert error.code == "InvalidAction.NotFound" and len(provider.sent) == 1, "said at once, not retried"
    assert instance.read()["instance_type"] == SMALL_TYPE
    instance.destroy()


def test_an_instance_is_stopped_and_started(slow_instances):
    provider = Provider(slow_instances.owner)
    instance, state = launch(provider)
    assert state["status"] == "Running" and provider.sent.count("DescribeInstances") > 3, "it was polled"
    assert instance.power("Stopped")["status"] == "Stopped"
    provider.sent.clear()
    assert instance.power("Stopped")["status"] == "Stopped"
    assert "StopInstance" not in provider.sent, "it is asked only where there is something to do"
    assert instance.power("Running")["status"] == "Running"
    instance.destroy()


def test_an_instance_that_went_by_itself_is_gone_from_the_state(world, provider):
    instance, _ = launch(provider)
    world.owner.release(instance.id)
    assert instance.read() is None


# alicloud_ens_snapshot


def test_a_snapshot_is_created_read_changed_and_destroyed(world, provider):
    instance, _ = launch(provider)
    [disk] = world.owner.call("DescribeDisks", InstanceId=instance.id, Type="system")["Disks"]["Disks"]
    assert disk["DiskChargeType"] == "postpay" and disk["Size"] == 20 * 1024
    config = {"EnsRegionId": NODE, "DiskId": disk["DiskId"], "SnapshotName": "nightly", "Description": "of a test"}
    snapshot = Snapshot(provider, config)
    state = snapshot.create()
    assert is_time(state.pop("create_time"))
    assert state == {
        "description": "of a test", "disk_id": disk["DiskId"], "ens_region_id": NODE, "snapshot_name": "nightly",
        "status": "available",
    }  # fmt: skip
    assert snapshot.modify(SnapshotName="weekly")["snapshot_name"] == "weekly"
    state = snapshot.modify(Description="of another test", SnapshotName="monthly")
    assert (state["snapshot_name"], state["description"]) == ("monthly", "of another test")
    # It outlives its instance, as the graph of Terraform may have it.
    instance.destroy()
    assert snapshot.read()["disk_id"] == disk["DiskId"]
    snapshot.destroy()
    assert snapshot.read() is None


def test_a_snapshot_in_the_making_is_waited_for(slow_images):
    provider = Provider(slow_images.owner)
    instance, _ = launch(provider)
    disk = instance.describe()["SystemDisk"]["DiskId"]
    snapshot = Snapshot(provider, {"EnsRegionId": NODE, "DiskId": disk})
    assert snapshot.create()["status"] == "available"
    assert provider.sent.count("DescribeSnapshots") > 3, "it was polled"
    snapshot.destroy()
    instance.destroy()


# What the provider asks before it does anything


def test_the_type_of_the_account_is_not_known_here_and_that_is_said_once(provider):
    """Unless `account_type` is configured it is asked of the billing service. Any answer will do that is not
    retried, and that is not one of the two by which an international account is told."""
    request = {"PageSize": "50", "PageNum": 1, "ProductCode": "vipcloudfw", "ProductType": "vipcloudfw",
               "SubscriptionType": "Subscription"}  # fmt: skip
    error = refused(lambda: provider.rpc("QueryAvailableInstances", request, version="2017-12-14"))
    assert len(provider.sent) == 1 and not error.is_retried
    assert (error.status, error.code) == (400, "InvalidVersion")
    assert "NotApplicable" not in error.code and "not found article by given param" not in error.message


def test_endpoints_are_not_looked_up_here_and_that_is_said_once(provider):
    """With `endpoints` configured nobody asks; who does gets a clean refusal, and no endpoint of somebody else."""
    query = {"Id": "cn-hangzhou", "ServiceCode": "ens", "Type": "openAPI"}
    error = refused(lambda: provider.rpc("DescribeEndpoints", {}, query, version="2015-06-12"))
    assert len(provider.sent) == 1 and not error.is_retried
    assert (error.status, error.code) == (400, "InvalidVersion")


def test_the_account_is_asked_for(world, provider):
    body = provider.rpc("GetCallerIdentity", {}, version="2015-04-01")
    assert body["AccountId"] == world.owner.account and body["Arn"] and body["UserId"]


def test_a_wrong_secret_ends_the_run_at_once(world):
    provider = Provider(world.owner)
    provider._raw.secret = "not the secret"
    error = refused(Image(provider, {}, "m-1").read)
    assert error.code == "SignatureDoesNotMatch" and len(provider.sent) == 1
    assert not error.is_not_found, "or everything would vanish from the state"
