//! Answers over HTTP which value an instance receives.
//!
//! Reads the configuration, opens the store, serves until it is told to stop. `routes.rs` is the table of contents
//! of the site.
mod access;
mod admission;
mod body;
mod cache;
mod causes;
mod changes;
mod config;
mod demo;
mod docs;
mod exposures;
mod get_feature_flag;
mod health;
mod limits;
mod log_feature_flag;
mod metrics;
mod openapi;
mod problem;
mod reply;
mod request_id;
mod routes;
mod serve;
mod site;
mod snapshot;
mod stop;
mod store;
mod telemetry;
mod visit;

use std::process::ExitCode;

use crate::config::Config;

/// The exit code of a start with mistakes in its configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return ExitCode::from(USAGE);
        }
    };
    telemetry::start_logging(&config);
    match serve::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "said to whoever started the service, before or after anything is logged"
)]
fn complain(problem: &str) {
    for line in problem.lines() {
        eprintln!("flag-service: {line}");
    }
}
