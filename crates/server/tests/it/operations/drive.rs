//! For each operation, parameters with which it succeeds: an operation that has none fails the walk.

use calotype::products::Operation;

use super::drive_app_streaming;
use crate::support::caller::Caller;
use crate::support::{BUCKET, NODE, OTHER, OWNER, PUBLIC_IMAGE, REGION, STAGED_ROLE, World, disk};

/// Names and values of the parameters of a call.
pub type Owned = Vec<(&'static str, String)>;

/// Things that are there for whoever wants to look at them.
pub struct Stage {
    image: String,
    object: String,
    instance: String,
}

impl Stage {
    /// Sets things up so that every listing has something to list.
    pub async fn set(world: &World) -> Self {
        let object = world.put(&disk("staged"));
        let image = world.import().await;
        world.owner.share(&image, OTHER).await;
        let more = [
            ("Tag.1.Key", "env"),
            ("Tag.1.Value", "test"),
            ("DataDisk", r#"[{"Size":20}]"#),
            ("SecurityId", "sg-1"),
            ("PrivateIpAddress", "10.0.0.1"),
        ];
        let instance = world.owner.launch_with(&image, &more).await;
        let snapshot = world.owner.create_snapshot(&instance).await;
        world.drain().await;
        let params = [("ImageName", "made-of-it"), ("SnapshotId", snapshot.as_str())];
        world.owner.ok("CreateImage", &params).await;
        let export = export(image.clone());
        let export: Vec<(&str, &str)> = export.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.owner.ok("ExportImage", &export).await;
        world.drain().await;
        Self { image, object, instance }
    }

    /// Who may call the operation: the account itself, unless that is the one who may not.
    pub fn caller<'w>(world: &'w World, operation: &Operation) -> &'w Caller {
        if operation.name == "AssumeRole" { &world.assumer } else { &world.owner }
    }

    /// Parameters with which a call of the operation succeeds, once.
    pub async fn params(&self, world: &World, operation: &Operation) -> Owned {
        match operation.api.name {
            "ens" | "sts" => self.ens_params(world, operation.name).await,
            _ => drive_app_streaming::params(world, operation).await,
        }
    }

    async fn ens_params(&self, world: &World, operation: &str) -> Owned {
        let image = || ("ImageId", self.image.clone());
        let node = || ("EnsRegionId", NODE.to_owned());
        match operation {
            "AssumeRole" => vec![
                ("RoleArn", format!("acs:ram::{OWNER}:role/{STAGED_ROLE}")),
                ("RoleSessionName", "walker".to_owned()),
            ],
            "CreateImage" => vec![named("made-again"), ("InstanceId", self.instance.clone())],
            "CreateInstance" => {
                let fixed = [("InstanceType", "ens.sn1.small"), ("Period", "1"), ("Quantity", "1")];
                let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
                [image(), node()].into_iter().chain(fixed).collect()
            }
            "CreateSnapshot" => {
                let disk = world.owner.instance(&self.instance).await["SystemDisk"]["DiskId"].clone();
                vec![("DiskId", disk.as_str().unwrap().to_owned()), node()]
            }
            "DeleteImage" => vec![("ImageId", world.import().await)],
            "DeleteSnapshot" | "ModifySnapshotAttribute" => {
                let snapshot = world.owner.create_snapshot(&self.instance).await;
                vec![("SnapshotId", snapshot)]
            }
            "DescribeDisks" | "DescribeEnsRegions" | "DescribeSnapshots" => vec![node()],
            "DescribeImageInfos" => vec![("OsType", "linux".to_owned())],
            "DescribeExportImageStatus"
            | "DescribeImageSharePermission"
            | "DescribeImages"
            | "DescribeSelfImages" => vec![image()],
            "DescribeInstances" => vec![("InstanceId", self.instance.clone())],
            "DescribeExportImageInfo" | "GetCallerIdentity" => vec![],
            "ExportImage" => export(world.import().await),
            "ImportImage" => self.import(),
            "ListTagResources" => {
                vec![("ResourceType", "instance".to_owned()), ("ResourceId.1", self.instance.clone())]
            }
            "ModifyImageAttribute" => vec![image(), named("renamed")],
            "ModifyImageSharePermission" => vec![image(), ("AddAccounts", OTHER.to_owned())],
            "RunInstances" => {
                vec![image(), node(), ("InstanceType", "ens.sn1.small".to_owned())]
            }
            "ReinitInstance" => vec![image(), ("InstanceId", running(world).await)],
            "ReinitInstances" => vec![image(), ("InstanceIds", running(world).await)],
            "ModifyInstanceAttribute"
            | "RebootInstance"
            | "ReleaseInstance"
            | "ReleasePostPaidInstance"
            | "StopInstance" => vec![("InstanceId", running(world).await)],
            "RebootInstances" | "StopInstances" => vec![("InstanceIds", running(world).await)],
            "StartInstance" => vec![("InstanceId", stopped(world).await)],
            "StartInstances" => vec![("InstanceIds", stopped(world).await)],
            "ReleasePrePaidInstance" => {
                let prepaid = [("InstanceChargeType", "PrePaid")];
                vec![("InstanceId", world.owner.launch_with(PUBLIC_IMAGE, &prepaid).await)]
            }
            other => panic!("say here with which parameters {other} succeeds"),
        }
    }

    fn import(&self) -> Owned {
        let fixed = [
            ("Architecture", "x86_64"),
            ("ComputeType", "ens_vm"),
            ("ImageFormat", "qcow2"),
            ("OSType", "linux"),
            ("OSSBucket", BUCKET),
            ("OSSObject", &self.object),
        ];
        let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
        fixed.into_iter().chain([named("imported")]).collect()
    }
}

/// The parameters of an export of an image.
fn export(image: String) -> Owned {
    let fixed = [("OSSBucket", BUCKET), ("OSSRegionId", REGION)];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    fixed.into_iter().chain([("ImageId", image)]).collect()
}

fn named(name: &str) -> (&'static str, String) {
    ("ImageName", name.to_owned())
}

async fn running(world: &World) -> String {
    world.owner.launch(PUBLIC_IMAGE).await
}

async fn stopped(world: &World) -> String {
    let instance = running(world).await;
    world.owner.ok("StopInstance", &[("InstanceId", &instance)]).await;
    instance
}
