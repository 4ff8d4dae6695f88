//! The error table of ENS, letter for letter.

use std::fmt::Write as _;

use calotype::products::ens::error::EnsError;
use calotype_core::ids::AccountId;
use calotype_core::ram::{Arn, Context, Denied, Policies, Principal, PrincipalKind, authorize};
use calotype_core::time::Timestamp;
use calotype_store::db::StoreError;

/// One of each variant, in their order. A new variant does not compile here until it is in the list.
fn all() -> Vec<EnsError> {
    let mut all = EnsError::every("ImageId", &denied());
    // With what must not be told.
    all.retain(|error| !matches!(error, EnsError::Store(_)));
    all.push(EnsError::Store(StoreError::Conflict));
    all.push(EnsError::Store(StoreError::Unavailable("disk full at /secret/path".into())));
    all.push(EnsError::Store(StoreError::Corrupt("row of somebody".to_owned())));
    for error in &all {
        match error {
            EnsError::MissingParameter
            | EnsError::MissingOneParameter
            | EnsError::MissingResourceIdsOrTags
            | EnsError::InvalidParameter(_)
            | EnsError::Invalid(_)
            | EnsError::Denied(_)
            | EnsError::NotOwner
            | EnsError::ImageNotExist
            | EnsError::IncorrectImageStatus
            | EnsError::ImageUsedToCreate
            | EnsError::ImageUsedOtherwise
            | EnsError::ImageTypeNotSupported
            | EnsError::IncorrectInstanceStatus
            | EnsError::InstanceProtected
            | EnsError::Replayed
            | EnsError::Store(
                StoreError::Conflict
                | StoreError::Spent
                | StoreError::Unavailable(_)
                | StoreError::Corrupt(_),
            ) => {}
        }
    }
    all
}

fn denied() -> Denied {
    let account = AccountId::trusted("1");
    let kind = PrincipalKind::User { name: "nobody".to_owned(), id: "2".to_owned() };
    let principal = Principal { account: account.clone(), kind };
    let context = Context {
        source_ip: None,
        secure_transport: false,
        now: Timestamp::from_millis(0),
        user_agent: None,
        principal_arn: principal.arn(),
        access_key_id: String::new(),
        external_id: None,
        request_tags: Vec::new(),
        resource_tags: Vec::new(),
    };
    let all = Arn::all("ens", &account);
    authorize(&principal, &Policies::default(), "ens:DeleteImage", all, &context).unwrap_err()
}

#[test]
fn the_error_table() {
    let mut table = String::new();
    for error in all() {
        let row = error.row();
        writeln!(table, "{} | {} | {}", row.status, row.code, row.message).unwrap();
    }
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("error_table", table);
    });
}

/// What happens inside stays inside.
#[test]
fn no_internal_text_reaches_the_caller() {
    for error in all() {
        let row = error.row();
        for inner in ["secret", "somebody", "full"] {
            assert!(!row.message.contains(inner) && !row.code.contains(inner), "{row:?}");
        }
    }
}
