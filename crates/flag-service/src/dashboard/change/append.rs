//! Carries out a change, once however often its form is sent.

use std::time::Duration;

use flag_model::{Revision, RevisionParts, Timestamp};
use flag_rollout::are_equivalent;
use flag_store::{AppendError, Base, FlagStore, StoreError};
use tokio::time::timeout;
use tracing::info;

use super::state::{FlagState, created};

/// How long a page waits for it. Afterwards it goes on, as an append that is cut off would hold up the next one.
const WAITS: Duration = Duration::from_secs(5);

/// Why it was not carried out.
#[derive(Debug)]
pub(in crate::dashboard) enum NotAppended {
    /// The newest revision is another one.
    Changed,
    /// Another writer holds the flag.
    Claimed,
    /// It can never be stored, or a clock is wrong: why.
    Refused(String),
    /// The store failed before anything was written.
    Store(StoreError),
    /// It may have been carried out, or still be.
    Unknown,
}

/// Appends a revision on the one made at `base`, which must be the newest still; returns when it was made. If the same
/// change has already been made on it, that one counts. Tooling that knows no claims may have made another one just then.
pub(in crate::dashboard) async fn append(
    store: &FlagStore,
    base: Timestamp,
    parts: RevisionParts,
) -> Result<Timestamp, NotAppended> {
    let flag = parts.flag.clone();
    let again = parts.clone();
    let appending = tokio::spawn(write(store.clone(), base, parts));
    let Ok(Ok(appended)) = timeout(WAITS, appending).await else {
        return Err(NotAppended::Unknown);
    };
    match appended {
        Ok(made) => Ok(made),
        Err(AppendError::Conflict { .. }) => {
            let state = FlagState::read(store, flag, None).await;
            let state = state.map_err(NotAppended::Store)?;
            let made = state.made_before(base, &again);
            made.map(Revision::created).ok_or(NotAppended::Changed)
        }
        Err(AppendError::Claimed { .. }) => Err(NotAppended::Claimed),
        Err(AppendError::Store(error)) => Err(NotAppended::Store(error)),
        Err(AppendError::Unknown { .. }) => Err(NotAppended::Unknown),
        Err(error) => Err(NotAppended::Refused(error.to_string())),
    }
}

/// Appends it, and logs it, also if the append ends after its caller has stopped waiting.
async fn write(
    store: FlagStore,
    base: Timestamp,
    parts: RevisionParts,
) -> Result<Timestamp, AppendError> {
    let flag = parts.flag.clone();
    let made = match store.append_revision(Base::Row(base), parts).await {
        Ok((revision, _)) => revision.created(),
        Err(AppendError::Overtaken { appended, .. }) => appended,
        Err(error) => return Err(error),
    };
    info!(%flag, revision = %made, "flag changed on the dashboard");
    Ok(made)
}

impl FlagState {
    /// The revision that makes this change on the one made at `base`, if its form was sent before.
    pub(in crate::dashboard) fn made_before(
        &self,
        base: Timestamp,
        parts: &RevisionParts,
    ) -> Option<&Revision> {
        let mut pairs = self.history.iter().zip(self.history.iter().skip(1));
        let (next, _) = pairs.find(|(_, before)| created(before) == Some(base))?;
        let next = next.as_ref().ok()?;
        let same = Revision::new(next.created(), parts.clone()).ok()?;
        let is_same = next.comment == same.comment
            && next.owner == same.owner
            && next.rollback_of == same.rollback_of
            && are_equivalent(next, &same);
        is_same.then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flag_model::{BucketScheme, FlagKey, FlagValue, HashAlgorithm};
    use flag_store::SystemClock;
    use flag_store::scripted::{ScriptedRows, Step};

    use super::*;

    fn parts(control: bool) -> RevisionParts {
        RevisionParts {
            flag: flag(),
            scheme: BucketScheme::v1(HashAlgorithm::Md5),
            control: FlagValue::Boolean(control),
            treatments: Vec::new(),
            comment: "why".to_owned(),
            owner: None,
            rollback_of: None,
        }
    }

    fn flag() -> FlagKey {
        "p/feature/f".parse().unwrap()
    }

    /// A store with one revision, and when that was made.
    async fn world() -> (Arc<ScriptedRows>, FlagStore, Timestamp) {
        let rows = Arc::new(ScriptedRows::default());
        let store = FlagStore::new(rows.clone(), Arc::new(SystemClock));
        let first = store.append_revision(Base::Nothing, parts(false)).await;
        let base = first.unwrap().0.created();
        (rows, store, base)
    }

    #[tokio::test]
    async fn a_form_that_is_sent_twice_makes_one_revision() {
        let (_, store, base) = world().await;
        let (one, two) = tokio::join!(
            append(&store, base, parts(true)),
            append(&store, base, parts(true))
        );
        assert_eq!(one.unwrap(), two.unwrap());
        // Another change on the same revision comes second, and so does the same for another reason.
        let reason = RevisionParts {
            comment: "another".to_owned(),
            ..parts(true)
        };
        for other in [parts(false), reason] {
            let second = append(&store, base, other).await;
            assert!(matches!(second, Err(NotAppended::Changed)), "{second:?}");
        }
        assert_eq!(store.history(&flag(), 9).await.unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_has_written_nothing_and_one_that_hangs_perhaps_has() {
        let (rows, store, base) = world().await;
        rows.script(|call| async move {
            if call.is_write() {
                return Step::Fail(StoreError::Misconfigured {
                    source: "no permission".into(),
                });
            }
            Step::Pass
        });
        let refused = append(&store, base, parts(true)).await;
        assert!(
            matches!(&refused, Err(NotAppended::Store(error)) if !error.is_transient()),
            "{refused:?}"
        );
        rows.script(|call| async move {
            if call.is_write() {
                std::future::pending::<()>().await;
            }
            Step::Pass
        });
        let hanging = append(&store, base, parts(true)).await;
        assert!(matches!(hanging, Err(NotAppended::Unknown)), "{hanging:?}");
    }
}
