//! A callback for changes of a flag, held by the application.

use std::fmt;
use std::sync::Weak;

use crate::core::Core;
use crate::fixed::FixedBackend;

/// Keeps a callback for changes of a flag; dropping this removes it. A run that has begun ends by itself.
#[must_use = "the callback is removed when this is dropped"]
pub struct Subscription {
    owner: SubscriptionOwner,
    number: u64,
}

/// Where the callback is kept. Does not keep a client from ending.
pub(crate) enum SubscriptionOwner {
    Service(Weak<Core>),
    Fixed(Weak<FixedBackend>),
    /// The client could not be configured: nothing ever changes.
    Unconfigured,
}

impl Subscription {
    pub(crate) fn new(owner: SubscriptionOwner, number: u64) -> Self {
        Self { owner, number }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.number).finish()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        match &self.owner {
            SubscriptionOwner::Service(core) => {
                if let Some(core) = core.upgrade() {
                    core.remove_listener(self.number);
                }
            }
            SubscriptionOwner::Fixed(fixed) => {
                if let Some(fixed) = fixed.upgrade() {
                    fixed.listeners.remove(self.number);
                }
            }
            SubscriptionOwner::Unconfigured => {}
        }
    }
}
