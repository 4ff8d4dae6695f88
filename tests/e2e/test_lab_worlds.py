"""The lab's worlds: accounts on demand, what they have from the beginning, what they are recorded to do, their end."""

import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from appstream_world import HOME
from clients import STS
from lab_world import problem
from policies import allow
from server import wait
from shapes import is_time
from world import NODE, SMALL, refusal

pytest_plugins = ["lab_fixtures"]

SEED = {
    "images": [
        {"name": "golden", "content": "the first"},
        {"name": "app", "api": "appstreaming", "regions": [HOME, "cn-beijing"], "size_gib": 3},
        {"name": "child", "api": "appstreaming", "parent": "app", "published": True},
    ],
    "instances": [{"name": "web", "image": "golden", "params": {"Tag": [{"Key": "team", "Value": "a"}]}}],
    "groups": [{"name": "group", "image": "app"}],
    "workstations": [{"name": "desk", "image": "app"}],
    "templates": [{"name": "template", "image": "app"}],
    "bundles": [{"name": "bundle", "image": "app"}],
}


def test_a_fresh_account_sees_only_what_is_public(one):
    owner = one.caller()
    assert owner.images() == []
    assert {image["ImageOwnerAlias"] for image in owner.call("DescribeImages")["Images"]["Image"]} == {"system"}
    assert re.fullmatch(r"19\d{14}", one.account)


def test_users_and_roles_with_policies(lab_shared, lab):
    users = [
        {"name": "reader", "statements": [allow("ens:Describe*")]}, {"name": "nobody"},
        {"name": "ci", "statements": [allow("sts:AssumeRole", "acs:ram::{account}:role/builder")]},
    ]  # fmt: skip
    roles = [{"name": "builder", "statements": [allow("ens:*")], "max_session_duration": "2h"}]
    with lab_shared.world(users=users, roles=roles) as world:
        assert world.caller("reader").call("DescribeImages").status == 200
        assert refusal(world.caller("reader").delete, "m-1").code == "NoPermission"
        assert refusal(world.caller("nobody").call, "DescribeImages").code == "NoPermission"
        arn = world.roles["builder"]
        assert arn == f"acs:ram::{world.account}:role/builder"
        sdk = world.caller("ci").sdk("new")
        given = sdk.call_other(STS, "AssumeRole", RoleArn=arn, RoleSessionName="night", DurationSeconds="7200")
        assert given["AssumedRoleUser"]["Arn"] == f"{arn}/night"


def test_many_worlds_side_by_side_do_not_see_each_other(lab_shared, lab):
    def live(number):
        with lab_shared.world(name=str(number)) as world:
            owner = world.caller()
            image = owner.import_image(SMALL)
            assert [entry["ImageId"] for entry in owner.images()] == [image]
            instance = owner.launch(image)
            assert refusal(owner.delete, image).code == "Forbidden.DelerrorteImage"
            owner.release(instance)
            assert owner.delete(image).status == 200
            return world.account

    with ThreadPoolExecutor(8) as pool:
        accounts = list(pool.map(live, range(40)))
    assert len(set(accounts)) == 40
    assert not {world["account"] for world in lab.worlds()} & set(accounts)


def test_hundreds_of_worlds(lab_shared, lab):
    worlds = [lab_shared.world() for _ in range(300)]
    assert len({world.account for world in worlds}) == 300
    assert worlds[0].caller().images() == worlds[299].caller().images() == []
    for world in worlds:
        world.remove()


def test_a_world_is_removed_with_everything_and_what_stands_on_it(lab_shared, lab):
    world, other = lab_shared.world(seed=SEED), lab_shared.world()
    owner, image = world.caller(), world["golden"]
    snapshot = owner.create_snapshot(world["web"])
    owner.share(image, other.account)
    guest = other.caller().launch(image)
    assert other.caller().instance(guest)["ImageId"] == image
    world.remove()
    # What ran on its images went with them; nothing else of the other world did.
    assert other.caller().instance(guest) is None
    assert other.caller().launch()
    assert refusal(owner.call, "DescribeImages").code == "InvalidAccessKeyId.NotFound"
    for name in ("golden", "app", "child"):
        wait("the bytes to be erased", lambda name=name: world.server.is_erased(world[name]))
    query = world.server.query
    gone = [("instances", "owner"), ("templates", "owner"), ("bundles", "owner"), ("snapshots", "owner"),
            ("usages", "consumer_owner"), ("sessions", "account")]  # fmt: skip
    assert [query(f"SELECT 1 FROM {table} WHERE {column} = ?", world.account) for table, column in gone] == [[]] * 6
    wait("the snapshot to be erased", lambda: not query(
        "SELECT 1 FROM replicas WHERE holder_id = ? AND state <> 'erased'", snapshot))  # fmt: skip
    assert problem(world.remove) == (404, "there is no such world")
    other.remove()


def test_a_reload_of_the_configuration_keeps_the_worlds(lab_alone):
    server = lab_alone("")
    world = server.world()
    told = server.stderr().count("configuration reloaded")
    os.kill(server.process.pid, signal.SIGHUP)
    wait("the reload", lambda: server.stderr().count("configuration reloaded") > told)
    assert world.caller().images() == []


def test_a_seed_makes_what_it_says(lab_shared, lab):
    with lab_shared.world(seed=SEED) as world:
        owner, tenant = world.caller(), world.tenant()
        assert owner.image(world["golden"])["Status"] == "Available"
        web = owner.instance(world["web"])
        assert (web["ImageId"], web["EnsRegionId"], web["Status"]) == (world["golden"], NODE, "Running")
        assert web["Tags"]["Tags"] == [{"TagKey": "team", "TagValue": "a"}]
        app = tenant.image(world["app"])
        assert (sorted(app["ImageRegionList"]), app["SystemDiskSize"]) == (["cn-beijing", HOME], 3)
        child = tenant.image(world["child"])
        assert (child["ImageType"], child["ParentImageId"]) == ("Community", world["app"])
        assert tenant.get_group(world["group"])["AppCenterImageId"] == world["app"]
        assert tenant.get_workstation(world["desk"])["ImageId"] == world["app"]
        assert tenant.templates() == {world["template"]}
        assert tenant.bundles() == {world["bundle"]}
        # Whatever it is, it can be deleted in the documented order.
        assert refusal(tenant.delete, world["app"]).code == "ImageDeleteFailed.NotAllowCommunityParent"


def test_a_seed_shares_and_holds(lab_shared, lab):
    with lab_shared.world() as other:
        seed = {
            "images": [{"name": "golden", "shared_with": [other.account]}, {"name": "held", "state": "Packing"}],
            "instances": [{"name": "web", "image": "golden", "state": "Stopping"}],
        }
        with lab_shared.world(seed=seed) as world:
            shared = other.caller().call("DescribeImages", ImageId=world["golden"])["Images"]["Image"]
            assert [image["ImageOwnerAlias"] for image in shared] == ["others"]
            assert world.caller().image(world["held"])["Status"] == "Packing"
            assert world.caller().instance(world["web"])["Status"] == "Stopping"
            assert len(lab.holds()) == 2
        assert lab.holds() == []


def test_a_seed_in_toml(lab_shared, lab):
    text = b"""
        name = "from a file"
        [[seed.images]]
        name = "golden"
        region_count = 1
    """
    status, told = problem(lab.request, "POST", "/worlds", text, "application/toml")
    assert status == 400 and "unknown field `region_count`" in told
    made = lab.request("POST", "/worlds", text.replace(b"region_count = 1", b"size_gib = 4"), "application/toml")
    world = type(lab_shared.world())(lab_shared, made)
    assert world.caller().image(world["golden"])["ImageSize"] == "4"
    world.remove()


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"colour": "red"}, "unknown field `colour`"),
        ({"users": [{"name": "a", "statements": [{"Effect": "Perhaps"}]}]}, "policy only"),
        ({"roles": [{"name": "no blanks"}]}, "1 to 64 letters"),
        ({"users": [{"name": f"u{n}"} for n in range(101)]}, "100 users"),
        ({"seed": {"images": [{"name": "a", "api": "ecs"}]}}, "api is ens or appstreaming"),
        ({"seed": {"images": [{"name": "a", "size_gib": 0}]}}, "size_gib is from 1"),
        ({"seed": {"images": [{"name": "a", "regions": ["mars"]}]}}, "no region mars"),
        ({"seed": {"images": [{"name": "a", "regions": [HOME, "cn-beijing"]}]}}, "in one region"),
        ({"seed": {"images": [{"name": "a"}, {"name": "a"}]}}, "two things are called a"),
        ({"seed": {"images": [{"name": "a", "state": "Melting"}]}}, "no state of transition"),
        ({"seed": {"instances": [{"name": "web", "image": "b"}]}}, "InvalidParameter.ImageId"),
        ({"seed": {"instances": [{"name": f"i{n}", "image": "a"} for n in range(1001)]}}, "1000 things"),
        ({"saved": {"form": "x", "account": "1", "people": {}, "rows": {}, "objects": {}}}, "calotype-world-1"),
    ],
)
def test_of_what_cannot_be_made_nothing_is(lab, wanted, told):
    before = lab.worlds()
    status, text = problem(lab.world, **wanted)
    assert status in (400, 413) and told in text, text
    assert lab.worlds() == before


# Saved worlds


def test_a_saved_world_is_loaded_as_it_was(lab_shared, lab):
    users = [{"name": "ci", "statements": [allow("ens:*")]}]
    with lab_shared.world(seed=SEED, users=users) as world:
        owner, tenant = world.caller(), world.tenant()
        owner.reinit(world["web"], "centos_6_08_64_20G_alibase_20171208")
        owner.reinit(world["web"], world["golden"])
        snapshot = owner.create_snapshot(world["web"])
        saved = json.loads(json.dumps(world.save()))
        for secret in (world.access_key_secret, world.access_key_id, world.users["ci"]["access_key_secret"]):
            assert secret not in json.dumps(saved)
        before = [owner.instance(world["web"]), tenant.image(world["app"]), owner.snapshot(snapshot)]
        bytes_before = lab_shared.object(world["golden"]).read_bytes()
    # The world is gone; what was saved is not.
    with lab_shared.world(saved=saved) as again:
        owner, tenant = again.caller("ci"), again.tenant()
        ids = again.ids
        golden, web = ids[world["golden"]], ids[world["web"]]
        after = [owner.instance(web), tenant.image(ids[world["app"]]), owner.snapshot(ids[snapshot])]
        names = ids | {world.account: again.account}
        renamed = json.dumps(before)
        for old, new in names.items():
            renamed = renamed.replace(old, new)
        assert json.loads(renamed) == after
        assert lab_shared.object(golden).read_bytes() == bytes_before
        # It is a world like any other: an instance that was switched blocks in its own way.
        assert refusal(owner.delete, golden).code == "Error.DeleteImage"
        owner.release(web)
        assert owner.delete(golden).status == 200


def test_a_held_state_is_saved_too(lab_shared, lab):
    seed = {"images": [{"name": "golden", "state": "Uploading"}]}
    with lab_shared.world(seed=seed) as world, lab_shared.world(saved=world.save()) as again:
        image = again.ids[world["golden"]]
        assert again.caller().image(image)["Status"] == "Uploading"
        hold = again.hold(image=image, state="Uploading")
        hold.release()
        assert again.caller().image(image)["Status"] == "Available"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda saved: saved["rows"]["images"][0].__setitem__(2, "1000000000000001"), "an owner"),
        (lambda saved: saved["rows"]["images"][0].append("more"), "images"),
        (lambda saved: saved["rows"]["images"][0].__setitem__(0, [1]), "texts, numbers and nulls"),
        (lambda saved: saved["rows"]["images"].append(saved["rows"]["images"][0]), "another state"),
        (lambda saved: saved["rows"]["replicas"][0].__setitem__(8, "../../escaped"), "the key of a replica"),
        (lambda saved: saved["objects"].clear(), "bytes of a replica"),
        (lambda saved: saved["rows"]["usages"][0].__setitem__(0, "m-elsewhere"), "the image m-elsewhere"),
    ],
)
def test_of_what_does_not_fit_nothing_is_loaded(lab_shared, lab, change, told):
    seed = {"images": [{"name": "golden"}], "instances": [{"name": "web", "image": "golden"}]}
    with lab_shared.world(seed=seed) as world:
        saved = world.save()
        change(saved)
        files, images = set(lab_shared.objects()), lab_shared.query("SELECT COUNT(*) AS n FROM images")
        status, text = problem(lab.world, saved=saved)
        assert status in (400, 409) and told in text, text
        assert (set(lab_shared.objects()), lab_shared.query("SELECT COUNT(*) AS n FROM images")) == (files, images)


# Records


def story(world):
    """The same few calls in each world."""
    owner = world.caller()
    image = owner.import_image(SMALL, ready=False)
    wait("it to be there", lambda: lab_state(world, image) == "available")
    world.forget_record()
    instance = owner.launch(image, InstanceName="web")
    assert refusal(owner.delete, image).code == "Forbidden.DelerrorteImage"
    owner.release(instance)
    owner.delete(image)
    return world.record(), world.record("plain")


def lab_state(world, image):
    return world.server.query("SELECT state FROM images WHERE id = ?", image)[0]["state"]


def test_two_runs_of_the_same_story_have_the_same_record(lab_shared, lab):
    with lab_shared.world() as one, lab_shared.world() as two:
        (first, plain), (second, other_plain) = story(one), story(two)
        assert first == second
        assert plain != other_plain
        entries = first["entries"]
        launched, *_, deleted = entries
        assert (launched["operation"], launched["status"]) == ("RunInstances", 200)
        assert launched["answer"] == {"InstanceIds": ["<instance-1>"], "OrderId": "", "RequestId": "<request-1>"}
        assert launched["parameters"]["ImageId"] == "<image-1>"
        assert (deleted["operation"], deleted["answer"]["Code"]) == ("DeleteImage", 0)
        refused = next(entry for entry in entries if entry["status"] == 400)
        assert refused["answer"]["Code"] == "Forbidden.DelerrorteImage"
        assert plain["entries"][0]["answer"]["RequestId"] != "<request-1>"
        times = [entry for entry in plain["entries"] if entry["operation"] == "DescribeInstances"]
        assert is_time(times[0]["answer"]["Instances"]["Instance"][0]["CreationTime"])


def test_a_record_has_no_secrets(lab_shared, lab):
    users = [{"name": "ci", "statements": [allow("sts:AssumeRole")]}]
    with lab_shared.world(users=users, roles=[{"name": "builder"}]) as world:
        sdk = world.caller("ci").sdk("new")
        arn = world.roles["builder"]
        given = sdk.call_other(STS, "AssumeRole", RoleArn=arn, RoleSessionName="night")["Credentials"]
        launch = {"PasswordInherit": None, "Password": "Secret-123"}
        assert refusal(world.caller().launch, "m-none", **launch).code == "InvalidParameter.ImageId"
        for form in ("marked", "plain"):
            text = json.dumps(world.record(form))
            secrets = [given[name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")]
            secrets += ["Secret-123", world.access_key_id, world.users["ci"]["access_key_id"], "Signature"]
            for secret in secrets:
                assert secret not in text
            assert text.count("<removed>") >= 4
        log = world.server.stderr()
        assert world.access_key_secret not in log and given["AccessKeySecret"] not in log


def test_each_world_has_its_own_record(one, lab_shared):
    with lab_shared.world() as other:
        other.caller().call("DescribeImages")
        assert one.record()["entries"] == []
        assert [entry["operation"] for entry in other.record()["entries"]] == ["DescribeImages"]
        assert problem(one.record, "other") == (400, "form is marked or plain")
