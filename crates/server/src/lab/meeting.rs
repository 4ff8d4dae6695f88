//! Where requests meet the lab: before their operation, and with their answer.

use std::cell::RefCell;

use calotype_core::ids::AccountId;
use futures::future::BoxFuture;

use super::Lab;
use super::faults::Drop;
use crate::operations::{Between, Incoming};
use crate::products::{Call, Operation};
use crate::wire::fault::{Fault, GatewayError};
use crate::wire::reply::Reply;

/// What has become known of a request on its way.
#[derive(Debug, Default)]
struct Meeting {
    /// Whose it is.
    account: Option<AccountId>,
    /// Whether its answer is kept back.
    kept_back: bool,
}

tokio::task_local! {
    static MEETING: RefCell<Meeting>;
}

fn note(change: impl FnOnce(&mut Meeting)) {
    // A call that came another way than through `around` has nothing to be noted.
    let _ = MEETING.try_with(|meeting| change(&mut meeting.borrow_mut()));
}

impl Between for Lab {
    fn around<'a>(
        &'a self,
        incoming: &'a Incoming<'a>,
        answer: BoxFuture<'a, Reply>,
    ) -> BoxFuture<'a, Option<Reply>> {
        Box::pin(MEETING.scope(RefCell::default(), async move {
            let reply = answer.await;
            let Meeting { account, kept_back } = MEETING.with(RefCell::take);
            if let Some(account) = account {
                self.records.keep(&account, incoming, &reply, kept_back);
            }
            (!kept_back).then_some(reply)
        }))
    }

    fn meet<'a>(
        &'a self,
        operation: &'static Operation,
        call: &'a Call<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            note(|meeting| meeting.account = Some(call.caller.account().clone()));
            let Some(fate) = self.faults.meet(operation, call) else { return Ok(()) };
            tracing::info!(
                request_id = call.caller.request_id,
                operation = operation.name,
                delay_ms = fate.delay.as_millis(),
                code = fate.fault.as_ref().map(|fault| &*fault.code),
                drop = ?fate.drop,
                "a call meets a fault of the lab"
            );
            tokio::time::sleep(fate.delay).await;
            note(|meeting| meeting.kept_back = fate.drop.is_some());
            match (fate.fault, fate.drop) {
                (Some(fault), _) => Err(fault),
                // Nobody sees it.
                (None, Some(Drop::Before)) => Err(GatewayError::ServiceUnavailable.into()),
                (None, Some(Drop::After) | None) => Ok(()),
            }
        })
    }
}
