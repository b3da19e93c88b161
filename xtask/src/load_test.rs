//! `cargo xtask load-test`: how fast a service answers, at a constant rate or at most.
//!
//! The load comes from one thread of ours on loopback, so that the service has the other processors.
mod args;
mod html;
mod quota;
mod report;

use std::fs;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use flag_load::{Load, Second};

pub(crate) use self::args::Args;
use self::quota::Quota;
use self::report::{Moment, Report};
use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::services::{self, Program, Requests, ServerOptions, Servers, Usage};

/// Loads a service, tells how it went, writes the reports. Fails if a threshold was missed.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    args.check()?;
    let target = args.target()?;
    // Made before the services and dropped after them.
    let quota = args.cpu_limit.map(Quota::make).transpose()?;
    let servers = if target.is_none() {
        services::build_service(foreground)?;
        Some(Servers::start(&options(args, quota.as_ref()), foreground)?)
    } else {
        None
    };
    let targets = match (&servers, target) {
        (Some(servers), _) => servers.addresses.clone(),
        (None, target) => target.into_iter().collect(),
    };
    let load = Load {
        targets,
        connections: usize::from(args.connections),
        rate: args.rate,
        warm_up: args.warm_up,
        duration: args.duration,
        requests: None,
        write: Requests::new(args.mix, args.instances, &args.project, &asked(args)).writer(),
    };
    let throttled = || quota.as_ref().map(Quota::throttled).transpose();
    let before = throttled()?;
    let moments = measure(&load, servers.as_ref(), foreground)?;
    let throttled = throttled()?
        .zip(before)
        .map(|(now, before)| now.since(before));
    let started_in = servers.as_ref().map(|servers| servers.started_in);
    let report = Report::new(args, started_in, throttled, &moments)?;
    println!("{}", report.table());
    write(args, &report, &moments)?;
    drop(servers);
    report.judge(args)
}

fn options(args: &Args, quota: Option<&Quota>) -> ServerOptions {
    ServerOptions {
        program: Program::Service,
        store: args.store,
        replicas: args.replicas,
        project: args.project.clone(),
        flags: args.flags,
        variables: Vec::new(),
        wrapper: quota.map(Quota::wrapper).unwrap_or_default(),
        store_processor: None,
        folder: None,
    }
}

/// The flags that are asked for: those of `--flags` too.
fn asked(args: &Args) -> Vec<String> {
    let loaded = (1..=args.flags).map(|flag| format!("feature/load_{flag}"));
    args.asked.iter().cloned().chain(loaded).collect()
}

/// Runs the load on a thread of its own; watches it and the service meanwhile.
fn measure(
    load: &Load,
    servers: Option<&Servers>,
    foreground: &mut Foreground,
) -> Result<Vec<Moment>> {
    let (seconds, ended) = channel::<Second>();
    let generator = {
        let load = load.clone();
        std::thread::spawn(move || load.run(&seconds))
    };
    let mut moments: Vec<Moment> = Vec::new();
    let mut before = servers.and_then(Servers::usage);
    let interrupted = loop {
        match ended.recv_timeout(Duration::from_millis(100)) {
            Ok(second) => {
                let usage = servers.and_then(Servers::usage);
                let moment = Moment::new(second, before, usage);
                before = usage;
                show(&moment);
                moments.push(moment);
            }
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Err(error) = foreground.check() {
            break Err(error);
        }
    };
    // The load ends when nobody reads its seconds.
    drop(ended);
    let generated = generator.join();
    if stderr().is_terminal() {
        eprintln!();
    }
    interrupted?;
    generated.map_err(|_| anyhow!("the load generator died"))??;
    moments.retain(|moment| moment.second.at >= 0);
    if moments.is_empty() {
        bail!("no second was measured");
    }
    Ok(moments)
}

/// The line that tells how it goes; a terminal shows the last one only.
fn show(moment: &Moment) {
    let Second { at, outcome } = &moment.second;
    let end = if stderr().is_terminal() { "\r" } else { "\n" };
    let micros = |share| outcome.latencies.value_at_quantile(share);
    let cost = moment
        .usage
        .map_or(String::new(), |Usage { resident, .. }| {
            format!(", {:.0} % cpu, {} MiB", moment.cpu * 100.0, resident >> 20)
        });
    let line = format!(
        "{at:>4} s: {} answers/s, {} failed, p50 {} us, p99 {} us{cost}      {end}",
        outcome.expected,
        outcome.failed,
        micros(0.5),
        micros(0.99)
    );
    let _ = stderr().write_all(line.as_bytes());
}

fn write(args: &Args, report: &Report, moments: &[Moment]) -> Result<()> {
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => Metadata::read()?.target_directory.join("load-test"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (json, page) = (folder.join("report.json"), folder.join("report.html"));
    fs::write(&json, serde_json::to_string_pretty(report)? + "\n")?;
    fs::write(&page, html::page(report, moments))?;
    println!("reports: {} and {}", json.display(), page.display());
    Ok(())
}
