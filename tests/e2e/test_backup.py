"""`calotype backup` beside a server under load, and `calotype restore`: what comes back, what cannot, and how that is
settled."""

import json
import threading

import pytest

from server import wait
from world import assert_refused, refusal

NOT_EXIST = (400, "Error.DeleteImage", "The image is not exist.")

pytestmark = pytest.mark.embedded


def saved(server, name):
    file = server.folder / name
    done = server.command("backup", file)
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    return file


def restored(server, file):
    done = server.command("restore", file)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(server, *arguments):
    done = server.command("check", "--json", *arguments)
    report = json.loads(done.stdout)
    return done.returncode, sorted(finding["kind"] for finding in report["findings"])


def test_what_is_saved_under_load_comes_back_whole(private):
    world = private()
    owner, server = world.owner, world.server
    stop, failures, kept = threading.Event(), [], []

    def live():
        try:
            while not stop.is_set():
                image = owner.import_image()
                kept.append(image)
                owner.delete(owner.import_image())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live) for _ in range(3)]
    for thread in threads:
        thread.start()
    files = []
    try:
        for number in range(5):
            wait("some work", lambda: len(kept) > number * 4, timeout_s=60)
            before = list(kept)
            files.append((before, saved(server, f"saved-{number}.db")))
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert server.stop() == 0
    for before, file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        restored(server, file)
        server.start()
        for image in before:
            assert owner.image(image)["Status"] == "Available", "all that was acknowledged before is in it"
        assert server.stop() == 0


def test_a_restore_and_a_check_settle_what_came_after_the_backup(private):
    world = private()
    owner, server = world.owner, world.server
    kept, deleted = owner.import_images(2)
    instance = owner.launch(kept)
    file = saved(server, "saved.db")
    owner.delete(deleted)
    server.audit()
    since = owner.import_image()
    since_file = server.object(since)
    owner.release(instance)

    refused = server.command("restore", file)
    assert refused.returncode == 1 and "another process uses" in refused.stderr
    assert owner.image(since)["Status"] == "Available", "the server goes on"
    assert server.stop() == 0
    text = restored(server, file)
    assert "metadata.db.replaced-1" in text and "calotype check --repair" in text
    assert (server.data / "metadata.db.replaced-1").exists()

    # What it settles: deleted images are back without bytes, new ones have bytes without a record.
    expected = ["bytes-missing", "object-unknown"]
    assert check(server) == (1, expected)
    server.start()
    assert check(server, "--repair") == (1, expected)
    assert owner.image(deleted)["Status"] == "Unavailable"
    assert owner.image(kept)["Status"] == "Available"
    assert owner.image(since) is None and since_file.exists(), "it may be the only copy"
    owner.delete(deleted)
    assert_refused(refusal(owner.delete, since), *NOT_EXIST)
    assert owner.instance(instance)["ImageId"] == kept
    assert check(server, "--repair", "--erase-unknown") == (0, ["object-unknown"])
    assert not since_file.exists()
    owner.release(instance)
    owner.delete(kept)
    server.audit()
    assert check(server, "--deep") == (0, [])


def test_a_backup_takes_the_place_of_nothing(private, tmp_path):
    world = private()
    server = world.server
    file = saved(server, "saved.db")
    before = file.read_bytes()
    done = server.command("backup", file)
    assert done.returncode == 1 and "exists already" in done.stderr
    assert file.read_bytes() == before
    done = server.command("backup", tmp_path / "nowhere" / "saved.db")
    assert done.returncode == 1 and not (tmp_path / "nowhere").exists()
    assert [path.name for path in server.folder.glob("saved*")] == ["saved.db"], "nothing beside it"
    # Alone, too.
    assert server.stop() == 0
    saved(server, "alone.db")


def test_what_is_no_backup_is_refused_and_everything_stays(private, tmp_path):
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    file = saved(server, "saved.db")
    assert server.stop() == 0
    whole = file.read_bytes()
    bad = {
        "text": b"not a database, but long enough for the header of one. " * 40,
        "cut": whole[: len(whole) // 2],
        "damaged": whole[:8192] + b"\x5a" * 40_000 + whole[48_192:],
        "empty": b"",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    for name in [*bad, "missing"]:
        done = server.command("restore", tmp_path / name)
        assert done.returncode == 1 and name in done.stderr, done
    assert not list(server.data.glob("*replaced*")) and not list(server.data.glob("*unfinished*"))
    server.start()
    assert owner.image(image)["Status"] == "Available"


def test_an_interrupted_restore_stops_the_server_until_it_is_done(private):
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    file = saved(server, "saved.db")
    assert server.stop() == 0
    (server.data / "metadata.db.restoring").write_bytes(file.read_bytes())
    (server.data / "metadata.db").rename(server.data / "metadata.db.replaced-1")
    with pytest.raises(AssertionError, match="a restore was interrupted"):
        server.start()
    assert not (server.data / "metadata.db").exists(), "no new metadata is made in its place"
    restored(server, file)
    server.start()
    assert owner.image(image)["Status"] == "Available"


def test_a_new_machine_begins_with_a_backup_and_the_regions(private, tmp_path):
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    file = saved(server, "saved.db")
    assert server.stop() == 0
    for path in server.data.glob("metadata.db*"):
        path.unlink()
    assert "replaced" not in restored(server, file)
    server.start()
    assert owner.image(image)["Status"] == "Available"
    assert check(server, "--deep") == (0, [])
