"""What a test works with: accounts of its own on a server, and the steps that every test takes."""

import itertools
import json
import threading
from dataclasses import dataclass
from functools import cached_property

import qcow2
from clients import NewSdk, OldSdk, Raw, Refused
from server import BUCKET, PUBLIC_IMAGE, AccountConfig, Key, wait

NODE = "cn-chenzhou-telecom_unicom_cmcc"
SMALL = qcow2.golden(virtual_size=2 * qcow2.GIB, cluster_bits=12)
IMPORT = {
    "Architecture": "x86_64",
    "ComputeType": "ens_vm",
    "ImageFormat": "qcow2",
    "OSType": "linux",
    "OSVersion": "6.8",
    "Platform": "centos",
    "OSSBucket": BUCKET,
    "OSSRegion": "cn-beijing",
    "TargetOSSRegionId": "cn-beijing",
}
FAILED = {"Pack_failed", "Upload_failed"}
_numbers = itertools.count(1)


class Caller:
    """Somebody with an access key, and the clients that sign with it."""

    def __init__(self, server, key: Key):
        self.server, self.key, self.account = server, key, key.account
        self._local = threading.local()

    def sdk(self, generation):
        """The SDK of a generation: `new`, `old`, or `v2` (the new one with old signatures)."""
        port, key = self.server.port, self.key
        if generation == "old":
            return OldSdk(port, key.id, key.secret, key.token)
        algorithm = {"new": None, "v2": "v2", "sm3": "ACS3-HMAC-SM3"}[generation]
        return NewSdk(port, key.id, key.secret, algorithm, key.token)

    @property
    def raw(self):
        return Raw(self.server.port, self.key.id, self.key.secret)

    def call(self, action, **params):
        """Calls through the current SDK; each thread has a client of its own."""
        kept = getattr(self._local, "client", None)
        if kept is None or kept[0] != self.server.port:
            kept = self._local.client = (self.server.port, self.sdk("new"))
        return kept[1].call(action, **params)

    # Images

    def import_image(self, data=SMALL, ready=True, **params):
        """Imports an image, waits until it is available, and gives its id."""
        if "DiskDeviceMapping" not in params:
            params = {"OSSObject": self.server.put(data)} | params
        image = self.call("ImportImage", **IMPORT | {"ImageName": fresh_name("image")} | params)["ImageId"]
        if ready:
            self.image_becomes(image, "Available")
        return image

    def import_images(self, count):
        """Imports several images at once."""
        images = [self.import_image(ready=False) for _ in range(count)]
        for image in images:
            self.image_becomes(image, "Available")
        return images

    def images(self, **filters):
        return self.call("DescribeSelfImages", **filters)["Images"]["Image"]

    def image(self, image):
        """The image as its owner lists it, or None."""
        return next((entry for entry in self.images(ImageId=image) if entry["ImageId"] == image), None)

    def image_becomes(self, image, *statuses, timeout_s=20.0):
        """Waits until an image has one of the statuses. One that ended in another way never will."""

        def probe():
            entry = self.image(image)
            assert entry, f"{image} is gone"
            assert entry["Status"] in {*statuses, "Creating", "Packing", "Uploading", "Copying"}, entry["Status"]
            return entry["Status"] in statuses and entry

        return wait(f"{image} to become {' or '.join(statuses)}", probe, timeout_s)

    def share(self, image, *accounts):
        self.call("ModifyImageSharePermission", ImageId=image, AddAccounts=",".join(accounts))

    def delete(self, image):
        return self.call("DeleteImage", ImageId=image)

    # Instances

    def launch(self, image=PUBLIC_IMAGE, ready=True, **params):
        """Launches an instance, waits until it runs, and gives its id."""
        defaults = {"InstanceType": "ens.sn1.small", "EnsRegionId": NODE, "ScheduleAreaLevel": "Region", "Amount": 1,
                    "InstanceChargeType": "PostPaid", "PasswordInherit": True}  # fmt: skip
        [instance] = self.call("RunInstances", **defaults | {"ImageId": image} | params)["InstanceIds"]
        if ready:
            self.instance_becomes(instance, "Running")
        return instance

    def instance(self, instance):
        """The instance as its owner lists it, or None."""
        entries = self.call("DescribeInstances", InstanceId=instance)["Instances"]["Instance"]
        assert len(entries) <= 1
        return entries[0] if entries else None

    def instance_becomes(self, instance, status, timeout_s=20.0):
        def probe():
            entry = self.instance(instance)
            assert entry, f"{instance} is gone"
            return entry["Status"] == status and entry

        return wait(f"{instance} to become {status}", probe, timeout_s)

    def reinit(self, instance, image, ready=True):
        """Switches an instance to an image, and waits until it is done."""
        self.call("ReinitInstance", InstanceId=instance, ImageId=image)
        if ready:
            wait(f"{instance} to switch", lambda: self.is_settled_on(instance, image))

    def is_settled_on(self, instance, image):
        entry = self.instance(instance)
        return entry["ImageId"] == image and entry["Status"] in ("Running", "Stopped")

    def release(self, instance):
        self.call("ReleasePostPaidInstance", InstanceId=instance)

    # Snapshots

    def snapshot(self, snapshot):
        entries = self.call("DescribeSnapshots", SnapshotId=snapshot)["Snapshots"]
        assert len(entries) <= 1
        return entries[0] if entries else None

    def create_snapshot(self, instance, ready=True, **params):
        """Takes a snapshot of the system disk of an instance, and gives its id."""
        disk = self.instance(instance)["SystemDisk"]["DiskId"]
        [snapshot] = self.call("CreateSnapshot", **{"DiskId": disk, "EnsRegionId": NODE} | params)["SnapShotId"]
        if ready:
            self.snapshot_becomes(snapshot, "available")
        return snapshot

    def snapshot_becomes(self, snapshot, status):
        return wait(f"{snapshot} to become {status}", lambda: self.snapshot(snapshot)["Status"] == status)


@dataclass
class World:
    """A server and two accounts on it that nobody else uses."""

    server: object
    accounts: tuple[AccountConfig, AccountConfig]

    @cached_property
    def owner(self):
        return self.caller(0)

    @cached_property
    def other(self):
        return self.caller(1)

    def user(self, name):
        """A RAM user of the owner's account."""
        return self.caller(0, name)

    def caller(self, index, user=None):
        return Caller(self.server, self.accounts[index].key(user))


def refusal(call, *args, **kwargs):
    """Makes a call that must be refused, and gives the refusal."""
    try:
        reply = call(*args, **kwargs)
    except Refused as refused:
        return refused
    raise AssertionError(f"accepted: {getattr(reply, 'body', reply)}")


def assert_refused(refused, status, code, message):
    assert (refused.status, refused.code, refused.message) == (status, code, message)


def fresh_name(what):
    return f"{what}-{next(_numbers)}"


def mapping(*objects):
    """The list form of the sources of an import."""
    return [{"OSSBucket": BUCKET, "OSSObject": name, "OSSRegion": "cn-beijing"} for name in objects]


def as_json(value):
    return json.dumps(value, separators=(",", ":"))
