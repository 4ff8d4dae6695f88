"""Disks that are full, read-only or broken: a clear refusal or a clean recovery, and never a silent loss."""

import resource
import sqlite3
import subprocess
from contextlib import closing

import pytest

import qcow2
from clients import Refused
from server import BINARY, wait
from world import FAILED, refusal

# A folder in which nobody, not even root, can make a file.
READ_ONLY = "/proc/self/task"

pytestmark = pytest.mark.embedded


def limit(server, size_bytes):
    """Lets no file of the running server grow beyond so many bytes; None lifts the limit."""
    size = resource.RLIM_INFINITY if size_bytes is None else size_bytes
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_refuses_and_recovers_by_itself(private):
    """Where the metadata cannot grow, a delete fails and changes nothing; with room again, all goes on."""
    world = private()
    owner, server = world.owner, world.server
    images = owner.import_images(3)
    before = {image: server.print_of(image) for image in images}
    log = server.data / "metadata.db-wal"
    limit(server, log.stat().st_size)
    told = refusal(owner.delete, images[0])
    assert told.status >= 500 and "injected" not in told.message, told
    assert refusal(owner.import_image, ready=False).status >= 500
    assert {image: server.print_of(image) for image in images} == before
    assert len(owner.images()) == 3, "what only reads goes on"

    limit(server, None)
    wait("room on the disk to be seen", lambda: deletes(owner, images[0]))
    server.restart()
    owner.delete(images[1])
    server.audit()
    assert {entry["ImageId"] for entry in owner.images()} == {images[2]}
    assert "panicked" not in server.stderr()


def deletes(owner, image):
    try:
        owner.delete(image)
    except Refused as refused:
        assert refused.status >= 500, refused
        return False
    return True


def test_a_region_without_room_fails_the_import_and_keeps_nothing(private):
    world = private()
    owner, server = world.owner, world.server
    small = owner.import_image()
    large = qcow2.golden(seed=3, clusters=64)
    # Room for the metadata, not for the bytes.
    limit(server, len(large) // 2)
    image = owner.import_image(large, ready=False)
    owner.image_becomes(image, *FAILED, timeout_s=60)
    limit(server, None)
    owner.delete(image)
    server.audit()
    assert {entry["ImageId"] for entry in owner.images()} == {small}


def serve(*arguments):
    """Starts a server that is expected to refuse, and gives its words."""
    command = [BINARY, "serve", "--listen", "127.0.0.1:0", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1, ended
    return ended.stderr


def test_metadata_on_a_read_only_disk_is_refused_at_the_start(private, tmp_path):
    config = tmp_path / "calotype.toml"
    config.write_text(f"data = '{tmp_path / 'data'}'\n[metadata]\nurl = 'sqlite:{READ_ONLY}/metadata.db'\n")
    words = serve("--config", config)
    assert "the metadata cannot be opened" in words and "panicked" not in words


@pytest.mark.parametrize("page", ["the first", "one in the middle", "the rows of the images", "cut short"])
def test_a_broken_page_is_noticed(private, page):
    """The server refuses to start, or answers with an error where the page is needed; it never says that
    an image is not there."""
    world = private()
    owner, server = world.owner, world.server
    images = owner.import_images(40)
    assert server.stop() == 0
    database = server.data / "metadata.db"
    fold_log(database)
    whole = database.read_bytes()
    database.write_bytes(broken(whole, page, server))
    told = []
    try:
        server.start()
    except AssertionError as refused:
        assert "the metadata cannot be opened" in str(refused), refused
        server.process = None
    else:
        told = [outcome(owner, image) for image in images]
        assert set(told) <= {"there", "error"}, set(told)
        assert server.stop() == 0
        assert "panicked" not in server.stderr()
    database.write_bytes(whole)
    server.start()
    listed = {entry["ImageId"] for entry in owner.images(PageSize="50")}
    assert listed == set(images), "with the page back, nothing is lost"
    server.audit()


def test_an_emptied_file_beside_its_log_is_not_taken_for_a_new_one(private):
    """The log alone would be thrown away with everything that only it has."""
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    server.kill()
    database = server.data / "metadata.db"
    whole = database.read_bytes()
    assert database.with_name("metadata.db-wal").stat().st_size > 0
    database.write_bytes(b"")
    words = serve("--config", server.folder / "calotype.toml", "--data", server.data)
    assert "is empty, but its log is not" in words, words
    database.write_bytes(whole)
    server.start()
    assert owner.image(image)


def fold_log(database):
    """Moves everything into the one file: the last connection that is closed does that."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("SELECT COUNT(*) FROM images").fetchall()
    assert not database.with_name("metadata.db-wal").exists()


def broken(whole, page, server):
    """The file with one page made of noise."""
    noise = bytes((7 * index + 3) % 256 for index in range(4096))
    match page:
        case "cut short":
            return whole[: len(whole) // 2 // 4096 * 4096]
        case "the first":
            start = 0
        case "one in the middle":
            start = len(whole) // 2 // 4096 * 4096
        case _:
            start = (page_of_images(server) - 1) * 4096
    return whole[:start] + noise + whole[start + 4096 :]


def page_of_images(server):


    with closing(sqlite3.connect(server.data / "metadata.db")) as db:
        [(page,)] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'images'").fetchall()
    return page


def outcome(owner, image):
    try:
        found = owner.image(image)
    except Refused as refused:
        assert refused.status >= 500 or refused.code == "InternalError", refused
        return "error"
    return "there" if found else "silently lost"
