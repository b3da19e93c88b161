//! Exposures logged without a loss while requests are answered, by what a bare actix-web answers.
use anyhow::{Context, Result, ensure};

use super::Args;
use super::goal::{Goal, Row, Unit};
use super::report::Measured;
use super::rounds::{Contestant, Run, ask, play, sample, until_written};
use super::statistics::{Spread, as_f64};
use super::stores::{NO_EXPOSURES, WAIT, pinned};
use crate::foreground::Foreground;
use crate::services::{Program, Requests, Servers, Store, metric};

/// For how many seconds a rate is kept up, whatever the length of other rounds.
const SUSTAINED: u64 = 30;

/// How often the interval is halved in which the highest rate lies, from 0 to that of bare actix-web.
const HALVINGS: u32 = 6;

/// The most exposures that may wait at the end, in seconds of their rate: those of a few flushes.
const MAX_WAITING: f64 = 0.3;

/// Instance ids below this, most of which have twelve characters with their letter.
const LONG_INSTANCES: u64 = 100_000_000_000;

/// Where exposures go, and what is promised.
struct Subject {
    name: &'static str,
    store: Store,
    /// Of bare actix-web's closed loop.
    share: f64,
    /// Microseconds of all threads.
    cpu: f64,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "embedded",
        store: Store::Embedded,
        share: 0.6,
        cpu: 1.5,
    },
    Subject {
        name: "into a sink",
        store: Store::Sink,
        share: 0.4,
        cpu: 3.0,
    },
];

/// Measures both, and the space on disk.
pub(super) fn measure(args: &Args, foreground: &mut Foreground) -> Result<Measured> {
    let options = pinned(Program::Bare, Store::Embedded, &[]);
    let bare = Servers::start(&options, foreground)?;
    let mut rows = Vec::new();
    for subject in SUBJECTS {
        let rate = subject.highest_rate(&bare, args, foreground, &mut rows)?;
        rows.push(subject.waiting(&bare, args, foreground)?);
        rows.extend(subject.cost(rate / 2.0, args, foreground)?);
    }
    rows.push(bytes_on_disk(args, foreground)?);
    Ok(Measured {
        rows,
        ..Measured::default()
    })
}

impl Subject {
    fn start(
        &self,
        variables: &[(&'static str, &'static str)],
        foreground: &mut Foreground,
    ) -> Result<Servers> {
        Servers::start(&pinned(Program::Service, self.store, variables), foreground)
    }

    /// Finds the highest constant rate at which nothing is dropped and the queue does not grow.
    fn highest_rate(
        &self,
        bare: &Servers,
        args: &Args,
        foreground: &mut Foreground,
        rows: &mut Vec<Row>,
    ) -> Result<f64> {
        let service = self.start(&[], foreground)?;
        service.pause()?;
        let yardstick = Contestant::new("bare actix-web", bare, sample());
        let mut bare_rates = vec![alone(&yardstick, args)?.rate];
        let (mut kept, mut lost) = (0.0, bare_rates.iter().sum::<f64>());
        for _ in 0..HALVINGS {
            foreground.check()?;
            let rate = f64::midpoint(kept, lost);
            bare_rates.push(alone(&yardstick, args)?.rate);
            let contestant = Contestant::new(self.name, &service, sample()).at(rate);
            if keeps_up(&contestant, rate, args)? {
                kept = rate;
            } else {
                lost = rate;
            }
        }
        bare.resume()?;
        service.resume()?;
        let bare = Spread::of(bare_rates);
        let what = format!(
            "exposures {}: highest constant rate for {SUSTAINED} s without a drop, by bare actix-web's closed loop",
            self.name
        );
        let row = Row::new(
            what,
            Unit::Ratio,
            Goal::AtLeast(self.share),
            kept / bare.median,
        );
        rows.push(row.note(format!(
            "{kept:.0}/s; at {lost:.0}/s it falls behind; bare {}",
            bare.text(0)
        )));
        Ok(kept)
    }

    /// Measures a closed loop in which answers wait for room in the queue.
    fn waiting(&self, bare: &Servers, args: &Args, foreground: &mut Foreground) -> Result<Row> {
        let what = format!(
            "exposures {}: closed loop with {}={}, by bare actix-web",
            self.name, WAIT.0, WAIT.1
        );
        let service = self.start(&[WAIT], foreground)?;
        let mut contestants = [
            Contestant::new("bare actix-web", bare, sample()),
            Contestant::new(self.name, &service, sample()),
        ];
        play(&mut contestants, args, foreground)?;
        let dropped = dropped(&service)?;
        ensure!(dropped < 0.5, "{dropped} exposures were dropped with wait");
        let [bare, waiting] = &contestants;
        let ratio = waiting.against(bare, |run| run.rate);
        let row = Row::new(what, Unit::Ratio, Goal::AtLeast(self.share), ratio.median);
        Ok(row.note(format!("{:.2} to {:.2}; 0 dropped", ratio.least, ratio.max)))
    }

    /// Measures what an exposure costs at this rate: processor time in all threads, and latency of answers.
    fn cost(&self, rate: f64, args: &Args, foreground: &mut Foreground) -> Result<[Row; 2]> {
        let cpu = format!("exposures {}: CPU of one in all threads", self.name);
        let p99 = format!(
            "exposures {}: p99 at half the highest rate, by exposures off",
            self.name
        );
        let (cpu_goal, p99_goal) = (Goal::AtMost(self.cpu), Goal::AtMost(1.5));
        if rate < 1.0 {
            let why = "no rate without a drop";
            return Ok([
                Row::missing(cpu, Unit::Microseconds, cpu_goal, why),
                Row::missing(p99, Unit::Ratio, p99_goal, why),
            ]);
        }
        let logging = self.start(&[], foreground)?;
        let silent = self.start(&[NO_EXPOSURES], foreground)?;
        let contestant = |name, servers| Contestant::new(name, servers, sample()).at(rate);
        let mut contestants = [
            contestant("exposures on", &logging),
            contestant("exposures off", &silent),
        ];
        play(&mut contestants, args, foreground)?;
        let dropped = dropped(&logging)?;
        ensure!(
            dropped < 0.5,
            "{dropped} exposures were dropped at {rate:.0}/s"
        );
        let [on, off] = &contestants;
        let pairs = on.runs.iter().zip(&off.runs);
        let micros = Spread::of(pairs.map(|(on, off)| on.cpu - off.cpu));
        let slower = on.against(off, |run| run.p99);
        let note =
            |spread: Spread| format!("{:.2} to {:.2}; at {rate:.0}/s", spread.least, spread.max);
        Ok([
            Row::new(cpu, Unit::Microseconds, cpu_goal, micros.median).note(note(micros)),
            Row::new(p99, Unit::Ratio, p99_goal, slower.median).note(note(slower)),
        ])
    }
}

/// Measures one while everything else is stopped.
fn alone(contestant: &Contestant<'_>, args: &Args) -> Result<Run> {
    contestant.servers.resume()?;
    let run = contestant.measure(args)?;
    contestant.servers.pause()?;
    Ok(run)
}

/// Whether it answers at this rate, drops no exposure, and has few that wait at the end.
fn keeps_up(contestant: &Contestant<'_>, rate: f64, args: &Args) -> Result<bool> {
    contestant.servers.resume()?;
    let before = dropped(contestant.servers)?;
    let run = contestant.measure_for(SUSTAINED, args)?;
    let dropped = dropped(contestant.servers)? - before;
    contestant.servers.pause()?;
    eprintln!(
        "{} at {rate:.0}/s: {:.0} answers/s, {dropped} dropped, {} waiting",
        contestant.name, run.rate, run.waiting
    );
    Ok(has_kept_up(&run, dropped, rate))
}

fn has_kept_up(run: &Run, dropped: f64, rate: f64) -> bool {
    dropped < 0.5 && run.failed == 0 && run.rate >= 0.99 * rate && run.waiting <= MAX_WAITING * rate
}

fn dropped(servers: &Servers) -> Result<f64> {
    let address = *servers.addresses.first().context("no address")?;
    metric(address, "flag_exposures_dropped_total")
}

/// Measures by how much the files grow, the first exposures left out: with them the files get their least size.
fn bytes_on_disk(args: &Args, foreground: &mut Foreground) -> Result<Row> {
    let queue = ("FLAG_EXPOSURE_QUEUE", "10000000");
    let options = pinned(Program::Service, Store::Embedded, &[queue]);
    let servers = Servers::start(&options, foreground)?;
    let address = *servers.addresses.first().context("no address")?;
    let count = 100_000 * args.seconds;
    let flag = ("csr-assistant", "multi_step_api_router");
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let requests = Requests::features(LONG_INSTANCES, std::iter::once(flag));
        ask(&servers, usize::from(args.connections), count, requests)?;
        until_written(address)?;
        sizes.push((
            servers.stored_bytes()?,
            metric(address, "flag_exposures_written_total")?,
        ));
    }
    let [(bytes_before, written_before), (bytes, written)] = sizes.as_slice() else {
        anyhow::bail!("the files were not looked at");
    };
    let grown = as_f64(bytes.saturating_sub(*bytes_before));
    let each = grown / (written - written_before);
    let what = "exposures embedded: bytes on disk of one, UUID request ids, instances of about 12 characters";
    Ok(Row::new(what, Unit::Bytes, Goal::AtMost(60.0), each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_keeps_up_when_nothing_is_lost_or_left() {
        let run = Run {
            rate: 1_000.0,
            p50: 0.1,
            p99: 0.2,
            cpu: 5.0,
            worker: 4.0,
            failed: 0,
            waiting: 100.0,
        };
        assert!(has_kept_up(&run, 0.0, 1_000.0));
        assert!(!has_kept_up(&run, 1.0, 1_000.0));
        assert!(!has_kept_up(&run, 0.0, 1_100.0));
        assert!(!has_kept_up(&Run { failed: 1, ..run }, 0.0, 1_000.0));
        let growing = Run {
            waiting: 301.0,
            ..run
        };
        assert!(!has_kept_up(&growing, 0.0, 1_000.0));
    }
}
