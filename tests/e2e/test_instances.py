"""Instances: what uses an image, how it is listed, and how it changes and goes."""

import pytest

from server import PUBLIC_IMAGE, wait
from shapes import check, check_entry, is_time
from test_delete_image import INVALID_IMAGE_ID, MISSING_PARAMETER, USED_TO_CREATE
from test_images import invalid
from world import NODE, as_json, assert_refused, refusal

WRONG_STATUS = (
    400, "IncorrectInstanceStatus", "The current status of the instance does not support this operation.",
)  # fmt: skip
MIB = 1024
OTHER_NODE = "cn-dalian-unicom"
LAUNCH = {"InstanceType": "ens.sn1.small", "EnsRegionId": NODE, "ScheduleAreaLevel": "Region", "PasswordInherit": True}
# What every entry of DescribeInstances must have: Terraform fails without most of it.
ENTRY = {
    "InstanceId", "InstanceName", "ImageId", "Status", "EnsRegionId", "CreationTime", "SpecName", "SystemDisk",
    "DataDisk", "SecurityGroupIds", "InstanceResourceType", "InternetMaxBandwidthOut", "Cpu", "Memory", "Disk",
    "HostName", "OSName", "NetworkAttributes", "PublicIpAddresses", "PrivateIpAddresses", "Tags",
}  # fmt: skip


def listed(caller, **filters):
    return {entry["InstanceId"] for entry in caller.call("DescribeInstances", **filters)["Instances"]["Instance"]}


@pytest.fixture
def fleet(world):
    """Three instances of the owner: two web servers on an image, one stopped database."""
    owner = world.owner
    world.image = owner.import_image()
    tags = [{"Key": "role", "Value": "web"}, {"Key": "stage", "Value": "test"}]
    world.web = owner.call(
        "RunInstances", **LAUNCH, ImageId=world.image, Amount=2, InstanceName="web-server", Tag=tags
    )["InstanceIds"]
    world.db = owner.launch(
        InstanceName="database", EnsRegionId=OTHER_NODE, InstanceType="ens.sn1.large", InstanceChargeType="PrePaid",
        Period=1, PeriodUnit="Month", Tag=[{"Key": "role", "Value": "db"}],
    )  # fmt: skip
    for instance in world.web:
        owner.instance_becomes(instance, "Running")
    owner.call("StopInstance", InstanceId=world.db)
    owner.instance_becomes(world.db, "Stopped")
    yield world
    for instance in world.web:
        owner.release(instance)
    owner.call("ReleasePrePaidInstance", InstanceId=world.db)


# RunInstances


def test_run_instances_replies_with_plain_ids(world, generation):
    image = world.owner.import_image()
    reply = world.owner.sdk(generation).call("RunInstances", **LAUNCH, ImageId=image, Amount=3)
    check("RunInstances", reply.body, "InstanceIds OrderId RequestId")
    ids = reply["InstanceIds"]
    assert len(set(ids)) == 3 and all(type(id_) is str and id_.startswith("i-") for id_ in ids)
    assert listed(world.owner, ImageId=image) == set(ids)
    for id_ in ids:
        assert world.owner.instance_becomes(id_, "Running")["ImageId"] == image
        world.owner.release(id_)


def test_run_instances_defaults(world):
    """One instance, pay-as-you-go, named as its id, with a disk as large as the image."""
    owner = world.owner
    image = owner.import_image()
    [instance] = owner.call("RunInstances", **LAUNCH, ImageId=image)["InstanceIds"]
    entry = owner.instance_becomes(instance, "Running")
    assert entry["InstanceName"] == instance
    assert entry["InstanceResourceType"] == "EnsPostPaidInstance"
    assert entry["SystemDisk"]["Size"] == entry["SystemDisk"]["storage"] == 2 * MIB
    assert entry["DataDisk"] == {"DataDisk": []}
    assert entry["DeletionProtection"] is False
    owner.release(instance)


def test_disks_and_echoed_parameters(world, generation):
    """What Terraform reads back must be what was asked for, or its plan never settles."""
    owner = world.owner
    [instance] = owner.sdk(generation).call(
        "RunInstances",
        ImageId=PUBLIC_IMAGE,
        InstanceType="ens.sn1.tiny",
        EnsRegionId=OTHER_NODE,
        ScheduleAreaLevel="Region",
        InstanceChargeType="PostPaid",
        InstanceName="echo",
        HostName="my-host",
        InternetMaxBandwidthOut=7,
        InternetChargeType="95BandwidthByMonth",
        KeyPairName="my-key",
        SecurityId="sg-1",
        VSwitchId="vsw-1",
        NetWorkId="n-1",
        PrivateIpAddress="10.0.0.9",
        SpotStrategy="NoSpot",
        SystemDisk={"Category": "cloud_ssd", "Size": 40},
        DataDisk=[{"Category": "cloud_efficiency", "Size": 20}, {"Category": "cloud_ssd", "Size": 30}],
    )["InstanceIds"]
    entry = owner.instance_becomes(instance, "Running")
    assert entry["InstanceName"] == "echo" and entry["HostName"] == "my-host"
    assert entry["SpecName"] == "ens.sn1.tiny" and entry["EnsRegionId"] == OTHER_NODE
    assert entry["InternetMaxBandwidthOut"] == 7 and entry["KeyPairName"] == "my-key"
    assert entry["SecurityGroupIds"] == {"SecurityGroupId": ["sg-1"]}
    assert entry["NetworkAttributes"]["VSwitchId"] == "vsw-1" and entry["NetworkAttributes"]["NetworkId"] == "n-1"
    assert entry["NetworkAttributes"]["PrivateIpAddress"] == {"IpAddress": ["10.0.0.9"]}
    assert entry["SpotStrategy"] == "NoSpot"
    system = entry["SystemDisk"]
    assert (system["Size"], system["storage"], system["Category"]) == (40 * MIB, 40 * MIB, "cloud_ssd")
    disks = entry["DataDisk"]["DataDisk"]
    assert [(disk["DiskSize"], disk["Size"], disk["storage"], disk["Category"]) for disk in disks] == [
        (20, 20 * MIB, 20 * MIB, "cloud_efficiency"),
        (30, 30 * MIB, 30 * MIB, "cloud_ssd"),
    ]
    ids = [system["DiskId"], *(disk["DiskId"] for disk in disks)]
    assert len(set(ids)) == 3 and all(id_.startswith("d-") for id_ in ids)
    owner.release(instance)


@pytest.mark.parametrize(
    "disks",
    [
        {"SystemDisk": '{"Size":50}', "DataDisk": '[{"Size":20,"Category":"cloud_ssd"}]'},
        {"SystemDisk": '{"Size": 50}', "DataDisk": '[{"Size": 20, "Category": "cloud_ssd"}]'},
        {"SystemDisk.Size": "50", "DataDisk.1.Size": "20", "DataDisk.1.Category": "cloud_ssd"},
        {
            "SystemDisk.Size": "50",
            "DataDisk": '[{"Size":"20","Encrypted":"","Category":"cloud_ssd","KMSKeyId":""}]',
        },
    ],
    ids=["compact", "with blanks", "flattened", "old Go SDK"],
)
@pytest.mark.parametrize("where", ["query", "body", "form"])
def test_disks_in_every_spelling(world, disks, where):
    owner = world.owner
    params = {"ImageId": PUBLIC_IMAGE, "InstanceType": "ens.sn1.small", "EnsRegionId": NODE, **disks}
    [instance] = owner.raw.call("RunInstances", params, where=where)["InstanceIds"]
    entry = owner.instance_becomes(instance, "Running")
    assert entry["SystemDisk"]["Size"] == 50 * MIB
    [disk] = entry["DataDisk"]["DataDisk"]
    assert (disk["Size"], disk["Category"]) == (20 * MIB, "cloud_ssd")
    owner.release(instance)


def test_run_instances_with_unique_names(world):
    owner = world.owner
    named = {"ImageId": PUBLIC_IMAGE, "Amount": 3, "InstanceName": "web"}
    same = owner.call("RunInstances", **LAUNCH, **named)["InstanceIds"]
    assert {owner.instance(id_)["InstanceName"] for id_ in same} == {"web"}
    unique = owner.call("RunInstances", **LAUNCH, **named, UniqueSuffix=True)["InstanceIds"]
    assert {owner.instance(id_)["InstanceName"] for id_ in unique} == {"web001", "web002", "web003"}
    for id_ in same + unique:
        owner.release(id_)


@pytest.mark.parametrize("image", ["m-unknown", "not,one", "x" * 129])
def test_run_instances_with_an_image_that_is_not_there(world, image, generation):
    refused = refusal(world.owner.sdk(generation).call, "RunInstances", **LAUNCH, ImageId=image)
    assert_refused(refused, *INVALID_IMAGE_ID)
    assert listed(world.owner) == set()


def test_run_instances_with_another_accounts_image(world):
    image = world.owner.import_image()
    assert_refused(refusal(world.other.launch, image), *INVALID_IMAGE_ID)


@pytest.mark.parametrize("amount", [0, -1, 101, 10**18])
def test_run_instances_amount_out_of_range(world, amount):
    refused = refusal(world.owner.call, "RunInstances", **LAUNCH, ImageId=PUBLIC_IMAGE, Amount=amount)
    assert_refused(refused, *invalid("Amount"))
    assert listed(world.owner) == set()


def test_run_instances_up_to_a_hundred_at_once(world):
    owner = world.owner
    image = owner.import_image()
    ids = owner.call("RunInstances", **LAUNCH, ImageId=image, Amount=100)["InstanceIds"]
    assert len(set(ids)) == 100
    assert listed(owner, ImageId=image, PageSize="100") == set(ids)
    assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)
    for id_ in ids:
        owner.release(id_)
    owner.delete(image)


def test_run_instances_with_a_failed_image(world):
    image = world.owner.import_image(b"no qcow2", ready=False)
    world.owner.image_becomes(image, "Pack_failed", "Upload_failed")
    refused = refusal(world.owner.launch, image)
    assert (refused.status, refused.code) == (400, "IncorrectStatus.Image")


def test_a_system_disk_smaller_than_the_image_is_refused(world):
    refused = refusal(world.owner.launch, PUBLIC_IMAGE, SystemDisk={"Size": 10})
    assert refused.status == 400 and refused.code.startswith("InvalidParameter.SystemDisk")
    assert listed(world.owner) == set()


# DescribeInstances


def test_describe_instances_shape(fleet, generation):
    reply = fleet.owner.sdk(generation).call("DescribeInstances")
    check("DescribeInstances", reply.body, "Code Instances PageNumber PageSize RequestId TotalCount")
    assert (reply["PageNumber"], reply["PageSize"], reply["TotalCount"]) == (1, 10, 3)
    entries = reply["Instances"]["Instance"]
    assert len(entries) == 3
    for entry in entries:
        assert set(entry) >= ENTRY, ENTRY - set(entry)
        assert is_time(entry["CreationTime"])
        assert type(entry["SecurityGroupIds"]["SecurityGroupId"]) is list
        assert type(entry["SystemDisk"]["Size"]) is int and type(entry["Memory"]) is int
        assert type(entry["Cpu"]) is str and type(entry["Disk"]) is int
    kinds = {entry["InstanceId"]: entry["InstanceResourceType"] for entry in entries}
    assert kinds == {fleet.db: "EnsInstance"} | dict.fromkeys(fleet.web, "EnsPostPaidInstance")


def test_describe_instances_filters(fleet):
    owner, web, db = fleet.owner, set(fleet.web), fleet.db
    one = fleet.web[0]
    cases = [
        ({}, {*web, db}),
        ({"InstanceId": one}, {one}),
        ({"InstanceId": "i-unknown"}, set()),
        ({"InstanceIds": as_json([one, db])}, {one, db}),
        ({"InstanceIds": as_json([one, "i-unknown"])}, {one}),
        ({"ImageId": fleet.image}, web),
        ({"ImageId": PUBLIC_IMAGE}, {db}),
        ({"ImageId": "m-unknown"}, set()),
        ({"InstanceName": "database"}, {db}),
        ({"InstanceName": "no-such-name"}, set()),
        ({"EnsRegionId": NODE}, web),
        ({"EnsRegionIds": as_json([OTHER_NODE])}, {db}),
        ({"EnsRegionIds": as_json([NODE, OTHER_NODE])}, {*web, db}),
        ({"InstanceType": "ens.sn1.large"}, {db}),
        ({"InstanceResourceType": "EnsInstance"}, {db}),
        ({"InstanceResourceType": "EnsPostPaidInstance"}, web),
        ({"Status": "Running"}, web),
        ({"Status": "Stopped"}, {db}),
        ({"Status": "Expired"}, set()),
        ({"SearchKey": one}, {one}),
        ({"SearchKey": "databa"}, {db}),
        ({"Tags": [{"Key": "role", "Value": "web"}]}, web),
        ({"Tags": [{"Key": "role"}]}, {*web, db}),
        ({"Tags": [{"Key": "role", "Value": "web"}, {"Key": "stage", "Value": "test"}]}, web),
        ({"Tags": [{"Key": "role", "Value": "db"}, {"Key": "stage", "Value": "test"}]}, set()),
        ({"Status": "Running", "ImageId": PUBLIC_IMAGE}, set()),
    ]
    for filters, expected in cases:
        assert listed(owner, **filters) == expected, filters


def test_describe_instances_pages(fleet):
    owner = fleet.owner
    seen = [sorted(listed(owner, PageNumber=page, PageSize="2")) for page in (1, 2, 3)]
    assert [len(ids) for ids in seen] == [2, 1, 0]
    assert sorted(seen[0] + seen[1]) == sorted([*fleet.web, fleet.db])
    beyond = owner.call("DescribeInstances", PageNumber=9)
    assert (beyond["TotalCount"], beyond["PageNumber"]) == (3, 9)
    owner.call("DescribeInstances", PageSize="100")
    for name, value in (("PageSize", "101"), ("PageSize", "0"), ("PageNumber", 0), ("PageSize", "ten")):
        assert_refused(refusal(owner.call, "DescribeInstances", **{name: value}), *invalid(name))


def test_tags_are_listed_with_the_instance(fleet):
    entry = fleet.owner.instance(fleet.web[0])
    tags = {tag["TagKey"]: tag["TagValue"] for tag in entry["Tags"]["Tags"]}
    assert tags == {"role": "web", "stage": "test"}


# ListTagResources


def test_list_tag_resources(fleet, generation):
    call = fleet.owner.sdk(generation).call
    reply = call("ListTagResources", ResourceType="instance", ResourceId=[fleet.web[0]])
    check("ListTagResources", reply.body, "NextToken RequestId TagResources")
    for entry in reply["TagResources"]:
        check_entry(entry, "ResourceId ResourceType TagKey TagValue")
    found = {(entry["ResourceId"], entry["TagKey"], entry["TagValue"]) for entry in reply["TagResources"]}
    assert found == {(fleet.web[0], "role", "web"), (fleet.web[0], "stage", "test")}
    assert {entry["ResourceType"] for entry in reply["TagResources"]} == {"instance"}


def test_list_tag_resources_by_tag(fleet):
    call = fleet.owner.call
    tag = [{"Key": "role", "Value": "web"}]
    entries = call("ListTagResources", ResourceType="instance", Tag=tag)["TagResources"]
    assert {entry["ResourceId"] for entry in entries} == set(fleet.web)
    entries = call("ListTagResources", ResourceType="instance", Tag=tag, ResourceId=[fleet.db])["TagResources"]
    assert entries == []
    entries = call("ListTagResources", ResourceType="disk", ResourceId=[fleet.web[0]])["TagResources"]
    assert entries == [], "Terraform asks for disks too"


def test_list_tag_resources_of_an_instance_without_tags(world, generation):
    instance = world.owner.launch()
    reply = world.owner.sdk(generation).call("ListTagResources", ResourceType="instance", ResourceId=[instance])
    assert reply["TagResources"] == []
    world.owner.release(instance)


def test_list_tag_resources_comes_in_pages(world):
    owner = world.owner
    tags = [{"Key": f"key-{number:02d}", "Value": str(number)} for number in range(20)]
    ids = owner.call("RunInstances", **LAUNCH, ImageId=PUBLIC_IMAGE, Amount=4, Tag=tags)["InstanceIds"]
    found, token = [], None
    for _ in range(10):
        reply = owner.call("ListTagResources", ResourceType="instance", ResourceId=ids, NextToken=token)
        found += [(entry["ResourceId"], entry["TagKey"], entry["TagValue"]) for entry in reply["TagResources"]]
        if not (token := reply["NextToken"]):
            break
    assert sorted(found) == sorted((id_, tag["Key"], tag["Value"]) for id_ in ids for tag in tags)
    for id_ in ids:
        owner.release(id_)


def test_list_tag_resources_of_nothing(world, generation):
    refused = refusal(world.owner.sdk(generation).call, "ListTagResources", ResourceType="instance")
    assert (refused.status, refused.code) == (400, "MissingParameter.ResourceIdsOrTags")
    refused = refusal(world.owner.call, "ListTagResources", ResourceId=["i-1"])
    assert_refused(refused, *MISSING_PARAMETER)


# StopInstance, StartInstance and their batch forms


def test_stop_and_start(world, generation):
    owner, sdk = world.owner, world.owner.sdk(generation)
    instance = owner.launch()
    assert_refused(refusal(sdk.call, "StartInstance", InstanceId=instance), *WRONG_STATUS)
    reply = sdk.call("StopInstance", InstanceId=instance, ForceStop="true")
    check("StopInstance", reply.body, "Code RequestId")
    owner.instance_becomes(instance, "Stopped")
    assert_refused(refusal(sdk.call, "StopInstance", InstanceId=instance), *WRONG_STATUS)
    reply = sdk.call("StartInstance", InstanceId=instance)
    check("StartInstance", reply.body, "Code RequestId")
    owner.instance_becomes(instance, "Running")
    owner.release(instance)


@pytest.mark.parametrize(
    "action", ["StopInstance", "StartInstance", "ReleasePostPaidInstance", "ReleasePrePaidInstance"]
)
def test_an_instance_that_is_not_there(world, action, generation):
    call = world.owner.sdk(generation).call
    assert_refused(refusal(call, action), *MISSING_PARAMETER)
    for instance in ("i-unknown", "not,one"):
        assert_refused(refusal(call, action, InstanceId=instance), *invalid("InstanceId"))


def test_transitional_states(slow_instances):
    owner = slow_instances.owner
    instance = owner.launch(ready=False)
    assert owner.instance(instance)["Status"] == "Pending"
    for action in ("StopInstance", "StartInstance"):
        assert_refused(refusal(owner.call, action, InstanceId=instance), *WRONG_STATUS)
    reinit = {"InstanceId": instance, "ImageId": PUBLIC_IMAGE}
    assert_refused(refusal(owner.call, "ReinitInstance", **reinit), *WRONG_STATUS)
    owner.instance_becomes(instance, "Running")

    owner.call("StopInstance", InstanceId=instance)
    assert owner.instance(instance)["Status"] == "Stopping"
    assert listed(owner, Status="Running") == listed(owner, Status="Stopped") == set()
    owner.instance_becomes(instance, "Stopped")
    owner.call("ReinitInstance", **reinit)
    assert owner.instance(instance)["Status"] == "ReIniting"
    for action in ("StopInstance", "StartInstance"):
        assert_refused(refusal(owner.call, action, InstanceId=instance), *WRONG_STATUS)
    assert_refused(refusal(owner.call, "ReinitInstance", **reinit), *WRONG_STATUS)
    owner.instance_becomes(instance, "Stopped")
    owner.call("StartInstance", InstanceId=instance)
    assert owner.instance(instance)["Status"] == "Starting"
    owner.instance_becomes(instance, "Running")
    owner.release(instance)


def responses(reply, action):
    check(action, reply.body, "InstanceResponses RequestId")
    for entry in reply["InstanceResponses"]:
        check_entry(entry, "Code InstanceId Message")
    return {entry["InstanceId"]: entry["Code"] for entry in reply["InstanceResponses"]}


def test_batch_stop_start_and_reinit(world, generation):
    """The new SDK joins the ids with commas, the old one flattens them."""
    owner, sdk = world.owner, world.owner.sdk(generation)
    image = owner.import_image()
    ids = [owner.launch() for _ in range(3)]
    assert responses(sdk.call("StopInstances", InstanceIds=ids[:2]), "StopInstances") == dict.fromkeys(ids[:2], 0)
    for id_ in ids[:2]:
        owner.instance_becomes(id_, "Stopped")

    mixed = responses(sdk.call("StartInstances", InstanceIds=[*ids, "i-unknown"]), "StartInstances")
    assert mixed.keys() == {*ids, "i-unknown"}
    assert mixed[ids[0]] == mixed[ids[1]] == 0
    assert mixed[ids[2]] != 0, "it ran already"
    assert mixed["i-unknown"] != 0
    for id_ in ids:
        owner.instance_becomes(id_, "Running")

    reply = sdk.call("ReinitInstances", InstanceIds=ids, ImageId=image)
    assert responses(reply, "ReinitInstances") == dict.fromkeys(ids, 0)
    for id_ in ids:
        wait("the switch", lambda id_=id_: owner.is_settled_on(id_, image))
        owner.release(id_)
    owner.delete(image)


def test_batch_reinit_without_an_image_keeps_each_its_own(world):
    owner = world.owner
    image = owner.import_image()
    on_image, on_public = owner.launch(image), owner.launch()
    owner.call("ReinitInstances", InstanceIds=[on_image, on_public])
    wait("the reset", lambda: owner.is_settled_on(on_image, image) and owner.is_settled_on(on_public, PUBLIC_IMAGE))
    for instance in (on_image, on_public):
        owner.release(instance)


# ReinitInstance


def test_reinit_instance(world, generation):
    owner = world.owner
    image = owner.import_image()
    instance = owner.launch()
    reply = owner.sdk(generation).call("ReinitInstance", InstanceId=instance, ImageId=image, Password="Passw0rd!x")
    check("ReinitInstance", reply.body, "RequestId")
    wait("the switch", lambda: owner.is_settled_on(instance, image))
    assert owner.instance(instance)["Status"] == "Running"
    owner.release(instance)


def test_reinit_instance_refusals(world, generation):
    owner, call = world.owner, world.owner.sdk(generation).call
    instance = owner.launch()
    foreign = world.other.import_image()
    for image in ("m-unknown", "not,one", foreign):
        assert_refused(refusal(call, "ReinitInstance", InstanceId=instance, ImageId=image), *INVALID_IMAGE_ID)
    refused = refusal(call, "ReinitInstance", InstanceId="i-unknown", ImageId=PUBLIC_IMAGE)
    assert_refused(refused, *invalid("InstanceId"))
    assert_refused(refusal(call, "ReinitInstance", InstanceId=instance), *MISSING_PARAMETER)
    assert_refused(refusal(call, "ReinitInstance", ImageId=PUBLIC_IMAGE), *MISSING_PARAMETER)
    assert owner.instance(instance)["ImageId"] == PUBLIC_IMAGE
    owner.release(instance)


# Release


def test_release_by_the_operation_of_its_charge_type(world, generation):
    owner, call = world.owner, world.owner.sdk(generation).call
    postpaid = owner.launch()
    prepaid = owner.launch(InstanceChargeType="PrePaid", Period=1)
    refused = refusal(call, "ReleasePrePaidInstance", InstanceId=postpaid)
    assert_refused(refused, *invalid("InstanceId"))
    assert_refused(refusal(call, "ReleasePostPaidInstance", InstanceId=prepaid), *invalid("InstanceId"))
    assert listed(owner) == {postpaid, prepaid}
    check("ReleasePostPaidInstance", call("ReleasePostPaidInstance", InstanceId=postpaid).body, "RequestId")
    check("ReleasePrePaidInstance", call("ReleasePrePaidInstance", InstanceId=prepaid).body, "RequestId")
    assert listed(owner) == set()
    assert_refused(refusal(call, "ReleasePostPaidInstance", InstanceId=postpaid), *invalid("InstanceId"))


def test_a_protected_instance_is_not_released(world):
    owner = world.owner
    image = owner.import_image()
    instance = owner.launch(image, DeletionProtection=True)
    assert owner.instance(instance)["DeletionProtection"] is True
    refused = refusal(owner.release, instance)
    assert refused.status == 400 and "DeletionProtection" in refused.code
    assert owner.instance(instance)["Status"] == "Running"
    assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)


def test_released_instances_leave_nothing(world):
    owner = world.owner
    instance = owner.launch(Tag=[{"Key": "a", "Value": "b"}])
    owner.release(instance)
    columns = {"instances": "id", "disks": "instance_id", "usages": "consumer_id", "tags": "resource_id"}
    for table, column in columns.items():
        assert world.server.query(f"SELECT * FROM {table} WHERE {column} = ?", instance) == []


# Terraform


def test_terraform_runs_an_instance_as_it_is_used_to(world):
    """The steps of alicloud_ens_instance: everything in the form body, signed with HMAC-SHA1."""
    owner, call = world.owner, world.owner.raw.call
    [instance] = call(
        "RunInstances",
        {
            "ImageId": PUBLIC_IMAGE, "InstanceType": "ens.sn1.stiny", "EnsRegionId": NODE, "Amount": "1",
            "ScheduleAreaLevel": "Region", "InstanceChargeType": "PostPaid", "InternetChargeType": "95BandwidthByMonth",
            "Password": "12345678abcABC", "IpType": "ipv4", "PublicIpIdentification": "true", "UniqueSuffix": "false",
            "SystemDisk": '{"Size":20}', "DataDisk": '[{"Category":"cloud_efficiency","Size":20}]',
            "Tag.1.Key": "Created", "Tag.1.Value": "TF",
        },
    )["InstanceIds"]  # fmt: skip
    entry = owner.instance_becomes(instance, "Running")
    assert entry["SystemDisk"]["Size"] // 1024 == 20
    assert entry["DataDisk"]["DataDisk"][0]["Size"] // 1024 == 20
    assert entry["SecurityGroupIds"]["SecurityGroupId"] == []
    assert "Password" not in entry and "12345678abcABC" not in str(entry)
    tags = call("ListTagResources", {"ResourceType": "instance", "ResourceId.1": instance})["TagResources"]
    assert [(tag["TagKey"], tag["TagValue"]) for tag in tags] == [("Created", "TF")]
    for action, status in (("StopInstance", "Stopped"), ("StartInstance", "Running")):
        assert call(action, {"InstanceId": instance})["Code"] == 0
        owner.instance_becomes(instance, status)
    call("ReleasePostPaidInstance", {"InstanceId": instance})
    gone = call("DescribeInstances", {"InstanceId": instance})
    assert gone["Instances"]["Instance"] == [] and gone["TotalCount"] == 0


def test_passwords_are_kept_nowhere(world):
    secret = "Secret-Passw0rd-of-an-instance"
    instance = world.owner.launch(Password=secret, PasswordInherit=None)
    world.owner.call("ReinitInstance", InstanceId=instance, ImageId=PUBLIC_IMAGE, Password=secret)
    wait("the reset", lambda: world.owner.is_settled_on(instance, PUBLIC_IMAGE))
    world.owner.release(instance)
    assert all(secret.encode() not in text for text in world.server.metadata.texts())
    assert secret not in world.server.stderr()


# DescribeEnsRegions


def test_describe_ens_regions(world, generation):
    call = world.owner.sdk(generation).call
    reply = call("DescribeEnsRegions")
    check("DescribeEnsRegions", reply.body, "Code EnsRegions RequestId")
    nodes = {node["EnsRegionId"]: node for node in reply["EnsRegions"]["EnsRegions"]}
    assert nodes.keys() == {NODE, OTHER_NODE}
    for node in nodes.values():
        check_entry(node, "Area EnName EnsRegionId Name Province")
    assert nodes[OTHER_NODE]["Area"] == "NorthEastChina"
    [node] = call("DescribeEnsRegions", EnsRegionId=NODE)["EnsRegions"]["EnsRegions"]
    assert node["EnsRegionId"] == NODE
    assert call("DescribeEnsRegions", EnsRegionId="cn-nowhere")["EnsRegions"] == {"EnsRegions": []}
