//! A load balancer in front of replicas: haproxy, as a process.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::free_address;

/// A running haproxy; killed when dropped.
#[derive(Debug)]
pub struct Balancer {
    child: Child,
    address: String,
    _configuration: NamedTempFile,
}

/// What becomes of a request that a replica did not answer.
#[derive(Clone, Copy, Debug)]
pub enum Unanswered {
    /// It fails.
    Fails,
    /// It is sent to another replica.
    IsRetried,
}

impl Balancer {
    /// Starts haproxy in front of these replicas, each `host:port`. It asks `/readyz` every 100 ms.
    pub fn start(replicas: &[String], unanswered: Unanswered) -> Self {
        let address = free_address();
        let retries = match unanswered {
            Unanswered::Fails => "retries 0",
            Unanswered::IsRetried => {
                "retries 3\n  retry-on all-retryable-errors\n  option redispatch 1"
            }
        };
        let mut text = format!(
            "defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  {retries}
  option httpchk GET /readyz
  default-server check inter 100ms fall 1 rise 1
frontend front
  bind {address}
  default_backend replicas
backend replicas
"
        );
        for (at, replica) in replicas.iter().enumerate() {
            writeln!(text, "  server replica{at} {replica}").unwrap();
        }
        let configuration = NamedTempFile::new().unwrap();
        std::fs::write(&configuration, text).unwrap();
        let child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(configuration.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is not there: on Debian, apt-get install haproxy");
        let balancer = Self {
            child,
            address,
            _configuration: configuration,
        };
        let began = Instant::now();
        while TcpStream::connect(&balancer.address).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "haproxy does not listen"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        balancer
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
