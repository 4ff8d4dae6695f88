//! Says who the caller is.

use calotype_core::ram::authorize_identity_call;

use super::Caller;

/// Gives the ARN of the caller. Needs no permission: a caller may always learn who it is.
#[must_use]
pub fn caller_arn(caller: &Caller) -> String {
    authorize_identity_call(&caller.principal).caller().to_owned()
}
