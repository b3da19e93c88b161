//! How many of the instances in the exposure log a change concerns.

use std::collections::BTreeSet;
use std::time::Duration;

use flag_model::{FlagKey, InstanceId, Revision};
use flag_rollout::{Plan, decide};
use flag_store::{ExposureLog, ExposureRecord, ExposureScope, InstanceIdMode, PAGE, TimeRange};
use tokio::time::timeout;

/// How long the page waits for the log.
const WAITS: Duration = Duration::from_millis(500);

/// Instances that have asked for a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dashboard) struct Sample {
    /// How many rows of the log were read.
    pub(in crate::dashboard) rows: usize,
    /// How many are known from them.
    pub(in crate::dashboard) seen: usize,
    /// How many of them receive another value.
    pub(in crate::dashboard) changed: usize,
}

/// Decides for the instances on one page of the log; `None` if it has none, or does not say who they are.
pub(in crate::dashboard) async fn sample(
    log: &dyn ExposureLog,
    names: &InstanceIdMode,
    flag: &FlagKey,
    [now, next]: [&Revision; 2],
) -> Option<Sample> {
    let InstanceIdMode::Plain = names else {
        return None;
    };
    let page = log.page(ExposureScope::Flag(flag), TimeRange::ALL, None, PAGE);
    let page = timeout(WAITS, page).await.ok()?.ok()?;
    let ids = page.records.iter().map(ExposureRecord::text);
    let ids: BTreeSet<String> = ids.map(|exposure| exposure.instance).collect();
    let [now, next] = [now, next].map(|revision| Plan::compile(revision.clone()));
    let (mut seen, mut changed) = (0, 0);
    for id in &ids {
        let Ok(id) = InstanceId::new(id.as_str()) else {
            continue;
        };
        seen += 1;
        changed += usize::from(decide(&now, &id).value != decide(&next, &id).value);
    }
    (seen > 0).then_some(Sample {
        rows: page.records.len(),
        seen,
        changed,
    })
}
