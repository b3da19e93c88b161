//! People who use the dashboard while the service answers. The service has one processor, and the load another: it takes a whole
//! one, and would measure whatever else wakes up there.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flag_model::FlagKey;
use flag_store::{Clock as _, RowOptions, SystemClock, encode_revision};
use flag_store_embedded::run_at_idle_priority;
use flag_tests::{Load, Service, TestStore, median_p99};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::report::{Row, Verdict};
use super::world::warm;
use crate::dashboard::revision;

const FLAGS: usize = 10_000;

const USERS: usize = 4;

/// How long a user looks at a page.
const LOOKS: Duration = Duration::from_millis(500);

const RATE: f64 = 10_000.0;

const ROUNDS: usize = 5;

const SECONDS: u32 = 8;

/// The pages that must be made, three quarters of those that people ask for who need not wait.
const LEAST_PAGES: u64 = 240;

/// The processor of the load, and that of the service and of the browsers.
const LOAD: &str = "0";
const SERVICE: &str = "1";

/// The pages that a user opens, one after the other.
const PAGES: [&str; 5] = [
    "/dashboard/flags?project=many",
    "/dashboard/flags?project=many&q=_0777",
    "/dashboard/flags?project=many&sort=changed&page=7",
    "/dashboard/flag?project=many&type=feature&name=flag_07777&instance=A12345",
    "/dashboard/health",
];

/// People who use the dashboard until `are_done` is set.
struct Users {
    are_done: Arc<AtomicBool>,
    /// Microseconds of the slowest page, and how many pages there were.
    slowest: Arc<AtomicU64>,
    pages: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
    browsers: Runtime,
}

/// Creates the runtime that asks for pages. Other machines would: it takes no processor time from the service.
fn browsers() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(|| {
            run_at_idle_priority();
            let thread = fs::read_link("/proc/thread-self").unwrap();
            pin(&[], SERVICE, thread.file_name().unwrap().to_str().unwrap());
        })
        .build()
        .unwrap()
}

/// Lets a thread run on one processor only; with `--all-tasks` all threads of a process.
fn pin(of: &[&str], processor: &str, id: &str) {
    let mut command = Command::new("taskset");
    command
        .args(of)
        .args(["--cpu-list", "--pid", processor, id]);
    let output = command.output().expect("taskset");
    assert!(output.status.success(), "{output:?}");
}

impl Users {
    fn start(service: &Service) -> Self {
        let mut users = Self {
            are_done: Arc::default(),
            slowest: Arc::default(),
            pages: Arc::default(),
            tasks: Vec::new(),
            browsers: browsers(),
        };
        for user in 0..USERS {
            let (are_done, slowest) = (Arc::clone(&users.are_done), Arc::clone(&users.slowest));
            let (url, pages) = (service.url().to_owned(), Arc::clone(&users.pages));
            let task = users.browsers.spawn(async move {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                for page in PAGES.iter().cycle().skip(user) {
                    if are_done.load(Ordering::Relaxed) {
                        break;
                    }
                    let began = Instant::now();
                    let answer = http.get(format!("{url}{page}")).send().await.unwrap();
                    assert_eq!(answer.status(), 200, "{page}");
                    answer.bytes().await.unwrap();
                    let took = u64::try_from(began.elapsed().as_micros()).unwrap();
                    slowest.fetch_max(took, Ordering::Relaxed);
                    pages.fetch_add(1, Ordering::Relaxed);
                    sleep(LOOKS).await;
                }
            });
            users.tasks.push(task);
        }
        users
    }

    /// Ends them; returns how many pages they saw, and how long the slowest took.
    async fn stop(self) -> (u64, Duration) {
        self.are_done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.browsers.shutdown_background();
        let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
        (self.pages.load(Ordering::Relaxed), slowest)
    }
}

fn load(seconds: u32) -> Load {
    Load {
        requests: u64::from(seconds) * 10_000,
        connections: 32,
        rate: Some(RATE),
        path: warm,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: cargo xtask faults"]
async fn a_dashboard_in_use_beside_ten_thousand_answers_a_second() {
    let store = TestStore::embedded();
    let (now, options) = (SystemClock.now(), RowOptions::default());
    let rows = (0..FLAGS).map(|number| {
        let flag: FlagKey = format!("many/feature/flag_{number:05}").parse().unwrap();
        encode_revision(&revision(&flag, now, "10"), &options).unwrap()
    });
    let service = Service::start_with(&store, &["--demo"], &[]);
    store.leave(&rows.collect::<Vec<_>>()).await;
    // Everything is read once before.
    let list = format!("{}{}", service.url(), PAGES[0]);
    let began = Instant::now();
    while !reqwest::get(&list)
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
        .contains("10,000 flags<")
    {
        assert!(
            began.elapsed() < Duration::from_mins(2),
            "the flags are not read"
        );
        sleep(Duration::from_millis(200)).await;
    }
    pin(&["--all-tasks"], SERVICE, &service.id().to_string());
    pin(&["--all-tasks"], LOAD, &std::process::id().to_string());
    load(5).run(service.url()).await;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut pages, mut slowest) = (0, Duration::ZERO);
    for _ in 0..ROUNDS {
        without.extend(load(SECONDS).run_by_second(service.url()).await);
        let users = Users::start(&service);
        with.extend(load(SECONDS).run_by_second(service.url()).await);
        let (seen, slow) = users.stop().await;
        (pages, slowest) = (pages + seen, slowest.max(slow));
    }
    let outcomes = without.iter().chain(&with);
    let failed: u64 = outcomes
        .map(|outcome| outcome.other_than(200) + outcome.failed)
        .sum();
    let [without, with] = [without, with].map(|seconds| median_p99(&seconds).as_secs_f64() * 1e3);
    let ratio = with / without;
    let row = Row {
        fault: "4 people open a page of the dashboard every half second, over 10,000 flags, beside 10,000 answers/s; one processor for the service",
        goal: "no failed answer; p99 within 1.2x, medians of 40 seconds each",
    };
    row.report(
        &format!(
            "{failed} failed; p99 {with:.2} ms, without {without:.2} ms ({ratio:.2}x); {pages} pages, the slowest {} ms",
            slowest.as_millis()
        ),
        Verdict::from(failed == 0 && ratio <= 1.2 && pages >= LEAST_PAGES),
    );
}
