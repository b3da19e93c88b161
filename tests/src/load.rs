//! Load on the service, for stories that measure.

use std::sync::Arc;
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
        let sent = tokio::task::spawn_blocking(move || load.run_to_end()).await;
        sent.unwrap().unwrap()
    }
}
