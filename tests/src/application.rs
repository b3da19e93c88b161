//! An example application of the client crate, as a process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{binary, http};

/// A running application; killed when dropped.
#[derive(Debug)]
pub struct Application {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where it serves, if it does.
    url: Option<String>,
}

impl Application {
    /// Starts an example that asks the service at this URL; waits until it serves, if it is one that does.
    pub fn start(example: &str, arguments: &[&str], service: &str) -> Self {
        let mut child = Command::new(binary(&format!("examples/{example}")))
            .args(arguments)
            .env_clear()
            .env("FLAG_SERVICE_URL", service)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut application = Self {
            child,
            stdin,
            stdout,
            url: None,
        };
        if matches!(example, "actix" | "axum") {
            let greeting = application.read();
            application.url = greeting.strip_prefix("serves ").map(str::to_owned);
        }
        application
    }

    /// Types a line, and reads the one that answers it.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        self.read()
    }

    /// Gets a path of an application that serves.
    pub async fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url.as_deref().unwrap());
        let response = http().get(url).send().await.unwrap();
        response.text().await.unwrap()
    }

    /// Reads the next line.
    pub fn read(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
