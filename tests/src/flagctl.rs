//! `flagctl` as a process.

use std::path::Path;
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
    flagctl_with(store, &[], arguments)
}

/// The same with variables of the test's own.
pub fn flagctl_with(store: &TestStore, variables: &[(&str, String)], arguments: &[&str]) -> Output {
    run(Command::new(binary("flagctl")), store, variables, arguments)
}

/// The same where `/etc/hosts` is this file; `None` where this machine doesn't allow that.
pub fn flagctl_with_hosts(
    hosts: &Path,
    store: &TestStore,
    variables: &[(&str, String)],
    arguments: &[&str],
) -> Option<Output> {
    let unshared = || {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(hosts);
        command
    };
    let allowed = unshared().arg("true").output();
    allowed.ok().filter(|output| output.status.success())?;
    let mut command = unshared();
    command.arg(binary("flagctl"));
    Some(run(command, store, variables, arguments))
}

fn run(
    mut command: Command,
    store: &TestStore,
    variables: &[(&str, String)],
    arguments: &[&str],
) -> Output {
    let output = command
        .args(arguments)
        .env_clear()
        .env("FLAG_OWNER", "John Smith")
        .envs(store.variables())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
