//! What may stand between a request and its operation: nothing, but in a lab.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::Incoming;
use crate::products::{Call, Operation};
use crate::wire::fault::Fault;
use crate::wire::reply::Reply;

/// Sees every request and its answer, and may refuse calls, delay them, or keep their answers back.
pub trait Between: fmt::Debug + Send + Sync {
    /// Gives the answer to a request, which comes of `answer`; without one, the connection ends.
    fn around<'a>(
        &'a self,
        incoming: &'a Incoming<'a>,
        answer: BoxFuture<'a, Reply>,
    ) -> BoxFuture<'a, Option<Reply>>;

    /// Is asked before a call is carried out, whose caller is proven; a fault is answered in its place.
    fn meet<'a>(
        &'a self,
        operation: &'static Operation,
        call: &'a Call<'a>,
    ) -> BoxFuture<'a, Result<(), Fault>>;
}

/// Whoever stands between, if somebody does.
pub type MaybeBetween = Option<Arc<dyn Between>>;
