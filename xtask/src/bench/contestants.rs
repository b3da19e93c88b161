//! The service against the least that could answer: [`bare`](Program::Bare), in the same rounds.
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::report::{Measured, Table};
use super::rounds::{Contestant, play, sample};
use super::stores::{NO_EXPOSURES, WAIT, pinned};
use crate::foreground::Foreground;
use crate::services::{Answer, Program, ServerOptions, Servers, Store, get, metric};

const BARE: &str = "bare actix-web";
const KEPT: &str = "every exposure kept, embedded";
const OVERFLOWING: &str = "exposures dropped as they overflow, emulator";
const NOT_LOGGED: &str = "exposures off";
const COLD: &str = "exposures and cache off";

/// What others reached in another run: their answers a second by those of a bare actix-web, and how many times as much
/// we promise while every exposure is kept. In memory, without an exposure.
const PEERS: [(&str, f64, f64); 3] = [
    (EDGE, 0.14, 4.0),
    ("Unleash Edge 19.15", 0.39, 2.0),
    ("the Python framework, re-created", 0.047, 15.0),
];

const EDGE: &str = "Unleash Edge 20.1";

/// The same without exposures, as the peer answers.
const EDGE_ALIKE: (&str, f64, f64) = (EDGE, 0.14, 8.0);

/// Instances whose answers are compared: one with an override, and some that are not special.
const INSTANCES: [&str; 8] = ["A12345", "A1", "A2", "A3", "A4", "A5", "A6", "a%20b"];

/// Measures all of them.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let mut servers = Vec::new();
    for (name, options) in variants() {
        servers.push((name, Servers::start(&options, foreground)?));
    }
    let [bare, services @ ..] = servers.as_slice() else {
        anyhow::bail!("nothing was started");
    };
    for (name, service) in services {
        compare(&bare.1, service).with_context(|| format!("{name}: not comparable with bare"))?;
    }
    let contestants = servers.iter();
    let mut contestants: Vec<_> = contestants
        .map(|(name, servers)| Contestant::new(name, servers, sample()))
        .collect();
    play(&mut contestants, args, foreground)?;
    let find = |name| {
        let found = contestants.iter().find(|it| it.name == name);
        found.with_context(|| format!("{name} was not measured"))
    };
    let bare = find(BARE)?;
    Ok(Measured {
        rows: rows(bare, find(KEPT)?, find(NOT_LOGGED)?)?,
        tables: vec![table(&contestants, bare)?],
        ..Measured::default()
    })
}

fn variants() -> [(&'static str, ServerOptions); 5] {
    let service = |store, variables: &[_]| pinned(Program::Service, store, variables);
    let uncached = ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0");
    [
        (BARE, pinned(Program::Bare, Store::Embedded, &[])),
        (KEPT, service(Store::Embedded, &[WAIT])),
        (OVERFLOWING, service(Store::Emulator, &[])),
        (NOT_LOGGED, service(Store::Embedded, &[NO_EXPOSURES])),
        (COLD, service(Store::Embedded, &[NO_EXPOSURES, uncached])),
    ]
}

/// Makes sure that both answer the same, but for the id of the request.
pub(super) fn compare(bare: &Servers, service: &Servers) -> Result<()> {
    for instance in INSTANCES {
        let path = format!(
            "/get-feature-flag?project_name=csr-assistant&flag_type=feature&flag_name=multi_step_api_router&instance_id={instance}"
        );
        let ask = |servers: &Servers| {
            let address = servers.addresses.first().context("no address")?;
            without_id(&get(*address, &path)?)
        };
        let (bare, service) = (ask(bare)?, ask(service)?);
        ensure!(
            bare == service,
            "other answers for {instance}:\n{bare:?}\n{service:?}"
        );
    }
    Ok(())
}

/// Headers, in any order, and body, with another word for the id of the request.
fn without_id(answer: &Answer) -> Result<(Vec<String>, String)> {
    let body: Value = serde_json::from_str(&answer.body).context("the body is no JSON")?;
    let id = body.get("request_id").and_then(Value::as_str);
    let id = id.filter(|id| !id.is_empty());
    let id = id.context("the body has no request_id")?;
    let head = answer.head.replace(id, "ID");
    ensure!(head.contains("x-request-id: ID"), "the id is in no header");
    let mut head: Vec<String> = head.lines().map(str::to_owned).collect();
    head.sort_unstable();
    Ok((head, answer.body.replace(id, "ID")))
}

fn rows(bare: &Contestant, kept: &Contestant, not_logged: &Contestant) -> Result<Vec<Row>> {
    ensure!(
        kept.failed() == 0 && count(kept, "dropped")? < 0.5,
        "an exposure was dropped, or an answer failed, although answers wait for their exposures"
    );
    let silent = not_logged.against(bare, |run| run.rate);
    // What an answer costs does not depend on what else is done on the processor of the load.
    let by_cpu = bare.against(not_logged, |run| run.cpu).median;
    let what = "warm answers, exposures off: answers/s by those of bare actix-web";
    let off = Row::new(what, Unit::Ratio, Goal::AtLeast(1.0), silent.median).note(format!(
        "{:.2} to {:.2}; by processor time {by_cpu:.2}",
        silent.least, silent.max
    ));
    let kept = kept.against(bare, |run| run.rate).median;
    let mut rows = vec![
        off,
        against_peer("exposures off", silent.median, EDGE_ALIKE),
    ];
    rows.extend(PEERS.map(|peer| against_peer("every exposure kept", kept, peer)));
    Ok(rows)
}

/// Our share of a bare actix-web by that of a peer.
fn against_peer(how: &str, ours: f64, (peer, theirs, times): (&str, f64, f64)) -> Row {
    Row::new(
        format!("{how}, requests per core: by those of {peer}, which keeps none"),
        Unit::Ratio,
        Goal::AtLeast(times),
        ours / theirs,
    )
    .computed()
    .note(format!(
        "ours {ours:.2} of bare actix-web, theirs {theirs} in the run of 2026-11-21"
    ))
}

fn table(contestants: &[Contestant], bare: &Contestant) -> Result<Table> {
    let title = "Answers to `GET /get-feature-flag` from one core, as many as it gives; medians, ratios with least and most";
    let mut table = Table::new(
        title,
        &[
            "",
            "answers/s",
            "by bare",
            "p50 ms",
            "p99 ms",
            "p99 by bare",
            "CPU µs each",
            "CPU by bare",
            "failed",
            "exposures waiting at the end",
            "dropped",
        ],
    );
    for contestant in contestants {
        table.row([
            contestant.name.to_owned(),
            format!("{:.0}", contestant.median(|run| run.rate)),
            contestant.against(bare, |run| run.rate).text(2),
            format!("{:.3}", contestant.median(|run| run.p50)),
            format!("{:.3}", contestant.median(|run| run.p99)),
            contestant.against(bare, |run| run.p99).text(2),
            format!("{:.2}", contestant.median(|run| run.cpu)),
            contestant.against(bare, |run| run.cpu).text(2),
            contestant.failed().to_string(),
            waiting(contestant),
            dropped(contestant)?,
        ]);
    }
    Ok(table)
}

/// How many exposures were still to be written when a load was over.
fn waiting(contestant: &Contestant) -> String {
    if is_logged(contestant) {
        format!("{:.0}", contestant.median(|run| run.waiting))
    } else {
        String::new()
    }
}

fn is_logged(contestant: &Contestant) -> bool {
    [KEPT, OVERFLOWING].contains(&contestant.name)
}

/// The share of exposures that found no room in the queue.
fn dropped(contestant: &Contestant) -> Result<String> {
    if !is_logged(contestant) {
        return Ok(String::new());
    }
    let (produced, dropped) = (
        count(contestant, "produced")?,
        count(contestant, "dropped")?,
    );
    Ok(format!("{:.1} %", 100.0 * dropped / produced.max(1.0)))
}

/// The exposures that became of this, since the start.
fn count(contestant: &Contestant, outcome: &str) -> Result<f64> {
    let address = contestant.servers.addresses.first();
    let address = *address.context("no address")?;
    metric(address, &format!("flag_exposures_{outcome}_total"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_held_against_what_it_reached_itself() {
        let row = against_peer("kept", 0.85, ("p", 0.14, 5.0));
        assert!((row.figure.unwrap() - 0.85 / 0.14).abs() < 1e-12);
        assert_eq!(row.is_met, Some(true));
        assert_eq!(
            against_peer("kept", 0.7, ("p", 0.39, 2.0)).is_met,
            Some(false)
        );
        assert!(row.cells()[2].contains("computed"));
    }

    #[test]
    fn answers_are_the_same_but_for_their_id() {
        let answer = |id: &str, value: &str| {
            without_id(&Answer {
                status: 200,
                head: format!("HTTP/1.1 200 OK\nx-request-id: {id}\na: b"),
                body: format!(r#"{{"request_id":"{id}","flag_value":{value}}}"#),
            })
        };
        assert_eq!(
            answer("r-1", "true").unwrap(),
            answer("r-2", "true").unwrap()
        );
        assert_ne!(
            answer("r-1", "true").unwrap(),
            answer("r-2", "false").unwrap()
        );
        assert!(answer("", "true").is_err());
    }
}
