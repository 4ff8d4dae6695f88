"""App Streaming DeleteImage: after a delete, twice, at the same time, and across restarts (D45 to D51)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from appstream_refusals import (
    COMMUNITY_PARENT, IN_USE, NOT_EXIST, SHARED_OUT, delete_must_fail, delete_must_succeed,
)  # fmt: skip
from appstream_shapes import check_deleted
from appstream_world import REGIONS, SYSTEM
from clients import Refused
from server import sha256, wait
from world import assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]


# D45


@pytest.mark.parametrize("algorithm", ["acs3", "v1", "sm3"])
def test_d45_a_second_delete_finds_nothing(tenants, algorithm):
    owner = tenants.owner
    image = owner.make_image()
    delete_must_succeed(owner, image, algorithm)
    for _ in range(2):
        delete_must_fail(owner, image, NOT_EXIST, algorithm)
    assert len(tenants.server.query("SELECT * FROM deletions WHERE image_id = ?", image)) == 1


# D47


def test_d47_a_refused_delete_changes_nothing(tenants):
    owner, other = tenants.owner, tenants.other
    image = owner.make_image(TagList=[{"Key": "team", "Value": "a"}])
    owner.distribute(image, *REGIONS[1:])
    child = owner.make_published_child(image)
    owner.share(image, other.account)
    templates = {owner.template(image) for _ in range(2)}
    owner.bundle(image)
    group = owner.group(image)
    listed = owner.image(image)
    hashes = {region: sha256(path) for region, path in tenants.server.replicas(image).items()}

    delete_must_fail(owner, image, SHARED_OUT)
    owner.unshare(image, other.account)
    delete_must_fail(owner, image, COMMUNITY_PARENT)
    owner.own("WithdrawCommunityImage", ImageId=child)
    delete_must_fail(owner, image, IN_USE)

    assert owner.image(image) == listed
    assert owner.templates(ImageId=image) == templates
    assert owner.get_group(group)["AppCenterImageId"] == image
    assert {region: sha256(path) for region, path in tenants.server.replicas(image).items()} == hashes
    assert set(hashes) == set(REGIONS)
    assert tenants.server.query("SELECT * FROM deletions WHERE image_id = ?", image) == []


# D48


def test_d48_one_of_several_deletes_succeeds(tenants):
    owner, callers = tenants.owner, 6
    images = owner.make_images(5)
    for image in images:
        owner.template(image)
    barrier = Barrier(callers)

    def delete(image):
        barrier.wait()
        try:
            return owner.delete(image)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(callers) as pool:
        for image in images:
            answers = list(pool.map(delete, [image] * callers))
            refused = [answer for answer in answers if isinstance(answer, Refused)]
            assert len(refused) == callers - 1
            for one in refused:
                assert_refused(one, *NOT_EXIST)
            [accepted] = [answer for answer in answers if answer not in refused]
            check_deleted(accepted.body)
            assert len(tenants.server.query("SELECT * FROM deletions WHERE image_id = ?", image)) == 1
    assert owner.templates() == set()


# D50


def make_full(owner):
    """An image in three regions, with templates."""
    image = owner.make_image()
    owner.distribute(image, *REGIONS[1:])
    return image, {owner.template(image) for _ in range(2)}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_d50_a_delete_outlives_the_server(own_server, how):
    world = own_server()
    owner, server = world.owner, world.server
    gone, gone_templates = make_full(owner)
    kept, kept_templates = make_full(owner)
    owner.share(kept, world.other.account)
    files = {**server.replicas(gone)}
    check_deleted(owner.delete(gone).body)
    refused = refusal(owner.delete, kept)
    assert_refused(refused, *SHARED_OUT)
    before = server.print_of(kept)

    getattr(server, how)()
    server.start()

    assert owner.image(gone) is None
    delete_must_fail(owner, gone, NOT_EXIST)
    assert owner.templates() == kept_templates and not gone_templates & kept_templates
    wait("the bytes to be erased", lambda: server.is_erased(gone))
    assert not any(path.exists() for path in files.values())
    assert server.print_of(kept) == before
    assert owner.image(kept)["ImageRegionList"] == sorted(REGIONS)
    assert world.other.image(kept)["ImageType"] == "Shared"
    owner.unshare(kept, world.other.account)
    delete_must_succeed(owner, kept)
    server.audit()


def test_d50_uses_and_publications_outlive_the_server(own_server):
    world = own_server()
    owner, server = world.owner, world.server
    used, parent = owner.make_images(2)
    group = owner.group(used)
    owner.make_published_child(parent)
    server.kill()
    server.start()
    delete_must_fail(owner, used, IN_USE)
    delete_must_fail(owner, parent, COMMUNITY_PARENT)
    owner.delete_group(group)
    delete_must_succeed(owner, used)
    server.audit()


def test_d50_copies_go_on_after_a_restart(own_server):
    world = own_server(image="300ms")
    owner, server = world.owner, world.server
    image = owner.make_image()
    making = owner.make_image(ready=False)
    owner.start_distribution(image, *REGIONS)
    server.kill()
    server.start()
    owner.reaches(image, *REGIONS)
    owner.image_becomes(making, "AVAILABLE")
    assert len({sha256(path) for path in server.replicas(image).values()}) == 1
    for one in (image, making):
        delete_must_succeed(owner, one)
    server.audit()


def test_d50_system_images_are_made_once(own_server):
    world = own_server()
    before = world.server.print_of(SYSTEM)
    world.server.restart()
    assert world.server.print_of(SYSTEM) == before


# D51


def test_d51_ids_are_not_used_again(tenants):
    owner = tenants.owner
    seen = set()
    for _ in range(3):
        image = owner.ask_for_image()
        ids = set(image.values())
        owner.image_becomes(image["ImageId"], "AVAILABLE")
        ids |= {owner.template(image["ImageId"])}
        assert not ids & seen
        seen |= ids
        delete_must_succeed(owner, image["ImageId"])
    ids = tenants.server.query("SELECT id FROM images WHERE owner = ?", owner.account)
    assert {row["id"] for row in ids} <= seen


# What went with an image


def test_nothing_of_a_deleted_image_is_left_but_its_deletion(tenants):
    owner = tenants.owner
    image = owner.make_image(TagList=[{"Key": "team", "Value": "a"}])
    owner.template(image)
    delete_must_succeed(owner, image)
    kept = tenants.server.print_of(image)
    assert kept["tags"] == []
    assert kept["versions"] == kept["templates"] == kept["shares"] == kept["usages"] == []
    assert owner.images(TagList=[{"Key": "team"}]) == []
