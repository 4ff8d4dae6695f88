//! `ImportImage`: what is taken, what is refused, and where the bytes go.

use std::fs;

use serde_json::json;

use crate::support::folders::RegionAway;
use crate::support::print::sha256;
use crate::support::refusals::{MISSING_PARAMETER, Row, invalid};
use crate::support::{BUCKET, DISK_GIB, Setup, World, disk, import_params, with, without};

#[tokio::test]
async fn the_image_gets_exactly_the_bytes_of_the_object() {
    let world = World::new().await;
    let bytes = disk("imported");
    let key = world.put(&bytes);
    let body = world.owner.ok("ImportImage", &import_params(&key)).await;
    let image = body["ImageId"].as_str().unwrap();
    assert_eq!(body, json!({ "ImageId": image, "RequestId": body["RequestId"] }), "no Code here");
    assert!(image.starts_with("m-") && image.len() == 27, "{image}");
    assert_eq!(world.owner.image_status(image).await, "Creating");
    assert!(world.files_of(image).await.is_empty(), "nothing is written before the answer");

    world.drain().await;
    let listed = world.owner.image(image).await;
    assert_eq!(listed["Status"], "Available");
    assert_eq!(listed["ImageSize"], DISK_GIB.to_string());
    assert_eq!(listed["ImageStorageSize"], bytes.len().to_string());
    let files: Vec<(String, String)> = world.files_of(image).await.into_iter().collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].0.starts_with("cn-beijing/r-"), "{}", files[0].0);
    assert_eq!(files[0].1, sha256(&bytes));
    let recorded = "SELECT sha256 FROM replicas WHERE holder_id = $1 AND state = 'available'";
    assert_eq!(world.text(recorded, &[image.into()]).await, sha256(&bytes));
    world.assert_sound().await;
}

#[tokio::test]
async fn the_bytes_are_the_images_own() {
    let world = World::new().await;
    let bytes = disk("changed later");
    let key = world.put(&bytes);
    let body = world.owner.ok("ImportImage", &import_params(&key)).await;
    world.drain().await;
    fs::remove_file(world.path("buckets").join(BUCKET).join(&key)).unwrap();
    let files = world.files_of(body["ImageId"].as_str().unwrap()).await;
    assert_eq!(files.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
}

#[tokio::test]
async fn making_takes_as_long_as_the_settings_say() {
    let world = World::open(Setup::with("[timing]\nimage = '30s'\n")).await;
    let image = world.begin_import(&disk("slow")).await;
    for (seconds, status) in [(0, "Creating"), (29, "Creating"), (1, "Available")] {
        world.pass(seconds);
        world.drain().await;
        assert_eq!(world.owner.image_status(&image).await, status);
    }
}

#[tokio::test]
async fn parameters_that_must_be_there() {
    let world = World::new().await;
    let key = world.put(&disk("x"));
    let params = import_params(&key);
    let before = world.print().await;
    for name in
        ["Architecture", "ComputeType", "ImageFormat", "ImageName", "OSType", "OSSBucket", "OSSObject"]
    {
        world.owner.refused("ImportImage", &without(&params, name), MISSING_PARAMETER).await;
        let empty = with(params.clone(), &[(name, "")]);
        world.owner.refused("ImportImage", &empty, MISSING_PARAMETER).await;
    }
    assert_eq!(world.print().await, before);
}

#[tokio::test]
async fn parameters_that_cannot_be_what_they_are() {
    let world = World::new().await;
    let key = world.put(&disk("x"));
    let before = world.print().await;
    let (long_text, long_key, long_name) = ("x".repeat(129), "k".repeat(1_024), "n".repeat(129));
    let cases: [(&'static str, &str, Row); 20] = [
        ("Architecture", "i386", invalid!("Architecture")),
        ("ComputeType", "bare_metal", invalid!("ComputeType")),
        ("ImageFormat", "raw", invalid!("ImageFormat")),
        ("ImageFormat", "vmdk", invalid!("ImageFormat")),
        ("ImageName", "x", invalid!("ImageName")),
        ("ImageName", "1st", invalid!("ImageName")),
        ("ImageName", "https://x", invalid!("ImageName")),
        ("ImageName", &long_name, invalid!("ImageName")),
        ("OSType", "windows", invalid!("OSType")),
        ("OSType", "solaris", invalid!("OSType")),
        ("LicenseType", "GPL", invalid!("LicenseType")),
        ("OSVersion", &long_text, invalid!("OSVersion")),
        ("Platform", &long_text, invalid!("Platform")),
        ("OSSBucket", "no-such-bucket", invalid!("OSSBucket")),
        ("OSSBucket", "..", invalid!("OSSBucket")),
        ("OSSBucket", "../objects", invalid!("OSSBucket")),
        ("OSSObject", &long_key, invalid!("OSSObject")),
        ("TargetOSSRegionId", "mars-1", invalid!("TargetOSSRegionId")),
        ("TargetOSSRegionId", "../buckets", invalid!("TargetOSSRegionId")),
        ("DiskDeviceMapping", "not json", invalid!("DiskDeviceMapping")),
    ];
    for (name, value, row) in cases {
        world.owner.refused("ImportImage", &with(import_params(&key), &[(name, value)]), row).await;
    }
    assert_eq!(world.print().await, before);
}

/// The source as a list with one entry, as JSON text and flattened.
#[tokio::test]
async fn the_source_may_be_a_mapping() {
    let world = World::new().await;
    let bytes = disk("mapped");
    let key = world.put(&bytes);
    let plain = without(&without(&import_params(&key), "OSSBucket"), "OSSObject");
    let json = format!(r#"[{{"OSSBucket":"{BUCKET}","OSSObject":"{key}","OSSRegion":"cn-beijing"}}]"#);
    let as_json = with(plain.clone(), &[("DiskDeviceMapping", &json)]);
    let flat =
        with(plain, &[("DiskDeviceMapping.1.OSSBucket", BUCKET), ("DiskDeviceMapping.1.OSSObject", &key)]);
    for params in [as_json, flat] {
        let body = world.owner.ok("ImportImage", &params).await;
        world.drain().await;
        let files = world.files_of(body["ImageId"].as_str().unwrap()).await;
        assert_eq!(files.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
    }
    let two = json.replace("}]", &format!("}},{}", &json[1..]));
    let params = with(import_params(&key), &[("DiskDeviceMapping", &two)]);
    world.owner.refused("ImportImage", &params, invalid!("DiskDeviceMapping")).await;
}

#[tokio::test]
async fn the_bytes_go_to_the_region_that_is_named_or_else_to_that_of_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = format!(
        "[[bucket]]\nname = 'named'\nregion = 'cn-shanghai'\nobjects = 'file:{}'\n",
        folder.path().display()
    );
    let world = World::open(Setup::with(&bucket)).await;
    fs::write(folder.path().join("disk"), disk("elsewhere")).unwrap();
    let key = world.put(&disk("in the folder"));
    let nowhere = without(&import_params(&key), "TargetOSSRegionId");
    let named = with(nowhere.clone(), &[("OSSBucket", "named"), ("OSSObject", "disk")]);
    for (params, region) in [
        (with(named.clone(), &[("TargetOSSRegionId", "ap-southeast-1")]), "ap-southeast-1"),
        (named, "cn-shanghai"),
        (nowhere, "cn-hangzhou"),
    ] {
        let body = world.owner.ok("ImportImage", &params).await;
        world.drain().await;
        let image = body["ImageId"].as_str().unwrap();
        assert_eq!(world.owner.image(image).await["RegionId"], region);
        let files = world.files_of(image).await;
        assert!(files.keys().all(|file| file.starts_with(region)) && files.len() == 1, "{files:?}");
    }
}

/// An object that cannot be taken ends the image in the documented status, and leaves no byte.
#[tokio::test]
async fn what_is_not_a_harmless_qcow2_file_fails() {
    let world = World::new().await;
    let good = disk("good");
    let with_byte = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let mut backed = good.clone();
    backed[8..16].copy_from_slice(&1024_u64.to_be_bytes());
    backed[16..20].copy_from_slice(&11_u32.to_be_bytes());
    backed[1024..1035].copy_from_slice(b"/etc/passwd");
    let objects: [(&str, Vec<u8>); 8] = [
        ("empty", Vec::new()),
        ("raw", vec![0; 1 << 20]),
        ("vmdk", b"# Disk DescriptorFile\nRW 1 FLAT \"/etc/passwd\" 0\n".to_vec()),
        ("cut short", good[..good.len() / 2].to_vec()),
        ("a backing file", backed),
        ("an external data file", with_byte(79, 4)),
        ("unknown features", with_byte(72, 1)),
        ("a data cluster behind the end", with_byte(5 * (1 << 16) - (1 << 16) + 1, 0xff)),
    ];
    let files = world.files();
    for (what, bytes) in objects {
        let image = world.import_disk(&bytes).await;
        assert_eq!(world.owner.image_status(&image).await, "Pack_failed", "{what}");
        assert_eq!(world.files(), files, "{what}");
        let launch = [("ImageId", image.as_str()), ("InstanceType", "ens.sn1.small")];
        let row = crate::support::refusals::IMAGE_STATUS;
        world.owner.refused("RunInstances", &launch, row).await;
    }
}

/// Keys that no object can have are answered like those that none has.
#[tokio::test]
async fn objects_that_are_not_there_fail() {
    let world = World::new().await;
    let files = world.files();
    for key in ["no-such-object", "../../credentials.toml", "/etc/passwd", "a/../../../metadata.db", "."] {
        let body = world.owner.ok("ImportImage", &import_params(key)).await;
        world.drain().await;
        let image = body["ImageId"].as_str().unwrap();
        assert_eq!(world.owner.image_status(image).await, "Pack_failed", "{key}");
        let reason = world.text("SELECT reason FROM images WHERE id = $1", &[image.into()]).await;
        assert_eq!(reason, "the object does not exist", "{key}");
    }
    assert_eq!(world.files(), files);
}

/// A region that does not work for a while: the import waits for it.
#[tokio::test]
async fn a_region_that_is_away_for_a_while_delays_the_import() {
    let world = World::new().await;
    let bytes = disk("waits");
    let image = world.begin_import(&bytes).await;
    let home = world.path("objects/cn-beijing");
    let away = RegionAway::take(&home);
    for _ in 0..2 {
        world.drain().await;
        assert_eq!(world.owner.image_status(&image).await, "Creating");
        world.pass(60);
    }
    drop(away);
    world.drain().await;
    assert_eq!(world.owner.image_status(&image).await, "Available");
    assert_eq!(world.files_of(&image).await.into_values().collect::<Vec<_>>(), [sha256(&bytes)]);
    world.assert_sound().await;
}

/// A region that does not come back: the image ends as failed, not stuck, and can be deleted.
#[tokio::test]
async fn a_region_that_stays_away_fails_the_import_in_the_end() {
    let world = World::new().await;
    let image = world.begin_import(&disk("waits in vain")).await;
    let home = world.path("objects/cn-beijing");
    let away = RegionAway::take(&home);
    for _ in 0..10 {
        world.drain().await;
        world.pass(600);
    }
    assert_eq!(world.owner.image_status(&image).await, "Upload_failed");
    world.owner.ok("DeleteImage", &[("ImageId", &image)]).await;
    world.drain().await;
    drop(away);
    world.pass(600);
    world.drain().await;
    world.assert_erased(&image).await;
    world.assert_sound().await;
}
