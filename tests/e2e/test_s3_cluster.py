"""A store of three S3 servers, of which one after the other is killed and comes back while images are imported,
distributed and deleted. At the end every byte is where its record says, and no other one is there.

Each server keeps a part of every object, so that any two of them have all of it.
"""

import os
import random
import threading
import time

import pytest

import qcow2
from appstream_world import AppServer, AppWorld
from clients import Refused
from conftest import pairs
from s3 import Store, region
from server import wait
from test_check import found
from world import World

SECONDS = int(os.environ.get("E2E_S3_SECONDS", "15"))
# How long a server is away, and how long all are there before the next one goes, in seconds.
AWAY_S = (0.5, 4.0)
HERE_S = (0.5, 2.0)
SOURCES = [qcow2.golden(seed=seed, clusters=clusters) for seed, clusters in enumerate((2, 40, 320))]
REGIONS = ("cn-beijing", "cn-shanghai")


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "s3", size=3)
    try:
        for node in store.nodes:
            for drive in node.drives:
                drive.mkdir(parents=True)
        yield store.start()
    finally:
        store.kill()


class Load(threading.Thread):
    """Imports, distributes and deletes, and writes down what became of it."""

    def __init__(self, desk, tenant, number, stop):
        super().__init__(daemon=True)
        self.desk, self.tenant, self.stop = desk, tenant, stop
        self.chance = random.Random(number)
        self.kept, self.deleted, self.failed, self.surprises = [], [], [], []

    def run(self):
        try:
            while not self.stop.is_set():
                self.chance.choice([self.import_one, self.import_one, self.distribute_one])()
        except BaseException as error:
            self.surprises.append(repr(error))

    def import_one(self):
        image = self.desk.import_image(self.chance.choice(SOURCES), ready=False)
        ends = {"Available", "Pack_failed", "Upload_failed"}
        entry = wait("the import", lambda: (e := self.desk.image(image))["Status"] in ends and e, timeout_s=180)
        if entry["Status"] != "Available":
            self.failed.append(entry["Status"])
            self.end(self.desk, image)
        elif self.chance.random() < 0.3:
            self.kept.append(image)
        else:
            self.end(self.desk, image)

    def distribute_one(self):
        image = self.tenant.make_image(ready=False)
        wait("the image", lambda: self.tenant.image(image)["Status"] not in ("INIT", "CREATING"), timeout_s=180)
        if self.tenant.image(image)["Status"] == "AVAILABLE":
            self.tenant.start_distribution(image, REGIONS[0])
            wait("the copy", lambda: self.copy_ended(image), timeout_s=180)
        self.end(self.tenant, image)

    def copy_ended(self, image):
        return all(status not in ("INIT", "CREATING", "COPYING") for status, _ in self.tenant.entries(image).values())

    def end(self, caller, image):
        """Deletes an image; as long as it is being made or copied it may not."""

        def probe():
            try:
                return caller.delete(image)
            except Refused as refused:
                assert refused.code in ("IncorrectStatus.Image", "InvalidImageOperation.ImageIsCreating"), refused
                return None

        wait("the delete", probe, timeout_s=180, pause_s=0.1)
        self.deleted.append(image)


def assert_clean(server):
    """Checks as soon as the store answers everything again: until its servers have found each other, they deny objects
    that they have, or cannot read them. What is lost does not come back, however long it is looked for."""

    def look():
        status, report = found(server, "--deep")
        print(status, report["counts"], report["regions"])
        return status == 0

    wait("the check to find nothing", look, timeout_s=60, pause_s=1)


def test_d25_d50_servers_of_the_store_are_killed_in_turn_and_nothing_is_lost(tmp_path, store):
    store.make("images")
    [pair] = pairs(1)
    server = AppServer(tmp_path / "server", pair)
    lines = ["[[region]]\nid = 'cn-hangzhou'\n"]
    # Each region has a server of its own to talk to, which may be the one that is killed.
    for number, name in enumerate(REGIONS):
        lines.append(region(name, store.url("images", number).replace("?", f"/{name}?")))
    server.more_config = "".join(lines)
    server.start()
    desk, tenant = World(server, pair).owner, AppWorld(server, pair).owner
    stop, chance = threading.Event(), random.Random(1)
    loads = [Load(desk, tenant, number, stop) for number in range(3)]
    try:
        for load in loads:
            load.start()
        kills, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end or kills < len(store.nodes):
            node = store.nodes[kills % len(store.nodes)]
            time.sleep(chance.uniform(*HERE_S))
            node.kill()
            kills += 1
            time.sleep(chance.uniform(*AWAY_S))
            node.start()
            wait("the server to be back", node.is_up, timeout_s=60, pause_s=0.05)
        stop.set()
        for load in loads:
            load.join(240)
            assert not load.is_alive() and load.surprises == [], load.surprises
        wait("the work to be done", server.is_quiet, timeout_s=180)
        kept = [image for load in loads for image in load.kept]
        deleted = [image for load in loads for image in load.deleted]
        failed = [status for load in loads for status in load.failed]
        print(f"{kills} kills, {len(deleted)} images deleted, {len(kept)} kept, {len(failed)} imports gave up")
        assert kept and deleted
        assert_clean(server)
        for image in kept:
            desk.delete(image)
        wait("the erasures", server.is_quiet, timeout_s=180)
        assert all(server.is_erased(image) for image in (*kept, *deleted))
        assert_clean(server)
    finally:
        stop.set()
        server.kill()
