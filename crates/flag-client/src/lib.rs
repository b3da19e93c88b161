//! The client that applications import: asks the service which value of a flag an instance receives.
//!
//! ```no_run
//! use flag_client::FeatureFlagClient;
//!
//! // Once, when the application starts. The service is at FLAG_SERVICE_URL.
//! let client = FeatureFlagClient::new("csr-assistant");
//!
//! // Wherever it matters: the flag, the instance, and the default if there is no value.
//! if client.get_flag_boolean("multi_step_api_router", "A12345", false) {
//!     let provider = client.get_flag_string("llm_provider", "A12345", "openai");
//!     println!("several steps, with {provider}");
//! }
//! ```
//!
//! [`AsyncFeatureFlagClient`] is the same with `.await`. Both are cheap to clone and meant to be shared; each can be
//! converted to the other, with the same cache and connections.
//!
//! **What if the service is down?** A call always returns a value: no error, no panic, within the timeout (5 s).
//! Answers are cached for 300 s. After that, and while the service cannot be asked, a call returns the last known value,
//! or its default if there is none. A circuit breaker keeps calls from waiting for a failing service: after five
//! failures in a row it opens for a second, then for two, up to thirty; one request at a time probes whether the service
//! answers again. The log (`tracing`) has one warning when that begins and one when it ends. `get_flag_boolean_detail`
//! and `get_flag_string_detail` return where a value comes from, and why:
//!
//! ```
//! use flag_client::{Failure, FeatureFlagClient, Source};
//! # fn main() -> Result<(), flag_client::BuildError> {
//! # let nowhere = "http://127.0.0.1:9";
//!
//! let client = FeatureFlagClient::builder("csr-assistant").base_url(nowhere).build()?;
//! let router = client.get_flag_boolean_detail("multi_step_api_router", "A12345", false);
//! assert!(!router.value);
//! assert!(matches!(router.source, Source::Default(Failure::Unreachable(_))));
//! # Ok(())
//! # }
//! ```
//!
//! **How soon does a change show?** The service announces changes on an event stream, which a client keeps open from its
//! first request or `on_change` on. What has changed expires in the cache at once, so the next call asks for it. Without a stream (an older
//! service, a proxy that withholds it, [`ClientBuilder::without_push`]) a change shows when the lifetime ends.
//!
//! [`flags!`] keeps all flags of an application in one place, with types that the compiler checks. [`testing`] has
//! clients with fixed values for the application's tests. [`FeatureFlagClient::builder`] sets the base URL, timeout,
//! cache, API key and headers. The feature `open-feature` makes the client a provider for OpenFeature.
//!
//! A client sends its requests from a thread of its own, which it starts with the first one. So the blocking client works
//! inside async runtimes too, and the async one on any of them; both work in a child that is forked later. Knows HTTP;
//! knows nothing of revisions and rollouts.
mod asking;
mod async_client;
mod atomic_instant;
mod backend;
mod block_on;
mod bounded_map;
mod build_error;
mod builder;
mod cache;
mod call;
mod circuit;
mod client;
mod client_state;
mod core;
mod detail;
mod environment;
mod failure;
mod fixed;
mod flag;
mod http_clients;
mod in_flight;
mod listeners;
#[cfg(feature = "open-feature")]
pub mod open_feature;
mod per_process;
mod proxy;
mod push;
mod question;
mod reply;
mod request;
mod sse;
mod status;
mod subscription;
pub mod testing;
mod tls;
mod transport;
mod value;
mod worker;

pub use crate::async_client::AsyncFeatureFlagClient;
pub use crate::build_error::BuildError;
pub use crate::builder::ClientBuilder;
pub use crate::client::FeatureFlagClient;
pub use crate::detail::{Assurance, Detail, Freshness, Source};
pub use crate::failure::Failure;
pub use crate::flag::{Flag, FlagClient, FlagFuture};
pub use crate::question::FlagRef;
pub use crate::status::{Status, StreamState};
pub use crate::subscription::Subscription;
pub use crate::value::ValueType;
pub use flag_model::FlagType;

/// The pages for users; their examples are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/client.md")]
#[doc = include_str!("../../../docs/tutorial.md")]
mod pages {}
