//! Where a client gets its answers from.

use std::sync::Arc;

use crate::core::Core;
use crate::detail::Answer;
use crate::failure::Failure;
use crate::fixed::FixedBackend;
use crate::pending::Pending;
use crate::question::{FlagRef, Key, Question};

/// Where a client gets its answers from.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// The service.
    Service(Arc<Core>),
    /// The fixed values of a test.
    Fixed(Arc<FixedBackend>),
    /// From nowhere: the client could not be configured: every call returns its default.
    Unconfigured(Failure),
}

impl Backend {
    /// Answers from the cache, or starts a request. Does not wait.
    pub(crate) fn begin(&self, question: Question<'_>) -> Pending {
        match self {
            Self::Service(core) => core.begin(question),
            Self::Fixed(fixed) => Pending::Answered(fixed.answer(question)),
            Self::Unconfigured(failure) => Pending::Answered(Answer::Nothing(failure.clone())),
        }
    }

    /// Like [`Self::begin`], for all of these flags at once.
    pub(crate) fn begin_all<'a, F: Into<FlagRef<'a>>>(
        &self,
        flags: impl IntoIterator<Item = F>,
        instance_id: &str,
    ) -> Vec<Pending> {
        let begin = |flag: F| {
            self.begin(Question {
                flag: flag.into(),
                instance_id,
            })
        };
        flags.into_iter().map(begin).collect()
    }

    /// Removes these flags from the cache.
    pub(crate) fn forget(&self, is_meant: impl Fn(&Key) -> bool) {
        if let Self::Service(core) = self {
            core.forget(is_meant);
        }
    }

    /// Sends no more requests.
    pub(crate) fn close(&self) {
        if let Self::Service(core) = self {
            core.close();
        }
    }
}
