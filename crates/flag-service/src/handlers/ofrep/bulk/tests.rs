//! What an answer costs besides its bytes.

use std::hint::black_box;
use std::sync::Arc;

use actix_web::FromRequest as _;
use actix_web::test::TestRequest;
use actix_web::web::Data;
use allocation_counter::AllocationInfo;
use flag_model::{
    BucketScheme, FlagName, FlagValue, FormatVersion, HashAlgorithm, InstanceId, Percent,
    ProjectName, RevisionParts, Treatment,
};
use flag_store::memory::MemoryStore;
use flag_store::{Base, FlagStore, SystemClock};
use futures_util::FutureExt as _;

use super::*;
use crate::http::AppState;

/// A flag of 40 %.
fn revision(project: &ProjectName, number: u32) -> RevisionParts {
    let treatment = Treatment {
        name: None,
        overrides: Vec::new(),
        percent: Percent::parse("40", FormatVersion::V1).unwrap(),
        value: FlagValue::Boolean(true),
        ranges: Vec::new(),
    };
    RevisionParts {
        flag: FlagKey {
            project: project.clone(),
            flag_type: FlagType::Feature,
            name: FlagName::new(format!("flag_{number:04}")).unwrap(),
        },
        scheme: BucketScheme::v1(HashAlgorithm::Md5),
        control: FlagValue::Boolean(false),
        treatments: vec![treatment],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    }
}

/// What the answer of this many cached flags allocates until it can be sent, and its size.
async fn cost(count: u32) -> (AllocationInfo, usize) {
    let project = ProjectName::new("p").unwrap();
    let rows = Arc::new(MemoryStore::default());
    let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
    for number in 0..count {
        let parts = revision(&project, number);
        store.append_revision(Base::Nothing, parts).await.unwrap();
    }
    let state = Data::new(AppState::over(rows));
    let request = TestRequest::default().app_data(state.clone());
    let context = RequestContext::extract(&request.to_http_request());
    let context = context.into_inner().unwrap();
    let flags = state.flags.flag_keys_of(&project).await.unwrap();
    assert_eq!(flags.len(), count as usize);
    look_up_all(&context, &flags).await.unwrap();
    let mut size = 0;
    let allocated = allocation_counter::measure(|| {
        let items = look_up_all(&context, &flags).now_or_never();
        let whom = (project.clone(), InstanceId::new("ann").unwrap());
        let answer = BulkAnswer::new(state.clone(), whom, items.unwrap().unwrap(), None);
        let measured = black_box(answer.measure());
        size = measured.size();
    });
    (allocated, size)
}

#[tokio::test]
async fn ten_times_the_flags_need_no_allocation_more() {
    let (few, small) = cost(100).await;
    let (many, large) = cost(1_000).await;
    assert!(large > 9 * small && small > 10_000, "{small} {large}");
    assert_eq!(many.count_total, few.count_total);
}
