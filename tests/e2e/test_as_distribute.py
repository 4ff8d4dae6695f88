"""StartTaskForDistributeImage and the bytes of images: real copies in real folders, one for each region."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from appstream_refusals import (
    CREATING, NO_PERMISSION, NOT_EXIST, delete_must_fail, delete_must_succeed, invalid,
)  # fmt: skip
from appstream_shapes import check, check_deleted, check_error
from appstream_world import ALL_REGIONS, BYTES, HOME, LARGE, LARGE_BYTES, REGIONS, SYSTEM
from server import sha256, wait
from world import assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]

MORE = REGIONS[1:]
# A copy is tried six times, with growing pauses, before it counts as failed.
GIVES_UP_S = 30


@contextmanager
def broken(server, region):
    """A region whose folder cannot be used: a file is in its place. Its files are back afterwards."""
    folder = server.data / "objects" / region
    aside = folder.with_name(f"{region}.aside")
    folder.rename(aside)
    folder.write_text("not a folder")
    try:
        yield aside
    finally:
        folder.unlink()
        aside.rename(folder)


# Copies


def test_system_images_are_in_every_region_with_the_bytes_of_their_source(tenants):
    for image, source in ((SYSTEM, BYTES), (LARGE, LARGE_BYTES)):
        files = tenants.server.replicas(image)
        assert sorted(files) == ALL_REGIONS
        assert all(path.read_bytes() == source for path in files.values())
        assert tenants.owner.image(image)["ImageRegionList"] == ALL_REGIONS


def test_copies_are_real_and_identical(tenants):
    owner = tenants.owner
    image = owner.make_image()
    reply = owner.start_distribution(image, *MORE)
    check("StartTaskForDistributeImage", reply.body, "Code Data Message RequestId Success")
    assert (reply["Code"], reply["Message"], reply["Success"]) == ("200", "success", True)
    assert reply["Data"].startswith("tid-")
    listed = owner.reaches(image, *REGIONS) and owner.image(image)
    assert listed["ImageRegionList"] == sorted(REGIONS)
    [version] = {entry["VersionId"] for entry in listed["ImageRegionDistributeList"]}
    assert version == listed["VersionId"]

    files = tenants.server.replicas(image)
    assert sorted(files) == sorted(REGIONS)
    assert len({path.stat().st_ino for path in files.values()}) == 3
    assert all(path.read_bytes() == BYTES for path in files.values())
    rows = tenants.server.query("SELECT size_bytes, sha256 FROM replicas WHERE holder_id = ?", image)
    assert {(row["size_bytes"], row["sha256"]) for row in rows} == {
        (len(BYTES), sha256(files[HOME]))
    }


def test_an_image_of_a_workstation_begins_in_its_region(tenants):
    owner = tenants.owner
    workstation = owner.workstation(SYSTEM, BizRegionId="cn-shanghai")
    image = owner.make_image(workstation)
    assert owner.entries(image) == {"cn-shanghai": ("AVAILABLE", "100%")}
    assert list(tenants.server.replicas(image)) == ["cn-shanghai"]


def test_an_image_of_an_image_that_is_elsewhere_is_copied_over(tenants):
    owner = tenants.owner
    parent = owner.make_image()
    workstation = owner.workstation(parent, BizRegionId="cn-beijing")
    image = owner.make_image(workstation)
    [(region, path)] = tenants.server.replicas(image).items()
    assert region == "cn-beijing" and path.read_bytes() == BYTES


def test_a_region_that_has_the_version_is_left_as_it_is(tenants):
    owner = tenants.owner
    image = owner.make_image()
    owner.distribute(image, "cn-beijing")
    before = {region: path.stat().st_ino for region, path in tenants.server.replicas(image).items()}
    for _ in range(2):
        owner.start_distribution(image, *REGIONS, HOME)
    owner.reaches(image, *REGIONS)
    statuses = lambda: {status for status, _ in owner.entries(image).values()}
    wait("the copies to end", lambda: statuses() == {"AVAILABLE"})
    after = {region: path.stat().st_ino for region, path in tenants.server.replicas(image).items()}
    assert before.items() < after.items() and sorted(after) == sorted(REGIONS)


def test_source_region_and_version_may_be_named(tenants):
    owner = tenants.owner
    image = owner.make_image()
    version = owner.image(image)["LatestVersionId"]
    owner.distribute(image, "cn-beijing")
    owner.start_distribution(
        image, "cn-shanghai", SourceRegion="cn-beijing", VersionId=version, ProductType="WuyingServer",
        RetryType="RETRY",
    )  # fmt: skip
    owner.reaches(image, *REGIONS)
    rows = {
        row["region"]: row
        for row in tenants.server.query("SELECT id, region, source FROM replicas WHERE holder_id = ?", image)
    }
    assert rows["cn-shanghai"]["source"] == rows["cn-beijing"]["id"]


def test_progress_is_shown_while_it_goes_on(slow_making):
    owner = slow_making.owner
    asked = owner.ask_for_image()
    image = asked["ImageId"]
    making = owner.image(image)
    assert making["Status"] in ("INIT", "CREATING") and making["ImageRegionList"] == []
    [entry] = making["ImageRegionDistributeList"]
    assert entry == {
        "ImageId": image, "Progress": "0%", "RegionId": HOME, "Status": "INIT",
        "VersionId": asked["VersionId"],
    }  # fmt: skip
    owner.image_becomes(image, "AVAILABLE")
    assert owner.entries(image) == {HOME: ("AVAILABLE", "100%")}

    owner.start_distribution(image, *MORE)
    entries = owner.entries(image)
    assert entries == {HOME: ("AVAILABLE", "100%"), **dict.fromkeys(MORE, ("INIT", "0%"))}
    assert owner.image(image)["Status"] == "AVAILABLE"
    assert owner.image(image)["ImageRegionList"] == [HOME]
    owner.reaches(image, *REGIONS)
    assert owner.entries(image) == dict.fromkeys(REGIONS, ("AVAILABLE", "100%"))


def test_an_image_in_use_may_be_distributed(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image()
    owner.group(image)
    owner.share(image, other.account)
    owner.distribute(image, *MORE)
    assert other.image(image)["ImageRegionList"] == sorted(REGIONS)


# Refusals


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"DestinationRegionList": None}, invalid("DestinationRegionList")),
        ({"DestinationRegionList": ["cn-nowhere"]}, invalid("DestinationRegionList")),
        ({"DestinationRegionList": ["cn-shanghai", "../x"]}, invalid("DestinationRegionList")),
        ({"SourceRegion": "cn-beijing"}, invalid("SourceRegion")),
        ({"SourceRegion": "cn-nowhere"}, invalid("SourceRegion")),
        ({"VersionId": "iv-unknown"}, invalid("VersionId")),
        ({"ProductType": "Desktop"}, invalid("ProductType")),
        ({"ImageId": None}, NOT_EXIST),
        ({"ImageId": "img-unknown"}, NOT_EXIST),
        ({"ImageId": SYSTEM}, invalid("ImageId")),
    ],
)
def test_what_cannot_be_distributed_is_refused(tenants, params, expected):
    owner = tenants.owner
    image = owner.make_image()
    before = tenants.server.print_of(image)
    given = {"ImageId": image, "DestinationRegionList": ["cn-shanghai"]} | params
    refused = refusal(owner.call, "StartTaskForDistributeImage", **given)
    assert_refused(refused, *expected)
    check_error(refused.body, owner)
    assert tenants.server.print_of(image) == before


def test_only_the_owner_distributes(tenants):
    owner, other = tenants.owner, tenants.other
    private, shared, published = owner.make_images(3)
    owner.share(shared, other.account)
    owner.own("PublishCommunityImage", ImageId=published)
    assert_refused(refusal(other.start_distribution, private, *MORE), *NOT_EXIST)
    for image in (shared, published):
        assert_refused(refusal(other.start_distribution, image, *MORE), *invalid("ImageId"))
        assert list(owner.entries(image)) == [HOME]


def test_an_image_that_is_being_made_is_not_distributed(slow_making):
    owner = slow_making.owner
    image = owner.make_image(ready=False)
    assert_refused(refusal(owner.start_distribution, image, *MORE), *CREATING)
    owner.image_becomes(image, "AVAILABLE")
    owner.start_distribution(image, *MORE)


def test_ram_denies_distribution(ram_tenants):
    image = ram_tenants.owner.make_image()
    refused = refusal(ram_tenants.user("delete").start_distribution, image, *MORE)
    assert_refused(refused, *NO_PERMISSION)
    assert refused.body["AccessDeniedDetail"]["AuthAction"] == "appstreaming:StartTaskForDistributeImage"


# Regions and sources that fail


def test_a_region_that_cannot_be_written_fails_alone_and_may_be_tried_again(own_server):
    world = own_server()
    owner, server = world.owner, world.server
    image, untouched = owner.make_images(2)
    with broken(server, "cn-beijing"):
        owner.start_distribution(image, *MORE)
        owner.reaches(image, "cn-shanghai")
        delete_must_fail(owner, image, CREATING)
        failed = ("CREATE_FAILED", "0%")
        wait("the copy to fail", lambda: owner.entries(image)["cn-beijing"] == failed, GIVES_UP_S)
        listed = owner.image(image)
        assert listed["Status"] == "AVAILABLE"
        assert listed["ImageRegionList"] == [HOME, "cn-shanghai"]
        assert owner.images(BizRegionIdList=["cn-beijing"], ImageId=image) == []
        owner.group(image)
    owner.start_distribution(image, *MORE)
    owner.reaches(image, *REGIONS)
    assert owner.entries(image) == dict.fromkeys(REGIONS, ("AVAILABLE", "100%"))
    assert len({sha256(path) for path in server.replicas(image).values()}) == 1
    assert owner.image(untouched)["Status"] == "AVAILABLE"
    server.audit()


def test_a_region_that_comes_back_in_time_gets_its_copy(own_server):
    world = own_server()
    owner, server = world.owner, world.server
    image = owner.make_image()
    tries = "SELECT attempt FROM replicas WHERE holder_id = ? AND region = 'cn-beijing' AND attempt > 1"
    with broken(server, "cn-beijing"):
        owner.start_distribution(image, "cn-beijing")
        wait("a second attempt", lambda: server.query(tries, image))
    owner.reaches(image, "cn-beijing")
    server.audit()


def test_an_image_whose_region_cannot_be_written_fails_and_is_deleted(own_server):
    world = own_server()
    owner, server = world.owner, world.server
    workstation = owner.workstation(SYSTEM, BizRegionId="cn-beijing")
    with broken(server, "cn-beijing"):
        image = owner.make_image(workstation, ready=False)
        owner.image_becomes(image, "CREATE_FAILED", GIVES_UP_S)
        assert owner.image(image)["ImageRegionList"] == []
        assert_refused(refusal(owner.group, image), *CREATING)
        check_deleted(owner.delete(image).body)
    wait("the end of it", lambda: server.is_erased(image))
    server.audit()


def test_a_source_without_bytes_fails_the_copy_only(tenants):
    owner = tenants.owner
    image = owner.make_image()
    [path] = tenants.server.replicas(image).values()
    held = path.read_bytes()
    path.unlink()
    owner.start_distribution(image, *MORE)
    wait("the copies to fail", lambda: owner.entries(image)["cn-shanghai"][0] == "CREATE_FAILED")
    wait("the copies to fail", lambda: owner.entries(image)["cn-beijing"][0] == "CREATE_FAILED")
    assert owner.image(image)["ImageRegionList"] == [HOME]
    path.write_bytes(held)
    owner.distribute(image, *MORE)
    assert owner.entries(image) == dict.fromkeys(REGIONS, ("AVAILABLE", "100%"))


def test_spoilt_bytes_are_not_spread(tenants):
    owner = tenants.owner
    image = owner.make_image()
    [path] = tenants.server.replicas(image).values()
    held = path.read_bytes()
    path.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    owner.start_distribution(image, "cn-beijing")
    wait(
        "the copy to fail", lambda: owner.entries(image)["cn-beijing"][0] == "CREATE_FAILED", GIVES_UP_S
    )
    assert list(tenants.server.replicas(image)) == [HOME]
    path.write_bytes(held)
    delete_must_succeed(owner, image)


def test_a_source_that_is_deleted_meanwhile_stays_until_it_is_copied(slow_making):
    owner = slow_making.owner
    parent = owner.make_image()
    workstation = owner.workstation(parent)
    child = owner.make_image(workstation, ready=False)
    owner.delete_workstation(workstation)
    check_deleted(owner.delete(parent).body)
    assert owner.image(parent) is None and owner.image(child)["Status"] == "INIT", "checked too late"
    owner.image_becomes(child, "AVAILABLE")
    [path] = slow_making.server.replicas(child).values()
    assert path.read_bytes() == BYTES
    wait("the parent's bytes to be erased", lambda: slow_making.server.is_erased(parent))


@pytest.mark.parametrize("away", ["a file in its place", "no folder at all"])
def test_a_region_that_is_away_keeps_no_bytes_in_the_end(own_server, away):
    world = own_server()
    owner, server = world.owner, world.server
    image = owner.make_image()
    owner.distribute(image, *MORE)
    files = server.replicas(image)
    with broken(server, "cn-beijing") as aside:
        if away == "no folder at all":
            (server.data / "objects" / "cn-beijing").unlink()
        check_deleted(owner.delete(image).body)
        wait("the others", lambda: not (files[HOME].exists() or files["cn-shanghai"].exists()))
        assert owner.image(image) is None
        assert (aside / files["cn-beijing"].name).exists()
        states = "SELECT state, attempt FROM replicas WHERE holder_id = ? AND region = 'cn-beijing'"
        wait("an attempt", lambda: server.query(states, image)[0]["attempt"] > 0)
        if away == "no folder at all":
            (server.data / "objects" / "cn-beijing").write_text("not a folder")
    wait("the bytes to be erased", lambda: not files["cn-beijing"].exists(), GIVES_UP_S)
    wait("the end of it", lambda: server.is_erased(image))
    server.audit()


def test_times_of_an_image_are_in_utc(tenants):
    entry = tenants.owner.image(tenants.owner.make_image())
    made = datetime.strptime(entry["GmtCreate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
    assert entry["GmtModified"] >= entry["GmtCreate"]
