//! A single request, and its answer to the last byte.
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Without an answer for so long, a request has failed.
const HUNG: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers as they came, without those that differ from second to second.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks for a path.
pub(crate) fn get(target: SocketAddr, path: &str) -> Result<Answer> {
    send(
        target,
        &format!("GET {path} HTTP/1.1\r\nhost: {target}\r\n\r\n"),
    )
}

/// Sends a request that does not say whether the connection is to be closed.
pub(crate) fn send(target: SocketAddr, request: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HUNG))?;
    let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer)
}

/// The sum of the samples of a metric that the service tells, whatever their labels.
pub(crate) fn metric(target: SocketAddr, name: &str) -> Result<f64> {
    let answer = get(target, "/metrics")?;
    ensure!(answer.status == 200, "no metrics: {}", answer.status);
    sum(&answer.body, name).with_context(|| format!("no metric {name}"))
}

fn parse(answer: &str) -> Result<Answer> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without an end of its headers")?;
    let status = head
        .split(' ')
        .nth(1)
        .context("an answer without a status")?;
    let lasting = head.lines().filter(|line| !line.starts_with("date:"));
    Ok(Answer {
        status: status.parse()?,
        head: lasting.collect::<Vec<_>>().join("\n"),
        body: body.to_owned(),
    })
}

fn sum(metrics: &str, name: &str) -> Option<f64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split(' ').next()?.parse::<f64>().ok()
    });
    samples.reduce(|sum, sample| sum + sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_a_head_and_a_body() {
        let answer = parse("HTTP/1.1 200 OK\r\na: b\r\ndate: now\r\n\r\nbody").unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.head, "HTTP/1.1 200 OK\na: b");
        assert_eq!(answer.body, "body");
        assert!(parse("HTTP/1.1 200 OK\r\n").is_err());
    }

    #[test]
    fn samples_of_one_name_add_up() {
        let metrics =
            "# TYPE a counter\na_total{b=\"c} 5\"} 1\na_total{b=\"d\"} 2\na_total_more 9\nb 7\n";
        assert_eq!(sum(metrics, "a_total"), Some(3.0));
        assert_eq!(sum(metrics, "b"), Some(7.0));
        assert_eq!(sum(metrics, "c"), None);
    }
}
