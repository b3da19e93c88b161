//! Answers over HTTP which value an instance receives.
//!
//! Reads the configuration, opens the store, serves until it is told to stop. `routes.rs` is the table of contents
//! of the site.
mod access;
mod admission;
mod body;
mod config;
mod demo;
mod docs;
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
mod stop;
mod telemetry;
mod visit;
mod watchdog;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::Config;

/// The exit code of a start with mistakes in its configuration.
const USAGE: u8 = 2;

/// How long the last log lines may take to be written.
const LAST_LINES: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let config = match Config::from_process() {
        Ok(config) => config,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return ExitCode::from(USAGE);
        }
    };
    let log = match telemetry::start_logging(&config) {
        Ok(log) => log,
        Err(error) => {
            complain(&format!("cannot log: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = serve::run(&config, &log);
    if let Err(error) = &ended {
        // Not beside the log: whoever reads that may be stuck.
        log.line(words(&format!("{error:#}")).as_bytes());
    }
    log.flush(LAST_LINES);
    if ended.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says something to whoever started the service, before anything is logged. Nobody need hear it.
fn complain(problem: &str) {
    let words = words(problem);
    let (told, said) = mpsc::channel();
    let writing = thread::Builder::new().spawn(move || {
        let _ = std::io::stderr().write_all(words.as_bytes());
        let _ = told.send(());
    });
    if writing.is_ok() {
        let _ = said.recv_timeout(LAST_LINES);
    }
}

fn words(problem: &str) -> String {
    format!(
        "flag-service: {}\n",
        problem.replace('\n', "\nflag-service: ")
    )
}
