//! Every check of a change, in one order for people and for machines.
//!
//! The quick ones come first, then the tests, and last what needs a package index too.
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::foreground::{Foreground, cargo, has_cargo_plugin};
use crate::{airflow, api, bigtable, dist, edges, image, manifests, migration};
use crate::{schemathesis, test, tidy, walk};

/// One check.
struct Step {
    name: &'static str,
    check: Check,
}

/// How a check is done.
enum Check {
    /// By us.
    Ours(fn(&mut Foreground) -> Result<()>),
    /// By us, with the binaries and an emulator.
    OnEmulator(fn(&Path, &str, &mut Foreground) -> Result<()>),
    /// By us, unless this tells what is missing.
    Unless(
        fn() -> Option<&'static str>,
        fn(&mut Foreground) -> Result<()>,
    ),
    /// By us, with the binaries and an emulator, unless this tells what is missing.
    OnEmulatorUnless(
        fn() -> Option<&'static str>,
        fn(&Path, &str, &mut Foreground) -> Result<()>,
    ),
    /// By cargo, with these arguments.
    Cargo(&'static str),
    /// By a plugin of cargo, if it is installed: its name, its arguments.
    Plugin(&'static str, &'static str),
}

const STEPS: [Step; 17] = [
    Step {
        name: "format",
        check: Check::Cargo("fmt --all --check"),
    },
    Step {
        name: "edges",
        check: Check::Ours(|_| edges::run()),
    },
    Step {
        name: "tidy",
        check: Check::Ours(|_| tidy::run()),
    },
    Step {
        name: "deny",
        check: Check::Plugin("deny", "--locked check bans licenses sources"),
    },
    Step {
        name: "clippy",
        check: Check::Cargo(
            "clippy --workspace --all-targets --all-features --locked -- -D warnings",
        ),
    },
    Step {
        name: "documentation",
        check: Check::Cargo("doc --workspace --no-deps --all-features --locked"),
    },
    Step {
        name: "api",
        check: Check::Ours(api::run),
    },
    Step {
        name: "test",
        check: Check::Ours(|foreground| test::run(&test::Args::default(), foreground)),
    },
    Step {
        name: "schemathesis",
        check: Check::Ours(|foreground| schemathesis::run(&schemathesis::OF_A_CHANGE, foreground)),
    },
    Step {
        name: "airflow",
        check: Check::OnEmulator(airflow::run),
    },
    Step {
        name: "walk",
        check: Check::OnEmulator(walk::run),
    },
    Step {
        name: "migration",
        check: Check::OnEmulator(migration::run),
    },
    Step {
        name: "crates",
        check: Check::Cargo(
            "package --locked --allow-dirty --no-verify -p flag-model -p flag-api -p flag-client",
        ),
    },
    IMAGES,
    TABLES,
    MANIFESTS,
    PACKAGES,
];

const IMAGES: Step = Step {
    name: "images",
    check: Check::OnEmulatorUnless(image::missing, image::check),
};

const TABLES: Step = Step {
    name: "tables",
    check: Check::OnEmulator(bigtable::check),
};

const MANIFESTS: Step = Step {
    name: "manifests",
    check: Check::OnEmulatorUnless(manifests::missing, manifests::check),
};

const PACKAGES: Step = Step {
    name: "packages",
    check: Check::Unless(dist::missing, dist::check),
};

/// How a step went.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped(&'static str),
}

/// Runs all steps, up to the first that fails.
pub(crate) fn run(foreground: &mut Foreground) -> Result<()> {
    run_steps(&STEPS, foreground)
}

/// Runs those about what is in `deploy`.
pub(crate) fn run_deploy(foreground: &mut Foreground) -> Result<()> {
    run_steps(&[IMAGES, TABLES, MANIFESTS, PACKAGES], foreground)
}

fn run_steps(steps: &[Step], foreground: &mut Foreground) -> Result<()> {
    let mut outcomes = Vec::new();
    let mut failure = None;
    for step in steps {
        println!("\n── {} ──", step.name);
        let start = Instant::now();
        let outcome = match step.run(foreground) {
            Ok(Some(missing)) => Outcome::Skipped(missing),
            Ok(None) => Outcome::Passed(start.elapsed()),
            Err(error) => {
                failure = Some(error);
                Outcome::Failed(start.elapsed())
            }
        };
        outcomes.push((step.name, outcome));
        if failure.is_some() {
            break;
        }
    }
    println!("\n── summary ──");
    for (name, outcome) in &outcomes {
        println!("{}", outcome.line(name));
    }
    match failure {
        Some(error) => bail!("{error:#}"),
        None => Ok(()),
    }
}

impl Step {
    /// Does the check, or tells what it lacks.
    fn run(&self, foreground: &mut Foreground) -> Result<Option<&'static str>> {
        if let Check::Unless(missing, _) | Check::OnEmulatorUnless(missing, _) = self.check
            && let Some(missing) = missing()
        {
            return Ok(Some(missing));
        }
        let mut command = cargo();
        command.env("RUSTDOCFLAGS", "-D warnings");
        match self.check {
            Check::Ours(check) => check(foreground)?,
            Check::OnEmulator(check) => test::run_on_emulator(check, foreground)?,
            Check::Unless(_, check) => check(foreground)?,
            Check::OnEmulatorUnless(_, check) => test::run_on_emulator(check, foreground)?,
            Check::Cargo(arguments) => foreground.run(command.args(arguments.split(' ')))?,
            Check::Plugin(name, _) if !has_cargo_plugin(name) => {
                return Ok(Some("skipped, as cargo does not have it"));
            }
            Check::Plugin(name, arguments) => {
                foreground.run(command.arg(name).args(arguments.split(' ')))?;
            }
        }
        Ok(None)
    }
}

impl Outcome {
    fn line(&self, name: &str) -> String {
        match self {
            Self::Passed(time) => format!("{name:<14} passed in {:.1} s", time.as_secs_f64()),
            Self::Failed(time) => format!("{name:<14} FAILED in {:.1} s", time.as_secs_f64()),
            Self::Skipped(why) => format!("{name:<14} {why}"),
        }
    }
}
