//! Many writers revise one flag at once.

use flag_tests::TestStore;

use super::report::{Row, Verdict};
use crate::writers::revise_at_once;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_thousand_revisions_by_fifty_writers_are_kept_in_the_embedded_store() {
    let fault = "50 writers revise one flag at once, embedded store";
    measure(TestStore::embedded(), fault).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_thousand_revisions_by_fifty_writers_are_kept() {
    let fault = "50 writers revise one flag at once, emulator";
    measure(TestStore::bigtable(), fault).await;
}

async fn measure(store: TestStore, fault: &'static str) {
    let (revisions, conflicts) = revise_at_once(&store, 20).await;
    Row {
        fault,
        goal: "1,000 revisions kept, each on the one that it names",
    }
    .report(
        &format!("{revisions} kept, {conflicts} conflicts reported"),
        Verdict::from(revisions == 1_000),
    );
}
