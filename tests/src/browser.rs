//! A real browser, Chromium, driven over its debugging protocol through a pipe: no driver, no port, no library.
#![expect(clippy::indexing_slicing, reason = "an index into JSON gives null")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a machine with much else to do may take for one command.
const PATIENCE: Duration = Duration::from_mins(1);

/// Messages end with this byte.
const END: u8 = 0;

/// Chromium's names of binaries, as distributions have them.
const BINARIES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser with one page; killed when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// Refused by the policy of a page, errors of scripts, and dialogues that a page has opened.
    pub complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it; `None` if this machine has no Chromium.
    pub fn start() -> Option<Self> {
        let binary = BINARIES.into_iter().find(|binary| {
            let version = Command::new(binary).arg("--version").output();
            version.is_ok_and(|version| version.status.success())
        })?;
        let profile = tempfile::tempdir().unwrap();
        // The browser reads commands from file 3 and writes to file 4.
        let script = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script, "sh", binary])
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox"])
            .args(["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env("TZ", "Europe/Berlin")
            .spawn()
            .unwrap();
        let (sender, messages) = mpsc::channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            let mut message = Vec::new();
            while stdout
                .read_until(END, &mut message)
                .is_ok_and(|read| read > 0)
            {
                message.pop();
                let sent = serde_json::from_slice(&message).map(|message| sender.send(message));
                if !matches!(sent, Ok(Ok(()))) {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            commands: child.stdin.take().unwrap(),
            child,
            messages,
            last: 0,
            session: None,
            complaints: Vec::new(),
            _profile: profile,
        };
        browser.open();
        Some(browser)
    }

    fn open(&mut self) {
        let target = self.command("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command("Target.attachToTarget", &target);
        self.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            self.command(&format!("{domain}.enable"), &json!({}));
        }
        self.size(1_200, 900);
    }

    /// Sends a command, and returns its result.
    #[track_caller]
    pub fn command(&mut self, method: &str, parameters: &Value) -> Value {
        let answer = self.ask(method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Sends a command, and returns the answer, which may be an error.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut message = serde_json::to_vec(&message).unwrap();
        message.push(END);
        self.commands.write_all(&message).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap();
            if message["id"] == json!(self.last) {
                return message;
            }
            self.listen(&message);
        }
    }

    fn listen(&mut self, event: &Value) {
        let details = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Log.entryAdded" if details["entry"]["level"] == "error" => {
                self.complaints.push(details["entry"].to_string());
            }
            "Runtime.exceptionThrown" | "Page.javascriptDialogOpening" => {
                self.complaints.push(details.to_string());
            }
            _ => {}
        }
    }

    /// Opens a page, and waits until it is complete.
    #[track_caller]
    pub fn goto(&mut self, url: &str) {
        // Otherwise the state of the page before would be taken for that of the new one.
        self.eval("window.isOld = true");
        let answer = self.command("Page.navigate", &json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        self.wait_for_page();
    }

    /// Waits until the next page is complete.
    #[track_caller]
    pub fn wait_for_page(&mut self) {
        self.wait_until("!window.isOld && document.readyState === 'complete'");
    }

    /// The value of an expression on the page.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.command("Runtime.evaluate", &parameters);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// The text of an expression on the page.
    #[track_caller]
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.eval(expression);
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression on the page is true.
    #[track_caller]
    pub fn wait_until(&mut self, expression: &str) {
        let began = Instant::now();
        while self.try_eval(expression) != json!(true) {
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "{expression} is not true");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Between two pages there is nothing to evaluate in.
    fn try_eval(&mut self, expression: &str) -> Value {
        let wrapped =
            format!("(() => {{ try {{ return {expression} }} catch {{ return false }} }})()");
        let parameters = json!({ "expression": wrapped, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", &parameters);
        answer["result"]["result"]["value"].clone()
    }

    /// Presses a key: a character, or `Enter`, `Escape`, `Tab` or `Backspace`.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "Backspace" => 8,
            _ => 0,
        };
        let mut down = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        match key {
            "Enter" => down["text"] = json!("\r"),
            _ if code == 0 => down["text"] = json!(key),
            _ => {}
        }
        self.command("Input.dispatchKeyEvent", &down);
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.command("Input.dispatchKeyEvent", &up);
    }

    /// Types a text where the focus is.
    pub fn write(&mut self, text: &str) {
        self.command("Input.insertText", &json!({ "text": text }));
    }

    /// Gives the page this size.
    pub fn size(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Lets the system of the browser prefer `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        self.show_on("screen", &[("prefers-color-scheme", scheme)]);
    }

    /// Shows pages on a medium, `screen` or `print`, to somebody with these preferences.
    pub fn show_on(&mut self, medium: &str, preferences: &[(&str, &str)]) {
        let features = preferences.iter();
        let features = features.map(|(name, value)| json!({ "name": name, "value": value }));
        let features: Vec<Value> = features.collect();
        self.command(
            "Emulation.setEmulatedMedia",
            &json!({ "media": medium, "features": features }),
        );
    }

    /// Lets pages have scripts or not.
    pub fn allow_scripts(&mut self, are_allowed: bool) {
        let parameters = json!({ "value": !are_allowed });
        self.command("Emulation.setScriptExecutionDisabled", &parameters);
    }

    /// A picture of what is visible of the page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.command("Page.captureScreenshot", &json!({ "format": "png" }));
        from_base64(picture["data"].as_str().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|digit| *digit != b'=');
    let values = digits.map(|digit| DIGITS.iter().position(|known| *known == digit).unwrap());
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_usize, 0);
    for value in values {
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
