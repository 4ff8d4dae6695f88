//! What the rows say, in the types of the decisions: here the model asks the code itself.

use calotype_core::delete_image::{self, DeleteImage, DeleteRefusal, DeleteView};
use calotype_core::distribute_image::{self, DistributeImage, DistributeRefusal, DistributeView};
use calotype_core::ids::{AccountId, DeletionId, ImageId, RegionId, ReplicaId, VersionId};
use calotype_core::image::{
    Image, ImageKind, ImageLabels, ImageState, ImageView, NotChangeable, Product, Stage as Making, Unusable,
    usable,
};
use calotype_core::ram::{Arn, Authorized, Context, Policies, Principal, PrincipalKind, authorize};
use calotype_core::replica::{EntryState, RegionEntry};
use calotype_core::restore_image::{self, DeletedImage, RestoreRefusal, RestoreView};
use calotype_core::share_image::{self, ShareImage, ShareRefusal, ShareView};
use calotype_core::time::Timestamp;
use calotype_core::usage::{ConsumerKind, Usage, UsageOrigin};

use crate::rows::{ReplicaState, Set, Stage, Tables};
use crate::state::{Plan, Refusal};
use crate::steps::Model;
use crate::world::{Account, Guard, Op, World};

const NOW: Timestamp = Timestamp::from_millis(1_000);
const GRACE_MS: i64 = 500;

/// What never changes: ids, images and permissions.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    owner: AccountId,
    other: AccountId,
    version: VersionId,
    images: Vec<Image>,
    replicas: Vec<ReplicaId>,
    regions: Vec<RegionId>,
    authorized: Vec<Authorized>,
}

impl Names {
    pub(crate) fn of(world: &World) -> Self {
        let owner = AccountId::trusted("1000000000000001");
        let images: Vec<Image> =
            (0..2).map(|number| image(&owner, &ImageId::trusted(format!("m-{number}")))).collect();
        Self {
            authorized: images.iter().map(|image| permission(&owner, &image.id)).collect(),
            images,
            other: AccountId::trusted("1000000000000002"),
            version: VersionId::trusted("iv-1"),
            replicas: (0..world.places.len())
                .map(|number| ReplicaId::trusted(format!("r-{number}")))
                .collect(),
            regions: (0..2).map(|number| RegionId::trusted(format!("region-{number}"))).collect(),
            owner,
        }
    }

    fn account(&self, account: Account) -> &AccountId {
        match account {
            Account::Owner => &self.owner,
            Account::Other => &self.other,
        }
    }

    fn replica(&self, id: &ReplicaId) -> usize {
        self.replicas.iter().position(|other| other == id).expect("a replica of the model")
    }
}

fn image(owner: &AccountId, id: &ImageId) -> Image {
    Image {
        id: id.clone(),
        product: Product::Ens,
        owner: owner.clone(),
        kind: ImageKind::Custom,
        state: ImageState::Available,
        name: String::new(),
        labels: ImageLabels::default(),
        region: RegionId::trusted("region-0"),
        virtual_size_bytes: None,
        stored_size_bytes: None,
        source_instance: None,
        source_snapshot: None,
        parent: None,
        base: None,
        published: None,
        created: NOW,
        modified: NOW,
    }
}

fn permission(owner: &AccountId, image: &ImageId) -> Authorized {
    let principal = Principal { account: owner.clone(), kind: PrincipalKind::Root };
    let context = Context {
        source_ip: None,
        secure_transport: true,
        now: NOW,
        user_agent: None,
        principal_arn: principal.arn(),
        access_key_id: "key".to_owned(),
        external_id: None,
        request_tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let resource = Arn::of("ens", owner, "image", image.as_str());
    authorize(&principal, &Policies::default(), "ens:DeleteImage", resource, &context)
        .expect("an account may all")
}

impl Model {
    /// `images::load`: the image as the account sees it.
    fn image_view(&self, tables: &Tables, image: usize, account: Account) -> Option<ImageView> {
        let row = &tables.images[image];
        let state = match row.stage {
            Stage::Making => ImageState::Making(Making::Creating),
            Stage::Available => ImageState::Available,
            Stage::Failed => ImageState::Failed { stage: Making::Uploading, reason: String::new() },
            Stage::Absent => return None,
        };
        if row.deleted {
            return None;
        }
        let image = Image { state, ..self.names.images[image].clone() };
        let shared_in = row.shared && account == Account::Other;
        Some(ImageView { standing: image.standing(self.names.account(account), shared_in), image })
    }

    /// `shares::of_image`.
    fn shares(&self, tables: &Tables, image: usize) -> Vec<AccountId> {
        if tables.images[image].shared { vec![self.names.other.clone()] } else { Vec::new() }
    }

    /// `replicas::of_image`.
    fn entries(&self, tables: &Tables, image: usize) -> Vec<RegionEntry> {
        let entry = |replica: usize| {
            let row = tables.replicas[replica].as_ref()?;
            let state = match row.state {
                ReplicaState::Copying if !row.tried => EntryState::Waiting,
                ReplicaState::Copying => EntryState::Copying(0),
                ReplicaState::Available => EntryState::Available,
                ReplicaState::Failed | ReplicaState::Erasing => EntryState::Failed,
                ReplicaState::Erased => return None,
            };
            Some(RegionEntry {
                id: self.names.replicas[replica].clone(),
                version: Some(self.names.version.clone()),
                region: self.names.regions[self.world.places[replica].region].clone(),
                state,
            })
        };
        self.world.replicas_of(image).filter_map(entry).collect()
    }

    /// `usages::of_image`.
    fn usages(&self, tables: &Tables, image: usize) -> Vec<Usage> {
        let of_image = |call: &usize| self.world.calls[*call].image == image;
        let usage = |call: usize| Usage {
            image: self.names.images[image].id.clone(),
            consumer_kind: ConsumerKind::Instance,
            consumer: format!("i-{call}"),
            consumer_owner: self.names.account(self.world.calls[call].by).clone(),
            origin: UsageOrigin::Created,
            in_progress: false,
            since: NOW,
        };
        tables.usages.iter().filter(of_image).map(usage).collect()
    }

    /// `images::load_delete_view`.
    fn delete_view(&self, tables: &Tables, image: usize, account: Account) -> DeleteView {
        let entries = self.entries(tables, image);
        DeleteView {
            image: self.image_view(tables, image, account),
            shares: self.shares(tables, image),
            community_children: Vec::new(),
            usages: self.usages(tables, image),
            replicas: entries.iter().map(|entry| entry.id.clone()).collect(),
            copying: entries
                .into_iter()
                .filter(|entry| entry.state.is_making())
                .map(|entry| entry.region)
                .collect(),
            exporting: None,
        }
    }

    /// `deletions::load_restore_view`. The request may be older than the end of the grace period by any time,
    /// so what it is told is that the period goes on.
    fn restore_view(&self, tables: &Tables, image: usize) -> RestoreView {
        let open = self.world.calls_for(image, Op::Delete).filter(|call| tables.deletions.has(*call));
        let latest = open.min_by_key(|call| tables.restored.has(*call));
        let touched = |replica: usize| {
            let row = tables.replicas[replica].as_ref()?;
            let touched =
                row.state == ReplicaState::Erased || row.state == ReplicaState::Erasing && row.tried;
            let region = self.names.regions[self.world.places[replica].region].clone();
            Some((region, touched && self.world.has(Guard::Untouched)))
        };
        RestoreView {
            deletion: latest.map(|call| DeletedImage {
                id: deletion(call),
                owner: self.names.owner.clone(),
                erase_from: NOW.plus_millis(GRACE_MS),
                restored: tables.restored.has(call),
            }),
            regions: self.world.replicas_of(image).filter_map(touched).collect(),
            parent: None,
        }
    }

    /// Loads what the call asks for and decides: with the functions of the code, wherever there is one.
    pub(crate) fn decide(&self, tables: &Tables, call: usize) -> Result<Plan, Refusal> {
        let asked = &self.world.calls[call];
        match asked.op {
            Op::Delete => self.decide_delete(tables, call),
            Op::Launch => {
                usable(self.image_view(tables, asked.image, asked.by).as_ref())?;
                Ok(Plan::Launch)
            }
            Op::Release(instance) if tables.instances.has(instance) => Ok(Plan::Release),
            Op::Release(_) => Err(Refusal::Nothing),
            Op::Share => self.decide_share(tables, call, true),
            Op::Unshare => self.decide_share(tables, call, false),
            Op::Distribute(replica) => self.decide_distribute(tables, call, replica),
            Op::CreateImage { instance, .. } => {
                let is_source = |replica: &usize| {
                    tables.replicas[*replica].is_some_and(|row| row.state == ReplicaState::Available)
                };
                let source = self.world.replicas_of(asked.image).find(is_source);
                let source = source.filter(|_| tables.instances.has(instance));
                Ok(Plan::CreateImage { source: source.ok_or(Refusal::Nothing)? })
            }
            Op::Restore => {
                let view = self.restore_view(tables, asked.image);
                let (names, image) = (&self.names, &self.names.images[asked.image].id);
                let id = restore_image::decide(&names.authorized[asked.image], image, &view, NOW)?;
                let taken_back = |call: &usize| deletion(*call) == id;
                let deletion = self.world.calls_for(asked.image, Op::Delete).find(taken_back);
                Ok(Plan::Restore { deletion: deletion.expect("a deletion of the model") })
            }
        }
    }

    fn decide_delete(&self, tables: &Tables, call: usize) -> Result<Plan, Refusal> {
        let asked = &self.world.calls[call];
        let command = DeleteImage {
            image: self.names.images[asked.image].id.clone(),
            deletion: deletion(call),
            grace_ms: if self.world.grace { GRACE_MS } else { 0 },
        };
        let view = self.delete_view(tables, asked.image, asked.by);
        let authorized = &self.names.authorized[asked.image];
        let plan = delete_image::decide(authorized, &command, &self.world.rules, view, NOW)?;
        let replicas = plan.replicas.iter().fold(Set::EMPTY, |set, id| set.with(self.names.replica(id)));
        Ok(Plan::Delete { replicas, shares: !plan.shares.is_empty(), grace: plan.erase_from > plan.accepted })
    }

    fn decide_share(&self, tables: &Tables, call: usize, add: bool) -> Result<Plan, Refusal> {
        let asked = &self.world.calls[call];
        let other = vec![self.names.other.clone()];
        let image = self.names.images[asked.image].id.clone();
        let command = if add {
            ShareImage { image, add: other, remove: Vec::new() }
        } else {
            ShareImage { image, add: Vec::new(), remove: other }
        };
        let view = ShareView {
            image: self.image_view(tables, asked.image, asked.by),
            shares: self.shares(tables, asked.image),
        };
        let plan = share_image::decide(&command, &view)?;
        Ok(Plan::Share { add: !plan.add.is_empty(), remove: !plan.remove.is_empty() })
    }

    fn decide_distribute(&self, tables: &Tables, call: usize, replica: usize) -> Result<Plan, Refusal> {
        let asked = &self.world.calls[call];
        let destinations = vec![self.names.regions[self.world.places[replica].region].clone()];
        let command = DistributeImage { version: None, source: None, destinations };
        let view = DistributeView {
            image: self.image_view(tables, asked.image, asked.by),
            versions: vec![self.names.version.clone()],
            entries: self.entries(tables, asked.image),
        };
        let plan = distribute_image::decide(&command, &view)?;
        let refill = !plan.refilled.is_empty();
        let nothing = plan.destinations.is_empty() && !refill;
        Ok(Plan::Distribute { source: self.names.replica(&plan.source), refill, nothing })
    }
}

fn deletion(call: usize) -> DeletionId {
    DeletionId::trusted(format!("del-{call}"))
}

impl From<DeleteRefusal> for Refusal {
    fn from(refusal: DeleteRefusal) -> Self {
        match refusal {
            DeleteRefusal::NotFound => Self::NotFound,
            DeleteRefusal::SharedIn | DeleteRefusal::Public => Self::NotOwner,
            DeleteRefusal::Making(_) | DeleteRefusal::Exporting(_) => Self::Making,
            DeleteRefusal::SharedOut(_) => Self::SharedOut,
            DeleteRefusal::CommunityParent(_)
            | DeleteRefusal::CreatedUse(_)
            | DeleteRefusal::SwitchedUse(_) => Self::InUse,
        }
    }
}

impl From<Unusable> for Refusal {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::NotFound => Self::NotFound,
            Unusable::NotAvailable => Self::Making,
        }
    }
}

impl From<ShareRefusal> for Refusal {
    fn from(refusal: ShareRefusal) -> Self {
        match refusal {
            ShareRefusal::NotFound => Self::NotFound,
            ShareRefusal::NotOwner
            | ShareRefusal::Public
            | ShareRefusal::WithOwner
            | ShareRefusal::TooMany => Self::NotOwner,
        }
    }
}

impl From<DistributeRefusal> for Refusal {
    fn from(refusal: DistributeRefusal) -> Self {
        match refusal {
            DistributeRefusal::Image(NotChangeable::NotFound) => Self::NotFound,
            DistributeRefusal::Image(NotChangeable::NotOwner) => Self::NotOwner,
            DistributeRefusal::Image(NotChangeable::Making) => Self::Making,
            DistributeRefusal::NoVersion | DistributeRefusal::NoSource => Self::Nothing,
        }
    }
}

impl From<RestoreRefusal> for Refusal {
    fn from(refusal: RestoreRefusal) -> Self {
        match refusal {
            RestoreRefusal::NotFound | RestoreRefusal::Restored => Self::NotFound,
            RestoreRefusal::GraceOver | RestoreRefusal::Lost(_) => Self::Lost,
        }
    }
}
