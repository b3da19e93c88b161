//! `flagctl`: adds, revises and reads flags, in either store.
//!
//! Knows no HTTP, and decides nothing about instances. What was typed ([`args`]) becomes what it means ([`plan`]),
//! which a command does ([`commands`]); how it ended is an [`exit_code`].
mod args;
mod commands;
mod exit_code;
mod failure;
mod near;
mod output;
mod plan;
mod run;

use std::env;
use std::process;

use crate::exit_code::ExitCode;

fn main() -> process::ExitCode {
    let variables = env::vars_os().collect();
    let code = match run::run(env::args_os(), variables) {
        Ok(()) => ExitCode::Done,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    };
    code.into()
}
