//! From the start of the process to an answer, and how large the binary is.
use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::goal::{Goal, Row, Unit};
use super::report::Measured;
use super::statistics::{Spread, mib};
use super::stores::{FullStore, Size, unpinned};
use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::services::{Program, Servers, Store, get};

const STARTS: usize = 10;

/// How often the service is asked whether it is ready.
const GLANCE: Duration = Duration::from_micros(200);

const PATIENCE: Duration = Duration::from_secs(10);

const QUESTION: &str =
    "/get-feature-flag?project_name=project_0&flag_type=feature&flag_name=load_0&instance_id=A1";

/// Starts the service as it comes, with 1,000 flags in the embedded store.
pub(super) fn measure(foreground: &mut Foreground) -> Result<Measured> {
    let store = FullStore::fill(Size::of_flags(1_000), foreground)?;
    let order = store.with(unpinned(Program::Service, Store::Embedded));
    let (mut ready, mut answered) = (Vec::new(), Vec::new());
    for start in 1..=STARTS {
        let servers = Servers::start(&order, foreground)?;
        let address = *servers.addresses.first().context("no address")?;
        let after = until(address, "/readyz", servers.began)?;
        answered.push(until(address, QUESTION, servers.began)?);
        eprintln!("start {start}: ready after {after:.1} ms");
        ready.push(after);
    }
    let target = Metadata::read()?.target_directory;
    let binary = fs::metadata(target.join("release/flag-service"))?.len();
    let times = |what: &str, goal, times: Vec<f64>| {
        let spread = Spread::of(times);
        let row = Row::new(what, Unit::Milliseconds, goal, spread.median);
        row.note(format!(
            "{:.1} to {:.1}, {STARTS} starts",
            spread.least, spread.max
        ))
    };
    Ok(Measured {
        rows: vec![
            times(
                "start to ready, 1,000 flags in the embedded store",
                Goal::Under(200.0),
                ready,
            ),
            times("start to the first answer", Goal::None, answered),
            Row::new(
                "size of the binary",
                Unit::Mebibytes,
                Goal::None,
                mib(binary),
            ),
        ],
        ..Measured::default()
    })
}

/// How long it took until a path is answered with 200, in milliseconds.
fn until(address: SocketAddr, path: &str, began: Instant) -> Result<f64> {
    loop {
        // Refused connections and other answers alike: not yet.
        if get(address, path).is_ok_and(|answer| answer.status == 200) {
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        ensure!(began.elapsed() < PATIENCE, "{path}: no answer in time");
        sleep(GLANCE);
    }
}
