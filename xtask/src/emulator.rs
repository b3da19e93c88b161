//! The Bigtable emulator: where to get one, and one that runs.
//!
//! The emulator is Google's, also in packages of others. Nothing here knows what is kept in it.
mod build;
mod find;
mod mirror;
mod running;

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Subcommand;

pub(crate) use self::running::Emulator;
use crate::foreground::Foreground;

/// What to do with emulators.
#[derive(Subcommand)]
pub(crate) enum Chore {
    /// Runs one until interrupted, and prints how to make others use it
    Start {
        /// Port to listen on, of 127.0.0.1; 0 takes any that is free
        #[arg(long, default_value_t = 8086)]
        port: u16,
    },
    /// Prints the path of the one that the tests would use
    Find,
    /// Builds one from Debian's packages into the cache folder, without root
    Build,
}

/// Does one of them.
pub(crate) fn run(chore: &Chore, foreground: &mut Foreground) -> Result<()> {
    match chore {
        Chore::Start { port } => start(*port, foreground),
        Chore::Find => {
            let found =
                find::find()?.ok_or_else(|| anyhow!("no Bigtable emulator: {TRIED}; {WAYS}"))?;
            println!("{}", found.display());
            Ok(())
        }
        Chore::Build => {
            let built = build::build(&find::cache()?, foreground)?;
            println!("{}", built.display());
            Ok(())
        }
    }
}

/// Finds an emulator, or builds one.
pub(crate) fn obtain(foreground: &mut Foreground) -> Result<PathBuf> {
    if let Some(found) = find::find()? {
        return Ok(found);
    }
    let built = find::cache().and_then(|cache| build::build_unless_built(&cache, foreground));
    foreground.check()?;
    built.map_err(|error| {
        anyhow!("no Bigtable emulator: {TRIED}, and building one failed: {error:#}; {WAYS}")
    })
}

const TRIED: &str = "FLAG_BIGTABLE_EMULATOR names none, and there is none on the PATH, in the Google Cloud SDK \
    or in the cache folder";

const WAYS: &str = "get one with `gcloud components install bigtable`, or as \
    google-cloud-cli-bigtable-emulator from Google's apt repository, or name one in FLAG_BIGTABLE_EMULATOR";

fn start(port: u16, foreground: &mut Foreground) -> Result<()> {
    let binary = obtain(foreground)?;
    let emulator = Emulator::start(&binary, port)?;
    println!("# {} runs until interrupted", binary.display());
    println!("export FLAG_TEST_EMULATOR={}", emulator.address());
    println!("export BIGTABLE_EMULATOR_HOST={}", emulator.address());
    while foreground.rest().is_ok() {
        emulator.check()?;
    }
    Ok(())
}
