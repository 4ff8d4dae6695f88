//! The audit: one event for each decision that changes something or refuses to, under the target
//! `calotype::audit`.
//!
//! It tells who asked for what, from where, and how it ended. Never a secret; and of what stands in the way only
//! how many there are, since they may belong to others.

use std::net::IpAddr;

use calotype_core::delete_image::DeleteRefusal;
use calotype_core::ids::{DeletionId, ImageId};
use calotype_core::image::Product;
use calotype_core::ram::{Denied, Principal};
use calotype_core::restore_image::RestoreRefusal;
use calotype_store::db::StoreError;

use crate::logging;
use crate::metrics::{ACCEPTED, DENIED, FAILED, Metrics, UNKNOWN, product_label};

/// The target of every event.
pub const TARGET: &str = "calotype::audit";

/// Who asks, and with which request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// The RAM action of the operation.
    pub action: &'static str,
    /// Who asks.
    pub caller: &'a Principal,
    /// From where.
    pub source_ip: Option<IpAddr>,
    /// Whether the call is made again if it meets another transaction: then nothing is decided yet.
    pub repeats: bool,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The delete of images of this product.
    Delete(Product),
    /// The restore of an image.
    Restore,
}

/// What an accepted decision does to one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The image.
    pub image: ImageId,
    /// The deletion that is made, or taken back.
    pub deletion: DeletionId,
    /// The product whose image it is.
    pub product: Product,
    /// How many replicas are to be erased, or stay.
    pub replicas: usize,
    /// How many shares go, or come back.
    pub shares: usize,
    /// How many templates.
    pub templates: usize,
    /// How many bundles.
    pub bundles: usize,
}

/// How a decision ended.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'a> {
    /// As asked, and durable.
    Accepted,
    /// RAM did not allow it.
    Denied(&'a Denied),
    /// The rules did not.
    Refused(Refusal),
    /// The store did not do its part.
    Failed(Option<&'a StoreError>),
}

/// A refusal as the audit and the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: &'static str,
    blockers: usize,
}

impl Refusal {
    /// The request was seen before.
    pub const REPLAYED: Self = Self { kind: "replayed", blockers: 0 };

    /// So many bundles keep the image.
    #[must_use]
    pub const fn bundled(bundles: usize) -> Self {
        Self { kind: "bundled", blockers: bundles }
    }
}

impl From<&DeleteRefusal> for Refusal {
    fn from(refusal: &DeleteRefusal) -> Self {
        let (kind, blockers) = match refusal {
            DeleteRefusal::NotFound => ("not_found", 0),
            DeleteRefusal::SharedIn => ("shared_in", 0),
            DeleteRefusal::Public => ("public", 0),
            DeleteRefusal::Making(regions) => ("making", regions.len()),
            DeleteRefusal::Exporting(_) => ("exporting", 1),
            DeleteRefusal::SharedOut(accounts) => ("shared_out", accounts.len()),
            DeleteRefusal::CommunityParent(children) => ("community_parent", children.len()),
            DeleteRefusal::CreatedUse(usages) => ("created_use", usages.len()),
            DeleteRefusal::SwitchedUse(usages) => ("switched_use", usages.len()),
        };
        Self { kind, blockers }
    }
}

impl From<&RestoreRefusal> for Refusal {
    fn from(refusal: &RestoreRefusal) -> Self {
        let (kind, blockers) = match refusal {
            RestoreRefusal::NotFound => ("not_found", 0),
            RestoreRefusal::Restored => ("restored", 0),
            RestoreRefusal::GraceOver => ("grace_over", 0),
            RestoreRefusal::Lost(lost) => ("lost", lost.len()),
        };
        Self { kind, blockers }
    }
}

/// A decision on its way. It tells of itself when it ends, also if its caller goes away in the middle of the commit.
#[derive(Debug)]
pub struct Audit<'a> {
    metrics: &'a Metrics,
    asked: Asked<'a>,
    matter: Matter,
    images: &'a [ImageId],
    /// What is being committed; as long as there is none, nothing can have changed.
    changes: Vec<Change>,
    is_over: bool,
}

impl<'a> Audit<'a> {
    /// Begins a decision about these images.
    #[must_use]
    pub fn begin(metrics: &'a Metrics, asked: Asked<'a>, matter: Matter, images: &'a [ImageId]) -> Self {
        Self { metrics, asked, matter, images, changes: Vec::new(), is_over: false }
    }

    /// Says which of the images is looked at: it is the one that a refusal is about.
    pub fn looks_at(&mut self, image: &'a ImageId) {
        self.images = std::slice::from_ref(image);
    }

    /// Says what is committed from now on.
    pub fn commits(&mut self, changes: Vec<Change>) {
        self.changes = changes;
    }

    /// Ends the decision: an event for each image that changes, or one for all if nothing does.
    pub fn end(mut self, ending: Ending<'_>) {
        self.is_over = true;
        match ending {
            Ending::Accepted => self.each_change(ACCEPTED, None),
            Ending::Denied(denied) => {
                let kind = if denied.is_explicit() { "explicit_deny" } else { "implicit_deny" };
                self.nothing_changed(DENIED, DENIED, Some(Refusal { kind, blockers: 0 }), None);
            }
            Ending::Refused(refusal) => {
                self.nothing_changed("refused", refusal.kind, Some(refusal), None);
            }
            // The statements were taken back, whatever was to be committed.
            Ending::Failed(Some(StoreError::Conflict)) if self.asked.repeats => {}
            Ending::Failed(error @ (None | Some(StoreError::Conflict))) => {
                self.nothing_changed(FAILED, FAILED, None, error.map(ToString::to_string).as_deref());
            }
            Ending::Failed(Some(error)) if self.changes.is_empty() => {
                self.nothing_changed(FAILED, FAILED, None, Some(&error.to_string()));
            }
            Ending::Failed(Some(error)) => self.each_change(UNKNOWN, Some(&error.to_string())),
        }
    }

    fn each_change(&self, decision: &'static str, error: Option<&str>) {
        for change in &self.changes {
            self.count(decision);
            self.tell(decision, None, Some(change.image.as_str()), Some(change), error);
            let is_delete = matches!(self.matter, Matter::Delete(_));
            if is_delete && decision == ACCEPTED && change.replicas == 0 {
                logging::deletion_complete(self.asked.request_id, &change.image, &change.deletion, 0);
            }
        }
    }

    fn nothing_changed(
        &self,
        decision: &'static str,
        outcome: &str,
        refusal: Option<Refusal>,
        error: Option<&str>,
    ) {
        self.count(outcome);
        let images: Vec<&str> = self.images.iter().map(ImageId::as_str).collect();
        let images = (!images.is_empty()).then(|| images.join(","));
        self.tell(decision, refusal, images.as_deref(), None, error);
    }

    fn count(&self, outcome: &str) {
        match self.matter {
            Matter::Delete(product) => self.metrics.decided(product, outcome),
            Matter::Restore => {}
        }
    }

    fn tell(
        &self,
        decision: &'static str,
        refusal: Option<Refusal>,
        image: Option<&str>,
        change: Option<&Change>,
        error: Option<&str>,
    ) {
        let (event, product) = match self.matter {
            Matter::Delete(product) => ("delete_image", Some(product)),
            Matter::Restore => ("restore_image", change.map(|change| change.product)),
        };
        let count = |of: fn(&Change) -> usize| change.map(|change| of(change) as u64);
        tracing::info!(
            target: TARGET,
            event,
            decision,
            refusal = refusal.map(|refusal| refusal.kind),
            blockers = refusal.map(|refusal| refusal.blockers as u64),
            request_id = self.asked.request_id,
            action = self.asked.action,
            caller = self.asked.caller.arn(),
            account = self.asked.caller.account.as_str(),
            source_ip = self.asked.source_ip.map(tracing::field::display),
            product = product.map(product_label),
            image,
            deletion = change.map(|change| change.deletion.as_str()),
            replicas = count(|change| change.replicas),
            shares = count(|change| change.shares),
            templates = count(|change| change.templates),
            bundles = count(|change| change.bundles),
            error,
            "{event} {decision}"
        );
    }
}

/// A caller that goes away takes the whole call with it. If that happens during the commit, nobody is told how it
/// ended; before it, nothing was changed and nothing decided.
impl Drop for Audit<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.each_change(UNKNOWN, Some("the caller did not wait for the commit"));
        }
    }
}
