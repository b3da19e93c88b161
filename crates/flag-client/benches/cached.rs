//! Measures how long an answer from memory takes: `cargo bench -p flag-client`.
//!
//! Prints the quickest and the middle one of several rounds, in nanoseconds per call, the clock's look at the entry's
//! lifetime included. The last lines are of as many threads as there are processors, each asking as fast as it can.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use flag_client::{AsyncFeatureFlagClient, FeatureFlagClient, Flag};
use futures_util::FutureExt as _;

const CALLS: u32 = 100_000;
const ROUNDS: usize = 31;

/// As many as the cache holds, of two kinds.
const INSTANCES: usize = 50;

const BOOLEAN: Flag<bool> = Flag::new("on", false, "https://tickets.example/1");

fn main() -> Result<(), Box<dyn Error>> {
    let client = FeatureFlagClient::builder("p").base_url(serve()?).build()?;
    let asked = client.to_async();
    let ids: Vec<String> = (0..INSTANCES).map(|id| format!("A{id:05}")).collect();
    for id in &ids {
        assert!(client.get_flag_boolean("on", id, false));
        assert_eq!(client.get_flag_string("text", id, ""), "vertex");
    }
    let boolean = |id: &str| client.get_flag_boolean("on", id, false);
    let text = |id: &str| client.get_flag_string("text", id, "openai").len();
    println!("quickest  middle  ns per call");
    measure("boolean", &ids, boolean);
    measure("boolean, detail", &ids, |id| {
        client.get_flag_boolean_detail("on", id, false).value
    });
    measure("boolean, flag constant", &ids, |id| {
        BOOLEAN.get(&client, id)
    });
    measure("boolean, async", &ids, |id| now(&asked, id));
    measure("text", &ids, text);
    let processors = thread::available_parallelism()?.get();
    together(
        processors,
        &format!("boolean, {processors} threads"),
        &ids,
        boolean,
    );
    together(
        processors,
        &format!("text, {processors} threads"),
        &ids,
        text,
    );
    Ok(())
}

fn now(client: &AsyncFeatureFlagClient, id: &str) -> Option<bool> {
    client.get_flag_boolean("on", id, false).now_or_never()
}

fn together<T>(count: usize, name: &str, ids: &[String], ask: impl Fn(&str) -> T + Sync) {
    thread::scope(|scope| {
        for _ in 1..count {
            scope.spawn(|| (0..ROUNDS).map(|_| time(ids, &ask)).max());
        }
        measure(name, ids, &ask);
    });
}

fn measure<T>(name: &str, ids: &[String], ask: impl Fn(&str) -> T) {
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| time(ids, &ask)).collect();
    rounds.sort_unstable();
    let per_call =
        |round: Option<&Duration>| round.map_or(0, |time| time.as_nanos() / u128::from(CALLS));
    let (quickest, middle) = (per_call(rounds.first()), per_call(rounds.get(ROUNDS / 2)));
    println!("{quickest:8}  {middle:6}  {name}");
}

fn time<T>(ids: &[String], ask: &impl Fn(&str) -> T) -> Duration {
    let start = Instant::now();
    for id in ids.iter().cycle().take(CALLS as usize) {
        black_box(ask(black_box(id)));
    }
    start.elapsed()
}

/// A service that says `true` and `vertex`.
fn serve() -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    Ok(format!("http://{address}"))
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()? {
        let Some(id) = line
            .split("instance_id=")
            .nth(1)
            .and_then(|rest| rest.get(..6))
        else {
            continue;
        };
        let (flag_type, name, value) = if line.contains("=feature&") {
            ("feature", "on", "true")
        } else {
            ("data", "text", "\"vertex\"")
        };
        let body = format!(
            r#"{{"request_id":"r","instance_id":"{id}","flag_type":"{flag_type}","flag_name":"{name}","flag_value":{value},"rollout_group":"control"}}"#
        );
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}
