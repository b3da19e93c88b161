//! The vocabulary of the stories in `tests/`: real processes, real stores, real HTTP.
//!
//! `cargo xtask test` builds the binaries, starts the Bigtable emulator, and says where they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests"
)]

mod application;
mod balancer;
mod browser;
mod collector;
mod emulator;
mod event_stream;
mod exposition;
mod flagctl;
mod google_cloud;
mod identity_proxy;
mod load;
pub mod ofrep;
mod proxy;
mod reference;
mod scrape;
mod service;
mod store;
mod stream_proxy;
pub mod tls;
mod token_endpoint;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use flag_model::Timestamp;
use flag_store::{Clock as _, SystemClock};

pub use crate::application::Application;
pub use crate::balancer::{Balancer, Unanswered};
pub use crate::browser::Browser;
pub use crate::collector::Collector;
pub use crate::emulator::Emulator;
pub use crate::event_stream::{EventStream, PushedEvent};
pub use crate::exposition::{Exposition, Sample};
pub use crate::flagctl::{Output, flagctl, flagctl_with, flagctl_with_hosts};
pub use crate::google_cloud::{Denial, GoogleCloud};
pub use crate::identity_proxy::IdentityProxy;
pub use crate::load::{Load, Outcome, median_p99};
pub use crate::proxy::Proxy;
pub use crate::reference::Reference;
pub use crate::scrape::Scrape;
pub use crate::service::{Method, Reply, RequestBuilder, Service};
pub use crate::store::TestStore;
pub use crate::stream_proxy::{StreamProxy, Treatment};
pub use crate::token_endpoint::{Gives, TokenEndpoint};
pub use crate::wire::{Answer, Wire};

/// Makes a test of a story for each store: `story::on_embedded` and `story::on_bigtable`.
#[macro_export]
macro_rules! on_both_stores {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_embedded() {
                super::$story($crate::TestStore::embedded()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_bigtable() {
                super::$story($crate::TestStore::bigtable()).await;
            }
        }
    )+};
}

/// A time after that of every row, and near enough to the clock for its row to count.
pub fn soon() -> Timestamp {
    SystemClock.now().saturating_add(Duration::from_hours(1))
}

/// The folder of our binaries, as `cargo xtask test` has built them.
pub fn binaries() -> PathBuf {
    let folder = std::env::var_os("FLAG_TEST_BIN_DIR")
        .expect("FLAG_TEST_BIN_DIR is not set: run the tests with `cargo xtask test`");
    PathBuf::from(folder)
}

/// Whether our binaries are optimised, so that their figures count.
pub fn are_optimised() -> bool {
    binaries().ends_with("release")
}

/// The path of a binary that the tests start.
pub fn binary(name: &str) -> PathBuf {
    binaries().join(name)
}

/// An address on which nobody listens.
pub fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// A client that has no connection yet.
pub fn new_connection() -> reqwest::Client {
    http()
}

/// An HTTP client. It needs a choice of the cryptography to use, as the client crate has TLS built in without choosing one
/// for everybody.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.build().unwrap()
}
