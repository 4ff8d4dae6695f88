"""What the Terraform provider does on the wire, resource by resource, and how it judges the answers.

The provider itself is not run here. This is a model of it: the same requests (V1 signature with HMAC-SHA1, POST, the
API's parameters in the query or the form body as each of its resources has them, `Format=json`), the same fields read
with the same demands, where a missing one is an error or a crash there, and the same rules of retrying and polling.
"""

import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from alibabacloud_tea_openapi.utils import Utils

from clients import ENS, Prepared, Raw, nonce, timestamp

AGENT = "AlibabaCloud (linux; amd64) Golang/1.23.5 Core/0.01 TeaDSL/1 Terraform/1.11.4 Provider/1.260.0 Module/"
ATTEMPTS_MAX = 4
PAUSE_S = 0.02
TIMEOUT_S = 20.0


class ProviderError(Exception):
    """What ends a run of Terraform: code and message as the provider prints them."""

    def __init__(self, status, code, message):
        super().__init__(f"code: {status}, {message}")
        self.status, self.code, self.message = status, code, message

    @property
    def is_retried(self):
        """The provider's NeedRetry."""
        return "Throttling" in self.code or self.code == "ServiceUnavailable" or 500 <= self.status < 600

    @property
    def is_not_found(self):
        """The provider's NotFoundError."""
        return self.status == 404 or "NotFound" in self.code or "NotFound" in self.message


class Provider:
    """A configured provider: credentials, an endpoint, and what it has sent."""

    def __init__(self, caller):
        self._raw = Raw(caller.server.port, caller.key.id, caller.key.secret)
        self.sent = []

    def rpc(self, action, request, query=None, version=ENS, product="Ens"):
        """RpcPost: gives the answer, after up to four attempts where that is worth it."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._once(action, request, query or {}, version)
            except ProviderError as error:
                if not error.is_retried or attempt == ATTEMPTS_MAX:
                    raise

    def _once(self, action, request, query, version):
        query, form = texts(query), texts(request)
        common = {
            "AccessKeyId": self._raw.key, "Action": action, "Format": "json", "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": nonce(), "SignatureVersion": "1.0", "Timestamp": timestamp(), "Version": version,
        }  # fmt: skip
        query = common | query
        query["Signature"] = Utils.get_rpcsignature(query | form, "POST", self._raw.secret)
        headers = {"Host": self._raw.host, "User-Agent": AGENT, "x-acs-action": action, "x-acs-version": version}
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        self.sent.append(action)
        answer = self._raw.send(Prepared("POST", f"/?{urlencode(query)}", headers, urlencode(form).encode()))
        assert answer.raw, "an empty body crashes the client"
        body = json.loads(answer.raw)
        assert isinstance(body, dict)
        code = body.get("Code")
        if answer.status >= 400:
            assert type(code) is str and code and type(body["Message"]) is str and type(body["RequestId"]) is str
            raise ProviderError(answer.status, code, body["Message"])
        if code is not None and str(code).lower() not in ("0", "200", "ok", "success"):
            assert body.get("Success") is not True or body.get("Message"), body
            raise ProviderError(answer.status, str(code), str(body.get("Message")))
        return body

    def becomes(self, what, refresh, target):
        """BuildStateConf: asks again until the state is the one that is wanted; `None` is gone."""
        deadline = time.monotonic() + TIMEOUT_S
        while (state := refresh()) != target:
            assert time.monotonic() < deadline, f"{what} stays {state}, not {target}"
            time.sleep(PAUSE_S)


def texts(params):
    """Go's spelling of values in a request."""
    spell = {True: "true", False: "false"}
    return {name: spell[value] if type(value) is bool else str(value) for name, value in params.items()}


def number(value):
    """A type assertion to json.Number: anything else crashes the provider."""
    assert type(value) is int, f"{value!r} is no number"
    return value


@dataclass
class Image:
    """The resource alicloud_ens_image."""

    provider: Provider
    config: dict
    id: str = None

    def create(self):
        wanted = ("ImageName", "DeleteAfterImageUpload", "InstanceId", "TargetOSSRegionId")
        request = {name: self.config[name] for name in wanted if self.config.get(name)}
        self.id = self.provider.rpc("CreateImage", request)["ImageId"]
        self.provider.becomes(self.id, lambda: self._field("Status"), "Available")
        return self.read()

    def describe(self):
        """The element that every read takes, or None if there is nothing."""
        answer = self.provider.rpc("DescribeSelfImages", {"ImageId": self.id})
        # An absent list is an error, an empty one means that the image is gone.
        images = answer["Images"]["Image"]
        assert isinstance(images, list)
        return images[0] if images else None

    def read(self):
        found = self.describe()
        if found is None:
            return None
        return {
            "create_time": found["CreationTime"],
            "image_name": found["ImageName"],
            "instance_id": found["InstanceId"],
            "status": found["Status"],
            "target_oss_region_id": found["RegionId"],
        }

    def rename(self, name):
        self.config["ImageName"] = name
        self.provider.rpc("ModifyImageAttribute", {"ImageId": self.id, "ImageName": name})
        self.provider.becomes(self.id, lambda: self._field("ImageName"), name)
        return self.read()

    def destroy(self):
        try:
            self.provider.rpc("DeleteImage", {"ImageId": self.id})
        except ProviderError as error:
            if not error.is_not_found:
                raise
        self.provider.becomes(self.id, lambda: self._field("ImageId"), None)

    def _field(self, name):
        found = self.describe()
        return found and found[name]


@dataclass
class Instance:
    """The resource alicloud_ens_instance."""

    provider: Provider
    config: dict
    tags: dict = field(default_factory=dict)
    id: str = None

    def create(self):
        request = dict(self.config)
        for name in ("SystemDisk", "DataDisk"):
            if name in request:
                request[name] = json.dumps(request[name], separators=(",", ":"))
        for place, (key, value) in enumerate(self.tags.items(), 1):
            request |= {f"Tag.{place}.Key": key, f"Tag.{place}.Value": value}
        self.id = self.provider.rpc("RunInstances", request)["InstanceIds"][0]
        self.provider.becomes(self.id, lambda: self._field("Status"), "Running")
        return self.read()

    def describe(self):
        answer = self.provider.rpc("DescribeInstances", {}, {"InstanceId": self.id})
        instances = answer["Instances"]["Instance"]
        assert isinstance(instances, list)
        return instances[0] if instances else None

    def read(self):
        found = self.describe()
        if found is None:
            return None
        payment = {"EnsInstance": "Subscription", "EnsPostPaidInstance": "PayAsYouGo"}
        network = found.get("NetworkAttributes") or {}
        # Each of these is a type assertion there: without the list, or with another type, the provider crashes.
        groups = found["SecurityGroupIds"]["SecurityGroupId"]
        assert isinstance(groups, list) and isinstance(found["DataDisk"]["DataDisk"], list)
        disks = [
            {"category": disk["Category"], "disk_id": disk["DiskId"], "size": number(disk["Size"]) // 1024}
            for disk in found["DataDisk"]["DataDisk"]
        ]
        system = found["SystemDisk"]
        tags = self.provider.rpc("ListTagResources", {"ResourceId.1": self.id, "ResourceType": "instance"})
        return {
            "auto_release_time": found["AutoReleaseTime"],
            "data_disk": disks,
            "ens_region_id": found["EnsRegionId"],
            "host_name": found["HostName"],
            "image_id": found["ImageId"],
            "instance_name": found["InstanceName"],
            "instance_type": found["SpecName"],
            "internet_max_bandwidth_out": number(found["InternetMaxBandwidthOut"]),
            "key_pair_name": found["KeyPairName"],
            "net_work_id": network.get("NetworkId"),
            "payment_type": payment[found["InstanceResourceType"]],
            "security_id": groups[0] if groups else None,
            "spot_strategy": found["SpotStrategy"],
            "status": found["Status"],
            "system_disk": {"category": system["Category"], "size": number(system["Size"]) // 1024},
            "tags": {tag["TagKey"]: tag["TagValue"] for tag in tags["TagResources"]},
            "vswitch_id": network.get("VSwitchId"),
        }

    def modify(self, **changed):
        """Names, host names and passwords: the id in the query, the rest in the form body."""
        self.config |= changed
        self.provider.rpc("ModifyInstanceAttribute", changed, {"InstanceId": self.id})
        # It waits for the host name, whatever was changed.
        wanted = self.config.get("HostName", "")
        self.provider.becomes(self.id, lambda: self._field("HostName"), wanted)
        return self.read()

    def change_type(self, instance_type):
        prepaid = self.config.get("InstanceChargeType") == "PrePaid"
        action = "ModifyPrepayInstanceSpec" if prepaid else "ModifyPostPaidInstanceSpec"
        self.provider.rpc(action, {"InstanceType": instance_type}, {"InstanceId": self.id})

    def power(self, status):
        if self.describe()["Status"] != status:
            action = {"Stopped": "StopInstance", "Running": "StartInstance"}[status]
            self.provider.rpc(action, {}, {"InstanceId": self.id})
            self.provider.becomes(self.id, lambda: self._field("Status"), status)
        return self.read()

    def destroy(self):
        prepaid = self.config.get("InstanceChargeType") == "PrePaid"
        action = "ReleasePrePaidInstance" if prepaid else "ReleasePostPaidInstance"
        self.provider.rpc(action, {}, {"InstanceId": self.id})
        self.provider.becomes(self.id, lambda: self._field("Status"), None)

    def _field(self, name):
        found = self.describe()
        return found and found[name]


@dataclass
class Snapshot:
    """The resource alicloud_ens_snapshot."""

    provider: Provider
    config: dict
    id: str = None

    def create(self):
        self.id = self.provider.rpc("CreateSnapshot", self.config)["SnapShotId"][0]
        self.provider.becomes(self.id, lambda: self._field("Status"), "available")
        return self.read()

    def describe(self):
        snapshots = self.provider.rpc("DescribeSnapshots", {}, {"SnapshotId": self.id})["Snapshots"]
        assert isinstance(snapshots, list)
        return snapshots[0] if snapshots else None

    def read(self):
        found = self.describe()
        if found is None:
            return None
        return {
            "create_time": found["CreationTime"],
            "description": found["Description"],
            "disk_id": found["SourceDiskId"],
            "ens_region_id": found["EnsRegionId"],
            "snapshot_name": found["SnapshotName"],
            "status": found["Status"],
        }

    def modify(self, **changed):
        """The id in the query, the rest in the form body."""
        self.config |= changed
        self.provider.rpc("ModifySnapshotAttribute", changed, {"SnapshotId": self.id})
        return self.read()

    def destroy(self):
        self.provider.rpc("DeleteSnapshot", {}, {"SnapshotId": self.id})
        self.provider.becomes(self.id, lambda: self._field("SnapshotId"), None)

    def _field(self, name):
        found = self.describe()
        return found and found[name]
