//! Changes reach applications: three processes of a hundred clients each, behind haproxy with three replicas.

use std::io::{BufRead as _, BufReader, Write as _, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use flag_client::AsyncFeatureFlagClient;
use flag_tests::{Balancer, Service, TestStore, Unanswered, flagctl, free_address};
use futures_util::future::join_all;
use tokio::time::sleep;

use super::report::{Row, Verdict};

const PROCESSES: usize = 3;
const CLIENTS: usize = 100;
const PROJECT: &str = "csr-assistant";

/// Changed in turns, so that each was left alone for longer than its clients are careful.
const FLAGS: usize = 10;

/// Tells the test below that it is a process of clients, and where they ask.
const CLIENTS_OF: &str = "FLAG_FAULTS_CLIENTS_OF";

/// What a process of clients says when all its clients have the value.
const SEEN: &str = "all clients have seen it";

/// A process of clients.
struct Clients {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Instant>,
}

impl Clients {
    fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::push_clients::clients_of_an_application"])
            .args(["--ignored", "--nocapture"])
            .env(CLIENTS_OF, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::<ChildStdout>::new(stdout)
                .lines()
                .map_while(Result::ok)
            {
                if line.ends_with(SEEN) {
                    let _ = sender.send(Instant::now());
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
        }
    }

    fn watch(&mut self, flag: &str, value: &str) {
        writeln!(self.stdin, "{flag} {value}").unwrap();
    }

    fn seen(&self) -> Instant {
        let seen = self.lines.recv_timeout(Duration::from_mins(2));
        seen.expect("no client may miss a change")
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a measurement: the process that [`Clients`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "long: cargo xtask faults"]
async fn clients_of_an_application() {
    let Ok(url) = std::env::var(CLIENTS_OF) else {
        return;
    };
    let client = |_| {
        let client = AsyncFeatureFlagClient::builder(PROJECT).base_url(&url);
        client.build().unwrap()
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    for line in stdin().lines().map_while(Result::ok) {
        let (flag, value) = line.split_once(' ').unwrap();
        let mut left: Vec<_> = clients.iter().enumerate().collect();
        while !left.is_empty() {
            let ask = |(number, client): &(usize, &AsyncFeatureFlagClient)| {
                let client = (*client).clone();
                let id = format!("A{number}");
                async move { client.get_flag_string(flag, &id, "none").await }
            };
            let values = join_all(left.iter().map(ask)).await;
            let mut values = values.into_iter();
            left.retain(|_| values.next().unwrap() != value);
            sleep(Duration::from_millis(5)).await;
        }
        println!("{SEEN}");
    }
}

/// Three replicas, haproxy, and the processes of clients.
struct World {
    store: TestStore,
    addresses: Vec<String>,
    replicas: Vec<Option<Service>>,
    balancer: Balancer,
    clients: Vec<Clients>,
}

impl World {
    fn start(store: TestStore) -> Self {
        let addresses: Vec<String> = (0..3).map(|_| free_address()).collect();
        let balancer = Balancer::start(&addresses, Unanswered::IsRetried);
        let mut world = Self {
            store,
            addresses,
            replicas: vec![None, None, None],
            clients: Vec::new(),
            balancer,
        };
        (0..3).for_each(|at| world.start_replica(at));
        for flag in 0..FLAGS {
            let name = name(flag);
            let words = ["--description", "For the test", "--yes"];
            world.flagctl("add", &name, &words);
            world.revise(&name, "before");
        }
        let url = format!("http://{}", world.balancer.address());
        let clients = (0..PROCESSES).map(|_| Clients::start(&url));
        world.clients = clients.collect();
        for flag in 0..FLAGS {
            world.wait_for(&name(flag), "before");
        }
        world
    }

    fn start_replica(&mut self, at: usize) {
        let address = [("FLAG_LISTEN", &*self.addresses[at])];
        self.replicas[at] = Some(Service::start_with(&self.store, &["--demo"], &address));
    }

    fn flagctl(&self, command: &str, name: &str, options: &[&str]) {
        let words = [&[command, PROJECT, "data", name][..], options].concat();
        let done = flagctl(&self.store, &words);
        assert_eq!(done.code, 0, "{done:?}");
    }

    fn revise(&self, name: &str, value: &str) {
        let options = ["--control", value, "--comment", "next"];
        let meant = ["--yes", "--yes-i-mean", name];
        self.flagctl("revise", name, &[&options[..], &meant].concat());
    }

    /// Waits until every client answers with this value.
    fn wait_for(&mut self, name: &str, value: &str) -> Instant {
        self.watch(name, value);
        self.seen()
    }

    fn watch(&mut self, name: &str, value: &str) {
        for clients in &mut self.clients {
            clients.watch(name, value);
        }
    }

    fn seen(&self) -> Instant {
        self.clients.iter().map(Clients::seen).max().unwrap()
    }

    /// Gives every flag another value, waits until the clients have it and are no longer careful.
    async fn change_all(&mut self, value: &str) {
        for flag in 0..FLAGS {
            self.revise(&name(flag), value);
        }
        for flag in 0..FLAGS {
            self.wait_for(&name(flag), value);
        }
        sleep(Duration::from_secs(11)).await;
        for flag in 0..FLAGS {
            self.wait_for(&name(flag), value);
        }
    }

    /// Rolls a flag back: how long that takes until the last client has the value from before.
    fn roll_back(&mut self, flag: usize) -> Duration {
        let name = name(flag);
        self.watch(&name, "before");
        let began = Instant::now();
        self.flagctl("rollback", &name, &["--yes", "--yes-i-mean", &name]);
        self.seen() - began
    }
}

fn name(flag: usize) -> String {
    format!("push_{flag}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn changes_in_the_embedded_store_reach_300_clients() {
    reaching(
        TestStore::embedded(),
        "100 roll-backs by flagctl, 300 clients in 3 processes, haproxy, three replicas on one embedded store",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_changes_reach_300_clients() {
    reaching(
        TestStore::bigtable(),
        "100 roll-backs by flagctl, 300 clients in 3 processes, haproxy, three replicas on one Bigtable emulator",
    )
    .await;
}

async fn reaching(store: TestStore, fault: &'static str) {
    let mut world = World::start(store);
    let mut lasted = Vec::new();
    for round in 0..100 / FLAGS {
        world.change_all(&format!("after{round}")).await;
        for flag in 0..FLAGS {
            lasted.push(world.roll_back(flag));
            // Changes come at any moment of the polls.
            sleep(Duration::from_millis(fastrand::u64(0..500))).await;
        }
    }
    lasted.sort_unstable();
    let (median, p99, worst) = (lasted[50], lasted[98], lasted[99]);
    Row {
        fault,
        goal: "the last client answers with the new value within 1 s (p99), 1.5 s (worst)",
    }
    .report(
        &format!(
            "p50 {} ms, p99 {} ms, worst {} ms, from the start of the command",
            median.as_millis(),
            p99.as_millis(),
            worst.as_millis()
        ),
        Verdict::from(p99 <= Duration::from_secs(1) && worst <= Duration::from_millis(1_500)),
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn changes_reach_300_clients_while_replicas_restart() {
    restarting(
        TestStore::embedded(),
        "100 roll-backs while each of three replicas is restarted, 300 clients, haproxy, embedded store",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn on_bigtable_changes_reach_300_clients_while_replicas_restart() {
    restarting(
        TestStore::bigtable(),
        "100 roll-backs while each of three replicas is restarted, 300 clients, haproxy, Bigtable emulator",
    )
    .await;
}

async fn restarting(store: TestStore, fault: &'static str) {
    let mut world = World::start(store);
    let mut worst = Duration::ZERO;
    for round in 0..100 / FLAGS {
        let value = format!("after{round}");
        world.change_all(&value).await;
        let during = match round {
            2 | 5 | 8 => restart(&mut world, round / 3, &value).await,
            _ => roll_back_all(&mut world),
        };
        worst = worst.max(during);
    }
    Row {
        fault,
        goal: "no client answers with the old value 5 s later, none misses a change",
    }
    .report(
        &format!(
            "the last client has the new value after {} ms at most",
            worst.as_millis()
        ),
        Verdict::from(worst <= Duration::from_secs(5)),
    );
}

/// Rolls every flag back; how long the slowest took.
fn roll_back_all(world: &mut World) -> Duration {
    let lasted = (0..FLAGS).map(|flag| world.roll_back(flag));
    lasted.max().unwrap()
}

/// The same while a replica stops, and is started again.
async fn restart(world: &mut World, restarted: usize, value: &str) -> Duration {
    // Streams that have lasted for a minute are spread when they end.
    sleep(Duration::from_mins(1)).await;
    for flag in 0..FLAGS {
        world.wait_for(&name(flag), value);
    }
    let replica = world.replicas[restarted].take().unwrap();
    let stopping = thread::spawn(|| replica.stop());
    let mut worst = Duration::ZERO;
    for flag in 0..FLAGS {
        worst = worst.max(world.roll_back(flag));
        if flag == FLAGS / 2 {
            world.start_replica(restarted);
        }
    }
    assert!(stopping.join().unwrap().success());
    worst
}
