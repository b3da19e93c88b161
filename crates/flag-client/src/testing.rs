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

use std::sync::Arc;

use flag_model::FlagValue;

use crate::async_client::AsyncFeatureFlagClient;
use crate::backend::Backend;
use crate::client::FeatureFlagClient;
use crate::failure::Failure;
pub use crate::fixed::Asked;
use crate::fixed::FixedBackend;

/// Flags with fixed values, and the clients that give them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FixedFlags {
    fixed: Arc<FixedBackend>,
}

/// The value of a flag: made from a `bool` for a `feature` flag, from text for a `data` flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(FlagValue);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(FlagValue::Boolean(value))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(FlagValue::Text(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(FlagValue::Text(text.into()))
    }
}

impl FixedFlags {
    /// No flags yet: every answer is the default, as for an unknown flag.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a flag for every instance without a value of its own.
    pub fn set(&self, flag_name: &str, value: impl Into<Value>) {
        self.fixed.set(flag_name, "", value.into().0);
    }

    /// Sets the value of a flag for one instance.
    pub fn set_for(&self, flag_name: &str, instance_id: &str, value: impl Into<Value>) {
        self.fixed.set(flag_name, instance_id, value.into().0);
    }

    /// From now on every answer is the default, for this reason, as in an outage.
    pub fn fail(&self, failure: Failure) {
        self.fixed.fail(Some(failure));
    }

    /// From now on the answers are the values again.
    pub fn recover(&self) {
        self.fixed.fail(None);
    }

    /// A blocking client of these flags.
    pub fn client(&self) -> FeatureFlagClient {
        FeatureFlagClient::of(Backend::Fixed(Arc::clone(&self.fixed)))
    }

    /// An async client of these flags.
    pub fn async_client(&self) -> AsyncFeatureFlagClient {
        AsyncFeatureFlagClient::of(Backend::Fixed(Arc::clone(&self.fixed)))
    }

    /// Every question to the clients so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.fixed.asked()
    }

    /// Forgets the questions.
    pub fn forget_asked(&self) {
        self.fixed.forget_asked();
    }
}
