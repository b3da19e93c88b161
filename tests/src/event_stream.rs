//! A reader of the service's events.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::{Method, Service};

/// Longer than from one heartbeat to the next.
const PATIENCE: Duration = Duration::from_secs(40);

/// An open event stream.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    read: String,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedEvent {
    /// The digest of the project.
    pub id: String,
    /// The names of the changed flags; none if any flag may have changed.
    pub flags: Vec<String>,
}

impl EventStream {
    /// Opens a stream of a project's events with these headers; the status if there is none.
    pub async fn open(
        service: &Service,
        project: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        Self::open_at(service, &format!("/projects/{project}/events"), headers).await
    }

    /// The same of a path with a query.
    pub async fn open_at(
        service: &Service,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, u16> {
        let mut request = service.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let mut stream = Self {
            response,
            read: String::new(),
        };
        let retry = stream.part().await.unwrap();
        let retry: u32 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
        assert!((1_000..=10_000).contains(&retry), "{retry}");
        Ok(stream)
    }

    /// The next part, up to an empty line; `None` at the end.
    pub async fn part(&mut self) -> Option<String> {
        loop {
            if let Some((part, rest)) = self.read.split_once("\n\n") {
                let (part, rest) = (part.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(part);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            // A stream that is cut ends as well.
            let chunk = chunk.expect("nothing comes").ok().flatten()?;
            self.read.push_str(str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; `None` at the end.
    pub async fn event(&mut self) -> Option<PushedEvent> {
        loop {
            let part = self.part().await?;
            if part == ": heartbeat" {
                continue;
            }
            let (id, data) = part.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            let flags = data.get("flags").and_then(Value::as_array).unwrap().iter();
            return Some(PushedEvent {
                id: id.strip_prefix("id: ").unwrap().to_owned(),
                flags: flags
                    .map(|flag| {
                        flag.get("flag_name")
                            .and_then(Value::as_str)
                            .unwrap()
                            .to_owned()
                    })
                    .collect(),
            });
        }
    }

    /// Whether no event comes for a while.
    pub async fn is_silent(&mut self, moment: Duration) -> bool {
        timeout(moment, self.event()).await.is_err()
    }
}
