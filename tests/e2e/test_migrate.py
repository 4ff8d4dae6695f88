"""Metadata goes from the embedded file to PostgreSQL, and a dump from there is brought back."""

import json
import subprocess

import pytest

from conftest import pairs
from metadata import File, Schema
from postgres import programs
from server import Server, sha256
from world import Caller, assert_refused, refusal

pytest_plugins = ["several_fixtures"]
pytestmark = pytest.mark.postgres

NOT_EXIST = (400, "Error.DeleteImage", "The image is not exist.")


@pytest.fixture
def moving(tmp_path, database):
    """A server whose metadata is in its file, and the schema that it will be in."""
    [accounts] = pairs(1)
    server = Server(tmp_path, list(accounts), metadata=File(tmp_path / "data/metadata.db"))
    yield server, Schema(database)
    if server.process:
        server.kill()


def owner_of(server):
    return Caller(server, server.accounts[0].key())


def migrate(server, schema):
    return server.command("migrate", "--from", f"sqlite:{server.data / 'metadata.db'}", "--to", url(schema))


def url(schema):
    """The address as the configuration has it."""
    [line] = [line for line in schema.config if line.startswith("url")]
    return json.loads(line.split(" = ", 1)[1])


def test_an_installation_moves_and_goes_on(moving):
    server, schema = moving
    owner = owner_of(server.start())
    kept, gone, used = (owner.import_image() for _ in range(3))
    instance = owner.launch(used)
    owner.share(kept, server.accounts[1].id)
    owner.delete(gone)
    server.audit()

    running = migrate(server, schema)
    assert running.returncode == 1 and "another process uses the data folder" in running.stderr
    assert server.stop() == 0
    before = sha256(server.data / "metadata.db")
    moved = migrate(server, schema)
    assert moved.returncode == 0, moved.stderr
    images = [line.split() for line in moved.stdout.splitlines() if line.endswith(" images")]
    assert images == [["5", "images"]], "two system images and three"
    assert sha256(server.data / "metadata.db") == before

    again = migrate(server, schema)
    assert again.returncode == 1 and "is not empty" in again.stderr

    server.metadata = schema
    owner = owner_of(server.start())
    assert {image["ImageId"] for image in owner.images()} == {kept, used}
    assert_refused(refusal(owner.delete, gone), *NOT_EXIST)
    assert refusal(owner.delete, used).code == "Forbidden.DelerrorteImage"
    owner.release(instance)
    for image in (kept, used):
        owner.delete(image)
    server.audit()
    assert server.stop() == 0


def test_it_goes_one_way_only(moving):
    server, schema = moving
    server.write_config()
    for words in (
        ["--from", url(schema), "--to", f"sqlite:{server.data / 'other.db'}"],
        ["--from", f"sqlite:{server.data / 'none.db'}", "--to", url(schema)],
        ["--from", "oracle:x", "--to", url(schema)],
    ):
        done = server.command("migrate", *words)
        assert done.returncode == 1 and done.stderr.startswith("calotype: "), done
    assert not (server.data / "other.db").exists()


def test_a_dump_is_brought_back(moving):
    server, schema = moving
    server.metadata = schema
    owner = owner_of(server.start())
    kept, deleted = owner.import_image(), owner.import_image()
    server.audit()
    dump = subprocess.run(
        [programs() / "pg_dump", "--schema", schema.name, schema.url], capture_output=True, check=True, text=True
    ).stdout
    owner.delete(deleted)
    later = owner.import_image()
    late = owner.raw.v1("DeleteImage", {"ImageId": kept})
    server.audit()
    assert server.stop() == 0

    schema.change(f"DROP SCHEMA {schema.name} CASCADE")
    subprocess.run(
        ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", schema.url], input=dump, check=True, text=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    for words, said in (([server.folder / "a file"], "PostgreSQL's own tools"), ([], "that of a backup")):
        done = server.command("restore", *words)
        assert said in done.stdout + done.stderr, done
        assert (done.returncode == 0) == (not words), done

    server.start()
    assert owner.raw.send(late, port=server.port).json["Code"] == "SignatureNonceUsed", "it may have been done"
    done = server.command("check", "--repair", "--json")
    found = {finding["kind"] for finding in json.loads(done.stdout)["findings"]}
    assert found == {"bytes-missing", "object-unknown"}, found
    owner = owner_of(server)
    assert owner.image(deleted)["Status"] == "Unavailable"
    owner.delete(deleted)
    assert_refused(refusal(owner.delete, later), *NOT_EXIST)
    assert server.command("check", "--repair", "--erase-unknown").returncode == 0
    owner.delete(kept)
    server.audit()
    assert server.stop() == 0
