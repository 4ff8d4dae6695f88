"""Whatever the order in which things are deleted, nothing is left in the end."""

from itertools import permutations

import pytest

from appstream_world import HOME
from test_delete_image import USED_TO_CREATE
from world import assert_refused, refusal

pytest_plugins = ["appstream_fixtures"]

FIRST = [" then ".join(order) for order in permutations(("image", "instance", "snapshot"))]
SECOND = [" then ".join(order) for order in permutations(("template", "share", "image"))]


@pytest.mark.parametrize("order", FIRST)
def test_image_instance_and_snapshot(private, order):
    """The snapshot is of the instance, which was made from the image; a refused delete is repeated last."""
    world = private()
    owner, server = world.owner, world.server
    image = owner.import_image()
    instance = owner.launch(image)
    snapshot = owner.create_snapshot(instance)
    before = set(server.objects())
    left = order.split(" then ")
    waiting = []
    for what in left:
        if what == "image" and "instance" not in done(left, what):
            assert_refused(refusal(owner.delete, image), *USED_TO_CREATE)
            waiting.append(what)
        elif what == "image":
            owner.delete(image)
        elif what == "instance":
            owner.release(instance)
        else:
            owner.call("DeleteSnapshot", SnapshotId=snapshot)
    for _ in waiting:
        owner.delete(image)
    server.audit()
    kept = "SELECT holder_id FROM replicas WHERE state <> 'erased' AND holder_id IN (?, ?)"
    assert server.query(kept, image, snapshot) == []
    assert set(server.objects()) < before
    assert not server.query("SELECT * FROM instances UNION ALL SELECT * FROM instances WHERE id = ?", instance)
    assert not server.query("SELECT * FROM usages") and not server.query("SELECT * FROM snapshots")
    assert server.is_erased(image)


def done(order, what):
    """What comes before."""
    return order[: order.index(what)]


@pytest.mark.parametrize("order", SECOND)
def test_template_share_and_image(own_server, order):
    """A share keeps the image; a template goes with it, so that its own delete may come too late."""
    world = own_server()
    owner, server = world.owner, world.server
    image = owner.make_image()
    template = owner.template(image)
    owner.share(image, world.other.account)
    waiting = False
    steps = order.split(" then ")
    for what in steps:
        if what == "share":
            owner.unshare(image, world.other.account)
        elif what == "image" and "share" not in done(steps, what):
            assert refusal(owner.delete, image).code == "ImageDeleteFailed.HasSharedImage"
            waiting = True
        elif what == "image":
            owner.delete(image)
        elif owner.templates(TemplateIds=[template]):
            owner.ecd("DeleteTemplates", TemplateIds=[template])
        else:
            assert what == "template" and steps.index("image") < steps.index("template")
    if waiting:
        owner.delete(image)
    server.audit()
    assert server.is_erased(image)
    assert not owner.templates() and owner.images(ImageId=image) == []
    for table in ("templates", "shares"):
        assert not server.query(f"SELECT * FROM {table} WHERE image_id = ?", image)
    assert HOME in {name.split("/")[0] for name in server.objects()}, "the system images stay"
