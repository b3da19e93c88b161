//! The exposure log under failures.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use fastrand::Rng;
use flag_tests::{Load, Scrape, Service, TestStore};
use tokio::time::sleep;

use super::report::{Row, Verdict};
use super::world::{World, warm};

/// Exposures in the log, and how many of them are of one request and instance twice.
async fn logged(store: &TestStore) -> (usize, usize) {
    let log = store.logged("csr-assistant").await;
    let requests = log.iter().map(|record| record.text().request_id);
    let requests: HashSet<_> = requests.collect();
    (log.len(), log.len() - requests.len())
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
    let mut most = 0.0_f64;
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
        let (rows, _) = logged(&store).await;
        let answered = outcome.count(200);
        let missing = answered.saturating_sub(rows as u64);
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let seconds = missing as f64 / 1_000.0;
        most = most.max(seconds);
    }
    Row {
        fault,
        goal: "at most 1 s of exposures is missing",
    }
    .report(
        &format!("at most {most:.2} s missing, 10 kills"),
        Verdict::from(most <= 1.0),
    );
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
