"""After a delete, twice, and at the same time: requirements D45 to D51."""

import threading
from concurrent.futures import ThreadPoolExecutor

from clients import Refused
from server import wait
from test_delete_image import INVALID_IMAGE_ID, NOT_EXIST, USED_OTHERWISE, USED_TO_CREATE
from world import Caller, assert_refused, refusal

# Rounds of each race. Enough for a few hundred, few enough for half a minute.
DELETE_ROUNDS = 100
RUN_ROUNDS = 200
REINIT_ROUNDS = 150


def outcome(call, *args, **params):
    """The reply of a call, or its refusal as status, code and message."""
    try:
        return call(*args, **params)
    except Refused as refused:
        return refused.status, refused.code, refused.message


def at_once(*calls):
    """Makes several calls at the same moment, each in a thread of its own, and gives their outcomes."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(10)
        return outcome(call)

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result(60) for future in [threads.submit(run, call) for call in calls]]


class Images:
    """A supply of available images: those that a round has left over come first."""

    def __init__(self, owner):
        self.owner, self.ready = owner, []

    def take(self):
        if not self.ready:
            self.ready = self.owner.import_images(25)
        return self.ready.pop()


def test_d45_a_second_delete_finds_nothing(world, generation):
    image = world.owner.import_image()
    sdk = world.owner.sdk(generation)
    assert sdk.call("DeleteImage", ImageId=image)["Code"] == 0
    for _ in range(3):
        assert_refused(refusal(sdk.call, "DeleteImage", ImageId=image), *NOT_EXIST)
    wait("the bytes to be erased", lambda: world.server.is_erased(image))
    assert_refused(refusal(sdk.call, "DeleteImage", ImageId=image), *NOT_EXIST)
    assert len(world.server.query("SELECT * FROM deletions WHERE image_id = ?", image)) == 1


def test_d46_a_repeated_delete_is_not_bent_to_terraforms_idea_of_not_found(world):
    """Terraform takes HTTP 404 and messages with `NotFound` for "gone"; the real service sends neither."""
    raw = world.owner.raw
    image = world.owner.import_image()
    assert raw.call("DeleteImage", {"ImageId": image}).body["Code"] == 0
    assert raw.call("DescribeSelfImages", {"ImageId": image}).body["Images"]["Image"] == []
    refused = refusal(raw.call, "DeleteImage", {"ImageId": image})
    assert_refused(refused, *NOT_EXIST)
    assert "NotFound" not in str(refused.body)


def test_d47_a_refused_delete_leaves_shares_uses_and_bytes(world):
    owner, other = world.owner, world.other
    image = owner.import_image()
    owner.share(image, other.account)
    instance = other.launch(image)
    before, content = world.server.print_of(image), world.server.object(image).read_bytes()
    for _ in range(3):
        assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)
        assert_refused(refusal(other.delete, image), 400, "NoPermission", "Permission denied.")
    assert world.server.print_of(image) == before
    assert world.server.object(image).read_bytes() == content
    assert other.image(image) and owner.image(image)
    second = other.launch(image)
    other.release(instance)
    other.release(second)


def test_d48_of_deletes_at_once_exactly_one_succeeds(world):
    owner = world.owner
    callers = [Caller(world.server, owner.key) for _ in range(4)]
    images = Images(owner)
    for _ in range(DELETE_ROUNDS):
        image = images.take()
        outcomes = at_once(*(lambda caller=caller: caller.delete(image).body["Code"] for caller in callers))
        assert sorted(map(str, outcomes)) == sorted(map(str, [0, NOT_EXIST, NOT_EXIST, NOT_EXIST]))
        assert len(world.server.query("SELECT * FROM deletions WHERE image_id = ?", image)) == 1
    assert len(owner.images()) == min(10, len(images.ready))


def test_d48_holds_for_both_generations_against_each_other(world):
    calls = [world.owner.sdk(generation).call for generation in ("new", "old", "v2")]
    for image in world.owner.import_images(20):
        outcomes = at_once(*(lambda call=call: call("DeleteImage", ImageId=image).body["Code"] for call in calls))
        assert sorted(map(str, outcomes)) == sorted(map(str, [0, NOT_EXIST, NOT_EXIST]))


def test_d49_a_delete_and_a_launch_never_both_succeed(world):
    """Either the image is gone and nothing was launched, or it is there and in use."""
    owner, launcher = world.owner, Caller(world.server, world.owner.key)
    images, won = Images(owner), {"delete": 0, "launch": 0}
    for _ in range(RUN_ROUNDS):
        image = images.take()
        deleted, launched = at_once(
            lambda: owner.delete(image).body["Code"], lambda: launcher.launch(image, ready=False)
        )
        in_use = owner.call("DescribeInstances", ImageId=image)["Instances"]["Instance"]
        if deleted == 0:
            won["delete"] += 1
            assert launched == INVALID_IMAGE_ID
            assert in_use == [] and owner.image(image) is None
        else:
            won["launch"] += 1
            assert deleted == USED_TO_CREATE
            assert [entry["InstanceId"] for entry in in_use] == [launched]
            assert owner.image(image)["Status"] == "Available"
            owner.release(launched)
            images.ready.append(image)
    print(f"won: {won}")


def test_d49_a_delete_and_a_launch_by_a_recipient_never_both_succeed(world):
    owner, other = world.owner, world.other
    images, won = Images(owner), {"delete": 0, "launch": 0}
    for _ in range(RUN_ROUNDS // 4):
        image = images.take()
        owner.share(image, other.account)
        deleted, launched = at_once(lambda: owner.delete(image).body["Code"], lambda: other.launch(image, ready=False))
        if deleted == 0:
            won["delete"] += 1
            assert launched == INVALID_IMAGE_ID
        else:
            won["launch"] += 1
            assert deleted == USED_TO_CREATE
            other.release(launched)
            images.ready.append(image)
    assert other.call("DescribeInstances")["TotalCount"] == 0
    print(f"won: {won}")


def test_d49_a_delete_and_a_switch_never_both_succeed(world):
    owner, switcher = world.owner, Caller(world.server, world.owner.key)
    images, won = Images(owner), {"delete": 0, "switch": 0}
    instance = owner.launch()

    def switch(image):
        switcher.call("ReinitInstance", InstanceId=instance, ImageId=image)
        return 0

    def switch_as_a_batch(image):
        [response] = switcher.call("ReinitInstances", InstanceIds=[instance], ImageId=image)["InstanceResponses"]
        return response["Code"]

    for round_ in range(REINIT_ROUNDS):
        image = images.take()
        way = (switch, switch_as_a_batch)[round_ % 2]
        deleted, switched = at_once(lambda: owner.delete(image).body["Code"], lambda: way(image))
        if deleted == 0:
            won["delete"] += 1
            assert switched == (INVALID_IMAGE_ID if way is switch else 400)
            assert owner.instance(instance)["ImageId"] != image
        else:
            won["switch"] += 1
            assert (deleted, switched) == (USED_OTHERWISE, 0)
            wait("the switch to end", lambda: owner.is_settled_on(instance, image))
            assert owner.image(image)
    owner.release(instance)
    print(f"won: {won}")


def test_d49_a_delete_and_a_share_end_in_a_state_that_fits(world):
    """Never a share of a deleted image."""
    owner, sharer = world.owner, Caller(world.server, world.owner.key)
    for image in owner.import_images(40):
        deleted, shared = at_once(
            lambda: owner.delete(image).body["Code"], lambda: sharer.share(image, world.other.account)
        )
        assert deleted == 0
        assert shared is None or shared == INVALID_IMAGE_ID
        assert world.server.query("SELECT * FROM shares WHERE image_id = ?", image) == []
    assert world.other.images() == []


def test_d49_a_delete_of_an_image_that_is_being_copied_keeps_the_copy_whole(world):
    """An image made of an instance has bytes of its own, even if its source goes meanwhile."""
    owner = world.owner
    for _ in range(20):
        source = owner.import_image()
        content = world.server.object(source).read_bytes()
        instance = owner.launch(source)
        copy = owner.call("CreateImage", ImageName="a-copy", InstanceId=instance)["ImageId"]
        owner.release(instance)
        owner.delete(source)
        owner.image_becomes(copy, "Available")
        assert world.server.object(copy).read_bytes() == content
        wait("the source to be erased", lambda: world.server.is_erased(source))
        owner.delete(copy)


def test_d50_what_was_acknowledged_outlives_a_stop(private):
    check_durability(private(), lambda server: server.restart())


def test_d50_what_was_acknowledged_outlives_a_kill(private):
    def kill(server):
        server.kill()
        server.start()

    world = private()
    for _ in range(3):
        check_durability(world, kill)


def check_durability(world, interrupt):
    owner, other = world.owner, world.other
    kept, used, shared, gone, gone_shared = owner.import_images(5)
    for image in (shared, gone_shared):
        owner.share(image, other.account)
    instance = owner.launch(used)
    assert_refused(refusal(owner.delete, used), *USED_TO_CREATE)
    for image in (gone, gone_shared):
        owner.delete(image)
    # Interrupted at once after the answer, before the bytes can all be erased.
    interrupt(world.server)

    for image in (gone, gone_shared):
        assert owner.image(image) is None
        assert other.image(image) is None
        assert_refused(refusal(owner.delete, image), *NOT_EXIST)
        assert_refused(refusal(owner.launch, image), *INVALID_IMAGE_ID)
    for image in (kept, used, shared):
        assert owner.image(image)["Status"] == "Available"
        assert world.server.object(image).exists()
    assert other.image(shared)["ImageOwnerAlias"] == "others"
    assert owner.instance(instance)["ImageId"] == used
    assert_refused(refusal(owner.delete, used), *USED_TO_CREATE)
    for image in (gone, gone_shared):
        wait("the bytes to be erased", lambda: world.server.is_erased(image))
    world.server.audit()
    owner.release(instance)
    for image in (kept, used, shared):
        owner.delete(image)


def test_d51_ids_are_not_reused(private):
    world = private()
    owner, seen = world.owner, set()
    for round_ in range(3):
        for image in owner.import_images(20):
            assert image not in seen
            seen.add(image)
            owner.delete(image)
        if round_ == 1:
            world.server.restart()
    kept = {row["id"] for row in world.server.query("SELECT id FROM images")}
    assert seen <= kept, "a deleted image leaves a record, so that its id stays taken"
    assert all(image.startswith("m-") and image[2:].isalnum() and image.islower() for image in seen)
    assert all(22 <= len(image) <= 27 for image in seen)
