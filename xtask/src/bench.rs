//! `cargo xtask bench`: every figure of the goals, measured on this machine.
//!
//! Server and load have a processor each. What is compared is measured in turn, round after round, so that what else
//! the machine does meets all of it; ratios are taken within a round, and their median and spread are reported. Each part
//! is a file below; `goal.rs` and `report.rs` say what a figure is compared with, and how it is reported.
mod bulk;
mod contestants;
mod exposures;
mod goal;
mod growth;
mod in_process;
mod machine;
mod memory;
mod report;
mod rounds;
mod start;
mod statistics;
mod stores;

use anyhow::Result;
use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use self::report::{Measured, Report};
use crate::foreground::Foreground;
use crate::services;

/// The processor of the load and of what is not measured; the server has the next.
const LOAD: usize = 0;
const SERVER: usize = 1;

/// What to measure, and how.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask bench --write
  cargo xtask bench --only contestants,memory --rounds 3")]
pub(crate) struct Args {
    /// How often each contestant is measured
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// How many seconds each time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Measures only these parts; the others stay as they were measured last
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// Writes what was measured into docs/performance.md
    #[arg(long)]
    write: bool,
}

/// A part of what is measured, in the order of the goals.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
enum Part {
    /// The service against the least that could answer
    Contestants,
    /// Resident memory
    Memory,
    /// Many flags against few
    Growth,
    /// Start and size
    Start,
    /// Decision, encoding and client alone
    InProcess,
    /// Writing exposures
    Exposures,
    /// All flags of a project by OFREP
    Bulk,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Contestants,
        Self::Memory,
        Self::Growth,
        Self::Start,
        Self::InProcess,
        Self::Exposures,
        Self::Bulk,
    ];

    /// As it is typed.
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn measure(self, args: &Args, foreground: &mut Foreground) -> Result<Measured> {
        match self {
            Self::Contestants => contestants::measure(args, foreground),
            Self::Memory => memory::measure(args, foreground),
            Self::Growth => growth::measure(args, foreground),
            Self::Start => start::measure(foreground),
            Self::InProcess => in_process::measure(foreground),
            Self::Exposures => exposures::measure(args, foreground),
            Self::Bulk => bulk::measure(args, foreground),
        }
    }
}

/// Measures, prints and stores the figures. Missed goals are reported, and are no failure.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    services::build(foreground)?;
    let mut report = if args.only.is_empty() {
        Report::default()
    } else {
        Report::read()?
    };
    for part in Part::ALL {
        if args.only.is_empty() || args.only.contains(&part) {
            let measured = part.measure(args, foreground)?;
            println!("{}", measured.text());
            // At once: a part that fails later must not lose what took minutes.
            report.put(part, measured)?;
        }
    }
    println!("{}", report.text());
    if args.write {
        report.write()?;
    }
    Ok(())
}
