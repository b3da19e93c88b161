//! Replicas are replaced behind a load balancer, and nobody notices.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use flag_load::Outcome;
use flag_tests::{Balancer, Service, TestStore, Unanswered, flagctl, free_address};
use tempfile::TempDir;
use tokio::time::sleep;

use super::report::{Row, Verdict};
use super::world::warm;

const RATE: f64 = 500.0;

/// How long a replica goes on after the signal to stop; the balancer looks every 100 ms.
const DRAINS: (&str, &str) = ("FLAG_DRAIN_DELAY_MS", "500");

/// Two replicas with keys, behind haproxy.
struct World {
    store: TestStore,
    addresses: [String; 2],
    replicas: [Option<Service>; 2],
    balancer: Balancer,
    folder: TempDir,
    keys: [String; 2],
    /// Which key is in use, and how many requests have been made.
    key: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

impl World {
    fn start(unanswered: Unanswered) -> Self {
        let (store, folder) = (TestStore::bigtable(), TempDir::new().unwrap());
        let path = folder.path().join("keys.json");
        let keys = [0, 1].map(|_| create_key(&store, path.to_str().unwrap()));
        let addresses = [free_address(), free_address()];
        let balancer = Balancer::start(&addresses, unanswered);
        let mut world = Self {
            store,
            addresses,
            replicas: [None, None],
            balancer,
            folder,
            keys,
            key: Arc::default(),
            asked: Arc::default(),
        };
        for at in [0, 1] {
            world.start_replica(at, None);
        }
        world
    }

    fn keys_file(&self) -> String {
        let path = self.folder.path().join("keys.json");
        path.to_str().unwrap().to_owned()
    }

    /// Starts a replica where it was, of another build if there is one.
    fn start_replica(&mut self, at: usize, build: Option<&PathBuf>) {
        let keys = self.keys_file();
        let variables = [
            DRAINS,
            ("FLAG_LISTEN", &*self.addresses[at]),
            ("FLAG_API_KEYS_FILE", &keys),
        ];
        self.replicas[at] = Some(match build {
            Some(folder) => Service::start_of(folder, &self.store, &["--demo"], &variables),
            None => Service::start_with(&self.store, &["--demo"], &variables),
        });
    }

    /// Lets the balancer see that the replica is there again.
    async fn settle(&self) {
        sleep(Duration::from_millis(500)).await;
    }

    async fn replace(&mut self, at: usize, build: Option<&PathBuf>) {
        let replica = self.replicas[at].take().unwrap();
        let stopped = tokio::task::spawn_blocking(|| replica.stop()).await;
        assert!(stopped.unwrap().success());
        self.start_replica(at, build);
        self.settle().await;
    }

    async fn kill(&mut self, at: usize) {
        drop(self.replicas[at].take());
        sleep(Duration::from_millis(300)).await;
        self.start_replica(at, None);
        self.settle().await;
    }

    /// The second key takes the place of the first, which is revoked.
    async fn change_keys(&mut self) {
        self.key.store(1, Ordering::Relaxed);
        sleep(Duration::from_millis(500)).await;
        let id = self.keys[0].split('_').nth(1).unwrap();
        let revoked = flagctl(
            &self.store,
            &["keys", "revoke", id, "--file", &self.keys_file()],
        );
        assert_eq!(revoked.code, 0, "{revoked:?}");
        // They look every two seconds.
        sleep(Duration::from_secs(3)).await;
    }

    /// A load that lasts as long as something else: what was answered, and the number of requests whose answers are there
    /// for certain.
    async fn under_load(&mut self, faults: impl AsyncFnOnce(&mut Self)) -> (Outcome, u64) {
        let (key, asked) = (Arc::clone(&self.key), Arc::clone(&self.asked));
        let address = self.balancer.address().to_owned();
        let keys = self.keys.clone();
        let load = flag_load::Load {
            targets: vec![address.parse().unwrap()],
            connections: 16,
            rate: Some(RATE),
            warm_up: Duration::ZERO,
            duration: Duration::from_mins(10),
            requests: None,
            write: Arc::new(move |_, request| {
                let path = warm(asked.fetch_add(1, Ordering::Relaxed));
                let key = &keys[usize::from(key.load(Ordering::Relaxed) == 1)];
                *request = format!(
                    "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n"
                );
                200
            }),
        };
        let (seconds, ended) = channel();
        let running = tokio::task::spawn_blocking(move || load.run(&seconds));
        sleep(Duration::from_secs(1)).await;
        faults(self).await;
        let certain = self.asked.load(Ordering::Relaxed);
        // Their answers, and the end of the second that is under way.
        sleep(Duration::from_secs(2)).await;
        let mut all = Outcome::new().unwrap();
        for second in ended.try_iter() {
            all.add(&second.outcome).unwrap();
        }
        drop(ended);
        running.await.unwrap().unwrap();
        (all, certain)
    }

    /// How many of the first requests are not in the log.
    async fn missing(&mut self, certain: u64) -> usize {
        for replica in &mut self.replicas {
            let replica = replica.take().unwrap();
            assert!(replica.stop().success());
        }
        let logged = self.store.logged("csr-assistant").await;
        let logged = logged.iter().map(|record| record.text().instance);
        let logged: HashSet<_> = logged.collect();
        (0..certain)
            .filter(|number| !logged.contains(&format!("A{number}")))
            .count()
    }
}

fn create_key(store: &TestStore, path: &str) -> String {
    let words = [
        "keys",
        "create",
        "-oname",
        "--file",
        path,
        "--project=csr-assistant",
        "--scope=evaluate",
    ];
    let made = flagctl(store, &words);
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

/// The folder of an older build, if one is at hand.
fn older() -> Option<PathBuf> {
    let folder = std::env::var_os("FLAG_TEST_OLD_BIN_DIR")?;
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_rolling_update_fails_no_request_and_loses_no_exposure() {
    let mut world = World::start(Unanswered::Fails);
    let older = older();
    let (outcome, certain) = world
        .under_load(async |world| {
            for restart in 0..20 {
                world.replace(restart % 2, None).await;
            }
            world.change_keys().await;
            if older.is_some() {
                world.replace(0, older.as_ref()).await;
                sleep(Duration::from_secs(2)).await;
                world.replace(0, None).await;
            }
        })
        .await;
    let (answered, failed) = (outcome.count(200), outcome.other_than(200));
    let missing = world.missing(certain).await;
    let builds = match older {
        Some(_) => "an older build beside this one for 2 s",
        None => "no older build at hand",
    };
    Row {
        fault: "two replicas behind haproxy without retries, 20 rolling restarts, a change of keys, 500 requests/s",
        goal: "no request fails, no exposure is lost",
    }
    .report(
        &format!("{answered} answered, {failed} failed, {missing} exposures missing; {builds}"),
        Verdict::from(answered > 5_000 && failed == 0 && missing == 0),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_a_killed_replica_fails_no_request() {
    let mut world = World::start(Unanswered::IsRetried);
    let (outcome, certain) = world
        .under_load(async |world| {
            for kill in 0..10 {
                world.kill(kill % 2).await;
            }
        })
        .await;
    let (answered, failed) = (outcome.count(200), outcome.other_than(200));
    let missing = world.missing(certain).await;
    Row {
        fault: "two replicas behind haproxy, each killed 5 times (SIGKILL), 500 requests/s",
        goal: "no request fails, as haproxy asks the other replica; at most 1 s of a replica's exposures is missing each time",
    }
    .report(
        &format!("{answered} answered, {failed} failed, {missing} exposures missing in 10 kills"),
        Verdict::from(answered > 5_000 && failed == 0 && missing <= 10 * 250),
    );
}
