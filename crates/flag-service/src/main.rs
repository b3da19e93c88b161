//! Answers over HTTP which value an instance receives.
//!
//! Reads the configuration, opens the store, serves until a signal. `handlers.rs` lists all routes, `http/route_properties.rs`
//! their paths. Modules use only modules further down in this list: `server`, `demo` and `config`, `handlers`, `dashboard`,
//! `openapi`, `http`, `access`, `tls`, `telemetry`, `outbound`.
mod access;
mod config;
mod dashboard;
mod demo;
mod handlers;
mod http;
mod openapi;
mod outbound;
mod server;
mod telemetry;
mod tls;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::{Checked, Input, Task, check_config, command, generate};

/// The exit code of an invalid configuration.
const USAGE: u8 = 2;

/// How long a problem found before the start may take to be written: on a busy machine the thread may begin late.
const PROBLEM: Duration = Duration::from_secs(2);

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
        Err(errors) => {
            print_problem(&errors.to_string());
            return ExitCode::from(USAGE);
        }
    };
    let log = match telemetry::start_logging(
        config.log.clone(),
        config.log_format,
        config.telemetry.project.clone(),
    ) {
        Ok(log) => log,
        Err(error) => {
            print_problem(&format!("cannot log: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = server::run(&config, &log);
    if let Err(error) = &result {
        // Through the log writer, as standard error may block.
        log.line(with_prefix(&format!("{error:#}")).as_bytes());
    }
    log.flush(LAST_LINES);
    if result.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Shows the settings and the problems found in them.
fn show(checked: &Checked) -> ExitCode {
    let printed = checked.print();
    if !checked.problems.is_empty() {
        print_problem(&checked.problems.join("\n"));
    }
    match (checked.is_valid, printed) {
        (true, Ok(())) => ExitCode::SUCCESS,
        (true, Err(_)) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(USAGE),
    }
}

/// Prints a problem before the log starts; does not wait long for a reader of standard error.
fn print_problem(problem: &str) {
    let text = with_prefix(problem);
    let (sender, receiver) = mpsc::channel();
    let writing = thread::Builder::new().spawn(move || {
        let _ = std::io::stderr().write_all(text.as_bytes());
        let _ = sender.send(());
    });
    if writing.is_ok() {
        let _ = receiver.recv_timeout(PROBLEM);
    }
}

/// Begins each line with the name of the program.
fn with_prefix(problem: &str) -> String {
    format!(
        "flag-service: {}\n",
        problem.replace('\n', "\nflag-service: ")
    )
}
