//! `flagctl` as a process.

use std::process::{Command, Stdio};

use crate::TestStore;
use crate::binary;

/// What `flagctl` said, and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

/// Runs `flagctl` against a store.
pub fn flagctl(store: &TestStore, arguments: &[&str]) -> Output {
    let output = Command::new(binary("flagctl"))
        .args(arguments)
        .env_clear()
        .env("FLAG_OWNER", "John Smith")
        .envs(store.variables())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
