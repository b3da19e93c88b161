//! Clients for the tests of an application: the same types, with fixed values and no network.
//!
//! ```
//! use flag_client::testing::FixedFlags;
//!
//! let flags = FixedFlags::new();
//! flags.set("beta_search", false);
//! flags.set_for("beta_search", "A12345", true);
//!
//! let client = flags.client();
//! assert!(client.get_flag_boolean("beta_search", "A12345", false));
//! assert!(!client.get_flag_boolean("beta_search", "B67890", true));
//! assert_eq!(flags.asked().len(), 2);
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::async_client::AsyncFeatureFlagClient;
use crate::backend::Backend;
use crate::client::FeatureFlagClient;
use crate::detail::{Answer, Freshness, Known, Source};
use crate::failure::Failure;
use crate::question::{FlagRef, FlagType, Key, Question};
pub use crate::value::Value;

/// The instance id under which a value for every instance is kept; nobody has it.
const EVERYBODY: &str = "";

/// The rollout group of fixed values.
const GROUP: &str = "fixed";

/// Flags with fixed values, and the clients that give them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FixedFlags {
    fixed: Arc<Fixed>,
}

/// A question that a client was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The type of the flag.
    pub flag_type: FlagType,
    /// Its name.
    pub flag_name: String,
    /// Whom the value was for.
    pub instance_id: String,
}

/// What the clients share with the test.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    values: HashMap<Key, Value>,
    failure: Option<Failure>,
    asked: Vec<Asked>,
}

impl FixedFlags {
    /// No flags yet: every answer is the default, as of an unknown flag.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a flag a value for every instance that has none of its own.
    pub fn set(&self, flag_name: &str, value: impl Into<Value>) {
        self.fixed.set(flag_name, EVERYBODY, value.into());
    }

    /// Gives a flag a value for one instance.
    pub fn set_for(&self, flag_name: &str, instance_id: &str, value: impl Into<Value>) {
        self.fixed.set(flag_name, instance_id, value.into());
    }

    /// From now on every answer is the default, for this reason, as in an outage.
    pub fn fail(&self, failure: Failure) {
        self.fixed.state().failure = Some(failure);
    }

    /// From now on the values are given again.
    pub fn recover(&self) {
        self.fixed.state().failure = None;
    }

    /// A blocking client of these flags.
    pub fn client(&self) -> FeatureFlagClient {
        FeatureFlagClient::of(Backend::Fixed(Arc::clone(&self.fixed)))
    }

    /// An async client of these flags.
    pub fn async_client(&self) -> AsyncFeatureFlagClient {
        AsyncFeatureFlagClient::of(Backend::Fixed(Arc::clone(&self.fixed)))
    }

    /// Every question that the clients were asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.fixed.state().asked.clone()
    }

    /// Forgets the questions.
    pub fn forget_asked(&self) {
        self.fixed.state().asked.clear();
    }
}

impl Fixed {
    /// Takes note of a question, and answers it.
    pub(crate) fn answer(&self, question: Question<'_>) -> Answer {
        let mut state = self.state();
        state.asked.push(Asked {
            flag_type: question.flag.flag_type,
            flag_name: question.flag.name.to_owned(),
            instance_id: question.instance_id.to_owned(),
        });
        if let Err(wrong) = question.check() {
            return Answer::Nothing(Failure::InvalidRequest(wrong.into()));
        }
        match (&state.failure, state.value(question)) {
            (Some(failure), _) => Answer::Nothing(failure.clone()),
            (None, Some(value)) => known(value.clone()),
            (None, None) => {
                let detail = format!("{} was not set", question.flag);
                Answer::Nothing(Failure::FlagNotFound(detail.into()))
            }
        }
    }

    fn set(&self, name: &str, instance_id: &str, value: Value) {
        let flag_type = value.flag_type();
        let question = Question {
            flag: FlagRef { flag_type, name },
            instance_id,
        };
        self.state().values.insert(question.into(), value);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn value(&self, question: Question<'_>) -> Option<&Value> {
        let of_instance = self.values.get(&Key::from(question));
        of_instance.or_else(|| self.values.get(&Key::from(question.of_any_instance())))
    }
}

fn known(value: Value) -> Answer {
    let known = Known {
        value,
        rollout_group: GROUP.into(),
        freshness: Freshness::Current,
    };
    Answer::Known(Arc::new(known), Source::Service(Freshness::Current))
}
