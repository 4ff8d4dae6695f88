"""Several servers over one PostgreSQL: deletes against uses, at the same moment and on different servers."""

import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from appstream_refusals import CREATING, IN_USE, SHARED_OUT
from appstream_refusals import NOT_EXIST as APP_NOT_EXIST
from appstream_world import REGIONS, SYSTEM
from server import wait
from test_as_race import LEAD_S, LEFT_OVER, MAKERS, at_once, told
from test_delete_again import at_once as all_at_once
from test_delete_image import INVALID_IMAGE_ID, NOT_EXIST, USED_OTHERWISE, USED_TO_CREATE

pytest_plugins = ["several_fixtures"]
pytestmark = pytest.mark.postgres

ROUNDS = int(os.environ.get("E2E_ROUNDS", "24"))


class Race:
    """A delete on one server against `rival(caller, image)` on another one.

    `blocked` is what the delete says if it comes too late, `gone` what the rival says then. `before` is done
    before each round.
    """

    def __init__(self, cluster, callers, rival, blocked, gone, before=lambda: None):
        self.cluster, self.callers, self.rival, self.blocked, self.gone = cluster, callers, rival, blocked, gone
        self.before = before

    def run(self, images):
        """Gives how many rounds the delete won, how many the rival, and in how many both were accepted."""
        won, chance, pairs = {"delete": 0, "rival": 0, "both": 0}, random.Random(11), self.cluster.pairs()
        for image in images:
            here, there = next(pairs)
            self.before()
            began, deleted = at_once(
                lambda: self.rival(self.callers[there], image),
                lambda: self.callers[here].delete(image),
                chance.uniform(-LEAD_S, LEAD_S),
            )
            won[self.judge(image, began, deleted)] += 1
        return won

    def judge(self, image, began, deleted):
        """Checks what became of a round, on every server; gives who won."""
        listed = [bool(caller.image(image)) for caller in self.callers]
        if deleted is None:
            assert began in (None, self.gone), began
            assert not any(listed)
            for what, statement in LEFT_OVER.items():
                assert self.cluster.metadata.query(statement, image) == [], what
            return "delete" if began else "both"
        assert (began, deleted) == (None, self.blocked)
        assert all(listed)
        return "rival"


def made(callers, make):
    """As many images as there are rounds, made on all servers by turns."""
    with ThreadPoolExecutor(MAKERS) as pool:
        return list(pool.map(lambda number: make(callers[number % len(callers)]), range(ROUNDS)))


def imported(callers):
    return made(callers, lambda caller: caller.import_image())


def made_of_workstations(callers):
    mother = callers[0].mother
    return made(callers, lambda caller: caller.make_image(of=mother))


def test_d49_a_delete_against_a_launch_on_another_server(cluster, races):
    callers = cluster.callers()
    launch = lambda caller, image: caller.launch(image, ready=False)
    won = Race(cluster, callers, launch, USED_TO_CREATE, INVALID_IMAGE_ID).run(imported(callers))
    assert won["both"] == 0
    races["RunInstances"] = won


def test_d49_a_delete_against_a_switch_on_another_server(cluster, races):
    callers = cluster.callers()
    images, instance = imported(callers), callers[0].launch()

    switch = lambda caller, image: caller.reinit(instance, image, ready=False)
    settled = lambda: callers[0].instance(instance)["Status"] in ("Running", "Stopped")
    before = lambda: wait("the instance to settle", settled)
    won = Race(cluster, callers, switch, USED_OTHERWISE, INVALID_IMAGE_ID, before).run(images)
    assert won["both"] == 0
    races["ReinitInstance"] = won


def test_d49_a_delete_against_a_share_on_another_server(cluster, races):
    callers, recipient = cluster.callers(), cluster.accounts[1].id
    share = lambda caller, image: caller.share(image, recipient)
    won = Race(cluster, callers, share, None, INVALID_IMAGE_ID).run(imported(callers))
    assert won["rival"] == 0, "shares of ENS never keep an image"
    races["ModifyImageSharePermission"] = won


APP_RIVALS = {
    "CreateAppInstanceGroup": (lambda caller, image: caller.group(image), IN_USE),
    "CreateWuyingServer": (lambda caller, image: caller.workstation(image), IN_USE),
    "CreateTemplate": (lambda caller, image: caller.template(image), None),
    "StartTaskForDistributeImage": (lambda caller, image: caller.start_distribution(image, *REGIONS), CREATING),
}


@pytest.mark.parametrize("operation", APP_RIVALS)
def test_d49_a_delete_of_app_streaming_against_a_use_on_another_server(cluster, races, operation):
    callers = cluster.tenants()
    rival, blocked = APP_RIVALS[operation]
    won = Race(cluster, callers, rival, blocked, APP_NOT_EXIST).run(made_of_workstations(callers))
    if blocked == IN_USE:
        assert won["both"] == 0
    races[operation] = won


def test_d49_a_delete_of_app_streaming_against_a_share_on_another_server(cluster, races):
    callers, recipient = cluster.tenants(), cluster.accounts[1].id
    share = lambda caller, image: caller.share(image, recipient)
    won = Race(cluster, callers, share, SHARED_OUT, APP_NOT_EXIST).run(made_of_workstations(callers))
    assert won["both"] == 0
    races["ModifyImagePermission"] = won


def test_d49_a_delete_of_app_streaming_against_a_switch_on_another_server(cluster, races):
    callers = cluster.tenants()
    images, workstation = made_of_workstations(callers), callers[0].workstation(SYSTEM)

    move = lambda caller, image: caller.move_workstation(workstation, image)
    settled = lambda: callers[0].get_workstation(workstation)["Status"] == "RUNNING"
    before = lambda: wait("it to settle", settled)
    won = Race(cluster, callers, move, IN_USE, APP_NOT_EXIST, before).run(images)
    assert won["both"] == 0
    races["UpdateWuyingServerImage"] = won


@pytest.mark.parametrize("api", ["ens", "appstreaming"])
def test_d48_of_deletes_on_all_servers_exactly_one_succeeds(cluster, races, api):
    if api == "ens":
        callers, gone = cluster.callers(), NOT_EXIST
        images = imported(callers)
    else:
        callers, gone = cluster.tenants(), APP_NOT_EXIST
        images = made_of_workstations(callers)
    for image in images:
        outcomes = all_at_once(*(lambda caller=caller: told(lambda: caller.delete(image)) for caller in callers))
        assert sorted(outcomes, key=str) == sorted([None, gone, gone], key=str)
        assert len(cluster.metadata.query("SELECT * FROM deletions WHERE image_id = ?", image)) == 1
        assert not any(caller.image(image) for caller in callers)
    races[f"DeleteImage on all three ({api})"] = {"delete": len(images), "rival": 0, "both": 0}


def test_what_a_round_looks_for_would_be_noticed(cluster):
    """The checks that never find anything find what is put there."""
    callers = cluster.callers()
    race = Race(cluster, callers, None, USED_TO_CREATE, INVALID_IMAGE_ID)
    gone, kept = callers[0].import_images(2)
    callers[0].delete(gone)
    assert race.judge(gone, INVALID_IMAGE_ID, None) == "delete"
    change = cluster.metadata.change
    change("INSERT INTO shares (image_id, account_id, since_ms) VALUES (?, '1', 1)", gone)
    with pytest.raises(AssertionError, match="shares"):
        race.judge(gone, INVALID_IMAGE_ID, None)
    change("DELETE FROM shares WHERE image_id = ?", gone)
    with pytest.raises(AssertionError):
        race.judge(kept, None, None)
    with pytest.raises(AssertionError):
        race.judge(gone, None, USED_TO_CREATE)
    callers[1].delete(kept)
