//! The version and build of the service.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The version of the service.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of this build, from the variable `FLAG_BUILD_COMMIT` at build time.
pub(crate) const COMMIT: &str = match option_env!("FLAG_BUILD_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Registers the metric.
pub(crate) fn register(registry: &mut Registry) {
    let labels = [
        ("version", VERSION),
        ("commit", COMMIT),
        ("rustc", env!("FLAG_BUILD_RUSTC")),
    ];
    registry.register("build", "Which build this is", Info::new(labels.to_vec()));
}
