//! A Bigtable emulator of a test's own, that it may kill, freeze and start again.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running emulator; killed when dropped. What it holds dies with it.
#[derive(Debug)]
pub struct Emulator {
    process: Child,
    address: String,
}

impl Emulator {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on it takes connections and answers nothing.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// From now on it answers again, also what it was asked while frozen.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends it at once; connections to its address are refused.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, empty.
    pub fn start_again(&mut self) {
        let (_, port) = self.address.rsplit_once(':').unwrap();
        *self = Self::start_on(port.parse().unwrap());
    }

    fn start_on(port: u16) -> Self {
        let mut process = Command::new(binary())
            .args(["-host", "127.0.0.1", "-port", &port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut greeting = String::new();
        stdout.read_line(&mut greeting).unwrap();
        // `Cloud Bigtable emulator running on 127.0.0.1:40123`
        let address = greeting.split_whitespace().next_back();
        let address = address.expect("the emulator did not start").to_owned();
        Self { process, address }
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> PathBuf {
    std::env::var_os("FLAG_TEST_EMULATOR_BINARY")
        .expect("FLAG_TEST_EMULATOR_BINARY is not set: run the tests with `cargo xtask test`")
        .into()
}
