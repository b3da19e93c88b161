//! The exposure log under failures.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use fastrand::Rng;
use flag_model::ProjectName;
use flag_store::{ExposureScope, Minute, MinuteCounts, TimeRange};
use flag_tests::{Load, Scrape, Service, TestStore};
use tokio::time::sleep;

use super::report::{Row, Verdict};
use super::world::{World, warm};

/// Exposures in the log, and how many of them are of one request and instance twice.
async fn logged(store: &TestStore) -> (usize, usize) {
    let log = store.exposures().await;
    let project = project();
    let of = ExposureScope::Project(&project);
    let (mut requests, mut all, mut after) = (HashSet::new(), 0, None);
    loop {
        let page = log.page(of, TimeRange::ALL, after.as_ref(), 5_000);
        let page = page.await.unwrap();
        all += page.records.len();
        let records = page.records.iter();
        requests.extend(records.map(|record| record.text().request_id));
        after = page.next;
        if after.is_none() {
            log.close().await;
            return (all, all - requests.len());
        }
    }
}

fn project() -> ProjectName {
    ProjectName::new("csr-assistant").unwrap()
}

fn is_balanced(scrape: &Scrape) -> bool {
    let sum = |name: &str| scrape.sum(name, &[]);
    let (produced, written) = (
        sum("flag_exposures_produced_total"),
        sum("flag_exposures_written_total"),
    );
    let (dropped, pending) = (
        sum("flag_exposures_dropped_total"),
        sum("flag_exposures_pending"),
    );
    (produced - (written + dropped + pending)).abs() < 0.5
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_exposures_add_up_and_none_is_lost_or_doubled() {
    let world = World::start(&[]).await;
    let service = &world.service;
    let load = Load {
        requests: 20_000,
        connections: 16,
        rate: Some(1_000.0),
        path: warm,
    };
    let faults = async {
        let network = &world.network;
        for _ in 0..3 {
            network.slow_down(Duration::from_millis(100));
            sleep(Duration::from_secs(2)).await;
            network.cut_connections();
            sleep(Duration::from_secs(1)).await;
            network.fall_silent();
            sleep(Duration::from_secs(2)).await;
            network.speak_again();
            sleep(Duration::from_secs(1)).await;
        }
    };
    let scrapes = async {
        let (mut scrapes, mut unbalanced) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            scrapes += 1;
            unbalanced += u32::from(!is_balanced(&service.scrape().await));
            sleep(Duration::from_millis(20)).await;
        }
        (scrapes, unbalanced)
    };
    let (outcome, (), (scrapes, unbalanced)) =
        tokio::join!(load.run(service.url()), faults, scrapes);
    let settled = |scrape: &Scrape| scrape.sum("flag_exposures_pending", &[]) < 0.5;
    service.scrape_until(Duration::from_secs(30), settled).await;
    let dropped = service
        .scrape()
        .await
        .sum("flag_exposures_dropped_total", &[]);
    let (rows, doubled) = logged(&world.direct).await;
    // The one request that the world asks when it starts is logged too.
    let answered = 20_001 - outcome.other_than(200);
    Row {
        fault: "exposure store slow, cut and silent by turns, 1,000 requests/s",
        goal: "produced = written + dropped + pending at every scrape; nothing acknowledged lost or doubled",
    }
    .report(
        &format!(
            "{unbalanced} of {scrapes} scrapes out of balance; {answered} answered, {rows} rows, {dropped} dropped, {doubled} doubled"
        ),
        Verdict::from(unbalanced == 0 && rows as u64 == answered && doubled == 0 && dropped < 0.5),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_stop_writes_everything_into_the_embedded_store() {
    stop(TestStore::embedded, "SIGTERM under load, embedded store").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_stop_writes_everything() {
    stop(TestStore::bigtable, "SIGTERM under load").await;
}

async fn stop(make: fn() -> TestStore, fault: &'static str) {
    const ROUNDS: u32 = 100;
    let (mut whole, mut slowest) = (0, Duration::ZERO);
    for _ in 0..ROUNDS {
        let store = make();
        let service = Service::start_with(&store, &["--demo"], &[]);
        let load = Load {
            requests: 500,
            connections: 16,
            rate: None,
            path: warm,
        };
        let outcome = load.run(service.url()).await;
        let asked = Instant::now();
        let status = service.stop();
        slowest = slowest.max(asked.elapsed());
        let (rows, _) = logged(&store).await;
        whole += u32::from(status.success() && rows as u64 == 500 - outcome.other_than(200));
    }
    Row {
        fault,
        goal: "everything flushed, ended within 10 s, 100 of 100",
    }
    .report(
        &format!("{whole} of {ROUNDS}, slowest {} ms", slowest.as_millis()),
        Verdict::from(whole == ROUNDS && slowest <= Duration::from_secs(10)),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_kill_loses_at_most_a_second_of_the_embedded_store() {
    let fault = "SIGKILL at 1,000 requests/s, embedded store";
    kill(TestStore::embedded, fault).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_kill_loses_at_most_a_second() {
    kill(TestStore::bigtable, "SIGKILL at 1,000 requests/s").await;
}

async fn kill(make: fn() -> TestStore, fault: &'static str) {
    let (mut max, mut all_doubled) = (0.0_f64, 0);
    let mut random = Rng::with_seed(1);
    for _ in 0..10 {
        let store = make();
        let service = Service::start_with(&store, &["--demo"], &[]);
        let url = service.url().to_owned();
        let load = Load {
            requests: 10_000,
            connections: 16,
            rate: Some(1_000.0),
            path: warm,
        };
        let running = tokio::spawn(async move { load.run(&url).await });
        sleep(Duration::from_millis(2_500 + random.u64(0..1_000))).await;
        drop(service);
        let outcome = running.await.unwrap();
        let (rows, doubled) = logged(&store).await;
        all_doubled += doubled;
        let answered = outcome.count(200);
        let missing = answered.saturating_sub(rows as u64);
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let seconds = missing as f64 / 1_000.0;
        max = max.max(seconds);
    }
    Row {
        fault,
        goal: "at most 1 s of exposures is missing, none is doubled",
    }
    .report(
        &format!("at most {max:.2} s missing, {all_doubled} doubled, 10 kills"),
        Verdict::from(max <= 1.0 && all_doubled == 0),
    );
}

/// As many answers as one core of load and one of service give, each with its exposure.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_kill_at_the_highest_rate_loses_at_most_a_second() {
    const ROUNDS: u32 = 5;
    let (mut max, mut slowest, mut all_doubled) = (0.0_f64, f64::INFINITY, 0);
    for _ in 0..ROUNDS {
        let store = TestStore::embedded();
        let variables = [("FLAG_EXPOSURE_OVERFLOW", "wait")];
        let service = Service::start_with(&store, &["--demo"], &variables);
        let url = service.url().to_owned();
        let load = Load {
            requests: 400_000,
            connections: 64,
            rate: None,
            path: warm,
        };
        let running = tokio::spawn(async move { load.run(&url).await });
        let began = Instant::now();
        sleep(Duration::from_secs(3)).await;
        drop(service);
        let took = began.elapsed().as_secs_f64();
        let answered = running.await.unwrap().count(200);
        let (rows, doubled) = logged(&store).await;
        all_doubled += doubled;
        let missing = answered.saturating_sub(rows as u64);
        #[expect(clippy::cast_precision_loss, reason = "rates")]
        let (rate, missing) = (answered as f64 / took, missing as f64);
        max = max.max(missing / rate);
        slowest = slowest.min(rate);
        // The next one opens the file.
        let service = Service::start_with(&store, &[], &variables);
        assert!(service.stop().success());
    }
    Row {
        fault: "SIGKILL at the highest rate, embedded store, FLAG_EXPOSURE_OVERFLOW=wait",
        goal: "at most 1 s of exposures is missing, none is doubled, the file opens",
    }
    .report(
        &format!(
            "{slowest:.0} answers/s or more; at most {max:.2} s missing, {all_doubled} doubled, {ROUNDS} kills"
        ),
        Verdict::from(max <= 1.0 && all_doubled == 0),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_full_queue_takes_little_memory() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let load = |requests| Load {
        requests,
        connections: 16,
        rate: None,
        path: |number| {
            let long = "i".repeat(120);
            format!(
                "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name=llm_provider&instance_id={long}{number}"
            )
        },
    };
    load(16).run(service.url()).await;
    let settled = |scrape: &Scrape| scrape.sum("flag_exposures_pending", &[]) < 0.5;
    service.scrape_until(Duration::from_secs(30), settled).await;
    let before = service.resident();
    // The log is away.
    let TestStore::Embedded(folder) = &store else {
        panic!("{store:?} has no directory");
    };
    let elsewhere = folder.path().with_extension("elsewhere");
    std::fs::rename(folder.path(), &elsewhere).unwrap();
    load(200_000).run(service.url()).await;
    let scrape = service.scrape().await;
    let pending = scrape.sum("flag_exposures_pending", &[]);
    let dropped = scrape.sum("flag_exposures_dropped_total", &[]);
    let more = service.resident().saturating_sub(before);
    std::fs::rename(&elsewhere, folder.path()).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let mib = more as f64 / f64::from(1 << 20);
    Row {
        fault: "exposure queue full, log away, instance ids of 126 characters",
        goal: "memory grows by at most 64 MiB",
    }
    .report(
        &format!("{mib:.1} MiB more; {pending} wait, {dropped} dropped"),
        Verdict::from(mib <= 64.0 && dropped > 0.0),
    );
}

/// Longer than a minute, so that counts are written before the kill.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_kill_loses_the_counts_of_a_minute_and_doubles_none() {
    const RATE: u64 = 500;
    let store = TestStore::embedded();
    let (mut answered, mut before) = (0, 0);
    for _ in 0..2 {
        let service = Service::start_with(&store, &["--demo"], &[]);
        let url = service.url().to_owned();
        let load = Load {
            requests: 100 * RATE,
            connections: 16,
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            rate: Some(RATE as f64),
            path: warm,
        };
        let running = tokio::spawn(async move { load.run(&url).await });
        sleep(Duration::from_secs(80)).await;
        drop(service);
        answered += running.await.unwrap().count(200);
        before = counted(&store).await;
    }
    let service = Service::start_with(&store, &[], &[]);
    assert!(service.stop().success());
    let counted = counted(&store).await;
    let missing = answered.saturating_sub(counted);
    Row {
        fault: "SIGKILL after 80 s at 500 requests/s, twice: counts of exposures",
        goal: "at most those of the last minute are missing, none is doubled",
    }
    .report(
        &format!("{counted} of {answered} counted, {missing} missing after 2 kills"),
        Verdict::from(counted == before && counted <= answered && missing <= 2 * 61 * RATE),
    );
}

/// How many exposures of the flag that [`warm`] asks for are in counts.
async fn counted(store: &TestStore) -> u64 {
    let log = store.exposures().await;
    let flag = "csr-assistant/data/llm_version".parse().unwrap();
    let all = Minute::from_number(0)..Minute::from_number(i64::MAX);
    let counts = log.counts(&flag, all).await.unwrap();
    log.close().await;
    counts.iter().map(MinuteCounts::total).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_queue_that_overflows_slows_no_request() {
    let load = || Load {
        requests: 100_000,
        connections: 16,
        rate: Some(5_000.0),
        path: warm,
    };
    let calm = World::start(&[]).await;
    let before = load().run(calm.service.url()).await;
    drop(calm);
    // A silent store takes nothing: the queue holds a tenth of what comes.
    let world = World::start(&[("FLAG_EXPOSURE_QUEUE", "10000")]).await;
    world.network.fall_silent();
    let during = load().run(world.service.url()).await;
    let dropped = world
        .service
        .scrape()
        .await
        .sum("flag_exposures_dropped_total", &[]);
    let (calm, full) = (before.percentile(0.99), during.percentile(0.99));
    let ratio = full.as_secs_f64() / calm.as_secs_f64();
    Row {
        fault: "exposure queue at 10x overload, 5,000 requests/s",
        goal: "request p99 within 1.2x",
    }
    .report(
        &format!(
            "p99 {:.2} ms, before {:.2} ms ({ratio:.2}x); {dropped} dropped, {} failed",
            full.as_secs_f64() * 1e3,
            calm.as_secs_f64() * 1e3,
            during.other_than(200)
        ),
        Verdict::from(ratio <= 1.2 && dropped > 0.0 && during.other_than(200) == 0),
    );
}
