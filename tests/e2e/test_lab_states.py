"""The lab's states, regions and clock: what takes time is met at leisure."""

import json
import os
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from appstream_refusals import CREATING
from appstream_world import HOME, REGIONS
from clients import STS, Raw
from lab_world import problem
from policies import allow
from server import BINARY, BUCKET, clean_environment, wait
from world import SMALL, assert_refused, refusal

pytest_plugins = ["lab_fixtures"]

INCORRECT_STATUS = (400, "IncorrectStatus.Image", "The current status of the image does not support this operation.")
SEED = {
    "images": [{"name": "golden"}, {"name": "app", "api": "appstreaming", "regions": [HOME, "cn-beijing"]}],
    "instances": [{"name": "web", "image": "golden"}],
    "groups": [{"name": "group", "image": "app"}],
    "workstations": [{"name": "desk", "image": "app"}],
}


@pytest.fixture
def world(lab_shared, lab):
    with lab_shared.world(seed=SEED) as world:
        yield world


@pytest.fixture
def images(lab_shared, lab):
    """A world with two images that nothing uses."""
    with lab_shared.world(seed={"images": SEED["images"]}) as world:
        yield world


# Images


@pytest.mark.parametrize("state", ["Creating", "Packing", "Uploading", "Copying"])
def test_an_image_of_ens_is_held_while_it_is_made(images, state):
    owner, image = images.caller(), images["golden"]
    with images.hold(image=image, state=state):
        assert owner.image(image)["Status"] == state
        assert_refused(refusal(owner.delete, image), *INCORRECT_STATUS)
        assert refusal(owner.launch, image).code == "IncorrectStatus.Image"
        # However long it takes: no worker ends it.
        time.sleep(0.3)
        assert owner.image(image)["Status"] == state
    assert owner.image(image)["Status"] == "Available"
    assert owner.delete(image).status == 200


@pytest.mark.parametrize(("state", "failed"), [("Packing", "Pack_failed"), ("Uploading", "Upload_failed")])
def test_an_image_of_ens_fails_at_its_stage(images, state, failed):
    owner, image = images.caller(), images["golden"]
    images.hold(image=image, state=state).fail()
    assert owner.image(image)["Status"] == failed
    assert owner.delete(image).status == 200
    wait("the bytes to be erased", lambda: images.server.is_erased(image))


@pytest.mark.parametrize("state", ["INIT", "CREATING"])
def test_an_image_of_app_streaming_is_held_while_it_is_made(images, state):
    owner, image = images.tenant(), images["app"]
    with images.hold(image=image, state=state):
        assert owner.image(image)["Status"] == state
        assert_refused(refusal(owner.delete, image), *CREATING)
    assert owner.image(image)["Status"] == "AVAILABLE"
    images.hold(image=image, state=state).fail()
    assert owner.image(image)["Status"] == "CREATE_FAILED"
    assert owner.delete(image).status == 200


@pytest.mark.parametrize("state", ["INIT", "CREATING"])
def test_a_version_is_held_in_one_region(images, state):
    owner, image = images.tenant(), images["app"]
    with images.hold(image=image, region="cn-beijing", state=state):
        assert owner.entries(image) == {HOME: ("AVAILABLE", "100%"), "cn-beijing": (state, "0%")}
        assert owner.image(image)["Status"] == "AVAILABLE"
        assert_refused(refusal(owner.delete, image), *CREATING)
    assert set(owner.entries(image).values()) == {("AVAILABLE", "100%")}
    version = owner.image(image)["VersionId"]
    images.hold(image=image, region="cn-beijing", version=version, state=state).fail()
    assert owner.entries(image)["cn-beijing"][0] == "CREATE_FAILED"
    # As after any failure: it is distributed again, or deleted.
    owner.distribute(image, "cn-beijing")
    assert owner.delete(image).status == 200
    wait("the bytes to be erased", lambda: images.server.is_erased(image))


def test_what_is_being_made_is_held_where_it_is(lab_alone):
    server = lab_alone(image="1500ms")
    world = server.world()
    owner = world.caller()
    image = owner.import_image(SMALL, ready=False)
    hold = world.hold(image=image, state="Uploading")
    time.sleep(2)
    assert owner.image(image)["Status"] == "Uploading"
    hold.release()
    owner.image_becomes(image, "Available")
    other = owner.import_image(SMALL, ready=False)
    world.hold(image=other, state="Packing").fail()
    time.sleep(2)
    assert owner.image(other)["Status"] == "Pack_failed"
    world.remove()
    server.audit()


def test_an_export_is_held_released_and_fails(images):
    owner, image = images.caller(), images["golden"]
    assert problem(images.hold, export=image, state="Exporting")[0] == 409
    owner.call("ExportImage", ImageId=image, OSSBucket=BUCKET, OSSPrefix="out", OSSRegionId="cn-beijing")
    status = lambda: owner.call("DescribeExportImageStatus", ImageId=image)["ImageExportStatus"]
    wait("the export", lambda: status() == "Exported")
    hold = images.hold(export=image, state="Exporting")
    assert status() == "Exporting"
    assert_refused(refusal(owner.delete, image), *INCORRECT_STATUS)
    hold.release()
    wait("the export", lambda: status() == "Exported")
    images.hold(export=image, state="Exporting").fail()
    assert status() == "ExportError"
    assert owner.delete(image).status == 200


# Instances


@pytest.mark.parametrize(
    ("state", "released", "failed"),
    [("Pending", "Running", None), ("Starting", "Running", "Stopped"), ("Stopping", "Stopped", "Running")],
)
def test_an_instance_is_held_on_its_way(world, state, released, failed):
    owner, web = world.caller(), world["web"]
    hold = world.hold(instance=web, state=state)
    assert owner.instance(web)["Status"] == state
    for action in ("StartInstance", "StopInstance", "RebootInstance"):
        assert refusal(owner.call, action, InstanceId=web).code == "IncorrectInstanceStatus"
    hold.release()
    assert owner.instance(web)["Status"] == released
    hold = world.hold(instance=web, state=state)
    if failed is None:
        assert problem(hold.fail) == (409, "no API documents a launch that fails afterwards")
        hold.release()
    else:
        hold.fail()
        assert owner.instance(web)["Status"] == failed


def test_a_reinitialisation_is_held_released_and_given_up(world, lab_shared):
    owner, web, old = world.caller(), world["web"], world["golden"]
    new = owner.import_image(SMALL)
    hold = world.hold(instance=web, state="ReIniting", image=new)
    assert owner.instance(web)["Status"] == "ReIniting"
    # Both are in use meanwhile, each in its way.
    assert refusal(owner.delete, old).code == "Forbidden.DelerrorteImage"
    assert refusal(owner.delete, new).code == "Error.DeleteImage"
    hold.fail()
    assert (owner.instance(web)["ImageId"], owner.instance(web)["Status"]) == (old, "Running")
    world.hold(instance=web, state="ReIniting", image=new).release()
    wait("the switch", lambda: owner.is_settled_on(web, new))
    assert owner.delete(old).status == 200
    assert problem(world.hold, instance=web, state="ReIniting")[0] == 409
    assert problem(world.hold, instance=web, state="ReIniting", image="m-none") == (409, "no such image")


@pytest.mark.parametrize("state", ["PENDING", "STARTING", "STOPPING", "UPDATING"])
def test_a_workstation_is_held(world, state):
    owner, desk = world.tenant(), world["desk"]
    target = {"image": world["app"]} if state == "UPDATING" else {}
    with world.hold(instance=desk, state=state, **target):
        assert owner.get_workstation(desk)["Status"] == state
        assert refusal(owner.call, "StopWuyingServer", WuyingServerIdList=[desk]).code == "IncorrectStatus"
    owner.workstation_becomes(desk, "STOPPED" if state == "STOPPING" else "RUNNING")


@pytest.mark.parametrize("state", ["DEPLOYING", "MAINTAINING"])
def test_a_group_is_held(world, state):
    owner, group = world.tenant(), world["group"]
    target = {"image": world["app"]} if state == "MAINTAINING" else {}
    with world.hold(instance=group, state=state, **target):
        assert owner.get_group(group)["Status"] == state
    owner.group_becomes(group, "PUBLISHED")


@pytest.mark.parametrize(
    ("hold", "status", "told"),
    [
        ({"image": "m-none", "state": "Creating"}, 409, "not there"),
        ({"image": "m-none", "region": HOME, "state": "CREATING"}, 409, "not there"),
        ({"instance": "i-none", "state": "Stopping"}, 409, "not there"),
        ({"instance": "i-none", "state": "ReIniting", "image": "m-1"}, 404, "no such instance"),
        ({"image": "m-1", "state": "Available"}, 400, "Available is no state of transition"),
        ({"image": "m-1", "region": HOME, "state": "Packing"}, 400, "no state of transition"),
        ({"image": "m-1", "version": "iv-1", "state": "Creating"}, 400, "a hold has an image"),
        ({"export": "m-1", "state": "Creating"}, 400, "no state of transition"),
        ({"instance": "i-1", "image": "m-1", "state": "Stopping"}, 400, "an image belongs to"),
        ({"export": "m-1", "instance": "i-1", "state": "Exporting"}, 400, "a hold has an image"),
        ({"state": "Creating"}, 400, "a hold has an image"),
        ({"image": "m-1"}, 400, "missing field `state`"),
    ],
)
def test_what_cannot_be_held_is_not(lab, hold, status, told):
    found, text = problem(lab.hold, **hold)
    assert found == status and told in text, text
    assert lab.holds() == []


def test_holds_are_listed_and_let_go(images, lab):
    hold = images.hold(image=images["golden"], state="Copying")
    assert lab.holds() == [{"id": hold.id, "image": images["golden"], "state": "Copying"}]
    assert lab.request("DELETE", "/holds") == {"released": 1}
    assert images.caller().image(images["golden"])["Status"] == "Available"
    assert problem(hold.release) == problem(hold.fail) == (404, "there is no such hold")


# Regions


def test_a_region_that_refuses_keeps_its_bytes_until_it_is_back(lab_alone):
    server = lab_alone()
    world = server.world(seed={"images": SEED["images"]})
    owner, image = world.tenant(), world["app"]
    with world.lab.away("cn-beijing", "refusing"):
        assert owner.delete(image).status == 200
        wait("it to be tried", lambda: erasure(owner, image, "cn-beijing")["Attempts"] >= 2)
        assert erasure(owner, image, HOME)["State"] == "Erased"
        assert erasure(owner, image, "cn-beijing")["State"] != "Erased"
    # What waited is tried at once.
    wait("the rest", lambda: server.is_erased(image), timeout_s=5)
    world.remove()
    server.audit()


def erasure(owner, image, region):
    [deletion] = owner.own("ListDeletions", ImageId=image)["Deletions"]
    found = owner.own("GetDeletion", DeletionId=deletion["DeletionId"])["Deletion"]["Regions"]
    return next(entry for entry in found if entry["RegionId"] == region)


def test_a_region_that_hangs_holds_what_is_made_there(lab_alone):
    server = lab_alone()
    world = server.world(seed={"images": SEED["images"]})
    owner, image = world.tenant(), world["app"]
    with world.lab.away("cn-shanghai", "hanging"):
        owner.start_distribution(image, "cn-shanghai")
        wait("it to begin", lambda: owner.entries(image)["cn-shanghai"][0] == "CREATING")
        assert_refused(refusal(owner.delete, image), *CREATING)
        assert owner.entries(image)[HOME] == ("AVAILABLE", "100%")
    owner.reaches(image, "cn-shanghai")
    world.remove()
    server.audit()


def test_a_region_that_fails_half_of_the_calls_is_tried_until_it_is_done(lab_alone):
    server = lab_alone()
    world = server.world(seed={"images": SEED["images"]})
    owner, image = world.tenant(), world["app"]
    with world.lab.away("cn-beijing", "half"):
        owner.delete(image)
        # Between two tries there is a pause, which the clock shortens.
        wait("the bytes to be erased", lambda: server.is_erased(image) or not world.lab.advance("6m"), pause_s=0.05)
    assert server.stderr().count("bytes are still to be erased") >= 1
    world.remove()
    server.audit()


def test_regions_are_listed_and_unknown_ones_refused(lab):
    lab.take_away("cn-beijing", "half")
    told = {region["region"]: region["store"] for region in lab.request("GET", "/regions")}
    assert told == {**dict.fromkeys(REGIONS, "there"), "ap-southeast-1": "there", "cn-beijing": "half"}
    assert problem(lab.take_away, "mars") == (404, "there is no such region")
    assert problem(lab.take_away, "cn-beijing", "asleep")[0] == 400
    assert lab.reset()["regions"] == ["cn-beijing"]
    assert lab.request("GET", "/regions/cn-beijing") == {"region": "cn-beijing", "store": "there"}


# The clock


@pytest.fixture
def timed(lab_alone):
    """A world on a server of its own where deletes have a grace period, and calls are few."""
    limits = "[throttling]\noperation_per_second = 1\noperation_burst = 30\n[deletion]\ngrace = '1h'\n"
    server = lab_alone(limits)
    users = [{"name": "ci", "statements": [allow("sts:AssumeRole"), allow("ens:*")]}]
    roles = [{"name": "builder", "statements": [allow("ens:*")]}]
    return server.world(users=users, roles=roles, seed={"images": SEED["images"]})


def test_signatures_follow_the_clock(timed):
    owner = timed.caller()
    timed.lab.advance("14m", clients="behind")
    assert owner.call("DescribeImages").status == 200
    timed.lab.advance("1m1s", clients="behind")
    assert refusal(owner.call, "DescribeImages").code == "InvalidTimeStamp.Expired"


def test_clients_can_be_taken_along(timed):
    owner = timed.caller()
    raw = Raw(timed.server.port, timed.access_key_id, timed.access_key_secret)
    prepared = raw.v1("DescribeImages")
    assert raw.send(prepared).status == 200
    before = timed.lab.clock()["now_ms"]
    timed.lab.advance("2h")
    assert timed.lab.clock()["now_ms"] - before >= 7_200_000
    assert owner.call("DescribeImages").status == 200
    # What was sent once is no better for it.
    assert raw.send(prepared).json["Code"] in ("SignatureNonceUsed", "InvalidTimeStamp.Expired")


def test_tokens_expire(timed):
    sdk = timed.caller("ci").sdk("new")
    given = sdk.call_other(STS, "AssumeRole", RoleArn=timed.roles["builder"], RoleSessionName="night")["Credentials"]
    session = type(sdk)(timed.server.port, given["AccessKeyId"], given["AccessKeySecret"], None, given["SecurityToken"])
    assert session.call("DescribeImages").status == 200
    timed.lab.advance("59m")
    assert session.call("DescribeImages").status == 200
    timed.lab.advance("1m1s")
    assert refusal(session.call, "DescribeImages").code == "InvalidSecurityToken.Expired"


def test_grace_ends(timed):
    owner, image = timed.tenant(), timed["app"]
    owner.delete(image)
    time.sleep(0.3)
    assert len(timed.server.replicas(image)) == 0
    assert [path for path in timed.server.objects() if "cn-beijing" in path and path.count(".")]
    timed.lab.advance("61m")
    wait("the bytes to be erased", lambda: timed.server.is_erased(image))


def test_throttling_follows_the_clock(timed):
    owner = timed.caller()
    codes = [code(owner) for _ in range(40)]
    assert codes.count("Throttling.Api") >= 5
    timed.lab.advance("30s")
    assert [code(owner) for _ in range(25)] == [None] * 25


def code(owner):
    try:
        owner.call("DescribeEnsRegions")
    except Exception as error:
        return error.code
    return None


def test_the_clock_only_goes_forward(lab):
    before = lab.clock()
    for by in ("-1s", "soon", "", "20y", "3700d", "99999999999999999h"):
        assert problem(lab.advance, by)[0] == 400, by
    assert lab.clock()["ahead_ms"] == before["ahead_ms"]


# The door


def listeners(process):
    """How many ports a process listens on."""
    opened = {os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "0A" and f"socket:[{row[9]}]" in opened for row in rows)


def test_it_is_off_unless_it_is_asked_for(private, lab_alone):
    assert listeners(private().server.process) == 1
    assert listeners(lab_alone().process) == 2


def serve(tmp_path, *arguments, **environment):
    command = [BINARY, "serve", "--data", tmp_path / "data", *arguments]
    environment = clean_environment() | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--lab", "0.0.0.0:0"], {}, "lab: 0.0.0.0:0 can be reached from other machines"),
        (["--lab", "[::]:0"], {}, "can be reached from other machines"),
        ([], {"CALOTYPE_LAB": "192.0.2.1:1"}, "can be reached from other machines"),
        (["--lab", "127.0.0.1:0", "--listen", "0.0.0.0:0", "--insecure-http"], {}, "not while other machines"),
        (["--lab", "127.0.0.1:0", "--listen", "0.0.0.0:0", "--tls-self-signed"], {}, "not while other machines"),
        (["--lab", "here"], {}, "lab must be an address such as 127.0.0.1:8471"),
    ],
)
def test_it_is_for_this_machine_alone(tmp_path, arguments, environment, told):
    ended = serve(tmp_path, *arguments, **environment)
    assert ended.returncode == 1 and told in ended.stderr, ended.stderr
    assert ended.stdout == ""


def test_programs_come_in_and_pages_do_not(lab_shared, lab):
    def ask(method, path, body=None, **headers):
        connection = HTTPConnection("127.0.0.1", lab_shared.lab_port)
        connection.request(method, path, body, {name.title(): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    assert ask("GET", "/")[0] == 200
    refused = (403, {"error": "the lab is for programs of this machine"})
    assert ask("POST", "/worlds", b"{}", origin="http://localhost:3000") == refused
    assert ask("POST", "/worlds", b"{}", host="rebound.example") == refused
    assert ask("GET", "/nowhere")[0] == 404
    assert ask("DELETE", "/clock") == (405, {"error": "not by this method"})
    assert ask("POST", "/faults", b"[1]")[0] == 400
    assert ask("POST", "/faults", b"{")[0] == 400
