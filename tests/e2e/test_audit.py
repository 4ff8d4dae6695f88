"""The audit that other tests rely on: does it notice what it is there to notice?"""

import pytest

from server import wait


def change(server, statement, *values):
    server.metadata.change(statement, *values)


def spoil_bytes(server, image):
    path = server.object(image)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def leave_half(server, image):
    path = server.object(image)
    path.with_name(f"{path.name}#1").write_bytes(b"half an upload")


SPOILS = {
    "a stray file": lambda server, image: (server.object(image).parent / "stray").write_bytes(b"stray"),
    "a file of an upload that was cut off": leave_half,
    "a missing file": lambda server, image: server.object(image).unlink(),
    "a changed byte": spoil_bytes,
    "a lost use": lambda server, image: change(server, "DELETE FROM usages WHERE image_id = ?", image),
    "a deleted image in use": lambda server, image: change(
        server, "UPDATE images SET deleted_ms = 1 WHERE id = ?", image
    ),
    "a lost image": lambda server, image: change(server, "DELETE FROM images WHERE id = ?", image),
    "a stuck image": lambda server, image: change(server, "UPDATE images SET state = 'making' WHERE id = ?", image),
    "an open deletion": lambda server, image: change(server, "UPDATE deletions SET completed_ms = NULL"),
}


@pytest.mark.parametrize("what", SPOILS)
def test_the_audit_notices(private, what):
    world = private()
    owner, server = world.owner, world.server
    image, gone = owner.import_images(2)
    owner.share(image, world.other.account)
    owner.launch(image)
    owner.delete(gone)
    wait("the bytes to be erased", lambda: server.is_erased(gone))
    server.audit()
    assert server.stop() == 0

    SPOILS[what](server, image)
    with pytest.raises(AssertionError):
        server.audit(timeout_s=0.1)
