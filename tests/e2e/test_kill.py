"""The server is killed again and again in the middle of work, and nothing that it acknowledged is lost.

Several threads import, launch, release and delete, each with things of its own, and write down what was
answered. A request that got no answer may have been carried out or not, but wholly. At the end what the
server has is compared with what was written down.
"""

import os
import random
import threading
from dataclasses import dataclass, field
from enum import Enum

import qcow2
from clients import Refused, Unanswered
from test_delete_image import NOT_EXIST, USED_TO_CREATE, WRONG_STATUS
from world import FAILED, IMPORT, Caller

KILLS = int(os.environ.get("E2E_KILLS", "50"))
THREADS = 4
# How long the server lives between two kills, in seconds.
LIFE_S = (0.1, 0.6)
SOURCES = {
    "small": qcow2.golden(seed=1, virtual_size=2 * qcow2.GIB, cluster_bits=12),
    "large": qcow2.golden(seed=2, clusters=48),
    "hostile": qcow2.hostile()["L2 table beyond the end"],
}


class Fate(Enum):
    """What is known about a thing."""

    MAYBE_MADE = "its making was never answered"
    MADE = "its making was acknowledged"
    MAYBE_GONE = "its end was never answered"
    GONE = "its end was acknowledged"


@dataclass
class Thing:
    """An image or an instance. Names are unique, so one whose id never came can be found."""

    name: str
    source: str
    id: str | None = None
    fate: Fate = Fate.MAYBE_MADE
    users: list = field(default_factory=list)


class Worker:
    """Does things at random until the server dies, and writes down what it was told."""

    def __init__(self, caller, number):
        self.caller, self.number = caller, number
        self.chance = random.Random(number)
        self.images, self.instances, self.surprises = [], [], []

    def run(self, stop):
        try:
            while not stop.is_set():
                self.chance.choice([self.import_image, self.import_image, self.launch, self.release, self.delete, self.delete])()
        except Unanswered:
            pass
        except BaseException as error:
            self.surprises.append(error)

    def import_image(self):
        source = self.chance.choices(list(SOURCES), [6, 2, 1])[0]
        image = Thing(f"image-{self.number}-{len(self.images)}", source)
        self.images.append(image)
        params = IMPORT | {"ImageName": image.name, "OSSObject": f"{source}.qcow2"}
        image.id = self.caller.call("ImportImage", **params)["ImageId"]
        image.fate = Fate.MADE

    def launch(self):
        image = self.pick(self.images)
        if not image:
            return
        instance = Thing(f"instance-{self.number}-{len(self.instances)}", image.name)
        self.instances.append(instance)
        image.users.append(instance)
        try:
            instance.id = self.caller.launch(image.id, ready=False, InstanceName=instance.name)
        except Refused as refused:
            # Still in the making, or failed.
            assert (refused.status, refused.code) == (400, "IncorrectStatus.Image"), refused
            instance.fate = Fate.GONE
        else:
            instance.fate = Fate.MADE

    def release(self):
        if instance := self.pick(self.instances):
            instance.fate = Fate.MAYBE_GONE
            self.caller.release(instance.id)
            instance.fate = Fate.GONE

    def delete(self):
        image = self.pick(self.images)
        if not image:
            return
        image.fate = Fate.MAYBE_GONE
        try:
            self.caller.delete(image.id)
        except Refused as refused:
            told = (refused.status, refused.code, refused.message)
            in_use = any(user.fate is not Fate.GONE for user in image.users)
            assert told == WRONG_STATUS or told == USED_TO_CREATE and in_use, (told, image)
            image.fate = Fate.MADE
        else:
            surely_used = [user for user in image.users if user.fate is Fate.MADE]
            assert not surely_used, f"{image} was deleted under {surely_used}"
            image.fate = Fate.GONE

    def pick(self, things):
        made = [thing for thing in things if thing.fate is Fate.MADE]
        return self.chance.choice(made) if made else None


def test_killed_again_and_again(private):
    world = private()
    server = world.server
    for name, data in SOURCES.items():
        server.put(data, f"{name}.qcow2")
    workers = [Worker(Caller(server, world.owner.key), number) for number in range(THREADS)]
    chance = random.Random(0)

    for _ in range(KILLS):
        stop = threading.Event()
        threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
        for thread in threads:
            thread.start()
        stop.wait(chance.uniform(*LIFE_S))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert [error for worker in workers for error in worker.surprises] == []
        server.start()

    server.audit(timeout_s=120)
    compare(world.owner, workers)

    # Everything can still be cleared away, and then nothing is left.
    for entry in everything(world.owner, "DescribeInstances", "Instances", "Instance", "100"):
        world.owner.release(entry["InstanceId"])
    for entry in everything(world.owner, "DescribeSelfImages", "Images", "Image", 50):
        world.owner.delete(entry["ImageId"])
    server.audit(timeout_s=120)
    rows = server.query("SELECT * FROM replicas r JOIN images i ON i.id = r.holder_id WHERE i.owner = ? AND r.state <> 'erased'",
                        world.owner.account)  # fmt: skip
    assert rows == []
    assert "panicked" not in server.stderr()
    assert server.stop() == 0


def compare(owner, workers):
    """Compares what the server has with what it told."""
    images = {entry["ImageName"]: entry for entry in everything(owner, "DescribeSelfImages", "Images", "Image", 50)}
    instances = {
        entry["InstanceName"]: entry
        for entry in everything(owner, "DescribeInstances", "Instances", "Instance", "100")
    }
    counts = dict.fromkeys(Fate, 0)
    known_images = {image.name: image for worker in workers for image in worker.images}
    known_instances = {instance.name: instance for worker in workers for instance in worker.instances}
    assert images.keys() <= known_images.keys() and instances.keys() <= known_instances.keys()

    for things, found, id_name in ((known_images, images, "ImageId"), (known_instances, instances, "InstanceId")):
        for name, thing in things.items():
            counts[thing.fate] += 1
            entry = found.get(name)
            assert entry or thing.fate is not Fate.MADE, f"lost: {thing}"
            assert not entry or thing.fate is not Fate.GONE, f"came back: {thing}"
            assert not entry or thing.id in (None, entry[id_name])
            thing.id = thing.id or entry and entry[id_name]

    for name, entry in images.items():
        expected = FAILED if known_images[name].source == "hostile" else {"Available"}
        assert entry["Status"] in expected, entry
    for name, entry in instances.items():
        assert entry["ImageId"] == images[known_instances[name].source]["ImageId"]
        assert entry["Status"] == "Running"
    for image in known_images.values():
        if image.id and image.name not in images:
            try:
                owner.delete(image.id)
            except Refused as refused:
                assert (refused.status, refused.code, refused.message) == NOT_EXIST
            else:
                raise AssertionError(f"{image} was there to be deleted")
    print({fate.name: count for fate, count in counts.items()})


def everything(owner, action, wrapper, member, page_size):
    """All entries of a listing, page by page."""
    entries, page = [], 1
    while found := owner.call(action, PageNumber=page, PageSize=page_size)[wrapper][member]:
        entries += found
        page += 1
    assert len({entry.get("InstanceId") or entry["ImageId"] for entry in entries}) == len(entries)
    return entries
