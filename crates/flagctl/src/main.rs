//! `flagctl`: adds, revises and reads flags, in either store.
//!
//! Speaks HTTP only to compare the answers of services ([`peer`]), and decides about instances only to explain what they receive. What was typed ([`args`]) becomes what
//! it means ([`plan`]), which a command does ([`commands`]); how it ended is an [`exit_code`].
mod alike;
mod apply;
mod args;
mod change;
mod commands;
mod compare;
mod confirm;
mod copy;
mod exit_code;
mod failure;
mod flag_file;
mod near;
mod opened;
mod output;
mod owner;
#[cfg(test)]
mod page;
mod peer;
mod plan;
mod run;
mod run_config;
mod shell;
mod store_name;
mod tips;
mod trail;
mod write;

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
