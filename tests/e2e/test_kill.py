"""The server is killed again and again in the middle of work, and nothing that it acknowledged is lost.

Several threads import, copy, share, launch, switch, release and delete, each with things of its own, and
write down what they were told. A request that got no answer may have been carried out or not, but wholly.
At the end what the server has is compared with what was written down.
"""

import os
import random
import threading
from dataclasses import dataclass, field
from enum import Enum

import qcow2
from clients import Refused, Unanswered
from server import sha256
from test_delete_image import NOT_EXIST, USED_OTHERWISE, USED_TO_CREATE, WRONG_STATUS
from world import FAILED, IMPORT, Caller, assert_refused, refusal

KILLS = int(os.environ.get("E2E_KILLS", "50"))
THREADS = 4
# How long the server lives between two kills, in seconds.
LIFE_S = (0.1, 0.6)
# By name, with how often each is taken.
SOURCES = {
    "small": (6, qcow2.golden(seed=1, virtual_size=2 * qcow2.GIB, cluster_bits=12)),
    "large": (2, qcow2.golden(seed=2, clusters=48)),
    "hostile": (1, qcow2.hostile()["L2 table beyond the end"]),
}


class Fate(Enum):
    """What is known about a thing."""

    MAYBE_MADE = "its making was never answered"
    MADE = "its making was acknowledged"
    MAYBE_GONE = "its end was never answered"
    GONE = "its end was acknowledged, or its making was refused"


@dataclass(eq=False)
class Image:
    """`contents` are the sources whose bytes it may have; `shared` is None if that is not known."""

    name: str
    contents: set
    id: str | None = None
    fate: Fate = Fate.MAYBE_MADE
    shared: bool | None = False


@dataclass(eq=False)
class Instance:
    """`on` are the images that it may use, `surely` the one that it uses for certain."""

    name: str
    on: list
    id: str | None = None
    fate: Fate = Fate.MAYBE_MADE
    surely: Image | None = None


@dataclass(eq=False)
class Worker:
    """Does things at random until the server dies, and writes down what it was told."""

    caller: Caller
    recipient: str
    number: int
    images: list = field(default_factory=list)
    instances: list = field(default_factory=list)
    surprises: list = field(default_factory=list)
    sources = SOURCES

    def __post_init__(self):
        self.chance = random.Random(self.number)
        self.deeds = [self.import_image] * 4 + [self.delete] * 4 + [self.launch, self.release] * 2
        self.deeds += [self.copy, self.share, self.switch]

    def run(self, stop):
        try:
            while not stop.is_set():
                self.chance.choice(self.deeds)()
        except Unanswered:
            pass
        except BaseException as error:
            self.surprises.append(error)

    def import_image(self):
        [source] = self.chance.choices(list(self.sources), [weight for weight, _ in self.sources.values()])
        image = self.new_image({source})
        params = IMPORT | {"ImageName": image.name, "OSSObject": f"{source}.qcow2"}
        image.id = self.caller.call("ImportImage", **params)["ImageId"]
        image.fate = Fate.MADE

    def copy(self):
        instance = self.pick(self.instances)
        if not instance:
            return
        image = self.new_image(set().union(*(used.contents for used in instance.on)))
        try:
            image.id = self.caller.call("CreateImage", ImageName=image.name, InstanceId=instance.id)["ImageId"]
        except Refused as refused:
            assert refused.code == "IncorrectInstanceStatus", refused  # Its switch is still running.
            image.fate = Fate.GONE
        else:
            image.fate = Fate.MADE

    def share(self):
        if image := self.pick(self.images):
            image.shared = image.shared or None
            self.caller.share(image.id, self.recipient)
            image.shared = True

    def launch(self):
        image = self.pick(self.images)
        if not image:
            return
        instance = Instance(f"instance-{self.number}-{len(self.instances)}", [image])
        self.instances.append(instance)
        try:
            instance.id = self.caller.launch(image.id, ready=False, InstanceName=instance.name)
        except Refused as refused:
            assert refused.code == "IncorrectStatus.Image", refused  # Still in the making, or failed.
            instance.fate = Fate.GONE
        else:
            instance.fate, instance.surely = Fate.MADE, image

    def switch(self):
        instance, image = self.pick(self.instances), self.pick(self.images)
        if not (instance and image):
            return
        before = list(instance.on), instance.surely
        instance.on.append(image)
        instance.surely = None
        try:
            self.caller.reinit(instance.id, image.id, ready=False)
        except Refused as refused:
            assert refused.code in ("IncorrectStatus.Image", "IncorrectInstanceStatus"), refused
            instance.on, instance.surely = before
        else:
            instance.surely = image

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
            may_be_used = any(image in user.on for user in self.instances if user.fate is not Fate.GONE)
            assert told == WRONG_STATUS or may_be_used and told in (USED_TO_CREATE, USED_OTHERWISE), (told, image)
            image.fate = Fate.MADE
        else:
            users = [user for user in self.instances if user.fate is Fate.MADE and user.surely is image]
            assert not users, f"{image} was deleted under {users}"
            image.fate = Fate.GONE

    def new_image(self, contents):
        image = Image(f"image-{self.number}-{len(self.images)}", contents)
        self.images.append(image)
        return image

    def pick(self, things):
        made = [thing for thing in things if thing.fate is Fate.MADE]
        return self.chance.choice(made) if made else None


def test_killed_again_and_again(private):
    world = private()
    owner, server = world.owner, world.server
    for name, (_, data) in SOURCES.items():
        server.put(data, f"{name}.qcow2")
    workers = [Worker(Caller(server, owner.key), world.other.account, number) for number in range(THREADS)]
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
    assert_clean(server)
    compare(world, workers)

    # Everything can still be cleared away, and then nothing is left.
    for entry in listed(owner, "DescribeInstances", "Instances").values():
        owner.release(entry["InstanceId"])
    for entry in listed(owner, "DescribeSelfImages", "Images").values():
        owner.delete(entry["ImageId"])
    server.audit(timeout_s=120)
    assert_clean(server)
    kept = "SELECT * FROM replicas r JOIN images i ON i.id = r.holder_id WHERE i.owner = ? AND r.state <> 'erased'"
    assert server.query(kept, owner.account) == []
    assert "panicked" not in server.stderr()
    assert server.stop() == 0


def test_what_two_kills_in_a_row_leave_is_erased(private):
    """The first kill leaves half an upload; the second one comes before the next attempt has erased it."""
    world = private(image="1500ms")
    owner, server = world.owner, world.server
    images = [owner.import_image(ready=False) for _ in range(2)]
    server.kill()
    folder = server.store / "cn-beijing"
    for row in server.query("SELECT id FROM replicas WHERE source_kind = 'bucket'"):
        replica = row["id"]
        (folder / f"{replica}.1#1").write_bytes(b"half an upload")
        change = "UPDATE replicas SET attempt = 2, writes = 2, object_key = ? WHERE id = ?"
        server.metadata.change(change, f"{replica}.2", replica)
    server.start()
    for image in images:
        owner.image_becomes(image, "Available")
    server.audit()
    owner.delete(images[0])
    server.audit()


def assert_clean(server):
    """The program's own check agrees."""
    done = server.command("check", "--deep")
    assert done.returncode == 0, done.stdout


def compare(world, workers):
    """Compares what the server has with what it told."""
    owner, server = world.owner, world.server
    images = {image.name: image for worker in workers for image in worker.images}
    instances = {instance.name: instance for worker in workers for instance in worker.instances}
    found_images = listed(owner, "DescribeSelfImages", "Images")
    found_instances = listed(owner, "DescribeInstances", "Instances")
    check_fates(images, found_images, "ImageId")
    check_fates(instances, found_instances, "InstanceId")

    contents = {name: sha256(server.bucket / f"{name}.qcow2") for name in SOURCES}
    for name, entry in found_images.items():
        image = images[name]
        if image.contents == {"hostile"}:
            assert entry["Status"] in FAILED
        else:
            assert entry["Status"] == "Available"
            assert sha256(server.object(image.id)) in {contents[source] for source in image.contents}
    for name, entry in found_instances.items():
        assert entry["Status"] == "Running"
        assert entry["ImageId"] in {image.id for image in instances[name].on}
        assert instances[name].surely is None or instances[name].surely.id == entry["ImageId"]

    shared = {entry["ImageName"] for entry in listed(world.other, "DescribeSelfImages", "Images").values()}
    assert {name for name in found_images if images[name].shared} <= shared
    assert shared <= {name for name in found_images if images[name].shared is not False}
    for image in images.values():
        if image.id and image.name not in found_images:
            assert_refused(refusal(owner.delete, image.id), *NOT_EXIST)


def check_fates(things, found, id_name):
    assert found.keys() <= things.keys()
    for name, thing in things.items():
        entry = found.get(name)
        assert entry or thing.fate is not Fate.MADE, f"lost: {thing}"
        assert not entry or thing.fate is not Fate.GONE, f"came back: {thing}"
        assert not entry or thing.id in (None, entry[id_name])
        thing.id = thing.id or (entry and entry[id_name])
    print({fate.name: sum(thing.fate is fate for thing in things.values()) for fate in Fate})


def listed(caller, action, wrapper):
    """All entries of a listing, by their names, read page by page."""
    member, entries, page = wrapper[:-1], [], 1
    while found := caller.call(action, PageNumber=page, PageSize="50")[wrapper][member]:
        entries += found
        page += 1
    by_name = {entry[f"{member}Name"]: entry for entry in entries}
    assert len(by_name) == len(entries)
    return by_name
