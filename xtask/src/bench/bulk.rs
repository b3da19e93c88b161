//! All flags of a project in one answer of OFREP, against what writing the same JSON takes alone.
use std::fs;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::memory::served;
use super::report::{Measured, folder};
use super::rounds::{Contestant, play};
use super::stores::{FullStore, NO_EXPOSURES, Size, pinned};
use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::services::{Program, Store, send};

/// The flags of the project.
const FLAGS: u32 = 200;

/// Measures answers a second, and holds them against the JSON.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let size = Size {
        projects: 1,
        ..Size::of_flags(FLAGS)
    };
    let store = FullStore::fill(size, foreground)?;
    let options = pinned(Program::Service, Store::Embedded, &[NO_EXPOSURES]);
    let (servers, _) = served(&store, &store.with(options), foreground)?;
    let address = *servers.addresses.first().context("no address")?;
    let answer = send(address, &request("A1"))?;
    let body: Value = serde_json::from_str(&answer.body).context("the body is no JSON")?;
    let flags = body.pointer("/flags").and_then(Value::as_array);
    let flags = flags.context("the body has no flags")?.len();
    ensure!(flags == FLAGS as usize, "{flags} flags in the answer");
    let alone = written_alone(&answer.body, foreground)?;
    let write = Arc::new(|number: u64, into: &mut String| {
        into.clear();
        into.push_str(&request(&format!("A{}", number % 1_000_000)));
        200
    });
    let mut contestants = [Contestant::writing("200 flags by OFREP", &servers, write)];
    play(&mut contestants, args, foreground)?;
    let [bulk] = &contestants;
    let rate = bulk.median(|run| run.rate);
    let bytes = answer.body.len();
    Ok(Measured {
        rows: vec![
            Row::new(
                "OFREP, all flags of a project of 200: answers/s of one core",
                Unit::AnswersPerSecond,
                Goal::AtLeast(8_000.0),
                rate,
            )
            .note(format!("{bytes} bytes each; the next row counts instead")),
            Row::new(
                "the same by what writing the same JSON with serde allows alone",
                Unit::Ratio,
                Goal::AtLeast(0.5),
                rate / alone,
            )
            .note(format!(
                "{alone:.0} a second alone; {} failed",
                bulk.failed()
            )),
        ],
        ..Measured::default()
    })
}

fn request(instance: &str) -> String {
    let body = format!("{{\"context\":{{\"targetingKey\":\"{instance}\"}}}}");
    format!(
        "POST /projects/project_0/ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: load-test\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// How often a second these bytes are written by an example that is optimized as the service is.
fn written_alone(body: &str, foreground: &mut Foreground) -> Result<f64> {
    let file = folder()?.join("bulk.json");
    fs::write(&file, body)?;
    let target = Metadata::read()?.target_directory;
    let mut example = Command::new(target.join("release/examples/write_flags"));
    let mut rate = None;
    foreground.run_reading(example.arg(file), |line| rate = line.parse().ok())?;
    rate.context("the example does not say how often")
}
