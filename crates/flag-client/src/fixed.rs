//! Fixed values, for the tests of an application: what answers instead of the service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flag_model::{FlagType, FlagValue};

use crate::detail::{Answer, Assurance, Freshness, KnownValue};
use crate::failure::Failure;
use crate::listeners::Listeners;
use crate::question::{FlagRef, Question, QuestionKey};

/// The rollout group of fixed values.
const GROUP: &str = "fixed";

/// A question to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The type of the flag.
    pub flag_type: FlagType,
    /// Its name.
    pub flag_name: String,
    /// The instance that the value was for.
    pub instance_id: String,
}

/// What a test and its clients share.
#[derive(Debug, Default)]
pub(crate) struct FixedBackend {
    state: Mutex<State>,
    pub(crate) listeners: Listeners,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<QuestionKey, FlagValue>,
    failure: Option<Failure>,
    asked: Vec<Asked>,
}

impl FixedBackend {
    /// Records a question, and answers it.
    pub(crate) fn answer(&self, question: Question<'_>) -> Answer {
        let mut state = self.state();
        state.asked.push(Asked {
            flag_type: question.flag.flag_type,
            flag_name: question.flag.name.to_owned(),
            instance_id: question.instance_id.to_owned(),
        });
        if let Err(failure) = question.check() {
            return Answer::Nothing(failure);
        }
        match (&state.failure, state.value(question)) {
            (Some(failure), _) => Answer::Nothing(failure.clone()),
            (None, Some(value)) => known_value(value.clone()),
            (None, None) => {
                let detail = format!("{} was not set", question.flag);
                Answer::Nothing(Failure::FlagNotFound(detail.into()))
            }
        }
    }

    /// Sets the value of a flag, for this instance or, with an empty id, for every other one; runs its callbacks.
    pub(crate) fn set(&self, name: &str, instance_id: &str, value: FlagValue) {
        let flag_type = value.flag_type();
        let question = Question {
            flag: FlagRef { flag_type, name },
            instance_id,
        };
        self.state().values.insert(question.into(), value);
        if self.listeners.mark_due(|of| of == name) {
            self.listeners.run_due();
        }
    }

    /// From now on every answer fails in this way, or none does.
    pub(crate) fn fail(&self, failure: Option<Failure>) {
        self.state().failure = failure;
    }

    /// The questions so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Forgets the questions.
    pub(crate) fn forget_asked(&self) {
        self.state().asked.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn value(&self, question: Question<'_>) -> Option<&FlagValue> {
        let of_instance = self.values.get(&QuestionKey::from(question));
        of_instance.or_else(|| {
            self.values
                .get(&QuestionKey::from(question.of_any_instance()))
        })
    }
}

fn known_value(value: FlagValue) -> Answer {
    let known = KnownValue {
        value,
        rollout_group: GROUP.into(),
        reason: None,
        freshness: Freshness::Current,
        is_outdated: false,
    };
    Answer::from_service(Arc::new(known), Assurance::Unwatched)
}
