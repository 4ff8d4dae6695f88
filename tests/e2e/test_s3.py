"""Regions and buckets on a real S3 server: beside regions of other kinds, away, hanging, with a wrong key."""

import time

import pytest

import qcow2
from appstream_world import AppServer, AppWorld
from conftest import pairs
from s3 import KEY, KEY_ID, SECRET, Store, bucket, free_port, region
from server import START_S, wait
from test_check import found
from test_export import TARGET, becomes

LARGE = qcow2.golden(seed=9, clusters=640)
# A call that hangs is given up after 15 seconds.
GIVEN_UP_S = 25
# Pauses between attempts grow up to a minute.
BACK_S = 90


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("s3")).start()
    yield store
    store.kill()


@pytest.fixture
def store(tmp_path):
    """A store that the test may stop and break."""
    store = Store(tmp_path / "s3").start()
    store.make("images", "golden-s3")
    yield store
    store.kill()


def config(store, secret=KEY):
    """The region of imports on the store, the default one in a folder, and a bucket on the store."""
    lines = "[[region]]\nid = 'cn-hangzhou'\n" + region("cn-beijing", store.url("images"))
    return (lines + bucket("golden-s3", store.url("golden-s3"))).replace(KEY, secret)


def assert_clean(server):
    status, report = found(server, "--deep")
    assert status == 0, report


def object_keys(server, image):
    rows = server.query("SELECT region, object_key FROM replicas WHERE holder_id = ?", image)
    return {row["region"]: row["object_key"] for row in rows}


def test_images_go_in_and_out_of_s3_and_are_gone_when_deleted(private, store):
    world = private(config=config(store))
    owner, server = world.owner, world.server
    image = owner.import_image(LARGE)
    assert store.names("images") == {object_keys(server, image)["cn-beijing"]}
    assert found(server)[1]["regions"]["cn-beijing"]["bytes"] == len(LARGE)

    target = TARGET | {"OSSBucket": "golden-s3"}
    assert owner.call("ExportImage", **target, ImageId=image, OSSPrefix="by/s3")["ExportedImageURL"]
    becomes(owner, image, "Exported")
    assert store.names("golden-s3") == {f"by/s3/{image}.qcow2"}
    source = {"OSSBucket": "golden-s3", "OSSObject": f"by/s3/{image}.qcow2"}
    again = owner.import_image(**source)
    hashes = server.query("SELECT DISTINCT sha256 FROM replicas WHERE holder_id IN (?, ?)", image, again)
    assert len(hashes) == 1
    assert_clean(server)

    failed = owner.import_image(ready=False, OSSBucket="golden-s3", OSSObject="missing.qcow2")
    wait("the refusal", lambda: owner.image(failed)["Status"] == "Pack_failed")
    for deleted in (image, again, failed):
        owner.delete(deleted)
    wait("the erasures", server.is_quiet)
    assert store.names("images") == set()
    assert_clean(server)


def test_d25_images_go_from_regions_of_every_kind(tmp_path, shared_store):
    shared_store.make("kinds")
    url = shared_store.url("kinds")
    [pair] = pairs(1)
    server = AppServer(tmp_path / "server", pair)
    server.more_config = "[[region]]\nid = 'cn-hangzhou'\n" + region("ap-southeast-1", "memory:", key=False)
    for name in ("cn-beijing", "cn-shanghai"):
        server.more_config += region(name, url.replace("?", f"/{name}?"))
    owner = AppWorld(server, pair).owner
    server.start()
    try:
        image = owner.make_image()
        regions = ["cn-beijing", "ap-southeast-1", "cn-shanghai"]
        owner.distribute(image, *regions)
        keys = object_keys(server, image)
        assert set(keys) == {"cn-hangzhou", *regions}
        for name in ("cn-beijing", "cn-shanghai"):
            assert keys[name] in shared_store.names("kinds", name)
        assert_clean(server)
        owner.delete(image)
        wait("the erasures", server.is_quiet)
        for name in ("cn-beijing", "cn-shanghai"):
            assert keys[name] not in shared_store.names("kinds", name)
        assert_clean(server)
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["hangs", "is killed"])
def test_d25_a_store_that_is_away_delays_only_its_own_region(private, store, how):
    world = private(config=config(store))
    owner, server = world.owner, world.server
    images = owner.import_images(3)
    here = owner.import_image(TargetOSSRegionId="cn-hangzhou")
    [node] = store.nodes
    if how == "hangs":
        node.hang()
        begun = time.monotonic()
        server.restart()
        assert time.monotonic() - begun < 5, "a start does not wait for it either"
    else:
        node.kill()
    begun = time.monotonic()
    for image in (*images[:2], here):
        owner.delete(image)
    waiting = owner.import_image(ready=False)
    other = owner.import_image(TargetOSSRegionId="cn-hangzhou")
    wait("the erasure in the other region", lambda: server.is_erased(here), timeout_s=5)
    assert time.monotonic() - begun < 10, "nobody waits for the store"
    owner.delete(other)

    def told():
        rows = server.query("SELECT last_error FROM replicas WHERE holder_id = ? AND state = 'erasing'", images[0])
        return [row["last_error"] for row in rows if row["last_error"]]

    wait("the failure to be told", told, timeout_s=GIVEN_UP_S)
    assert "store" in deletion_error(owner, images[0])
    if how == "hangs":
        node.go_on()
    else:
        node.start()
        wait("the store", node.is_up)
    wait("the erasures", lambda: all(server.is_erased(image) for image in images[:2]), timeout_s=BACK_S)
    # An import is tried a few times only.
    wait("the import", lambda: owner.image(waiting)["Status"] in ("Available", "Upload_failed"), BACK_S)
    assert {entry["ImageId"] for entry in owner.images()} == {images[2], waiting}, "nothing is lost"
    owner.image_becomes(owner.import_image(ready=False), "Available")
    wait("the work to be done", server.is_quiet, timeout_s=BACK_S)
    assert_clean(server)


def deletion_error(caller, image):
    """What is told of a deletion that has not ended."""
    return str(caller.sdk("new").call_other("2026-11-21", "GetDeletion", ImageId=image).body)


def test_a_bucket_that_was_made_anew_is_not_the_one_that_it_was(private, store):
    world = private(config=config(store))
    owner, server = world.owner, world.server
    image = owner.import_image()
    [home] = store.homes("images")
    aside = home.with_name("aside")
    for kind in ("removed", "made anew"):
        home.rename(aside)
        if kind == "made anew":
            home.mkdir()
        else:
            owner.delete(image)
        status, report = found(server, "--repair")
        assert (status, report["regions"]["cn-beijing"]["state"]) == (2, "away"), kind
        time.sleep(1)
        assert not server.is_erased(image), "nothing counts as erased"
        if kind == "made anew":
            assert "no marker" in report["regions"]["cn-beijing"]["reason"]
            home.rmdir()
        aside.rename(home)
    assert server.query("SELECT state FROM replicas WHERE holder_id = ?", image) == [{"state": "erasing"}]
    wait("the erasure", lambda: server.is_erased(image), timeout_s=BACK_S)
    assert store.names("images") == set()
    assert_clean(server)


def test_a_wrong_key_is_told_and_never_shown(private, store):
    wrong = "wrong-but-secret-all-the-same"
    with pytest.raises(AssertionError, match="refused the access key") as refused:
        private(config=config(store, KEY.replace(SECRET, wrong)))
    assert wrong not in str(refused.value)

    # Of a region that was used before, the rest of the service does not wait for the operator.
    world = private(config=config(store))
    owner, server = world.owner, world.server
    image = owner.import_image()
    assert server.stop() == 0
    server.more_config = config(store, "")
    server.environment = {"CALOTYPE_S3_ACCESS_KEY_ID": KEY_ID, "CALOTYPE_S3_ACCESS_KEY_SECRET": wrong}
    server.start()
    owner.delete(image)
    wait("the failure to be told", lambda: "refused the access key" in deletion_error(owner, image))
    status, report = found(server)
    assert (status, report["regions"]["cn-beijing"]["state"]) == (2, "away")
    shown = server.stderr() + str(report)
    assert wrong not in shown and SECRET not in shown
    assert server.stop() == 0
    server.environment |= {"CALOTYPE_S3_ACCESS_KEY_SECRET": SECRET}
    server.start()
    wait("the erasure", lambda: server.is_erased(image), timeout_s=BACK_S)
    assert_clean(server)


def test_an_import_goes_on_after_a_kill_and_leaves_no_parts(private, store):
    world = private(config=config(store))
    owner, server = world.owner, world.server
    for after_s in (0.05, 0.2, 0.4):
        images = [owner.import_image(LARGE, ready=False) for _ in range(2)]
        time.sleep(after_s)
        server.kill()
        server.start()
        for image in images:
            owner.image_becomes(image, "Available", timeout_s=60)
    wait("the work to be done", server.is_quiet)
    [home] = store.homes("")
    parts = [path for path in (home / ".minio.sys/multipart").rglob("part.*")]
    assert parts == [], "nothing of the killed attempts is left"
    assert_clean(server)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (region("cn-beijing", "s3://images?endpont=http://127.0.0.1:1"), "the parameter endpont is not known"),
        (region("cn-beijing", "s3://images?endpoint=127.0.0.1:1"), "the parameter endpoint must be an address"),
        (region("cn-beijing", "s3://images?style=hosted"), "the parameter style must be path or virtual"),
        (region("cn-beijing", "s3://i"), "must be file:PATH, memory: or s3://BUCKET"),
        (region("cn-beijing", "s3://images", key=False), "an s3 store needs an access_key"),
        (region("cn-beijing", "file:images"), "region cn-beijing: an access_key is for s3: stores"),
        (f"[s3]\naccess_key_secret = '{SECRET}'\n", "s3.access_key_secret needs s3.access_key_id"),
    ],
)
def test_what_cannot_be_a_store_is_told_by_name(private, lines, told):
    with pytest.raises(AssertionError, match=told) as refused:
        private(config=lines)
    assert SECRET not in str(refused.value)


def test_a_store_that_was_never_there_is_told_at_the_start(private):
    begun = time.monotonic()
    with pytest.raises(AssertionError, match="region cn-beijing cannot be used"):
        private(config=region("cn-beijing", f"s3://images?endpoint=http://127.0.0.1:{free_port()}"))
    assert time.monotonic() - begun < START_S
