//! An access token from `gcloud`, for a person at a machine of their own.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use crate::connect_error::CredentialsError;

/// The assumed lifetime of its tokens, which it does not print.
pub(crate) const VALID_FOR: Duration = Duration::from_hours(1);

/// Runs `gcloud auth print-access-token`; `None` if there is no such program, or it has no token.
///
/// At `until` the program is killed, with every process that it has started.
pub(crate) async fn token(
    program: &OsStr,
    until: Instant,
) -> Result<Option<String>, CredentialsError> {
    let mut command = Command::new(program);
    command
        .args(["auth", "print-access-token", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let Ok(child) = command.spawn() else {
        return Ok(None);
    };
    let mut group = Group::led_by(child.id());
    let Ok(output) = timeout_at(until, child.wait_with_output()).await else {
        return Err(CredentialsError::TokenEndpoint {
            endpoint: "`gcloud auth print-access-token`".to_owned(),
            problem: "no answer in time".to_owned(),
        });
    };
    group.leader = None;
    let output = output.ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    Ok(text.map(|text| text.trim().to_owned()))
}

/// The processes of a program, which are killed when this is dropped.
struct Group {
    leader: Option<Pid>,
}

impl Group {
    fn led_by(id: Option<u32>) -> Self {
        let id = id.and_then(|id| i32::try_from(id).ok());
        Self {
            leader: id.and_then(Pid::from_raw),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A program that runs this script, in a folder of its own.
    fn program(name: &str, script: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("flag-gcloud-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("gcloud");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn within(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    /// Whether a process is there and has not ended.
    fn is_running(process: &str) -> bool {
        let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_gcloud_that_hangs_is_killed_with_what_it_started() {
        let program = program("hangs", "sleep 600 & echo $! > \"$0.child\"; wait");
        let answer = token(program.as_os_str(), within(1)).await;
        assert_eq!(
            answer.unwrap_err().to_string(),
            "no access token from `gcloud auth print-access-token`: no answer in time"
        );
        let child = fs::read_to_string(program.with_extension("child")).unwrap();
        while is_running(child.trim()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fs::remove_dir_all(program.parent().unwrap()).unwrap();
    }

    #[tokio::test]
    async fn a_token_is_what_gcloud_prints() {
        for (name, script, expected) in [
            ("prints", "echo \"$1-$2\"", Some("auth-print-access-token")),
            ("fails", "echo x; exit 1", None),
        ] {
            let program = program(name, script);
            let answer = token(program.as_os_str(), within(60)).await;
            assert_eq!(answer.unwrap().as_deref(), expected);
            fs::remove_dir_all(program.parent().unwrap()).unwrap();
        }
        let none = token(OsStr::new("/no/gcloud"), within(60)).await;
        assert_eq!(none.unwrap(), None);
    }
}
