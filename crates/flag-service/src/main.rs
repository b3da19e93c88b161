//! Answers over HTTP which value an instance receives.
//!
//! Reads the configuration, opens the store, serves until a signal. `handlers.rs` is the table of contents.
mod access;
mod check_config;
mod config;
mod demo;
mod generate;
mod handlers;
mod http;
mod openapi;
mod server;
mod telemetry;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::check_config::{Checked, check_config};
use crate::config::{Input, Task, command};
use crate::generate::generate;

/// The exit code of an invalid configuration.
const USAGE: u8 = 2;

/// How long the last log lines may take to be written.
const LAST_LINES: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let input = Input::from_process();
    match input.task() {
        Task::Serve => {}
        Task::CheckConfig => return show(&check_config(input)),
        Task::Generate(what) => {
            let written = generate(what, command(), &mut io::stdout().lock());
            return ExitCode::from(u8::from(written.is_err()));
        }
    }
    let config = match input.config() {
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
    let ended = server::run(&config, &log);
    if let Err(error) = &ended {
        // Through the log writer: a reader of standard error may be stuck.
        log.line(words(&format!("{error:#}")).as_bytes());
    }
    log.flush(LAST_LINES);
    if ended.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Shows what was found about the configuration.
fn show(checked: &Checked) -> ExitCode {
    let printed = checked.print();
    if !checked.problems.is_empty() {
        complain(&checked.problems.join("\n"));
    }
    match (checked.is_valid, printed) {
        (true, Ok(())) => ExitCode::SUCCESS,
        (true, Err(_)) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(USAGE),
    }
}

/// Prints a problem before the log starts, without waiting for a reader.
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
