//! The service as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::TestStore;
use crate::{binary, free_address, http};

/// How long a machine with much else to do may take to start it.
const STARTED: Duration = Duration::from_secs(20);

/// A running service; killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    url: String,
    /// What it said on standard output when it started.
    pub greeting: String,
    log: Option<NamedTempFile>,
    http: reqwest::Client,
}

/// What it answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Value,
}

impl Service {
    /// Starts the service on a free port over this store.
    pub fn start(store: &TestStore) -> Self {
        Self::start_with(store, &[], &[])
    }

    /// Starts the service with options and variables of the test's own.
    pub fn start_with(store: &TestStore, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = NamedTempFile::new().unwrap();
        let to = log.reopen().unwrap();
        let started = Self::try_start(command(store, options, variables), options, to);
        let mut service = started.unwrap_or_else(|ended| {
            let said = std::fs::read_to_string(log.path()).unwrap();
            panic!("the service did not start: {ended}\n{said}")
        });
        service.log = Some(log);
        if store.is_of_the_run() {
            service.wait_until_ready();
        }
        service
    }

    /// The same of another build, whose binaries are in this folder.
    pub fn start_of(
        folder: &Path,
        store: &TestStore,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let ours = command(store, options, variables);
        let mut other = Command::new(folder.join("flag-service"));
        take_over(&ours, &mut other);
        let service = Self::start_command(other, options, Stdio::null());
        service.wait_until_ready();
        service
    }

    /// A busy machine may need longer to open the store than the service waits before it listens.
    fn wait_until_ready(&self) {
        let began = Instant::now();
        loop {
            let mut stream = TcpStream::connect(self.address()).unwrap();
            let request = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            stream.write_all(request).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            if answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
            assert!(began.elapsed() < STARTED, "not ready: {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same with this many open files allowed.
    pub fn start_with_files(
        store: &TestStore,
        files: u32,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let ours = command(store, options, variables);
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={files}:{files}"));
        limited.arg(ours.get_program());
        take_over(&ours, &mut limited);
        let log = NamedTempFile::new().unwrap();
        let mut service = Self::start_command(limited, options, log.reopen().unwrap());
        service.log = Some(log);
        service
    }

    /// The same with its log going elsewhere.
    pub fn start_logging(
        store: &TestStore,
        options: &[&str],
        variables: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Self {
        Self::start_command(command(store, options, variables), options, log)
    }

    fn start_command(command: Command, options: &[&str], log: impl Into<Stdio>) -> Self {
        let started = Self::try_start(command, options, log);
        started.unwrap_or_else(|ended| panic!("the service did not start: {ended}"))
    }

    /// Starts it; an error says how it ended.
    fn try_start(
        mut command: Command,
        options: &[&str],
        log: impl Into<Stdio>,
    ) -> Result<Self, ExitStatus> {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("serves http")
            || (options.contains(&"--demo") && !greeting.contains("curl"))
        {
            if stdout.read_line(&mut greeting).unwrap() == 0 {
                return Err(child.wait().unwrap());
            }
        }
        let url = greeting
            .split_whitespace()
            .find(|word| word.starts_with("http"))
            .unwrap()
            .to_owned();
        Ok(Self {
            child,
            url,
            greeting,
            log: None,
            http: http(),
        })
    }

    /// Starts the service without a reader of its standard output and standard error.
    pub async fn start_unheard(
        store: &TestStore,
        variables: &[(&str, &str)],
        stdout: impl Into<Stdio>,
        stderr: impl Into<Stdio>,
    ) -> Self {
        let address = free_address();
        let mut command = command(store, &["--demo"], variables);
        command.env("FLAG_LISTEN", &address);
        let service = Self {
            child: command.stdout(stdout).stderr(stderr).spawn().unwrap(),
            url: format!("http://{address}"),
            greeting: String::new(),
            log: None,
            http: http(),
        };
        let began = Instant::now();
        while service.request(Method::GET, "/livez").send().await.is_err() {
            assert!(began.elapsed() < STARTED, "the service did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service
    }

    /// Starts the service, which will not start, with standard error going elsewhere: how it ended.
    pub fn fail_unheard(
        store: &TestStore,
        variables: &[(&str, &str)],
        stderr: impl Into<Stdio>,
    ) -> ExitStatus {
        let mut command = command(store, &[], variables);
        command
            .stdout(Stdio::null())
            .stderr(stderr)
            .status()
            .unwrap()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let log = self.log.as_ref().expect("its log goes elsewhere");
        std::fs::read_to_string(log.path()).unwrap()
    }

    /// Waits until it has logged this: lines are written a moment after they are said.
    #[track_caller]
    pub fn must_log(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < STARTED, "no {text:?} in {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The text at a path, as this `Accept` asks for it, and its media type.
    pub async fn text(&self, path: &str, accept: &str) -> (String, String) {
        let request = self.request(Method::GET, path).header("accept", accept);
        let response = request.send().await.unwrap().error_for_status().unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap();
        (kind.to_owned(), response.text().await.unwrap())
    }

    /// Starts the service and waits for its end: what it said on standard error, and how it ended.
    pub fn fail(
        store: &TestStore,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> (ExitStatus, String) {
        let mut child = command(store, options, variables)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (child.wait().unwrap(), stderr)
    }

    /// Where it serves, `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, `host:port`.
    pub fn address(&self) -> String {
        let (_, address) = self.url.split_once("://").unwrap();
        address.to_owned()
    }

    /// Gets a path with a query.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.fetch(self.http.get(format!("{}{path}", self.url)).query(query))
            .await
    }

    /// A request that the test finishes and sends itself.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Gets a whole URL.
    pub async fn get_url(&self, url: &str) -> Reply {
        self.fetch(self.http.get(url)).await
    }

    /// Asks which value an instance receives.
    pub async fn ask(&self, project: &str, flag_type: &str, name: &str, instance: &str) -> Reply {
        let query = [
            ("project_name", project),
            ("flag_type", flag_type),
            ("flag_name", name),
            ("instance_id", instance),
        ];
        self.get("/get-feature-flag", &query).await
    }

    async fn fetch(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply {
            status,
            headers,
            body: response.json().await.unwrap(),
        }
    }

    /// How much memory it has resident, in bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.child.id());
        let statm = std::fs::read_to_string(path).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    /// What it counts under a name with its labels, as they are written; zero while there is no such thing.
    pub async fn metric(&self, name: &str) -> u64 {
        let scrape = self.scrape().await;
        let value = scrape
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop, as Kubernetes does, and waits until it has.
    pub fn stop(self) -> ExitStatus {
        self.signal("-TERM");
        self.ended()
    }

    /// Waits until it has stopped.
    pub fn ended(mut self) -> ExitStatus {
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the service did not stop within 10 s");
    }
}

impl Drop for Service {
    #[expect(clippy::print_stderr, reason = "it shows why a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() && self.log.is_some() {
            eprintln!("{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a command the arguments and the environment of another one.
fn take_over(of: &Command, command: &mut Command) {
    command.args(of.get_args());
    command.env_clear().stdin(Stdio::null());
    for (name, value) in of.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
}

fn command(store: &TestStore, options: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary("flag-service"));
    command
        .args(options)
        .env_clear()
        .env("FLAG_LISTEN", "127.0.0.1:0")
        // A busy machine may take longer than the default for a first read.
        .env("FLAG_STORE_DEADLINE_MS", "2000")
        .envs(store.variables())
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}
