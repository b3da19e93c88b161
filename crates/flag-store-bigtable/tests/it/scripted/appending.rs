//! A revision is appended although Bigtable answers unclearly.

use std::sync::Arc;

use flag_model::{BucketScheme, FlagValue, HashAlgorithm, RevisionParts};
use flag_store::{Base, FlagStore, SystemClock};

use super::retries::PASSING;
use super::*;

fn parts() -> RevisionParts {
    RevisionParts {
        flag: "p/feature/f".parse().unwrap(),
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(true),
        treatments: vec![],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    }
}

/// Each write is carried out, and answered as if nobody knew.
#[tokio::test]
async fn an_append_recognises_its_claim_its_row_and_its_publication() {
    for (code, message) in PASSING {
        let unclear = || Answer::Status(Status::new(code, message));
        let server = Scripted::start([
            // Head cell and newest row: there are none.
            Answer::Rows(vec![]),
            Answer::Rows(vec![]),
            // The claim, and the head cell after it.
            unclear(),
            Answer::WhatWasSet,
            // The row, which is there already, and is compared.
            unclear(),
            Answer::Matched(true),
            Answer::WhatWasSet,
            // The newest rows.
            Answer::WhatWasSet,
            // The publication, which finds itself done.
            unclear(),
            Answer::Matched(false),
            Answer::WhatWasSet,
        ])
        .await;
        let store = FlagStore::new(Arc::new(store(&server).await), Arc::new(SystemClock));
        let appended = store.append_revision(Base::Nothing, parts()).await;
        assert!(appended.is_ok(), "{code:?} {message}: {appended:?}");
        assert_eq!(server.asked().len(), 11);
    }
}
