//! Who answers a client's questions.

use std::sync::Arc;

use crate::core::Core;
use crate::detail::Answer;
use crate::failure::Failure;
use crate::fixed::Fixed;
use crate::pending::Pending;
use crate::question::{FlagRef, Key, Question};

/// Who answers a client's questions.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// The service.
    Service(Arc<Core>),
    /// A test.
    Fixed(Arc<Fixed>),
    /// Nobody: the client could not be built as it was told.
    Nobody(Failure),
}

impl Backend {
    /// Answers from memory, or has the service asked. Doesn't wait.
    pub(crate) fn begin(&self, question: Question<'_>) -> Pending {
        match self {
            Self::Service(core) => core.begin(question),
            Self::Fixed(fixed) => Pending::Answered(fixed.answer(question)),
            Self::Nobody(failure) => Pending::Answered(Answer::Nothing(failure.clone())),
        }
    }

    /// Has the service asked for all of these at once.
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

    /// Forgets what it knows of these flags.
    pub(crate) fn forget(&self, is_meant: impl Fn(&Key) -> bool) {
        if let Self::Service(core) = self {
            core.forget(is_meant);
        }
    }

    /// Asks no more.
    pub(crate) fn close(&self) {
        if let Self::Service(core) = self {
            core.close();
        }
    }
}
