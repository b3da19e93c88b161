//! Commands that go on until Ctrl-C: `watch`, and `history --follow`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use flag_model::{Reason, Timestamp};
use flag_store::{CountKey, CountsWriterId, ExposureLog as _, Minute, MinuteCounts};

use crate::administering::on_log;
use crate::*;

/// A command that runs until Ctrl-C, its output in a pipe.
pub(crate) struct Following {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Following {
    pub(crate) fn start(dir: &TempDir, args: &[&str]) -> Self {
        let mut child = command(dir.path(), args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(crate) fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// Ends it as Ctrl-C does, and gives what it still wrote.
    pub(crate) fn interrupt(mut self) -> Vec<String> {
        interrupt(&self.child);
        let rest = self.lines.map(Result::unwrap).collect();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }

    /// Stops reading, and waits for its end.
    fn close(mut self) -> Option<i32> {
        drop(self.lines);
        self.child.wait().unwrap().code()
    }
}

/// What Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// Leaves the counts of some answers in this minute, by the newest revision.
pub(crate) fn count(dir: &TempDir, group: &str, answers: u64) {
    let latest = json(&on_flag(dir, "latest", &["-ojson"]));
    let made = latest["revision"]["created"].as_str().unwrap();
    let flag = format!("csr-assistant/feature/{NAME}").parse().unwrap();
    let mut counts = MinuteCounts::new(flag, Minute::of(SystemClock.now()));
    let count_key = CountKey::Group {
        revision: Some(Timestamp::parse(made).unwrap()),
        rollout_group: group.to_owned(),
        reason: Some(Reason::Rollout),
    };
    counts.add(&count_key, answers);
    on_log(dir.path(), async |log| {
        log.write_counts(CountsWriterId(1), &[counts])
            .await
            .unwrap();
    });
}

#[test]
fn a_history_is_followed_from_the_oldest_revision_to_each_new_one() {
    let dir = with_revision();
    check_done(&revise(&dir, "--percent 10"));
    check_done(&revise(&dir, "--percent 20"));
    let follow = [
        "history",
        "csr-assistant/multi_step_api_router",
        "--follow",
        "--limit=2",
    ];
    let mut table = Following::start(&dir, &follow);
    assert!(table.next().starts_with("REV  CREATED (UTC) "));
    assert!(table.next().starts_with("r2 "));
    assert!(table.next().starts_with("r3 "));
    let mut names = Following::start(&dir, &[&follow[..], &["-oname"]].concat());
    let shown = [names.next(), names.next()];
    check_done(&revise(&dir, "--percent 30"));
    let line = table.next();
    assert!(
        line.starts_with("r4 ") && line.contains(" treatment_1 30 % true "),
        "{line}"
    );
    assert!(names.next() > shown[1]);
    // As the Python framework writes rows, without a head row.
    leave_behind(&dir, &soon(), "[]");
    assert!(table.next().contains(" left behind"));
    assert_eq!(table.interrupt(), [""; 0]);
    assert!(!names.next().is_empty());
    assert_eq!(names.interrupt(), [""; 0]);
    let refused = on_flag(&dir, "history", &["--follow", "-ojson"]);
    check_failed(&refused, 2, &["--follow has the formats table and name"]);
}

#[test]
fn a_watched_flag_appends_a_line_for_each_change_to_a_pipe() {
    let dir = with_revision();
    count(&dir, "control", 120);
    let mut watch = Following::start(&dir, &["watch", "csr-assistant/multi_step_api_router"]);
    let first = watch.next();
    assert!(
        first.ends_with(" UTC  revision  r1  all get false by ann: why"),
        "{first}"
    );
    let answers = watch.next();
    assert!(
        answers.contains("  answers since ") && answers.ends_with("  r1 control 120"),
        "{answers}"
    );
    check_done(&revise(&dir, "--percent 10"));
    let second = watch.next();
    let says = "  revision  r2  10 % get true, others false by ann: why";
    assert!(second.ends_with(says), "{second}");
    assert_eq!(watch.interrupt(), [""; 0]);
}

#[test]
fn who_reads_no_more_ends_a_watch() {
    let dir = with_revision();
    let mut watch = Following::start(&dir, &["watch", "csr-assistant/multi_step_api_router"]);
    watch.next();
    check_done(&revise(&dir, "--percent 10"));
    assert_eq!(watch.close(), Some(0));
}
