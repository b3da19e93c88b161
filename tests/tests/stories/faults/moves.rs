//! Who moves is known before a change, of many instances.

use std::time::Instant;

use flag_tests::TestStore;

use super::report::{Row, Verdict};
use crate::record::check_who_moves;

const FLAGS: usize = 50;
const INSTANCES: usize = 10_000;

async fn who_moves(store: &TestStore, fault: &'static str) {
    let began = Instant::now();
    let moved = check_who_moves(store, FLAGS, INSTANCES).await;
    let row = Row {
        fault,
        goal: "the instances that the preview lists are those that get another value, id by id",
    };
    let took = began.elapsed();
    row.report(
        &format!("{moved} listed, all of them, no other; {took:.0?} in all"),
        Verdict::Holds,
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn who_of_10_000_instances_moves_is_known_in_local_files() {
    let fault = "Local files: 50 random changes of flags that 10,000 instances were served";
    who_moves(&TestStore::embedded(), fault).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn who_of_10_000_instances_moves_is_known_in_bigtable() {
    let fault = "Bigtable: 50 random changes of flags that 10,000 instances were served";
    who_moves(&TestStore::bigtable(), fault).await;
}
