//! The same question by wrk, which is not ours, next to our own load in the same rounds.
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::contestants::compare;
use super::goal::{Goal, Row, Unit};
use super::report::{Measured, Table, folder};
use super::rounds::{Contestant, play, sample};
use super::statistics::{Spread, median};
use super::stores::pinned;
use super::{Args, LOAD};
use crate::foreground::Foreground;
use crate::load::{Program, Servers, Store};

const WHAT: &str = "wrk against `flag-service --demo`: its ratio by ours";

/// Each request asks for another instance.
const SCRIPT: &str = r#"local asked = 0
local path = "GET /get-feature-flag?project_name=csr-assistant&flag_type=feature&flag_name=multi_step_api_router&instance_id=A"
function request()
  asked = asked + 1
  return path .. asked .. " HTTP/1.1\r\nHost: wrk\r\n\r\n"
end
"#;

/// How far the two may lie apart.
const AGREES: f64 = 0.1;

/// Measures the service as it comes, with the embedded store, and bare.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    if !is_installed() {
        let row = Row::missing(WHAT, Unit::Ratio, Goal::None, "wrk is not installed");
        return Ok(Measured {
            rows: vec![row],
            ..Measured::default()
        });
    }
    let script = folder()?.join("wrk.lua");
    fs::write(&script, SCRIPT)?;
    let start = |program, foreground: &mut Foreground| {
        Servers::start(&pinned(program, Store::Embedded, &[]), foreground)
    };
    let bare = start(Program::Bare, foreground)?;
    let service = start(Program::Service, foreground)?;
    compare(&bare, &service)?;
    let contestant = |name, servers| Contestant::new(name, servers, sample());
    let mut ours = [contestant("bare", &bare), contestant("service", &service)];
    let mut theirs = [Vec::new(), Vec::new()];
    let once = Args {
        rounds: 1,
        only: Vec::new(),
        ..*args
    };
    for _ in 0..args.rounds {
        play(&mut ours, &once, foreground)?;
        for (contestant, rates) in ours.iter().zip(&mut theirs) {
            // Exposures that wait are not to be written at the cost of the next.
            let others = ours.iter().filter(|other| other.name != contestant.name);
            let others: Vec<_> = others.map(|other| other.servers).collect();
            others.iter().try_for_each(|servers| servers.pause())?;
            rates.push(run(contestant, &script, args, foreground)?);
            contestant.settle()?;
            others.iter().try_for_each(|servers| servers.resume())?;
        }
    }
    let [bare, service] = &ours;
    let [bare_rates, rates] = theirs;
    let by_ours = service.against(bare, |run| run.rate);
    let by_wrk = Spread::of_ratios(rates.iter().copied(), bare_rates.iter().copied());
    let mut table = Table::new(
        "The service, everything on, embedded store, and bare actix-web: wrk and our own load in the same rounds",
        &["", "bare, answers/s", "service, answers/s", "ratio"],
    );
    table.row(line("wrk", median(bare_rates), median(rates), by_wrk));
    let (bare, service) = (bare.median(|run| run.rate), service.median(|run| run.rate));
    table.row(line("ours", bare, service, by_ours));
    Ok(Measured {
        rows: vec![agreement(by_wrk, by_ours)],
        tables: vec![table],
        ..Measured::default()
    })
}

fn line(who: &str, bare: f64, service: f64, ratio: Spread) -> [String; 4] {
    let (bare, service) = (format!("{bare:.0}"), format!("{service:.0}"));
    [who.to_owned(), bare, service, ratio.text(2)]
}

/// How far the two ratios lie apart.
fn agreement(by_wrk: Spread, by_ours: Spread) -> Row {
    let apart = (by_wrk.median / by_ours.median - 1.0).abs();
    let what = "how far wrk's ratio of service to bare lies from our own, everything on, embedded";
    Row::new(what, Unit::Ratio, Goal::AtMost(AGREES), apart).note(format!(
        "wrk {}, ours {}",
        by_wrk.text(2),
        by_ours.text(2)
    ))
}

fn is_installed() -> bool {
    let version = Command::new("wrk").arg("-v").output();
    // It tells its version, and fails.
    version.is_ok()
}

/// Answers a second.
fn run(
    contestant: &Contestant,
    script: &Path,
    args: &Args,
    foreground: &mut Foreground,
) -> Result<f64> {
    let address = contestant.servers.addresses.first();
    let address = address.context("no address")?;
    let mut said = String::new();
    let mut command = Command::new("taskset");
    command
        .args(["-c", &LOAD.to_string(), "wrk", "-t1"])
        .arg(format!("-c{}", args.connections))
        .arg(format!("-d{}s", args.seconds))
        .arg("-s")
        .arg(script)
        .arg(format!("http://{address}"));
    foreground.run_reading(&mut command, |line| {
        // Writing to a text cannot fail.
        let _ = writeln!(said, "{line}");
    })?;
    let rate = rate(&said).with_context(|| format!("wrk did not say its rate:\n{said}"))?;
    eprintln!("wrk: {:<28} {rate:.0} answers/s", contestant.name);
    Ok(rate)
}

/// Reads what wrk says; nothing where any answer was not as expected.
fn rate(said: &str) -> Option<f64> {
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return None;
    }
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))?;
    rate.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let said = "  400 requests in 4.00s\nRequests/sec: 151234.56\nTransfer/sec: 1MB\n";
        assert_eq!(rate(said), Some(151_234.56));
        assert_eq!(
            rate(&format!("{said}  Non-2xx or 3xx responses: 3\n")),
            None
        );
        assert_eq!(rate("unable to connect"), None);
    }

    #[test]
    fn agreement_counts_both_ways() {
        let spread = |median| Spread::of([median]);
        assert_eq!(agreement(spread(0.85), spread(0.8)).is_met, Some(true));
        assert_eq!(agreement(spread(0.8), spread(0.85)).is_met, Some(true));
        assert_eq!(agreement(spread(0.7), spread(0.85)).is_met, Some(false));
    }
}
