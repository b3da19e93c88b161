//! Where a client gets its answers from.

use std::sync::Arc;

use crate::call::Call;
use crate::core::Core;
use crate::detail::Answer;
use crate::failure::Failure;
use crate::fixed::FixedBackend;
use crate::listeners::Callback;
use crate::question::{FlagRef, Question, QuestionKey};
use crate::status::{Status, StreamState};
use crate::subscription::{Subscription, SubscriptionOwner};

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
    pub(crate) fn begin(&self, question: Question<'_>) -> Call {
        match self {
            Self::Service(core) => core.begin(question),
            Self::Fixed(fixed) => Call::Answered(fixed.answer(question)),
            Self::Unconfigured(failure) => Call::Answered(Answer::Nothing(failure.clone())),
        }
    }

    /// Like [`Self::begin`], for all of these flags at once, which are fetched again when they change.
    pub(crate) fn begin_all<'a, F: Into<FlagRef<'a>>>(
        &self,
        flags: impl IntoIterator<Item = F>,
        instance_id: &str,
    ) -> Vec<Call> {
        let begin = |flag: F| {
            let question = Question {
                flag: flag.into(),
                instance_id,
            };
            if let Self::Service(core) = self {
                core.note_prefetched(question);
            }
            self.begin(question)
        };
        flags.into_iter().map(begin).collect()
    }

    /// Removes these flags from the cache.
    pub(crate) fn forget(&self, is_meant: impl Fn(&QuestionKey) -> bool) {
        if let Self::Service(core) = self {
            core.forget(is_meant);
        }
    }

    /// Adds a callback for changes of a flag.
    pub(crate) fn on_change(&self, flag_name: &str, callback: Arc<Callback>) -> Subscription {
        let (of, number) = match self {
            Self::Service(core) => {
                let of = SubscriptionOwner::Service(Arc::downgrade(core));
                (of, core.add_listener(flag_name, callback))
            }
            Self::Fixed(fixed) => {
                let of = SubscriptionOwner::Fixed(Arc::downgrade(fixed));
                (of, fixed.listeners.add(flag_name, callback))
            }
            Self::Unconfigured(_) => (SubscriptionOwner::Unconfigured, 0),
        };
        Subscription::new(of, number)
    }

    /// The state of the client.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Service(core) => core.status(),
            Self::Fixed(_) | Self::Unconfigured(_) => Status {
                stream: StreamState::Off,
                digest: None,
                since_last_received: None,
                entries: 0,
            },
        }
    }

    /// Sends no more requests.
    pub(crate) fn close(&self) {
        if let Self::Service(core) = self {
            core.close();
        }
    }
}
