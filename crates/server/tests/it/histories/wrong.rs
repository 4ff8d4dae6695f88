//! Histories with one answer changed: each must be noticed.

use super::history::{Answered, Event, History};
use super::spec::{By, Op, Refusal, Ret};

/// A way to change an answer so that no order of the calls can give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A second delete of the image that is done.
    DeletedTwice,
    /// A delete that is done while a consumer uses the image from before it was asked until after.
    DeletedInUse,
    /// A use, a template or a share that began after a delete was acknowledged.
    BegunAfterDelete,
    /// The image is there after a delete was acknowledged.
    SeenAfterDelete,
}

/// Every history that comes of the wrong change of one answer.
pub fn changed(history: &History) -> Vec<(Wrong, History)> {
    let answered = history.answered();
    let mut changed = Vec::new();
    for one in &answered {
        let is_before = |other: &&Answered| other.to < one.from && other.ret == Ret::Done;
        let deleted = answered.iter().filter(is_before).any(|other| other.call.op == Op::Delete);
        let mut put = |wrong, ret| changed.push((wrong, history.with_answer(one.to, ret)));
        match (one.call.op, one.call.by, &one.ret) {
            (Op::Delete, By::Owner, Ret::Refused(Refusal::NoImage)) => put(Wrong::DeletedTwice, Ret::Done),
            (Op::Delete, By::Owner, Ret::Refused(Refusal::InUse)) if is_used(history, one) => {
                put(Wrong::DeletedInUse, Ret::Done);
            }
            (Op::Use(_) | Op::Template(_) | Op::Share, _, Ret::Refused(_)) if deleted => {
                put(Wrong::BegunAfterDelete, Ret::Done);
            }
            (Op::See, _, Ret::Seen(false)) if deleted => put(Wrong::SeenAfterDelete, Ret::Seen(true)),
            _ => {}
        }
    }
    changed
}

/// Whether something uses the image all the time from before a call was asked until it was answered.
fn is_used(history: &History, one: &Answered) -> bool {
    let is_ended = |token| {
        let ends = |event: &Event| matches!(event, Event::Asked(_, call) if call.op == Op::EndUse(token));
        history.events[..one.to].iter().any(ends)
    };
    history.answered().iter().any(|other| {
        let Op::Use(token) = other.call.op else { return false };
        other.ret == Ret::Done && other.to < one.from && !is_ended(token)
    })
}

/// Every answer that could stand in the place of this one.
pub fn others(ret: &Ret) -> Vec<Ret> {
    let refusals = [
        Refusal::NoImage,
        Refusal::NotOwner,
        Refusal::SharedOut,
        Refusal::InUse,
        Refusal::NoConsumer,
        Refusal::NoTemplate,
    ];
    let all = refusals.into_iter().map(Ret::Refused).chain([Ret::Done, Ret::Seen(true), Ret::Seen(false)]);
    let found = [Ret::Found([].into()), Ret::Found([1].into()), Ret::Found([9].into())];
    all.chain(found).filter(|other| other != ret).collect()
}
