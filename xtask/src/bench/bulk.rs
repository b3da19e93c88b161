//! All flags of a project in one answer of OFREP, against what writing the same JSON takes alone.
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::memory::served;
use super::report::Measured;
use super::rounds::{Contestant, play};
use super::statistics::as_f64;
use super::stores::{FullStore, NO_EXPOSURES, Size, pinned};
use crate::foreground::Foreground;
use crate::services::{Program, Store, send};

/// The flags of the project.
const FLAGS: u32 = 200;

/// How long the JSON is written for.
const WRITTEN_FOR: Duration = Duration::from_secs(1);

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
    let body: Flags = serde_json::from_str(&answer.body).context("the body is not as described")?;
    let flags = body.flags.len();
    ensure!(flags == FLAGS as usize, "{flags} flags in the answer");
    let alone = written_alone(&body, answer.body.as_bytes())?;
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

/// How often a second these bytes are written, as types whose fields are known, into memory that is there.
fn written_alone(body: &Flags, bytes: &[u8]) -> Result<f64> {
    let mut into = Vec::with_capacity(bytes.len());
    let (began, mut written) = (Instant::now(), 0_u64);
    while began.elapsed() < WRITTEN_FOR {
        into.clear();
        serde_json::to_writer(&mut into, black_box(body))?;
        black_box(&into);
        written += 1;
    }
    let rate = as_f64(written) / began.elapsed().as_secs_f64();
    ensure!(into == bytes, "other bytes are written");
    Ok(rate)
}

/// The answer, with its fields in their order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flags {
    flags: Vec<Flag>,
    event_streams: Vec<Stream>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flag {
    key: String,
    value: bool,
    reason: String,
    variant: String,
    metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    flag_type: String,
    revision: String,
    bucket: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    #[serde(rename = "type")]
    kind: String,
    endpoint: Endpoint,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    request_uri: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_alone_are_the_bytes_of_the_answer() {
        let answer = r#"{"flags":[{"key":"load_1","value":true,"reason":"SPLIT","variant":"treatment_1","metadata":{"flagType":"feature","revision":"2026-11-29 10:00:00.248896","bucket":25371}}],"eventStreams":[{"type":"sse","endpoint":{"requestUri":"/projects/project_0/ofrep/v1/events"}}]}"#;
        let read: Flags = serde_json::from_str(answer).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), answer);
    }
}
