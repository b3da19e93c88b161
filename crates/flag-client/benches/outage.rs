//! Measures what callers feel of an outage: `cargo bench -p flag-client --bench outage -- [SECONDS]`, 60 by default.
//!
//! A thousand calls a second, each on a thread or task of its own; half of them for instances whose value was known
//! before, half for new ones. Prints, in microseconds, what half, 99 in 100 and all of the calls took at most.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flag_client::{AsyncFeatureFlagClient, FeatureFlagClient, Source};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

const CALLS_PER_SECOND: u32 = 1_000;

/// Instances whose values are known before the outage.
const KNOWN: u32 = 50;

/// What the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Answers,
    Fails,
    IsSilent,
    /// Nobody listens.
    IsGone,
}

/// How it is asked.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Thread,
    Task,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let seconds = words.find_map(|word| word.parse().ok()).unwrap_or(60);
    let runtime = Runtime::new()?;
    println!("   calls  half  99 %     all  over 1 ms  defaults");
    for manner in [Manner::IsGone, Manner::Fails, Manner::IsSilent] {
        for caller in [Caller::Thread, Caller::Task] {
            measure(&runtime, manner, caller, seconds)?;
        }
    }
    Ok(())
}

fn measure(
    runtime: &Runtime,
    manner: Manner,
    caller: Caller,
    seconds: u32,
) -> Result<(), Box<dyn Error>> {
    let (mut service, url) = runtime.block_on(Service::start())?;
    let client = FeatureFlagClient::builder("p").base_url(url);
    let client = client.cache_lifetime(Duration::ZERO).build()?;
    for instance in 0..KNOWN {
        assert!(client.get_flag_boolean("f", &instance.to_string(), false));
    }
    service.set(manner);
    let mut calls = call(runtime, &client, caller, CALLS_PER_SECOND * seconds);
    service.end();

    calls.sort_unstable();
    let count = calls.len();
    let at = |index: usize| calls.get(index).map_or(0, |(time, _)| time.as_micros());
    let (half, max, all) = (at(count / 2), at(count * 99 / 100), at(count - 1));
    let slow = calls
        .iter()
        .filter(|(time, _)| time.as_millis() >= 1)
        .count();
    let defaults = calls.iter().filter(|(_, is_default)| *is_default).count();
    println!("{count:8} {half:5} {max:5} {all:7} {slow:10} {defaults:9}  {manner:?}, {caller:?}");
    Ok(())
}

/// Calls at a steady pace; what each call took, and whether it gave the default.
fn call(
    runtime: &Runtime,
    client: &FeatureFlagClient,
    caller: Caller,
    calls: u32,
) -> Vec<(Duration, bool)> {
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    for number in 0..calls {
        let due = start + Duration::from_secs(1) * number / CALLS_PER_SECOND;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let instance = if number % 2 == 0 {
            number % KNOWN
        } else {
            KNOWN + number
        };
        let sender = sender.clone();
        match caller {
            Caller::Thread => {
                let client = client.clone();
                thread::spawn(move || sender.send(call_on_thread(&client, instance)));
            }
            Caller::Task => {
                let client = client.to_async();
                runtime.spawn(async move { sender.send(call_on_task(&client, instance).await) });
            }
        }
    }
    drop(sender);
    receiver.into_iter().collect()
}

fn call_on_thread(client: &FeatureFlagClient, instance: u32) -> (Duration, bool) {
    let (id, start) = (instance.to_string(), Instant::now());
    let detail = client.get_flag_boolean_detail("f", &id, false);
    (start.elapsed(), matches!(detail.source, Source::Default(_)))
}

async fn call_on_task(client: &AsyncFeatureFlagClient, instance: u32) -> (Duration, bool) {
    let (id, start) = (instance.to_string(), Instant::now());
    let detail = client.get_flag_boolean_detail("f", &id, false).await;
    (start.elapsed(), matches!(detail.source, Source::Default(_)))
}

/// A service that fails on command.
struct Service {
    manner: watch::Sender<Manner>,
    serving: JoinHandle<()>,
}

impl Service {
    async fn start() -> std::io::Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (manner, receiver) = watch::channel(Manner::Answers);
        let serving = tokio::spawn(serve(listener, receiver));
        Ok((Self { manner, serving }, url))
    }

    fn set(&mut self, manner: Manner) {
        self.manner.send_replace(manner);
        if manner == Manner::IsGone {
            self.end();
        }
    }

    fn end(&self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, manner: watch::Receiver<Manner>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(answer(stream, manner.clone()));
    }
}

async fn answer(mut stream: TcpStream, manner: watch::Receiver<Manner>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let Some((_, rest)) = line.split_once("instance_id=") else {
            continue;
        };
        let id = rest.split(' ').next().unwrap_or_default();
        let body = format!(
            r#"{{"request_id":"r","instance_id":"{id}","flag_type":"feature","flag_name":"f","flag_value":true,"rollout_group":"control"}}"#
        );
        let manner = *manner.borrow();
        let status = match manner {
            Manner::Answers => "200 OK",
            Manner::Fails => "500 Internal Server Error",
            Manner::IsSilent | Manner::IsGone => continue,
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
