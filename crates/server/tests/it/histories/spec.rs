//! What one image may answer to one call after another: the sequential rules.

use std::collections::{BTreeMap, BTreeSet};

use calotype_core::image::Product;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The owner of the image.
    Owner,
    /// The account that it is shared with, or not.
    Other,
}

/// The name of a consumer or a template, which no other one ever has.
pub type Token = u32;

/// What is asked about the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `DeleteImage`.
    Delete,
    /// `RunInstances`, `CreateAppInstanceGroup`.
    Use(Token),
    /// `ReleasePostPaidInstance`, `DeleteAppInstanceGroup`.
    EndUse(Token),
    /// `ModifyImageSharePermission`, `ModifyImagePermission`: add the other account.
    Share,
    /// The same: remove it.
    Unshare,
    /// `CreateTemplate`.
    Template(Token),
    /// `DeleteTemplates`.
    EndTemplate(Token),
    /// `DescribeSelfImages`, `ListImage`: whether the image is there.
    See,
    /// `DescribeInstances`, `ListAppInstanceGroup`: the caller's own that use the image.
    Uses,
    /// `DescribeTemplates`: the caller's own that reference the image.
    Templates,
    /// No call: the process was killed and has begun anew.
    Restart,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who calls.
    pub by: By,
    /// What is asked.
    pub op: Op,
    /// How often the process had been killed when it was asked.
    pub life: u32,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such image for this caller.
    NoImage,
    /// The image is another account's.
    NotOwner,
    /// The owner shares it.
    SharedOut,
    /// Consumers use it.
    InUse,
    /// There is no such consumer of the caller's.
    NoConsumer,
    /// There is no such template of the caller's.
    NoTemplate,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ret {
    /// It is done.
    Done,
    /// It is refused.
    Refused(Refusal),
    /// Whether the image is there.
    Seen(bool),
    /// What there is.
    Found(BTreeSet<Token>),
    /// To calls that came too late for an answer, nothing.
    Nothing,
}

/// One image, with all that points at it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// Whether shares stand in the way of a delete (D42) or go with the image (D20).
    shares_block: bool,
    live: bool,
    shared: bool,
    uses: BTreeMap<Token, Owner>,
    templates: BTreeMap<Token, Owner>,
    life: u32,
}

/// Whether the owner of the image has it, or the other account.
type Owner = bool;

impl Image {
    /// A live image that nobody uses.
    pub fn new(product: Product) -> Self {
        let (uses, templates) = (BTreeMap::new(), BTreeMap::new());
        let shares_block = product == Product::AppStreaming;
        Self { shares_block, live: true, shared: false, uses, templates, life: 0 }
    }

    /// What the call changes, and its only answer.
    pub fn answer(&mut self, call: &Call) -> Ret {
        // What had no answer when the process was killed happened before, or never.
        if call.life < self.life {
            return Ret::Nothing;
        }
        let (by, seen) = (call.by, self.is_seen(call.by));
        match call.op {
            Op::Delete => self.delete(by),
            Op::Use(token) => begin(seen, &mut self.uses, token, by),
            Op::EndUse(token) => end(&mut self.uses, token, Refusal::NoConsumer),
            Op::Share => self.share(by, true),
            Op::Unshare => self.share(by, false),
            Op::Template(token) => begin(seen, &mut self.templates, token, by),
            Op::EndTemplate(token) => end(&mut self.templates, token, Refusal::NoTemplate),
            Op::See => Ret::Seen(seen),
            Op::Uses => found(&self.uses, by),
            Op::Templates => found(&self.templates, by),
            Op::Restart => {
                self.life = call.life;
                Ret::Done
            }
        }
    }

    fn is_seen(&self, by: By) -> bool {
        self.live && (by == By::Owner || self.shared)
    }

    fn delete(&mut self, by: By) -> Ret {
        if !self.is_seen(by) {
            return Ret::Refused(Refusal::NoImage);
        }
        if by == By::Other {
            return Ret::Refused(Refusal::NotOwner);
        }
        if self.shared && self.shares_block {
            return Ret::Refused(Refusal::SharedOut);
        }
        if !self.uses.is_empty() {
            return Ret::Refused(Refusal::InUse);
        }
        (self.live, self.shared) = (false, false);
        self.templates.clear();
        Ret::Done
    }

    fn share(&mut self, by: By, shared: bool) -> Ret {
        match (self.is_seen(by), by) {
            (false, _) => Ret::Refused(Refusal::NoImage),
            (true, By::Other) => Ret::Refused(Refusal::NotOwner),
            (true, By::Owner) => {
                self.shared = shared;
                Ret::Done
            }
        }
    }
}

/// Begins what points at the image, if the caller sees it.
fn begin(seen: bool, things: &mut BTreeMap<Token, Owner>, token: Token, by: By) -> Ret {
    if !seen {
        return Ret::Refused(Refusal::NoImage);
    }
    things.insert(token, by == By::Owner);
    Ret::Done
}

/// Ends what points at the image, if it is there.
fn end(things: &mut BTreeMap<Token, Owner>, token: Token, refusal: Refusal) -> Ret {
    if things.remove(&token).is_some() { Ret::Done } else { Ret::Refused(refusal) }
}

fn found(things: &BTreeMap<Token, Owner>, by: By) -> Ret {
    let own = things.iter().filter(|(_, owner)| **owner == (by == By::Owner));
    Ret::Found(own.map(|(token, _)| *token).collect())
}
