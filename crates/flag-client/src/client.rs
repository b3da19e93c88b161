//! The blocking client.

use std::sync::Arc;

use crate::async_client::AsyncFeatureFlagClient;
use crate::backend::Backend;
use crate::builder::ClientBuilder;
use crate::call::Call;
use crate::detail::{Answer, Detail};
use crate::question::{FlagRef, Question};
use crate::status::Status;
use crate::subscription::Subscription;
use crate::value::ValueType;

/// Asks for flags and waits for the answer on the caller's thread.
///
/// Build it once and share it: clones are cheap and share one cache. It may be built, called and dropped anywhere, also
/// inside an async runtime, where a call blocks its thread until the answer has arrived.
#[derive(Clone, Debug)]
pub struct FeatureFlagClient {
    backend: Backend,
}

impl FeatureFlagClient {
    /// A client for the flags of this project. The service is at `FLAG_SERVICE_URL`, else at `http://127.0.0.1:8080`; the
    /// API key is in `FLAG_API_KEY`.
    ///
    /// Never fails: if the environment or the name of the project is invalid, it logs an error (to standard error if there
    /// is no subscriber), and every call returns its default.
    pub fn new(project: &str) -> Self {
        Self::of(Self::builder(project).backend_or_unconfigured())
    }

    /// Configures a client for the flags of this project.
    pub fn builder(project: &str) -> ClientBuilder<Self> {
        ClientBuilder::new(project)
    }

    /// Whether the flag is on for this instance; the default if there is no value.
    pub fn get_flag_boolean(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: bool,
    ) -> bool {
        self.get_flag_boolean_detail(flag_name, instance_id, default_value)
            .value
    }

    /// The text of the flag for this instance; the default if there is no value.
    pub fn get_flag_string(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: impl Into<String>,
    ) -> String {
        self.get_flag_string_detail(flag_name, instance_id, default_value)
            .value
    }

    /// Like [`Self::get_flag_boolean`], with the source of the value.
    pub fn get_flag_boolean_detail(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: bool,
    ) -> Detail<bool> {
        self.get(flag_name, instance_id, default_value)
    }

    /// Like [`Self::get_flag_string`], with the source of the value.
    pub fn get_flag_string_detail(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: impl Into<String>,
    ) -> Detail<String> {
        self.get(flag_name, instance_id, default_value)
    }

    /// Fetches those of these flags that are not cached, all at once; returns how many have a value of the service now.
    /// When one of them changes, it is fetched again without being asked for.
    pub fn prefetch<'a, F: Into<FlagRef<'a>>>(
        &self,
        flags: impl IntoIterator<Item = F>,
        instance_id: &str,
    ) -> usize {
        let calls = self.backend.begin_all(flags, instance_id);
        let answers = calls.into_iter().map(Call::wait);
        answers.filter(Answer::is_known).count()
    }

    /// Removes the flags of this name from the cache, with their last known values: the next call asks the service.
    pub fn invalidate(&self, flag_name: &str) {
        self.backend.forget(|key| key.is_of(flag_name));
    }

    /// Removes all flags from the cache, with their last known values.
    pub fn invalidate_all(&self) {
        self.backend.forget(|_| true);
    }

    /// Calls `callback` each time when the flag may have changed, for any instance: a call that it makes gets the new value.
    ///
    /// The service announces changes on the event stream, which this opens if it is not open yet; while there is no stream,
    /// nothing is called, and when it is back, every callback whose flag may have changed meanwhile. Callbacks run one after
    /// the other on a thread of their own, and may use the client. Several changes in a row may be one call.
    /// Dropping the subscription removes the callback; one that owns a clone of the client keeps it from ending until then.
    pub fn on_change(
        &self,
        flag_name: &str,
        callback: impl Fn() + Send + Sync + 'static,
    ) -> Subscription {
        self.backend.on_change(flag_name, Arc::new(callback))
    }

    /// The state of the client, for the application's own health page.
    pub fn status(&self) -> Status {
        self.backend.status()
    }

    /// Closes the connections and ends the thread, for all clones. Later calls are answered from the cache, else with the
    /// default.
    pub fn close(&self) {
        self.backend.close();
    }

    /// An async client with the same cache and connections.
    pub fn to_async(&self) -> AsyncFeatureFlagClient {
        AsyncFeatureFlagClient::of(self.backend.clone())
    }

    pub(crate) fn of(backend: Backend) -> Self {
        Self { backend }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    fn get<T: ValueType>(
        &self,
        name: &str,
        instance_id: &str,
        default_value: impl Into<T>,
    ) -> Detail<T> {
        let question = Question::new::<T>(name, instance_id);
        Detail::new(self.backend.begin(question).wait(), default_value)
    }
}
