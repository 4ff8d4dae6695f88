//! A world with many images, and clients that call at the same moment.

use std::sync::Arc;

use calotype_core::ids::{AccountId, ImageId, ReplicaId};
use calotype_core::image::Product;
use calotype_core::replica::{Holder, NewReplica, Source};
use calotype_store::{images, replicas};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::caller::Caller;
use crate::support::{OWNER, Setup, World};

/// Calls at once, at most.
const CLIENTS: usize = 6;

/// The end of a call: HTTP status, code and message; the texts of a success are empty.
pub type Outcome = (u16, String, String);

/// A world whose images are there to be fought for.
pub struct Arena {
    /// The world.
    pub world: World,
    /// An image that nobody fights for.
    pub original: String,
    /// The images, one for each round.
    pub images: Vec<String>,
    clients: Vec<Arc<Caller>>,
}

impl Arena {
    /// Opens a world with `count` images. One is imported, the others are copies of its rows.
    pub async fn open(setup: Setup, count: usize) -> Self {
        let world = World::open(setup).await;
        let original = world.import().await;
        let images = copy_rows(&world, &original, count).await;
        let clients =
            (0..CLIENTS).map(|_| Arc::new(Caller::new(world.address, "owner", &world.clock))).collect();
        Self { world, original, images, clients }
    }

    /// Lets calls meet. The outcomes stand in the order of the calls; who starts first changes from
    /// round to round.
    pub async fn meet(
        &self,
        calls: Vec<(&'static str, Vec<(&'static str, String)>)>,
        round: usize,
    ) -> Vec<Outcome> {
        let count = calls.len();
        let barrier = Arc::new(Barrier::new(count));
        let mut meeting = JoinSet::new();
        let mut ordered: Vec<_> = calls.into_iter().enumerate().collect();
        ordered.rotate_left(round % count);
        for (place, (action, params)) in ordered {
            let (client, barrier) = (Arc::clone(&self.clients[place]), Arc::clone(&barrier));
            meeting.spawn(async move {
                let params: Vec<(&str, &str)> =
                    params.iter().map(|(name, value)| (*name, value.as_str())).collect();
                barrier.wait().await;
                let answer = client.try_call(action, &params).await.unwrap();
                let told = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
                (place, (answer.status, told("Code"), told("Message")))
            });
        }
        let mut outcomes = meeting.join_all().await;
        outcomes.sort_unstable_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Ends the switches that are in progress, as the worker does.
    pub async fn end_switches(&self) {
        self.world.drain().await;
    }
}

/// Copies the rows of an image and of its replica; the bytes are not looked at in a race.
async fn copy_rows(world: &World, original: &str, count: usize) -> Vec<String> {
    let (account, now) = (AccountId::trusted(OWNER), world.clock.now());
    let mut tx = world.app.db.begin().await.unwrap();
    let id = ImageId::trusted(original);
    let view = tx.ask(images::load(Product::Ens, &id, &account)).await.unwrap().unwrap();
    let mut copies = Vec::with_capacity(count);
    for number in 0..count {
        let mut image = view.image.clone();
        image.id = ImageId::trusted(format!("m-copy-{number:05}"));
        images::insert(&mut tx, &image).await.unwrap();
        let replica = NewReplica {
            id: ReplicaId::trusted(format!("r-copy-{number:05}")),
            holder: Holder::Image(image.id.clone()),
            version: None,
            region: image.region.clone(),
            source: Source::Blank { size_gib: 1 },
        };
        replicas::insert(&mut tx, &replica, now).await.unwrap();
        copies.push(image.id.to_string());
    }
    tx.execute("UPDATE replicas SET state = 'available', due_ms = NULL WHERE state = 'copying'", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    copies
}

/// Live references to deleted images, or to the one: there must never be any.
pub async fn violations(world: &World, image: Option<&str>) -> i64 {
    let sql = "SELECT (SELECT COUNT(*) FROM usages u JOIN images i ON i.id = u.image_id \
               WHERE i.deleted_ms IS NOT NULL AND ($1 IS NULL OR i.id = $1)) \
               + (SELECT COUNT(*) FROM instances n JOIN images i ON i.id IN (n.image_id, n.reinit_image_id) \
               WHERE i.deleted_ms IS NOT NULL AND ($1 IS NULL OR i.id = $1)) \
               + (SELECT COUNT(*) FROM shares s JOIN images i ON i.id = s.image_id \
               WHERE i.deleted_ms IS NOT NULL AND ($1 IS NULL OR i.id = $1))";
    world.count(sql, &[image.into()]).await
}
