"""What uses images of App Streaming: delivery groups and workstations."""

import re
import threading

import pytest

from appstream_refusals import CREATING, IN_USE, NO_PERMISSION, NOT_EXIST, delete_must_fail, invalid
from appstream_shapes import check, check_error
from appstream_world import GROUP, HOME, LARGE, LINUX, SYSTEM
from server import wait
from world import assert_refused, fresh_name, refusal

pytest_plugins = ["appstream_fixtures"]

STATUS = (400, "IncorrectStatus", "The current status of the resource does not support this operation.")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
FULL_GROUP = {
    "AppInstanceGroupName": "studio", "AppPolicyId": "pg-1", "AuthMode": "App", "AutoPay": True,
    "AutoRenew": False, "ChargeType": "PrePaid", "Period": 3, "SessionTimeout": -1,
    "Network": {"OfficeSiteId": "cn-hangzhou+dir-1"},
    "NodePool": {"NodeInstanceType": "appstreaming.vgpu.8c16g.4g", "NodeAmount": 2, "NodeCapacity": 10,
                 "StrategyType": "NODE_SCALING_BY_USAGE", "MaxScalingAmount": 5, "ScalingStep": 2,
                 "ScalingUsageThreshold": "70", "WarmUp": True,
                 "RecurrenceSchedules": [{"RecurrenceType": "weekly", "RecurrenceValues": [1, 5],
                                          "TimerPeriods": [{"StartTime": "15:00", "EndTime": "16:00",
                                                            "Amount": 2}]}]},
    "RuntimePolicy": {"SessionType": "APP", "DebugMode": "OFF"},
    "SecurityPolicy": {"SkipUserAuthCheck": True, "ResetAfterUnbind": False},
    "StoragePolicy": {"StorageTypeList": ["NAS"]}, "VideoPolicy": {"FrameRate": 60},
    "UserInfo": {"Type": "Simple"}, "Users": ["alice"],
}  # fmt: skip


def groups(caller, **filters):
    params = {"ProductType": "CloudApp", "PageSize": 100} | filters
    found = caller.call("ListAppInstanceGroup", **params)["AppInstanceGroupModels"]
    return {group["AppInstanceGroupId"] for group in found}


def stations(caller, **filters):
    found = caller.call("ListWuyingServer", **{"PageSize": 100} | filters)["WuyingServerList"]
    return {workstation["WuyingServerId"] for workstation in found}


# Delivery groups


def test_a_group_is_shown_as_it_was_made(tenants):
    owner = tenants.owner
    image = owner.make_image(ImageName="studio")
    reply = owner.call("CreateAppInstanceGroup", AppCenterImageId=image, **GROUP | FULL_GROUP)
    check("CreateAppInstanceGroup", reply.body, "AppInstanceGroupModel RequestId")
    model = reply["AppInstanceGroupModel"]
    assert set(model) == {"AppInstanceGroupId", "NodePoolId", "OrderId"}
    group = model["AppInstanceGroupId"]
    assert group.startswith("aig-") and model["NodePoolId"].startswith("rg-")

    reply = owner.call("GetAppInstanceGroup", AppInstanceGroupId=group, ProductType="CloudApp")
    check("GetAppInstanceGroup", reply.body, "AppInstanceGroupModels RequestId")
    one = reply["AppInstanceGroupModels"]
    expected = {
        "Amount": 2, "AppCenterImageId": image, "AppCenterImageName": "studio", "AppInstanceGroupId": group,
        "AppInstanceGroupName": "studio", "AppPolicyId": "pg-1", "AuthMode": "App",
        "ChargeResourceMode": "Node", "ChargeType": "PrePaid", "OfficeSiteId": "cn-hangzhou+dir-1",
        "OsType": "Windows", "ProductType": "CloudApp", "RegionId": HOME, "ResourceStatus": "AVAILABLE",
        "SessionTimeout": "-1", "SessionType": "APP", "SkipUserAuthCheck": True, "Status": "PUBLISHED",
    }  # fmt: skip
    assert {name: one[name] for name in expected} == expected
    assert TIME.fullmatch(one["GmtCreate"]) and TIME.fullmatch(one["ExpiredTime"])
    [pool] = one["NodePool"]
    asked = FULL_GROUP["NodePool"]
    assert {name: pool[name] for name in asked} == asked
    assert (pool["NodePoolId"], pool["Amount"]) == (model["NodePoolId"], 2)

    reply = owner.call("ListAppInstanceGroup", ProductType="CloudApp")
    members = "AppInstanceGroupModels PageNumber PageSize RequestId TotalCount"
    check("ListAppInstanceGroup", reply.body, members)
    [listed] = reply["AppInstanceGroupModels"]
    only_one = {"AppCenterImageName", "AppInstanceTypeName", "SessionType"}
    only_listed = {"AppPolicyImageCheck", "AppPolicyVersion", "ResourceTags"}
    assert set(one) - set(listed) == only_one and set(listed) - set(one) == only_listed
    assert all(listed[name] == one[name] for name in set(one) & set(listed))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"AppCenterImageId": None}, invalid("AppCenterImageId")),
        ({"AppCenterImageId": "img-unknown"}, NOT_EXIST),
        ({"BizRegionId": None}, invalid("BizRegionId")),
        ({"BizRegionId": "cn-nowhere"}, invalid("BizRegionId")),
        ({"ProductType": None}, invalid("ProductType")),
        ({"ProductType": "WuyingServer"}, invalid("ProductType")),
        ({"ChargeType": "Free"}, invalid("ChargeType")),
        ({"ChargeResourceMode": "Cluster"}, invalid("ChargeResourceMode")),
        ({"Period": 2}, invalid("Period")),
        ({"PeriodUnit": "Week"}, invalid("PeriodUnit")),
        ({"ChargeType": "PrePaid", "PeriodUnit": "Year", "Period": 4}, invalid("Period")),
        ({"ChargeType": "PrePaid", "PeriodUnit": "month"}, invalid("PeriodUnit")),
        ({"SessionTimeout": 2}, invalid("SessionTimeout")),
        ({"SessionTimeout": 301}, invalid("SessionTimeout")),
        ({"NodePool": {"NodeAmount": 101}}, invalid("NodeAmount")),
        ({"NodePool": {"StrategyType": "NONE"}}, invalid("StrategyType")),
    ],
)
def test_groups_that_cannot_be_are_refused(tenants, params, expected):
    owner = tenants.owner
    given = {"AppCenterImageId": SYSTEM} | GROUP | params
    refused = refusal(owner.call, "CreateAppInstanceGroup", **given)
    assert_refused(refused, *expected)
    check_error(refused.body, owner)
    assert groups(owner) == set()


def test_groups_are_filtered_and_paged(tenants):
    owner, other = tenants.owner, tenants.other
    image, name = owner.make_image(), fresh_name("Needle")
    first = owner.group(image, AppInstanceGroupName=f"a {name} b")
    second = owner.group(SYSTEM, BizRegionId="cn-shanghai", NodePool={"NodeInstanceType": "type-2"})
    third = owner.group(SYSTEM, Network={"OfficeSiteId": "site-3"})
    foreign = other.group(SYSTEM)
    everything = {first, second, third}
    for filters, expected in (
        ({}, everything),
        ({"AppCenterImageId": image}, {first}),
        ({"AppCenterImageId": "img-unknown"}, set()),
        ({"AppInstanceGroupId": second}, {second}),
        ({"AppInstanceGroupId": foreign}, set()),
        ({"AppInstanceGroupId": f"{first},{second}"}, set()),
        ({"AppInstanceGroupName": name}, {first}),
        ({"BizRegionId": "cn-shanghai"}, {second}),
        ({"BizRegionId": f"{HOME},cn-shanghai"}, set()),
        ({"NodeInstanceType": "type-2"}, {second}),
        ({"OfficeSiteId": "site-3"}, {third}),
        ({"Status": ["PUBLISHED", "CEASED"]}, everything),
        ({"Status": ["DEPLOYING", "FAILED"]}, set()),
        ({"Tag": [{"Key": "team"}]}, set()),
    ):
        assert groups(owner, **filters) == expected, filters
    assert groups(other) == {foreign}
    pages = [
        owner.call("ListAppInstanceGroup", ProductType="CloudApp", PageNumber=page, PageSize=2)
        for page in (1, 2, 3)
    ]
    assert [len(page["AppInstanceGroupModels"]) for page in pages] == [2, 1, 0]
    assert {(page["TotalCount"], page["PageSize"]) for page in pages} == {(3, 2)}
    refused = refusal(owner.call, "ListAppInstanceGroup", ProductType="CloudApp", PageSize=101)
    assert_refused(refused, *invalid("PageSize"))
    assert_refused(refusal(owner.call, "ListAppInstanceGroup"), *invalid("ProductType"))


def test_a_group_goes(tenants):
    owner, other = tenants.owner, tenants.other
    group = owner.group(SYSTEM)
    for call, name in ((owner.get_group, "unknown"), (other.get_group, group), (other.delete_group, group)):
        assert_refused(refusal(call, name), *invalid("AppInstanceGroupId"))
    refused = refusal(owner.call, "DeleteAppInstanceGroup", AppInstanceGroupId=group)
    assert_refused(refused, *invalid("ProductType"))
    check("DeleteAppInstanceGroup", owner.delete_group(group).body, "RequestId")
    for call in (owner.get_group, owner.delete_group):
        assert_refused(refusal(call, group), *invalid("AppInstanceGroupId"))
    assert groups(owner) == set()


def test_a_group_is_moved_to_another_image(tenants):
    owner, other = tenants.owner, tenants.other
    image, private = owner.make_image(), other.make_image()
    group = owner.group(SYSTEM)
    reply = owner.move_group(group, image)
    check("UpdateAppInstanceGroupImage", reply.body, "RequestId")
    owner.group_becomes(group, "PUBLISHED")
    assert owner.get_group(group)["AppCenterImageId"] == image
    assert groups(owner, AppCenterImageId=image) == {group}
    for params, expected in (
        ({"ProductType": "WuyingServer"}, invalid("ProductType")),
        ({"AppCenterImageId": private}, NOT_EXIST),
        ({"AppCenterImageId": "img-unknown"}, NOT_EXIST),
        ({"AppInstanceGroupId": "aig-unknown"}, invalid("AppInstanceGroupId")),
        ({"AppInstanceGroupId": owner.mother}, invalid("AppInstanceGroupId")),
        ({"BizRegionId": "cn-shanghai"}, invalid("BizRegionId")),
        ({"BizRegionId": None}, invalid("BizRegionId")),
    ):
        given = {"AppInstanceGroupId": group, "AppCenterImageId": SYSTEM, "BizRegionId": HOME,
                 "ProductType": "CloudApp"} | params  # fmt: skip
        assert_refused(refusal(owner.call, "UpdateAppInstanceGroupImage", **given), *expected)
    assert owner.get_group(group)["AppCenterImageId"] == image


def test_a_group_has_no_sessions(tenants):
    owner = tenants.owner
    group = owner.group(SYSTEM)
    reply = owner.call("ListAppInstances", AppInstanceGroupId=group)
    check("ListAppInstances", reply.body, "AppInstanceModels PageNumber PageSize RequestId TotalCount")
    assert (reply["AppInstanceModels"], reply["TotalCount"]) == ([], 0)
    refused = refusal(owner.call, "ListAppInstances", AppInstanceGroupId="aig-unknown")
    assert_refused(refused, *invalid("AppInstanceGroupId"))


def test_the_states_of_a_group(slow_moving):
    owner = slow_moving.owner
    group = owner.group(SYSTEM)
    told = owner.get_group(group)
    assert (told["Status"], told["ResourceStatus"]) == ("DEPLOYING", "CREATING")
    assert groups(owner, Status=["DEPLOYING"]) == {group}
    assert_refused(refusal(owner.move_group, group, LINUX), *STATUS)
    owner.group_becomes(group, "PUBLISHED")
    owner.move_group(group, LINUX)
    told = owner.get_group(group)
    assert (told["Status"], told["ResourceStatus"]) == ("MAINTAINING", "UPGRADING")
    assert told["AppCenterImageId"] == SYSTEM, "the switch has not happened"
    assert groups(owner, Status=["MAINTAINING"]) == {group}
    assert_refused(refusal(owner.move_group, group, SYSTEM), *STATUS)
    owner.group_becomes(group, "PUBLISHED")
    assert owner.get_group(group)["AppCenterImageId"] == LINUX


# Workstations


def test_a_workstation_is_shown_as_it_was_made(tenants):
    owner = tenants.owner
    image = owner.make_image(ImageName="studio")
    reply = owner.call(
        "CreateWuyingServer", ImageId=image, BizRegionId="cn-shanghai", Amount=2, WuyingServerName="desk",
        ChargeType="PrePaid", Period=1, PeriodUnit="Month", AutoPay=True, Bandwidth=10, ErdmaEnabled=True,
        ServerInstanceType="eds.proworkstation.2c4g", SystemDiskCategory="cloud_essd", SystemDiskSize=80,
        SystemDiskPerformanceLevel="PL1", OfficeSiteId="site-1", Password="Secret-123", MaxPrice=1.5,
        DataDisk=[{"DataDiskCategory": "cloud_auto", "DataDiskSize": 100, "DataDiskPerformanceLevel": "PL0"}],
        VSwitchIds=["vsw-1"], NetworkStrategyType="DirectIp",
    )  # fmt: skip
    check("CreateWuyingServer", reply.body, "Data RequestId")
    assert set(reply["Data"]) == {"OrderId", "WuyingServerIdList"}
    both = reply["Data"]["WuyingServerIdList"]
    assert len(set(both)) == 2 and all(workstation.startswith("ws-") for workstation in both)

    reply = owner.call("DescribeWuyingServer", WuyingServerId=both[0])
    check("DescribeWuyingServer", reply.body, "Data RequestId")
    one = reply["Data"]
    expected = {
        "Bandwidth": 10, "BizRegionId": "cn-shanghai", "ChargeType": "PrePaid", "ImageId": image,
        "ImageName": "studio", "OfficeSiteId": "site-1", "OsType": "Windows", "Status": "RUNNING",
        "SystemDiskCategory": "cloud_essd", "SystemDiskSize": 80, "WuyingServerId": both[0],
        "WuyingServerName": "desk1",
    }  # fmt: skip
    assert {name: one[name] for name in expected} == expected
    assert TIME.fullmatch(one["CreateTime"]) and TIME.fullmatch(one["ExpiredTime"])

    reply = owner.call("ListWuyingServer")
    check("ListWuyingServer", reply.body, "PageNumber PageSize RequestId TotalCount WuyingServerList")
    listed = {entry["WuyingServerId"]: entry for entry in reply["WuyingServerList"]}
    assert set(listed) == {*both, owner.mother}
    entry = listed[both[0]]
    assert one.items() <= entry.items()
    [disk] = entry["DataDisk"]
    asked = {"DataDiskCategory": "cloud_auto", "DataDiskSize": 100, "DataDiskPerformanceLevel": "PL0"}
    assert asked.items() <= disk.items() and disk["DataDiskNo"] == "1"
    assert entry["ServerInstanceTypeInfo"]["ServerInstanceType"] == "eds.proworkstation.2c4g"
    assert (entry["AliUid"], entry["MaxPrice"]) == (int(owner.account), 1.5)
    assert {entry["WuyingServerName"] for entry in listed.values()} == {"desk1", "desk2", "mother"}
    assert "Secret-123" not in str(tenants.server.query("SELECT * FROM instances"))
    assert "Secret-123" not in tenants.server.stderr()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"ImageId": None}, invalid("ImageId")),
        ({"ImageId": "img-unknown"}, NOT_EXIST),
        ({"BizRegionId": "cn-nowhere"}, invalid("BizRegionId")),
        ({"Amount": 0}, invalid("Amount")),
        ({"Amount": 101}, invalid("Amount")),
        ({"Bandwidth": 1}, invalid("Bandwidth")),
        ({"Bandwidth": 101}, invalid("Bandwidth")),
        ({"ChargeType": "Free"}, invalid("ChargeType")),
        ({"PeriodUnit": "Week"}, invalid("PeriodUnit")),
        ({"ImageId": LARGE, "SystemDiskSize": 50}, invalid("SystemDiskSize")),
        ({"DataDisk": [{"DataDiskCategory": "cloud_auto"}]}, invalid("DataDiskSize")),
        ({"WuyingServerName": "x" * 129}, invalid("WuyingServerName")),
        ({"IdempotenceToken": "x" * 129}, invalid("IdempotenceToken")),
    ],
)
def test_workstations_that_cannot_be_are_refused(tenants, params, expected):
    owner = tenants.owner
    given = {"ImageId": SYSTEM, "BizRegionId": HOME} | params
    refused = refusal(owner.call, "CreateWuyingServer", **given)
    assert_refused(refused, *expected)
    check_error(refused.body, owner)
    assert stations(owner) == set()


def test_an_image_that_is_being_made_runs_nothing(slow_making):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    for launch in (owner.workstation, owner.group):
        assert_refused(refusal(launch, image), *CREATING)
    assert_refused(refusal(owner.move_workstation, owner.mother, image), *CREATING)
    owner.image_becomes(image, "AVAILABLE")
    owner.workstation(image)


def test_a_token_makes_workstations_once(tenants):
    owner, other = tenants.owner, tenants.other
    params = {"ImageId": SYSTEM, "BizRegionId": HOME, "Amount": 3, "IdempotenceToken": fresh_name("token")}
    first = owner.call("CreateWuyingServer", **params)["Data"]["WuyingServerIdList"]
    again = owner.call("CreateWuyingServer", **params)["Data"]["WuyingServerIdList"]
    assert again == first and stations(owner) == set(first)
    foreign = other.call("CreateWuyingServer", **params)["Data"]["WuyingServerIdList"]
    assert not set(foreign) & set(first)
    fresh = owner.call("CreateWuyingServer", **params | {"IdempotenceToken": fresh_name("token")})
    assert not set(fresh["Data"]["WuyingServerIdList"]) & set(first)
    without = [owner.workstation(SYSTEM) for _ in range(2)]
    assert len(stations(owner)) == 8 and set(without) <= stations(owner)


def test_a_token_makes_workstations_once_at_the_same_moment(tenants):
    owner, callers = tenants.owner, 6
    params = {"ImageId": SYSTEM, "BizRegionId": HOME, "IdempotenceToken": fresh_name("token")}
    barrier, answers = threading.Barrier(callers), []

    def launch():
        barrier.wait()
        answers.append(owner.call("CreateWuyingServer", **params)["Data"]["WuyingServerIdList"])

    threads = [threading.Thread(target=launch) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == callers and all(answer == answers[0] for answer in answers)
    assert stations(owner) == set(answers[0])


def test_workstations_are_filtered_and_paged(tenants):
    owner, other = tenants.owner, tenants.other
    image, name = owner.make_image(), fresh_name("Needle")
    # The image was made of a workstation on the system image.
    mother = owner.mother
    first = owner.workstation(image, WuyingServerName=f"a {name} b", OfficeSiteId="site-1")
    second = owner.workstation(LINUX, BizRegionId="cn-shanghai", ServerInstanceType="type-2")
    third = owner.workstation(LINUX, ChargeType="PostPaid", VirtualNodePoolId="rg-3")
    foreign = other.workstation(SYSTEM)
    owner.call("StopWuyingServer", WuyingServerIdList=[second])
    owner.workstation_becomes(second, "STOPPED")
    everything = {mother, first, second, third}
    for filters, expected in (
        ({}, everything),
        ({"ImageId": image}, {first}),
        ({"ImageId": LINUX}, {second, third}),
        ({"ImageId": "img-unknown"}, set()),
        ({"WuyingServerIdList": [first, third, foreign]}, {first, third}),
        ({"WuyingServerIdList": [f"{first},{third}"]}, set()),
        ({"WuyingServerNameOrId": name}, {first}),
        ({"WuyingServerNameOrId": second}, {second}),
        ({"BizRegionId": "cn-shanghai"}, {second}),
        ({"ServerInstanceType": "type-2"}, {second}),
        ({"OfficeSiteId": "site-1"}, {first}),
        ({"VirtualNodePoolId": "rg-3"}, {third}),
        ({"Status": "STOPPED"}, {second}),
        ({"Status": "RUNNING"}, everything - {second}),
        ({"Status": "BROKEN"}, set()),
        ({"ChargeType": "PostPaid"}, {third}),
        ({"ChargeType": "PrePaid"}, everything - {third}),
        ({"CreateTimeStart": "2020-01-01T00:00:00Z", "CreateTimeEnd": "2090-01-01T00:00:00Z"}, everything),
        ({"CreateTimeEnd": "2020-01-01T00:00:00Z"}, set()),
        ({"ZoneId": "cn-hangzhou-b"}, set()),
        ({"Users": ["alice"]}, set()),
        ({"ProductType": "WuyingServer"}, everything),
    ):
        assert stations(owner, **filters) == expected, filters
    assert stations(other) == {foreign}
    pages = [owner.call("ListWuyingServer", PageNumber=page, PageSize=3) for page in (1, 2, 3)]
    assert [len(page["WuyingServerList"]) for page in pages] == [3, 1, 0]
    assert {page["TotalCount"] for page in pages} == {4}
    for params, parameter in (
        ({"PageSize": 101}, "PageSize"), ({"CreateTimeStart": "today"}, "CreateTimeStart"),
        ({"ProductType": "CloudApp"}, "ProductType"),
    ):  # fmt: skip
        assert_refused(refusal(owner.call, "ListWuyingServer", **params), *invalid(parameter))


def test_power(tenants):
    owner, other = tenants.owner, tenants.other
    first, second = owner.workstation(SYSTEM), owner.workstation(SYSTEM)
    reply = owner.call("StopWuyingServer", WuyingServerIdList=[first], Force=True, ProductType="WuyingServer")
    check("StopWuyingServer", reply.body, "RequestId")
    owner.workstation_becomes(first, "STOPPED")
    for action, ids_, expected in (
        ("StopWuyingServer", [first], STATUS),
        ("StopWuyingServer", [second, first], STATUS),
        ("StartWuyingServer", [second], STATUS),
        ("StopWuyingServer", ["ws-unknown"], invalid("WuyingServerIdList")),
        ("StopWuyingServer", [second, "ws-unknown"], invalid("WuyingServerIdList")),
        ("StopWuyingServer", [second, owner.group(SYSTEM)], invalid("WuyingServerIdList")),
        ("StopWuyingServer", None, invalid("WuyingServerIdList")),
    ):
        assert_refused(refusal(owner.call, action, WuyingServerIdList=ids_), *expected)
        assert owner.get_workstation(second)["Status"] == "RUNNING", "all or none"
    refused = refusal(other.call, "StopWuyingServer", WuyingServerIdList=[second])
    assert_refused(refused, *invalid("WuyingServerIdList"))
    check("StartWuyingServer", owner.call("StartWuyingServer", WuyingServerIdList=[first]).body, "RequestId")
    owner.workstation_becomes(first, "RUNNING")


def test_a_workstation_is_moved_to_another_image(tenants):
    owner, other = tenants.owner, tenants.other
    image, private = owner.make_image(), other.make_image()
    workstation = owner.workstation(SYSTEM)
    reply = owner.move_workstation(workstation, image)
    check("UpdateWuyingServerImage", reply.body, "RequestId TaskId")
    assert reply["TaskId"].startswith("ota-")
    owner.workstation_becomes(workstation, "RUNNING")
    assert owner.get_workstation(workstation)["ImageId"] == image
    delete_must_fail(owner, image, IN_USE)
    for params, expected in (
        ({"ProductType": "CloudApp"}, invalid("ProductType")),
        ({"ImageId": private}, NOT_EXIST),
        ({"ImageId": None}, invalid("ImageId")),
        ({"WuyingServerId": "ws-unknown"}, invalid("WuyingServerId")),
        ({"WuyingServerId": None}, invalid("WuyingServerId")),
        ({"WuyingServerId": other.mother}, invalid("WuyingServerId")),
    ):
        given = {"WuyingServerId": workstation, "ImageId": SYSTEM} | params
        assert_refused(refusal(owner.call, "UpdateWuyingServerImage", **given), *expected)
    assert owner.get_workstation(workstation)["ImageId"] == image


def test_a_workstation_goes(tenants):
    owner, other = tenants.owner, tenants.other
    workstation = owner.workstation(SYSTEM)
    assert_refused(refusal(other.delete_workstation, workstation), *invalid("WuyingServerId"))
    check("DeleteWuyingServer", owner.delete_workstation(workstation).body, "RequestId")
    for call in (owner.delete_workstation, owner.get_workstation):
        assert_refused(refusal(call, workstation), *invalid("WuyingServerId"))
    assert stations(owner) == set()
    left = "SELECT * FROM usages WHERE consumer_id = ?"
    assert tenants.server.query(left, workstation) == []


def test_the_states_of_a_workstation(slow_moving):
    owner = slow_moving.owner
    workstation = owner.workstation(SYSTEM)
    assert owner.get_workstation(workstation)["Status"] == "PENDING"
    assert_refused(refusal(owner.call, "StopWuyingServer", WuyingServerIdList=[workstation]), *STATUS)
    owner.workstation_becomes(workstation, "RUNNING")
    owner.call("StopWuyingServer", WuyingServerIdList=[workstation])
    assert owner.get_workstation(workstation)["Status"] == "STOPPING"
    assert stations(owner, Status="STOPPING") == {workstation}
    owner.workstation_becomes(workstation, "STOPPED")
    owner.move_workstation(workstation, LINUX)
    told = owner.get_workstation(workstation)
    assert (told["Status"], told["ImageId"]) == ("UPDATING", SYSTEM)
    wait("the switch", lambda: owner.get_workstation(workstation)["ImageId"] == LINUX)
    assert owner.get_workstation(workstation)["Status"] == "STOPPED"
    owner.call("StartWuyingServer", WuyingServerIdList=[workstation])
    assert owner.get_workstation(workstation)["Status"] == "STARTING"


def test_ids_of_one_kind_do_not_name_the_other(tenants):
    owner = tenants.owner
    group, workstation = owner.group(SYSTEM), owner.workstation(SYSTEM)
    assert_refused(refusal(owner.get_group, workstation), *invalid("AppInstanceGroupId"))
    assert_refused(refusal(owner.delete_group, workstation), *invalid("AppInstanceGroupId"))
    assert_refused(refusal(owner.get_workstation, group), *invalid("WuyingServerId"))
    assert_refused(refusal(owner.delete_workstation, group), *invalid("WuyingServerId"))
    assert groups(owner) == {group} and stations(owner) == {workstation}


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("CreateAppInstanceGroup", {"AppCenterImageId": SYSTEM, **GROUP}),
        ("CreateWuyingServer", {"ImageId": SYSTEM}),
        ("DeleteWuyingServer", {"WuyingServerId": "ws-unknown"}),
        ("DeleteAppInstanceGroup", {"AppInstanceGroupId": "aig-unknown", "ProductType": "CloudApp"}),
        ("StopWuyingServer", {"WuyingServerIdList": ["ws-unknown"]}),
        ("UpdateWuyingServerImage", {"WuyingServerId": "ws-unknown", "ImageId": SYSTEM}),
        ("DescribeWuyingServer", {"WuyingServerId": "ws-unknown"}),
    ],
)
def test_ram_is_asked(ram_tenants, action, params):
    refused = refusal(ram_tenants.user("delete").call, action, **params)
    assert_refused(refused, *NO_PERMISSION)
    assert refused.body["AccessDeniedDetail"]["AuthAction"] == f"appstreaming:{action}"
