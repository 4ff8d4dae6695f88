"""What a test of App Streaming and ECD works with: servers, accounts on them, and the usual steps."""

import itertools
import threading
from functools import cached_property

import qcow2
from appstream_clients import APPSTREAM, Sdk
from clients import Raw, Refused, Reply
from server import BUCKET, Server, quoted, wait
from world import World, fresh_name

SYSTEM = "desktopimage-windows-server-2022-64-asp"
LINUX = "desktopimage-ubuntu-22-64-asp"
LARGE = "desktopimage-debian-60g-asp"
HOME = "cn-hangzhou"
REGIONS = ("cn-hangzhou", "cn-shanghai", "cn-beijing")
ALL_REGIONS = sorted((*REGIONS, "ap-southeast-1"))
BYTES = qcow2.golden(seed=7, clusters=3, virtual_size=2 * qcow2.GIB, cluster_bits=12)
LARGE_BYTES = qcow2.golden(seed=8, virtual_size=60 * qcow2.GIB)
LINUX_DETAILS = {
    "PackageType": "Ecs", "ProtocolType": "HDX", "Language": "en-US", "Distro": "jammy",
    "FotaVersion": "2.0.3-1", "SessionType": "SINGLE_SESSION",
    "ResourceInstanceType": "eds.enterprise_office.2c4g",
}  # fmt: skip
GROUP = {
    "ProductType": "CloudApp", "BizRegionId": HOME, "ChargeResourceMode": "Node", "ChargeType": "PostPaid",
    "Period": 1, "PeriodUnit": "Month", "SessionTimeout": 15,
}  # fmt: skip
_numbers = itertools.count(1)


class AppServer(Server):
    """A server with system images of App Streaming, and what is kept for its images."""

    def write_config(self):
        path = super().write_config()
        lines = []
        for image, extra in self.system_images().items():
            lines += ["[[public_image]]", f"id = {quoted(image)}", "api = 'appstreaming'", *extra]
        with path.open("a") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def system_images(self):
        """The system images with what the configuration says of them."""
        details = ", ".join(f"{name} = {quoted(value)}" for name, value in LINUX_DETAILS.items())
        return {
            SYSTEM: [f"source = {quoted(BUCKET + '/' + self.put(BYTES, 'windows.qcow2'))}"],
            LINUX: ["features = ['GPU']", f"details = {{ {details} }}", "product_type = 'CloudApp'"],
            LARGE: [f"source = {quoted(BUCKET + '/' + self.put(LARGE_BYTES, 'large.qcow2'))}"],
        }

    def start(self):
        super().start()
        try:
            wait("the system images", self.is_quiet, timeout_s=60)
        except BaseException:
            self.kill()
            raise
        return self

    def replicas(self, image):
        """The regions that an image is in, each with the path of its file."""
        rows = self.query(
            "SELECT region, object_key FROM replicas WHERE holder_id = ? AND state = 'available'"
            " ORDER BY region", image,
        )  # fmt: skip
        return {row["region"]: self.store / row["region"] / row["object_key"] for row in rows}

    def print_of(self, image):
        print_ = super().print_of(image)
        for table, column in (("versions", "image_id"), ("templates", "image_id"), ("bundles", "image_id"),
                              ("tags", "resource_id")):  # fmt: skip
            statement = f"SELECT * FROM {table} WHERE {column} = ? ORDER BY 1, 2, 3"
            print_[table] = self.query(statement, image)
        return print_

    def is_erased(self, image):
        kept = self.print_of(image)
        return super().is_erased(image) and not (kept["versions"] or kept["templates"])

    def audit(self, timeout_s=60.0):
        super().audit(timeout_s)
        nothing = {
            "a template of a deleted image": "SELECT * FROM templates t WHERE t.image_id IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = t.image_id AND i.deleted_ms IS NULL)",
            "a version of a deleted image": "SELECT * FROM versions v WHERE NOT EXISTS"
            " (SELECT 1 FROM images i WHERE i.id = v.image_id AND i.deleted_ms IS NULL)",
            "two copies of a version in one region": "SELECT holder_id, region, version_id, COUNT(*) AS n"
            " FROM replicas WHERE state IN ('copying', 'available', 'failed')"
            " GROUP BY holder_id, region, version_id HAVING COUNT(*) > 1",
            "a switch without its use": "SELECT * FROM instances n WHERE reinit_image_id IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM usages u WHERE u.image_id = n.reinit_image_id"
            " AND u.consumer_id = n.id)",
        }
        for what, statement in nothing.items():
            assert self.query(statement) == [], what


class Tenant:
    """Somebody with an access key, and the clients that sign with it."""

    def __init__(self, server, key):
        self.server, self.key, self.account = server, key, key.account
        self._local = threading.local()
        self._lock = threading.Lock()
        self._mother = None

    def sdk(self, algorithm="acs3"):
        return Sdk(self.server.port, self.key.id, self.key.secret, algorithm)

    @property
    def raw(self):
        return Raw(self.server.port, self.key.id, self.key.secret)

    def _kept(self):
        """Each thread has a client of its own."""
        kept = getattr(self._local, "sdk", None)
        if kept is None or kept[0] != self.server.port:
            kept = self._local.sdk = (self.server.port, self.sdk())
        return kept[1]

    def call(self, action, **params):
        return self._kept().call(action, **params)

    def ecd(self, action, **params):
        return self._kept().ecd(action, **params)

    def own(self, action, **params):
        return self._kept().own(action, **params)

    def bare(self, action, params=None, version=APPSTREAM):
        """Calls with V1, everything in the query, as the CLI does."""
        answer = self.raw.send(self.raw.v1(action, params, version=version))
        if answer.status >= 400:
            raise Refused(answer.status, answer.json["Code"], answer.json["Message"], answer.json)
        return Reply(answer.json, answer.headers, status=answer.status)

    # Images

    @property
    def mother(self):
        """A workstation on the system image, to make images of."""
        with self._lock:
            if self._mother is None:
                self._mother = self.workstation(SYSTEM, WuyingServerName="mother")
        return self._mother

    def ask_for_image(self, of=None, **params):
        """Asks for an image of a workstation, and gives the answer."""
        params = {"InstanceType": "WuyingServer", "ImageName": fresh_name("image")} | params
        return self.call("CreateImageByInstance", InstanceId=of or self.mother, **params)["Data"]

    def make_image(self, of=None, ready=True, **params):
        """Makes an image of a workstation, waits until it is available, and gives its id."""
        image = self.ask_for_image(of, **params)["ImageId"]
        if ready:
            self.image_becomes(image, "AVAILABLE")
        return image

    def make_images(self, count):
        images = [self.make_image(ready=False) for _ in range(count)]
        for image in images:
            self.image_becomes(image, "AVAILABLE")
        return images

    def make_child(self, parent):
        """Makes an image of a workstation on another image; the workstation goes again."""
        workstation = self.workstation(parent)
        child = self.make_image(workstation)
        self.call("DeleteWuyingServer", WuyingServerId=workstation)
        return child

    def make_published_child(self, parent):
        child = self.make_child(parent)
        self.own("PublishCommunityImage", ImageId=child)
        return child

    def images(self, **filters):
        return self.call("ListImage", **{"PageSize": 100} | filters)["Data"]

    def image(self, image):
        """The image as it is listed, or None."""
        entries = self.images(ImageId=image)
        assert len(entries) <= 1
        return entries[0] if entries else None

    def image_becomes(self, image, status, timeout_s=20.0):
        """Waits until an image has a status. One that ended in another way never will."""

        def probe():
            entry = self.image(image)
            assert entry, f"{image} is gone"
            assert entry["Status"] in (status, "INIT", "CREATING"), entry["Status"]
            return entry["Status"] == status and entry

        return wait(f"{image} to become {status}", probe, timeout_s)

    def start_distribution(self, image, *regions, **params):
        params = {"ImageId": image, "DestinationRegionList": list(regions)} | params
        return self.call("StartTaskForDistributeImage", **params)

    def distribute(self, image, *regions):
        """Copies an image to regions and waits until it is there."""
        self.start_distribution(image, *regions)
        self.reaches(image, *regions)

    def reaches(self, image, *regions):
        probe = lambda: {*regions} <= {*self.image(image)["ImageRegionList"]}
        return wait(f"{image} to reach {regions}", probe)

    def entries(self, image):
        """The regional entries of an image: region to status and progress."""
        entries = self.image(image)["ImageRegionDistributeList"]
        found = {entry["RegionId"]: (entry["Status"], entry["Progress"]) for entry in entries}
        assert len(found) == len(entries)
        return found

    def share(self, image, *accounts):
        self.ecd("ModifyImagePermission", ImageId=image, RegionId=HOME, AddAccount=list(accounts))

    def unshare(self, image, *accounts):
        self.ecd("ModifyImagePermission", ImageId=image, RegionId=HOME, RemoveAccount=list(accounts))

    def delete(self, image):
        return self.call("DeleteImage", ImageId=image)

    # What uses and references images

    def group(self, image, **params):
        reply = self.call("CreateAppInstanceGroup", AppCenterImageId=image, **GROUP | params)
        return reply["AppInstanceGroupModel"]["AppInstanceGroupId"]

    def get_group(self, group):
        reply = self.call("GetAppInstanceGroup", AppInstanceGroupId=group, ProductType="CloudApp")
        return reply["AppInstanceGroupModels"]

    def delete_group(self, group):
        return self.call("DeleteAppInstanceGroup", AppInstanceGroupId=group, ProductType="CloudApp")

    def move_group(self, group, image, region=HOME):
        return self.call(
            "UpdateAppInstanceGroupImage", AppInstanceGroupId=group, AppCenterImageId=image,
            BizRegionId=region, ProductType="CloudApp",
        )  # fmt: skip

    def group_becomes(self, group, status):
        return wait(f"{group} to become {status}", lambda: self.get_group(group)["Status"] == status)

    def workstation(self, image, **params):
        params = {"BizRegionId": HOME} | params
        [workstation] = self.call("CreateWuyingServer", ImageId=image, **params)["Data"]["WuyingServerIdList"]
        return workstation

    def get_workstation(self, workstation):
        return self.call("DescribeWuyingServer", WuyingServerId=workstation)["Data"]

    def delete_workstation(self, workstation):
        return self.call("DeleteWuyingServer", WuyingServerId=workstation)

    def move_workstation(self, workstation, image):
        return self.call(
            "UpdateWuyingServerImage", WuyingServerId=workstation, ImageId=image, ProductType="WuyingServer"
        )

    def workstation_becomes(self, workstation, status):
        return wait(
            f"{workstation} to become {status}", lambda: self.get_workstation(workstation)["Status"] == status
        )

    def template(self, image, **params):
        params = {"TemplateName": f"template-{next(_numbers)}", "ProductType": "CloudDesktop"} | params
        return self.ecd("CreateTemplate", ImageId=image, **params)["Data"]

    def templates(self, **filters):
        """The ids of the templates that match."""
        found = self.ecd("DescribeTemplates", **{"PageSize": 100} | filters)["Data"]
        return {template["TemplateId"] for template in found}

    def bundle(self, image, **params):
        params = {"RegionId": HOME, "DesktopType": "ecd.basic.small", "RootDiskSizeGib": 80,
                  "UserDiskSizeGib": [100], "BundleName": f"bundle-{next(_numbers)}"} | params  # fmt: skip
        return self.ecd("CreateBundle", ImageId=image, **params)["BundleId"]

    def bundles(self, **filters):
        found = self.ecd("DescribeBundles", **{"RegionId": HOME, "MaxResults": 100} | filters)["Bundles"]
        return {bundle["BundleId"] for bundle in found}

    def explain(self, image):
        return self.own("ExplainDeleteImage", ImageId=image)


class AppWorld(World):
    """A server and two accounts on it that nobody else uses."""

    @cached_property
    def owner(self):
        return self.caller(0)

    @cached_property
    def other(self):
        return self.caller(1)

    def caller(self, index, user=None):
        return Tenant(self.server, self.accounts[index].key(user))
