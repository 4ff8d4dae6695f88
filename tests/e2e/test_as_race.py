"""App Streaming DeleteImage against everything that begins to use an image, at the same moment (D49).

Whatever the order: never a template, use, share or live copy of a deleted image.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from appstream_refusals import COMMUNITY_PARENT, CREATING, IN_USE, NOT_EXIST, SHARED_OUT
from appstream_shapes import check_deleted
from appstream_world import HOME, REGIONS, SYSTEM
from clients import Refused
from server import wait

pytest_plugins = ["appstream_fixtures"]

ROUNDS = 30
MAKERS = 4
LEAD_S = 0.004

LEFT_OVER = {
    "templates": "SELECT * FROM templates WHERE image_id = ?",
    "uses": "SELECT * FROM usages WHERE image_id = ?",
    "shares": "SELECT * FROM shares WHERE image_id = ?",
    "consumers": "SELECT * FROM instances WHERE image_id = ?",
    "switches": "SELECT * FROM instances WHERE reinit_image_id = ?",
    "live copies": "SELECT * FROM replicas WHERE holder_id = ? AND state NOT IN ('erasing', 'erased')",
}


def told(call):
    """What became of a call: None if it was accepted, else the refusal as status, code and message."""
    try:
        call()
        return None
    except Refused as refused:
        return refused.status, refused.code, refused.message


def at_once(first, second, lead_s):
    """Makes two calls in threads of their own, one of them a little ahead, and tells what became of each."""
    barrier, results = threading.Barrier(2), [None, None]

    def run(place, call, pause_s):
        barrier.wait()
        time.sleep(pause_s)
        results[place] = told(call)

    threads = [
        threading.Thread(target=run, args=(0, first, max(0, -lead_s))),
        threading.Thread(target=run, args=(1, second, max(0, lead_s))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def made(owner, make):
    """As many things as there are rounds."""
    with ThreadPoolExecutor(MAKERS) as pool:
        return list(pool.map(lambda _: make(), range(ROUNDS)))


def race(world, images, rival, blocked):
    """Lets `rival(image)` run against the delete of each image.

    `blocked` is what the delete says when it comes too late. Gives how many of the rounds the delete won,
    how many the rival, and how many were accepted both, one after the other.
    """
    owner, chance = world.owner, random.Random(5)
    won = {"delete": 0, "rival": 0, "both": 0}
    for image in images:
        delete = lambda: check_deleted(owner.delete(image).body)
        began, deleted = at_once(lambda: rival(image), delete, chance.uniform(-LEAD_S, LEAD_S))
        if deleted is None:
            assert began in (None, NOT_EXIST), began
            won["delete" if began else "both"] += 1
            assert owner.image(image) is None
            for what, statement in LEFT_OVER.items():
                assert world.server.query(statement, image) == [], what
        else:
            assert (began, deleted) == (None, blocked)
            won["rival"] += 1
            assert owner.image(image)
    assert sum(won.values()) == ROUNDS
    return won


@pytest.mark.parametrize("kind", ["group", "workstation"])
def test_d49_delete_against_creating_a_consumer(tenants, kind):
    owner = tenants.owner
    won = race(tenants, made(owner, owner.make_image), getattr(owner, kind), IN_USE)
    assert won["both"] == 0


def test_d49_delete_against_moving_a_group(tenants):
    owner = tenants.owner
    images = made(owner, owner.make_image)
    group = owner.group(SYSTEM)

    def move(image):
        wait("the group to settle", lambda: owner.get_group(group)["Status"] == "PUBLISHED")
        owner.move_group(group, image)

    won = race(tenants, images, move, IN_USE)
    assert won["both"] == 0


def test_d49_delete_against_moving_a_workstation(tenants):
    owner = tenants.owner
    images = made(owner, owner.make_image)
    workstation = owner.workstation(SYSTEM)

    def move(image):
        wait("it to settle", lambda: owner.get_workstation(workstation)["Status"] == "RUNNING")
        owner.move_workstation(workstation, image)

    assert race(tenants, images, move, IN_USE)["both"] == 0


def test_d49_delete_against_creating_a_template(tenants):
    owner = tenants.owner
    won = race(tenants, made(owner, owner.make_image), owner.template, None)
    assert won["rival"] == 0, "templates never keep an image"
    assert owner.templates() == set()


def test_d49_delete_against_moving_a_template(tenants):
    owner = tenants.owner
    images = made(owner, owner.make_image)

    def move(image):
        owner.ecd("ModifyTemplate", TemplateId=templates[image], ImageId=image)

    templates = {image: owner.template(SYSTEM) for image in images}
    won = race(tenants, images, move, None)
    # A template that was moved in time went with its image; one that was not is still where it was.
    assert owner.templates() == owner.templates(ImageId=SYSTEM)
    assert len(owner.templates()) == won["delete"]


def test_d49_delete_against_deleting_a_template(tenants):
    owner = tenants.owner
    images = made(owner, owner.make_image)
    templates = {image: owner.template(image) for image in images}
    chance = random.Random(6)
    for image in images:
        removed, deleted = at_once(
            lambda: owner.ecd("DeleteTemplates", TemplateIds=[templates[image]]),
            lambda: owner.delete(image),
            chance.uniform(-LEAD_S, LEAD_S),
        )
        # A template that vanished before the delete is simply not there (D41).
        assert deleted is None and removed in (None, (400, "InvalidTemplate.NotFound", "Template not found."))
    assert owner.templates() == set()


def test_d49_delete_against_sharing(tenants):
    owner, other = tenants.owner, tenants.other
    won = race(
        tenants, made(owner, owner.make_image), lambda image: owner.share(image, other.account), SHARED_OUT
    )
    assert won["both"] == 0
    assert len(other.images(ImageType="Shared")) == won["rival"]


def test_d49_delete_against_distributing(tenants):
    owner, server = tenants.owner, tenants.server
    images = made(owner, owner.make_image)
    # A copy may have ended before the delete came, so both may be accepted.
    race(tenants, images, lambda image: owner.start_distribution(image, *REGIONS), CREATING)
    wait("the work to be done", server.is_quiet)
    for image in images:
        if owner.image(image):
            assert owner.image(image)["ImageRegionList"] == sorted(REGIONS)
        else:
            assert server.is_erased(image)


def test_d49_delete_against_distributing_that_takes_a_while(slow_making):
    owner = slow_making.owner
    images = [owner.make_image(ready=False) for _ in range(ROUNDS)]
    for image in images:
        owner.image_becomes(image, "AVAILABLE")
    won = race(slow_making, images, lambda image: owner.start_distribution(image, "cn-beijing"), CREATING)
    assert won["both"] == 0


def test_d49_delete_against_publishing_a_child(tenants):
    owner = tenants.owner
    parents = made(owner, owner.make_image)
    with ThreadPoolExecutor(MAKERS) as pool:
        children = dict(zip(parents, pool.map(owner.make_child, parents), strict=True))
    chance = random.Random(7)
    for parent, child in children.items():
        published, deleted = at_once(
            lambda: owner.own("PublishCommunityImage", ImageId=child),
            lambda: owner.delete(parent),
            chance.uniform(-LEAD_S, LEAD_S),
        )
        assert deleted in (None, COMMUNITY_PARENT)
        if deleted:
            assert published is None and owner.image(child)["ImageType"] == "Community"
            assert owner.image(parent)
        else:
            # A child that was published although its parent is gone was published after that.
            assert owner.image(child)["ImageType"] == ("User" if published else "Community")


def test_d49_delete_against_a_template_of_another_account(tenants):
    owner, other = tenants.owner, tenants.other
    images = made(owner, owner.make_image)
    for image in images:
        owner.own("PublishCommunityImage", ImageId=image)
    race(tenants, images, other.template, None)
    assert other.templates() == set()


def test_d49_delete_against_a_bundle(tenants):
    owner = tenants.owner
    images = made(owner, owner.make_image)

    def delete(image):
        owner.ecd("DeleteImages", RegionId=HOME, ImageId=[image])

    chance = random.Random(8)
    for image in images:
        bundled, deleted = at_once(
            lambda: owner.bundle(image), lambda: delete(image), chance.uniform(-LEAD_S, LEAD_S)
        )
        assert (bundled, deleted) in ((None, IN_USE), (NOT_EXIST, None))
        assert bool(owner.bundles(ImageId=[image])) == (bundled is None)
