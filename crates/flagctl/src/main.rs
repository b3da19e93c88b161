//! `flagctl`: adds, revises and reads flags, in either store.
//!
//! Uses HTTP only to compare the answers of services ([`service_client`]), and decides only to explain, preview and verify.
//!
//! Modules use those below them:
//! - [`run`] reads the [`command_line`] and runs one of the [`commands`], one file each
//! - [`apply`], which plans what a flag file changes; it is pure, and uses only the types of [`mod@write`]
//! - what commands share: [`mod@write`], [`exposure_impact`], [`lookup`], [`revision_numbers`], [`missing`], [`copy`], [`following`], [`propagation`], [`completion`],
//!   on top of the stores that [`context`] and [`admin_store`] open
//! - what needs no store: [`interpret`] (arguments), [`change`], [`flag_file`], [`import`], [`run_config`], [`compare`]
//! - [`output`], [`args`] (shared arguments), [`failure`] and [`exit_code`], which know no command
mod admin_store;
mod apply;
mod args;
mod change;
mod command_line;
mod commands;
mod compare;
mod completion;
mod confirm;
mod context;
mod copy;
mod default_project;
mod distinct;
mod environment;
mod exit_code;
mod exposure_impact;
mod failure;
mod flag_file;
mod following;
mod import;
mod input;
mod interpret;
mod jsonpath;
mod lookup;
mod maybe_readable;
mod missing;
mod output;
mod owner;
#[cfg(test)]
mod page;
mod propagation;
mod revision_numbers;
mod run;
mod run_config;
mod service_client;
mod shell;
mod suggestions;
mod write;

use std::env;
use std::process;

use crate::exit_code::ExitCode;

fn main() -> process::ExitCode {
    let variables = env::vars_os().collect();
    let args: Vec<_> = env::args_os().collect();
    let code = match run::run(&args, variables) {
        Ok(()) => ExitCode::Done,
        Err(failure) => {
            output::print_failure(&failure);
            if failure.is_caused_by_arguments()
                && let Some(tip) = command_line::tip(&args)
            {
                output::notice(&format!("tip: {tip}"));
            }
            failure.exit_code
        }
    };
    code.into()
}
