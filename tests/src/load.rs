//! Load on the service, for stories that measure.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

pub use flag_load::Outcome;

/// The longest load.
const LONGEST: Duration = Duration::from_mins(10);

/// A load of a fixed number of requests.
pub struct Load {
    /// The number of requests.
    pub requests: u64,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Requests per second, whatever the answers do; without it a connection sends when it has its answer.
    pub rate: Option<f64>,
    /// The path and query of a request, by its number.
    pub path: fn(u64) -> String,
}

impl Load {
    /// Sends the requests to `http://host:port` and waits for all answers. Expects status 200.
    pub async fn run(self, url: &str) -> Outcome {
        let mut all = Outcome::new().unwrap();
        for second in self.run_by_second(url).await {
            all.add(&second).unwrap();
        }
        all
    }

    /// Likewise; returns the answers of each second.
    pub async fn run_by_second(self, url: &str) -> Vec<Outcome> {
        let address = url.trim_start_matches("http://").to_owned();
        let load = flag_load::Load {
            targets: vec![address.parse().unwrap()],
            connections: self.connections,
            rate: self.rate,
            warm_up: Duration::ZERO,
            duration: LONGEST,
            requests: Some(self.requests),
            write: Arc::new(move |number, request| {
                let path = (self.path)(number);
                *request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
                200
            }),
        };
        let (seconds, ended) = channel();
        let sent = tokio::task::spawn_blocking(move || load.run(&seconds)).await;
        sent.unwrap().unwrap();
        ended.into_iter().map(|second| second.outcome).collect()
    }
}

/// The median of the 99th percentiles of these seconds: a second in which the machine stood still moves it little.
pub fn median_p99(seconds: &[Outcome]) -> Duration {
    let mut each: Vec<_> = seconds
        .iter()
        .map(|second| second.percentile(0.99))
        .collect();
    each.sort();
    let middle = each.len() / 2;
    each.into_iter().nth(middle).expect("no seconds")
}
