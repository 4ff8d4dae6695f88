"""`calotype check` beside a server and alone: what it prints, what it exits with, what it repairs, and that a server
under load gives it nothing to find."""

import json
import re
import sqlite3
import threading
from contextlib import closing

import pytest

from server import MARKER, wait
from world import refusal

NOBODY = "r-0000000000000000000000000"


def check(server, *arguments):
    """Checks; gives the exit status and the lines."""
    done = server.command("check", *arguments)
    return done.returncode, done.stdout.splitlines()


def found(server, *arguments):
    """Checks; gives the exit status and the report, as JSON tells it."""
    done = server.command("check", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def kinds(report):
    return [finding["kind"] for finding in report["findings"]]


def home(server, region="cn-beijing"):
    return server.data / "objects" / region


def test_a_sound_server_is_clean_and_its_regions_are_told(private):
    world = private()
    image = world.owner.import_image()
    status, lines = check(world.server)
    assert status == 0
    size = world.server.object(image).stat().st_size
    assert f"cn-beijing       1 objects, {size} bytes compared" in lines
    assert lines[-1] == "nothing is wrong"
    assert len(lines) == 5
    status, report = found(world.server, "--deep")
    assert (status, report["status"], report["findings"], report["complete"]) == (0, 0, [], True)
    assert report["regions"]["cn-beijing"] == {"state": "compared", "objects": 1, "bytes": size}
    # Alone, too.
    assert world.server.stop() == 0
    assert check(world.server, "--repair") == (0, lines)


def test_findings_are_told_changed_by_nothing_but_repair_and_then_gone(private):
    world = private()
    owner, server = world.owner, world.server
    lost, deleted, kept = owner.import_images(3)
    owner.delete(deleted)
    server.audit()
    [replica] = server.query("SELECT id FROM replicas WHERE holder_id = ?", deleted)
    server.object(lost).unlink()
    (home(server) / f"{replica['id']}.1").write_bytes(b"back again")
    (home(server) / f"{server.object(kept).name}#1").write_bytes(b"half")
    (home(server) / f"{NOBODY}.1").write_bytes(b"whose is it")
    (home(server) / "notes.txt").write_text("mine")

    before = server.objects()
    expected = ["bytes-missing", "object-of-erased", "upload-unfinished", "object-unknown", "object-foreign"]
    for _ in range(2):
        status, report = found(server)
        assert (status, kinds(report), report["remaining"]) == (1, expected, 5)
        assert [finding["repairable"] for finding in report["findings"]] == [True, True, True, False, False]
    assert server.objects() == before
    assert owner.image(lost)["Status"] == "Available", "nothing is changed by looking"

    status, lines = check(server, "--repair")
    assert status == 1
    [line] = [line for line in lines if line.startswith("object-of-erased")]
    what = rf"cn-beijing/{replica['id']}\.1 of image {deleted}, 10 bytes: its replica is erased"
    assert re.fullmatch(rf"object-of-erased: {what}; repair: erase it", line)
    assert lines[-1].endswith("; 3 repaired, 2 remain")
    assert owner.image(lost)["Status"] == "Unavailable"
    refused = refusal(owner.launch, lost)
    assert (refused.status, refused.code) == (400, "IncorrectStatus.Image")
    owner.delete(lost)
    status, report = found(server, "--repair", "--erase-unknown")
    assert (status, kinds(report)) == (1, ["object-unknown", "object-foreign"])
    assert [finding["outcome"] for finding in report["findings"]] == ["done", None]
    (home(server) / "notes.txt").unlink()
    assert check(server, "--deep")[0] == 0
    server.audit()


def test_lost_bytes_come_back_from_another_region_while_the_server_runs(private):
    server = private().server
    # A system image of App Streaming is in every region.
    server.more_config = "[[public_image]]\nid = 'desktop'\napi = 'appstreaming'\n"
    server.restart()
    rows = "SELECT * FROM replicas WHERE holder_id LIKE 'desktop%' AND state = 'available' ORDER BY region"
    wait("the system image", lambda: len(server.query(rows)) == 4)
    [row] = [row for row in server.query(rows) if row["region"] == "cn-shanghai"]
    file = home(server, "cn-shanghai") / row["object_key"]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert check(server)[0] == 0, "the length is right"
    assert found(server, "--deep")[0] == 1
    status, report = found(server, "--deep", "--repair")
    assert (status, kinds(report)) == (0, ["bytes-hash"])
    assert report["findings"][0]["repair"].startswith("copy them again from ")
    wait("the copy", lambda: len(server.query(rows)) == 4)
    assert check(server, "--deep")[0] == 0
    server.audit()


def test_a_region_that_is_away_is_not_clean(private):
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    away = home(server).with_name("away")
    home(server).rename(away)
    home(server).mkdir()
    owner.delete(image)
    status, report = found(server, "--repair")
    assert (status, report["complete"]) == (2, False)
    assert report["regions"]["cn-beijing"]["state"] == "away"
    assert "no marker" in report["regions"]["cn-beijing"]["reason"]

    # Nothing counts as erased, over a restart as well; then it is erased by itself.
    states = "SELECT state, last_error FROM replicas WHERE holder_id = ?"
    wait("a try", lambda: server.query(states, image)[0]["last_error"])
    server.restart()
    assert server.query(states, image)[0]["state"] == "erasing"
    assert "away" in server.stderr()
    home(server).rmdir()
    away.rename(home(server))
    wait("the erasure", lambda: server.is_erased(image), timeout_s=60)
    assert check(server)[0] == 0
    assert (home(server) / MARKER).exists()


def test_a_region_of_another_installation_is_not_used(private):
    first, second = private(), private()
    for world in (first, second):
        assert world.server.stop() == 0
    # The disks were mixed up.
    home(first.server).rename(home(first.server).with_name("away"))
    home(second.server).rename(home(first.server))
    status, report = found(first.server)
    assert (status, "another" in report["regions"]["cn-beijing"]["reason"]) == (2, True)
    # New metadata does not take over what belongs to others.
    third = private()
    assert third.server.stop() == 0
    third.server.metadata.clear()
    with pytest.raises(AssertionError, match="marked as another one"):
        third.server.start()


@pytest.mark.embedded
def test_what_cannot_be_checked_is_said(private, tmp_path):
    world = private()
    server = world.server
    assert server.stop() == 0
    metadata = server.data / "metadata.db"
    with closing(sqlite3.connect(metadata)) as db:
        # One file, without a log that has the newest pages.
        assert db.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    whole = metadata.read_bytes()
    metadata.rename(tmp_path / "gone")
    done = server.command("check")
    assert (done.returncode, done.stdout) == (2, "") and "there is no" in done.stderr
    assert not metadata.exists(), "nothing is made by looking"

    # Damaged in the middle: found before anything else is looked at, and nothing is repaired.
    damaged = bytearray(whole)
    pages = range(4096, len(damaged), 4096)
    for start in list(pages)[len(pages) // 3 :]:
        damaged[start : start + 200] = b"\x5a" * 200
    metadata.write_bytes(damaged)
    done = server.command("check", "--repair")
    assert done.returncode in (1, 2)
    assert "metadata-damaged" in done.stdout or "malformed" in done.stderr, done
    # Damaged at the beginning: neither a check nor a server takes it for a database.
    metadata.write_bytes(b"\x5a" * len(whole))
    done = server.command("check")
    assert done.returncode == 2 and "calotype restore" in done.stderr, done
    with pytest.raises(AssertionError, match="file is not a database; .*calotype restore"):
        server.start()
    assert metadata.read_bytes() == b"\x5a" * len(whole), "left as it is"


def test_memory_is_neither_clean_nor_broken(private):
    world = private()
    server = world.server
    assert server.stop() == 0
    server.more_config = "[[region]]\nid = 'cn-beijing'\n[[region]]\nid = 'cn-memory'\nobjects = 'memory:'\n"
    status, report = found(server)
    assert (status, report["regions"]["cn-memory"]) == (
        2,
        {"state": "unseen", "reason": "it is in the memory of the server"},
    )
    # The one that has records and is not configured any more is what is missing.
    assert report["regions"]["cn-hangzhou"]["state"] == "away"


def test_one_command_repairs_at_a_time(private):
    world = private()
    server = world.server
    done = []
    threads = [threading.Thread(target=lambda: done.append(server.command("check", "--repair"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.returncode for one in done} <= {0, 2} and any(one.returncode == 0 for one in done)
    for one in done:
        assert one.returncode == 0 or "another command" in one.stderr, one
    assert server.command("check").returncode == 0


def test_a_check_beside_a_busy_server_finds_nothing(private):
    world = private()
    owner, server = world.owner, world.server
    stop, failures = threading.Event(), []

    def live():
        try:
            while not stop.is_set():
                image = owner.import_image()
                instance = owner.launch(image)
                copy = owner.call("CreateImage", ImageName="copy", InstanceId=instance)["ImageId"]
                owner.release(instance)
                owner.delete(image)
                owner.image_becomes(copy, "Available")
                owner.delete(copy)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            for arguments in ([], ["--deep"], ["--repair"]):
                status, lines = check(server, *arguments)
                assert status == 0, lines
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    server.audit()
    assert check(server, "--deep")[0] == 0
