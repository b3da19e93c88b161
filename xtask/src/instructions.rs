//! How many instructions the service needs for a warm request, outside the kernel, as callgrind counts them.
//!
//! The real service answers real requests; what is counted is its way from the request that was read to the answer that
//! is to be sent. Unlike times, counts are the same again tomorrow, so that a change shows.
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use flag_load::Load;

use crate::foreground::Foreground;
use crate::generated;
use crate::metadata::Metadata;
use crate::services::{self, Program, Requests, ServerOptions, Servers, Store};

const PAGE: &str = "docs/instructions.md";

/// Where counting begins and ends: the one function that every answer is given through.
const COUNTED: &str = "flag_service::http::respond::poll_response*";

const WARM_UP: u64 = 2_000;
const REQUESTS: u64 = 5_000;

/// Valgrind is some fifty times slower than the processor.
const PATIENCE: Duration = Duration::from_mins(5);

/// By how much a count may grow before it is called worse, in percent: the allocator's way differs a little.
const NOISE: f64 = 1.0;

/// What to do with the counts.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Writes the counts into docs/instructions.md
    #[arg(long)]
    write: bool,
}

/// Something that is counted, by its name on the page.
struct Case {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 2] = [
    Case {
        name: "checked, decided, answered, counted",
        variables: &[("FLAG_EXPOSURES", "off")],
    },
    Case {
        name: "and put into the queue of exposures",
        variables: &[],
    },
];

/// Counts, and compares with what the page says. Fails if a request has become dearer, unless that is to be written.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    ensure!(
        has_valgrind(),
        "valgrind is not installed (Debian: apt-get install valgrind)"
    );
    services::build(foreground)?;
    let target = Metadata::read()?.target_directory;
    let folder = target.join(format!("instructions-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let counted: Result<Vec<u64>> = CASES
        .iter()
        .map(|case| count(case, &folder, foreground))
        .collect();
    fs::remove_dir_all(&folder)?;
    let counted = counted?;
    let page = fs::read_to_string(Metadata::read()?.workspace_root.join(PAGE))?;
    let mut worse = Vec::new();
    for (case, count) in CASES.iter().zip(&counted) {
        let change = match before(&page, case.name) {
            Some(before) => {
                let change = percent(before, *count);
                if change > NOISE {
                    worse.push(case.name);
                }
                format!("{change:+.1} %")
            }
            None => "new".to_owned(),
        };
        println!("{count:>7} instructions, {change:>8}: {}", case.name);
    }
    if args.write {
        generated::write(PAGE, &table(&counted)?)
    } else if worse.is_empty() {
        Ok(())
    } else {
        bail!(
            "dearer than {PAGE} says: {}; if that is worth it, --write",
            worse.join(", ")
        )
    }
}

/// Instructions for each request.
fn count(case: &Case, folder: &Path, foreground: &mut Foreground) -> Result<u64> {
    let out = folder.join("callgrind");
    let words = [
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
        format!("--toggle-collect={COUNTED}"),
    ];
    let servers = Servers::start(
        &ServerOptions {
            program: Program::Service,
            store: Store::Embedded,
            replicas: 1,
            project: String::new(),
            flags: 0,
            variables: [&[("FLAG_WORKERS", "1")], case.variables].concat(),
            wrapper: words.into(),
            store_processor: None,
            folder: None,
        },
        foreground,
    )?;
    let id = servers.id().context("no service was started")?;
    ask(&servers, WARM_UP)?;
    control("--zero", id, foreground)?;
    ask(&servers, REQUESTS)?;
    control("--dump", id, foreground)?;
    drop(servers);
    let dump = fs::read_to_string(folder.join("callgrind.1"))?;
    let total = total(&dump).context("callgrind told no total")?;
    ensure!(total > 0, "callgrind found no {COUNTED} in the binary");
    Ok(total / REQUESTS)
}

/// Asks one after the other, for one instance after the other.
fn ask(servers: &Servers, requests: u64) -> Result<()> {
    let mix = "hit=100".parse().map_err(|wrong: String| anyhow!(wrong))?;
    let flags = ["feature/multi_step_api_router".to_owned()];
    let load = Load {
        targets: servers.addresses.clone(),
        connections: 1,
        rate: None,
        warm_up: Duration::ZERO,
        duration: PATIENCE,
        requests: Some(requests),
        write: Requests::new(mix, 1_000_000, "csr-assistant", &flags)
            .sequential()
            .writer(),
    };
    let answers = load.run_to_end()?.expected;
    ensure!(
        answers == requests,
        "{answers} of {requests} answers were as expected"
    );
    Ok(())
}

fn control(what: &str, id: u32, foreground: &mut Foreground) -> Result<()> {
    let mut command = Command::new("callgrind_control");
    command.arg(what).arg(id.to_string());
    foreground.run(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

fn has_valgrind() -> bool {
    Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The instructions of a dump.
fn total(dump: &str) -> Option<u64> {
    let mut lines = dump.lines();
    lines.find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
}

/// What the page says of a case.
fn before(page: &str, name: &str) -> Option<u64> {
    let row = format!("| {name} | ");
    let mut lines = page.lines();
    let count = lines.find_map(|line| line.strip_prefix(&row)?.strip_suffix(" |"))?;
    count.replace(',', "").parse().ok()
}

fn table(counted: &[u64]) -> Result<String> {
    let rustc = Command::new("rustc").arg("--version").output()?;
    let rustc = String::from_utf8(rustc.stdout)?;
    let rows = CASES
        .iter()
        .zip(counted)
        .map(|(case, count)| format!("| {} | {} |\n", case.name, thousands(*count)));
    Ok(format!(
        "Built with {}.\n\n| A warm request is | Instructions |\n|---|---:|\n{}",
        rustc.trim(),
        rows.collect::<String>()
    ))
}

fn thousands(number: u64) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn percent(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let table = table(&[5_043, 612]).unwrap();
        assert_eq!(before(&table, CASES[0].name), Some(5_043));
        assert_eq!(before(&table, CASES[1].name), Some(612));
        assert_eq!(before("", CASES[0].name), None);
    }

    #[test]
    fn a_dump_tells_its_total() {
        assert_eq!(total("fn=(1)\n12 3\ntotals: 4711\n"), Some(4_711));
        assert_eq!(total("summary: 1 2"), None);
    }
}
