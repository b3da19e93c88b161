//! The async client.

use crate::backend::Backend;
use crate::builder::ClientBuilder;
use crate::client::FeatureFlagClient;
use crate::detail::Detail;
use crate::question::{FlagRef, Question};
use crate::value::FlagValue;

/// Asks for flags without holding up a thread.
///
/// Build it once and share it: clones are cheap and have one memory. It works on any runtime, and on several at once.
/// Every call may be cancelled at any time: the request goes on for whoever asks next.
#[derive(Clone, Debug)]
pub struct AsyncFeatureFlagClient {
    backend: Backend,
}

impl AsyncFeatureFlagClient {
    /// A client of this project's flags, of the service at `FLAG_SERVICE_URL` (else `http://127.0.0.1:8080`), with the key in `FLAG_API_KEY`.
    ///
    /// Always gives a client: if the environment or the project's name is invalid, it logs so (on standard error without a subscriber) and answers with defaults.
    pub fn new(project: &str) -> Self {
        Self::of(Self::builder(project).backend_or_nobody())
    }

    /// A client of this project's flags, as it is told.
    pub fn builder(project: &str) -> ClientBuilder<Self> {
        ClientBuilder::new(project)
    }

    /// Whether the flag is on for this instance. The default whenever that cannot be had.
    pub async fn get_flag_boolean(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: bool,
    ) -> bool {
        let detail = self.get(flag_name, instance_id, default_value).await;
        detail.value
    }

    /// The text that the flag holds for this instance. The default whenever that cannot be had.
    pub async fn get_flag_string(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: impl Into<String>,
    ) -> String {
        let detail: Detail<String> = self.get(flag_name, instance_id, default_value).await;
        detail.value
    }

    /// As [`Self::get_flag_boolean`], with where the value comes from.
    pub async fn get_flag_boolean_detail(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: bool,
    ) -> Detail<bool> {
        self.get(flag_name, instance_id, default_value).await
    }

    /// As [`Self::get_flag_string`], with where the value comes from.
    pub async fn get_flag_string_detail(
        &self,
        flag_name: &str,
        instance_id: &str,
        default_value: impl Into<String>,
    ) -> Detail<String> {
        self.get(flag_name, instance_id, default_value).await
    }

    /// Fetches what isn't in memory of these flags, all at once; tells of how many there is a value of the service now.
    pub async fn prefetch<'a, F: Into<FlagRef<'a>>>(
        &self,
        flags: impl IntoIterator<Item = F>,
        instance_id: &str,
    ) -> usize {
        let mut known = 0;
        for pending in self.backend.begin_all(flags, instance_id) {
            known += usize::from(pending.answer().await.is_known());
        }
        known
    }

    /// Forgets what it knows of the flags of this name, last known values included: the next call asks the service.
    pub fn invalidate(&self, flag_name: &str) {
        self.backend.forget(|key| key.is_of(flag_name));
    }

    /// Forgets all that it knows.
    pub fn invalidate_all(&self) {
        self.backend.forget(|_| true);
    }

    /// Ends connections and the thread behind them, for all clones. Calls go on being answered from memory, else with
    /// the default.
    pub fn close(&self) {
        self.backend.close();
    }

    /// A blocking client with the same memory and connections.
    pub fn to_blocking(&self) -> FeatureFlagClient {
        FeatureFlagClient::of(self.backend.clone())
    }

    pub(crate) fn of(backend: Backend) -> Self {
        Self { backend }
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    async fn get<T: FlagValue>(
        &self,
        name: &str,
        instance_id: &str,
        default_value: impl Into<T>,
    ) -> Detail<T> {
        let question = Question::new::<T>(name, instance_id);
        let answer = self.backend.begin(question).answer().await;
        Detail::new(answer, default_value)
    }
}
