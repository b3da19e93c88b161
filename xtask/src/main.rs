//! The project's own chores, run as `cargo xtask …`: tests, the Bigtable emulator, Airflow, checks.
//!
//! Starts other programs and reads what they say. Depends on no crate of ours but the load generator.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore tells the terminal how it went"
)]

mod airflow;
mod api;
mod bench;
mod bigtable;
mod book;
mod cache;
mod chart;
mod ci;
mod dist;
mod edges;
mod emulator;
mod faults;
mod foreground;
mod generated;
mod image;
mod instructions;
mod load_test;
mod manifests;
mod markdown;
mod metadata;
mod migration;
mod mutants;
mod ofrep;
mod picture;
mod python;
mod release;
mod schemathesis;
mod services;
mod test;
mod tidy;
mod venv;
mod walk;

use std::process::ExitCode;

use clap::Parser;

use crate::foreground::Foreground;

/// The project's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Runs every test, those against a Bigtable emulator included
    Test(test::Args),
    /// Finds, builds or starts a Bigtable emulator
    #[command(subcommand)]
    Emulator(emulator::Chore),
    /// Measures the service against its goals: minutes, on a machine that does nothing else
    Bench(bench::Args),
    /// Counts the instructions of a warm request, which another day's build can be compared with: needs valgrind
    Instructions(instructions::Args),
    /// Loads a service at a constant rate or as much as it takes, and reports how it answered
    LoadTest(load_test::Args),
    /// Measures what happens when something fails: minutes, on a machine that does nothing else
    Faults(faults::Args),
    /// Asks the real service whatever its description allows: needs Python, and the network at first
    Schemathesis(schemathesis::Args),
    /// Changes the code here and there, and checks that the tests notice: hours, and needs cargo-mutants
    Mutants(mutants::Args),
    /// Follows docs/migrating.md beside the Python service, on an emulator: needs Python, and the network at first
    Migration,
    /// Walks through the system as a newcomer does, on an emulator: needs Python
    Walk,
    /// Checks what is in deploy/: images, tables, manifests, packages. Needs Debian, root, kubectl, and the network at first
    Deploy,
    /// Builds the pages as a book: needs mdBook
    Book,
    /// Draws the picture of the README anew
    Picture,
    /// Checks that the public API of the client is as recorded
    Api,
    /// Checks that our crates depend only on what they may
    Edges,
    /// Checks purpose, lints, manifests, circles and layers of crates; words, links and English of texts and names
    Tidy,
    /// Packs what is handed out: archive, Debian packages, bills of material, checksums. Needs Debian
    Dist(dist::Args),
    /// Makes images of containers, without a daemon: needs Debian, and its package umoci
    Image(image::Args),
    /// Runs every check of a change, tests last
    Ci,
}

fn main() -> ExitCode {
    let chore = Chore::parse();
    let done = Foreground::new().and_then(|mut foreground| match chore {
        Chore::Test(args) => test::run(&args, &mut foreground),
        Chore::Emulator(chore) => emulator::run(&chore, &mut foreground),
        Chore::Bench(args) => bench::run(&args, &mut foreground),
        Chore::Instructions(args) => instructions::run(&args, &mut foreground),
        Chore::LoadTest(args) => load_test::run(&args, &mut foreground),
        Chore::Faults(args) => faults::run(&args, &mut foreground),
        Chore::Schemathesis(args) => schemathesis::run(&args, &mut foreground),
        Chore::Mutants(args) => mutants::run(&args, &mut foreground),
        Chore::Migration => test::run_on_emulator(migration::run, &mut foreground),
        Chore::Walk => test::run_on_emulator(walk::run, &mut foreground),
        Chore::Deploy => ci::run_deploy(&mut foreground),
        Chore::Book => book::run(&mut foreground),
        Chore::Picture => picture::run(&mut foreground),
        Chore::Api => api::run(&mut foreground),
        Chore::Edges => edges::run(),
        Chore::Tidy => tidy::run(),
        Chore::Dist(args) => dist::run(&args, &mut foreground),
        Chore::Image(args) => image::run(&args, &mut foreground),
        Chore::Ci => ci::run(&mut foreground),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
