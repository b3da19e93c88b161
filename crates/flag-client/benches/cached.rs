//! Measures how long an answer from memory takes: `cargo bench -p flag-client --bench cached [-- PART OF A NAME]`.
//!
//! The clock's look at the entry's lifetime is included. The last two are of as many threads as there are processors,
//! each asking as fast as it can: what a call takes one of them.

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use flag_client::{AsyncFeatureFlagClient, FeatureFlagClient, Flag};
use futures_util::FutureExt as _;

/// As many as the cache holds, of two kinds.
const INSTANCES: usize = 50;

const LONGER_THAN_THIS_TAKES: Duration = Duration::from_hours(24);

const BOOLEAN: Flag<bool> = Flag::new("on", false, "https://tickets.example/1");

fn main() -> Result<(), Box<dyn Error>> {
    let client = FeatureFlagClient::builder("p").base_url(serve()?);
    let client = client.cache_lifetime(LONGER_THAN_THIS_TAKES).build()?;
    let asked = client.to_async();
    let ids: Vec<String> = (0..INSTANCES).map(|id| format!("A{id:05}")).collect();
    for id in &ids {
        assert!(client.get_flag_boolean("on", id, false));
        assert_eq!(client.get_flag_string("text", id, ""), "vertex");
    }
    let boolean = |id: &str| client.get_flag_boolean("on", id, false);
    let text = |id: &str| client.get_flag_string("text", id, "openai").len();
    let processors = thread::available_parallelism()?.get();

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("cached");
    measure(&mut group, "boolean", &ids, boolean);
    measure(&mut group, "boolean, detail", &ids, |id| {
        client.get_flag_boolean_detail("on", id, false).value
    });
    measure(&mut group, "boolean, flag constant", &ids, |id| {
        BOOLEAN.get(&client, id)
    });
    measure(&mut group, "boolean, async", &ids, |id| now(&asked, id));
    measure(&mut group, "text", &ids, text);
    together(&mut group, "boolean", processors, &ids, boolean);
    together(&mut group, "text", processors, &ids, text);
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn now(client: &AsyncFeatureFlagClient, id: &str) -> Option<bool> {
    client.get_flag_boolean("on", id, false).now_or_never()
}

/// Measures one of `count` threads that ask at once.
fn together<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    count: usize,
    ids: &[String],
    ask: impl Fn(&str) -> T + Copy + Send,
) {
    thread::scope(|scope| {
        // The others ask as long as this lives.
        let asking = Arc::new(());
        for _ in 1..count {
            let asking = Arc::downgrade(&asking);
            scope.spawn(move || {
                while asking.strong_count() > 0 {
                    for id in ids {
                        black_box(ask(black_box(id)));
                    }
                }
            });
        }
        measure(group, &format!("{name}, {count} threads"), ids, ask);
    });
}

fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    ids: &[String],
    ask: impl Fn(&str) -> T,
) {
    group.bench_function(name, |bencher| {
        let mut ids = ids.iter().cycle();
        bencher.iter(|| ids.next().map(|id| ask(black_box(id))));
    });
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
