//! A client of OpenFeature as a process that takes questions and gives answers, one JSON object per line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::scenario::NOTICED;

/// A client; it ends when this is dropped.
pub(super) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    /// OpenFeature in Python.
    pub(super) fn python() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ofrep/python/client.py");
        Self::start(
            Command::new(variable("FLAG_TEST_OFREP_PYTHON"))
                .arg("-B")
                .arg(script),
        )
    }

    /// The adapter with the names of the Python framework's client.
    pub(super) fn adapter(url: &str, project: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ofrep/python");
        let script = "import json, sys, flag_adapter\n\
            client = flag_adapter.FeatureFlagClient(sys.argv[2], sys.argv[1])\n\
            for line in sys.stdin:\n \
                question = json.loads(line)\n \
                answer = getattr(client, question['method'])(*question['arguments'])\n \
                print(json.dumps(answer), flush=True)\n";
        let mut python = Command::new(variable("FLAG_TEST_OFREP_PYTHON"));
        python.args(["-B", "-c", script, url, project]);
        Self::start(python.current_dir(folder))
    }

    /// OpenFeature in Node.js.
    pub(super) fn node() -> Self {
        let script = PathBuf::from(variable("FLAG_TEST_OFREP_NODE")).join("server.mjs");
        Self::start(Command::new("node").arg(script))
    }

    /// OpenFeature in Rust.
    pub(super) fn rust() -> Self {
        Self::start(&mut Command::new(variable("FLAG_TEST_OFREP_RUST")))
    }

    /// OpenFeature in a page of Chromium that is served from this address.
    pub(super) fn browser(address: &str) -> Self {
        let script = PathBuf::from(variable("FLAG_TEST_OFREP_NODE")).join("browser.mjs");
        let (_, port) = address.rsplit_once(':').unwrap();
        let mut command = Command::new("node");
        command
            .arg(script)
            .env("FLAG_TEST_OFREP_PORT", port)
            .env("FLAG_TEST_CHROMIUM", variable("FLAG_TEST_CHROMIUM"));
        Self::start(&mut command)
    }

    fn start(command: &mut Command) -> Self {
        // A proxy of the machine is not for these addresses.
        let mut child = command
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Asks a question.
    #[track_caller]
    pub(super) fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.stdin.as_mut().unwrap(), "{question}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{question}: {error}: {answer}"))
    }

    /// Evaluates a flag for the instance of the client.
    #[track_caller]
    pub(super) fn evaluate(&mut self, flag_type: &str, key: &str, instance: Option<&str>) -> Value {
        let default = if flag_type == "boolean" {
            json!(false)
        } else {
            json!("default")
        };
        let mut question =
            json!({ "op": "evaluate", "type": flag_type, "key": key, "default": default });
        if let Some(instance) = instance {
            question["targetingKey"] = json!(instance);
        }
        self.ask(&question)
    }

    /// Evaluates a flag, which must have this reason and value.
    #[track_caller]
    pub(super) fn check(&mut self, flag_type: &str, key: &str, reason: &str, value: &Value) {
        let found = self.evaluate(flag_type, key, None);
        assert_eq!(
            (&found["reason"], &found["value"]),
            (&json!(reason), value),
            "{key}: {found}"
        );
        assert!(
            found["variant"].is_string() && found["metadata"]["revision"].is_string(),
            "{found}"
        );
    }

    /// Evaluates a flag, which must fail with this code.
    #[track_caller]
    pub(super) fn check_error(&mut self, flag_type: &str, key: &str, code: &str) {
        let found = self.evaluate(flag_type, key, None);
        assert_eq!(found["errorCode"], code, "{key}: {found}");
    }

    /// Waits until the page has this text, by whatever way it comes.
    #[track_caller]
    pub(super) fn wait_for_text(&mut self, text: &str) {
        let found = self.ask(&json!({ "op": "until", "type": "string", "key": "llm_version", "default": "", "value": text }));
        assert_eq!(found["value"], text, "{found}");
    }

    /// Gives the page one user after the other until a request for the flags of one is answered with this status.
    #[track_caller]
    pub(super) fn changes_until(&mut self, status: u16) -> Value {
        let began = Instant::now();
        for number in 0.. {
            self.ask(&json!({ "op": "change", "targetingKey": format!("B{number}") }));
            let mut requests = self.requests().into_iter();
            if let Some(found) = requests.find(|request| request["status"] == status) {
                return found;
            }
            assert!(
                began.elapsed() < NOTICED,
                "no request is answered with {status}"
            );
        }
        unreachable!("the numbers do not end")
    }

    /// The requests that the page has sent since it was last asked.
    pub(super) fn requests(&mut self) -> Vec<Value> {
        let state = self.ask(&json!({ "op": "state" }));
        state["requests"].as_array().unwrap().clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The end of its input is its end; it ends its browser first.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

#[track_caller]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}: `cargo xtask test` sets it"))
}
