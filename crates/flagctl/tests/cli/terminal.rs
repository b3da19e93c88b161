//! What a person at a terminal sees: colours, the pager, and the size of the window.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use crate::following::{count, interrupt};
use crate::world::{Stage, world};
use crate::*;

/// Both ends of a terminal with `rows` rows of 200 columns: that of the viewer, and that of the program in it.
pub(crate) fn terminal(rows: u16) -> (File, File) {
    terminal_of(rows, 200)
}

fn terminal_of(rows: u16, columns: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = File::options().read(true).write(true).open(path).unwrap();
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&theirs, size).unwrap();
    (File::from(ours), theirs)
}

/// What `flagctl` shows in a terminal with `rows` rows.
fn seen(dir: &TempDir, args: &[&str], variables: &[(&str, &str)], rows: u16) -> String {
    let mut command = command(&dir.path().join("flag-data"), args);
    shown_in(terminal(rows), &mut command, variables)
}

/// What a command shows in a terminal.
fn shown_in(
    (mut ours, theirs): (File, File),
    command: &mut Command,
    variables: &[(&str, &str)],
) -> String {
    let mut child = command
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs)
        .spawn()
        .unwrap();
    // The command holds the other side of the terminal until then.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut seen = Vec::new();
    let mut some = [0; 4_096];
    // The end is an error once nobody holds the other side.
    while let Ok(read @ 1..) = ours.read(&mut some) {
        seen.extend_from_slice(&some[..read]);
    }
    child.wait().unwrap();
    String::from_utf8(seen).unwrap().replace("\r\n", "\n")
}

const HISTORY: [&str; 4] = ["history", "csr-assistant", "feature", NAME];

#[test]
fn a_heading_is_bold_on_a_terminal_unless_colours_are_refused() {
    let dir = world(Stage::InUse);
    let coloured = seen(&dir, &HISTORY, &[], 50);
    assert!(coloured.starts_with("\u{1b}[1mREV  CREATED "), "{coloured}");
    for refused in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = seen(&dir, &HISTORY, &[refused], 50);
        assert!(plain.starts_with("REV "), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }
}

#[test]
fn an_error_is_red_on_a_terminal_unless_colours_are_refused() {
    let dir = world(Stage::InUse);
    let unknown = ["get", "csr-assistant", "feature", "unknown"];
    let coloured = seen(&dir, &unknown, &[], 50);
    assert!(
        coloured.starts_with("\u{1b}[31merror:\u{1b}[0m no flag "),
        "{coloured}"
    );
    let plain = seen(&dir, &unknown, &[("NO_COLOR", "1")], 50);
    assert!(plain.starts_with("error: no flag "), "{plain}");
}

#[test]
fn a_difference_has_a_sign_and_a_colour() {
    let dir = world(Stage::InUse);
    let diff = ["diff", "csr-assistant/multi_step_api_router", "r1", "r2"];
    let preview = [
        "revise",
        "csr-assistant/multi_step_api_router",
        "70%",
        "--dry-run",
    ];
    let apply = ["apply", "-f", "flags.yaml", "--check"];
    let flags = "file_version: 1\nproject: csr-assistant\nflags:\n- {flag_type: data, name: greeting, \
                 metadata: {description: How, tags: [new]}}\n";
    std::fs::write(dir.path().join("flags.yaml"), flags).unwrap();
    let (green, yellow) = ("\u{1b}[32m+ ", "\u{1b}[33m~ ");
    for (args, lines) in [
        (&diff[..], &[green][..]),
        (&preview, &[yellow]),
        (&apply, &[green, yellow]),
    ] {
        let shown = |options: &[&str], variables: &[(&str, &str)]| {
            let args = [args, options].concat();
            let mut command = command(&dir.path().join("flag-data"), &args);
            shown_in(terminal(50), command.current_dir(&dir), variables)
        };
        let coloured = shown(&[], &[]);
        for line in lines {
            assert!(coloured.contains(line), "{line:?} {coloured}");
        }
        for plain in [
            shown(&[], &[("NO_COLOR", "1")]),
            shown(&[], &[("TERM", "dumb")]),
            shown(&["--color=never"], &[]),
        ] {
            assert!(!plain.contains('\u{1b}'), "{plain}");
            let sign = lines[0].get(5..).unwrap();
            assert!(plain.lines().any(|line| line.starts_with(sign)), "{plain}");
        }
        let forced = shown(&["--color", "always"], &[("NO_COLOR", "1")]);
        assert!(forced.contains(lines[0]), "{forced}");
    }
    let args = [&diff[..], &["--color=always"]].concat();
    let mut piped = command(&dir.path().join("flag-data"), &args);
    let piped = piped.output().unwrap();
    assert!(stdout(&piped).contains(green), "{}", stdout(&piped));
}

#[test]
fn a_table_fits_a_narrow_terminal_without_a_broken_word() {
    let dir = with_revision();
    let comment = "Rollout to 40 % of everybody, as the owners agreed";
    let revise = ["--comment", comment, "--percent=40"];
    check_done(&on_flag(&dir, "revise", &revise));
    let words = |text: &str| -> Vec<String> {
        let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    for command in [&HISTORY[..], &["get", "csr-assistant", "feature", NAME]] {
        let mut piped = super::command(dir.path(), command);
        let piped = stdout(&piped.output().unwrap()).to_owned();
        assert!(piped.contains(comment), "{piped}");
        let mut terminal = super::command(dir.path(), command);
        let seen = shown_in(terminal_of(50, 80), &mut terminal, &[("NO_COLOR", "1")]);
        assert!(seen.lines().all(|line| line.len() <= 80), "{seen}");
        assert_eq!(words(&seen), words(&piped));
    }
}

#[test]
fn what_does_not_fit_goes_through_the_pager() {
    let dir = world(Stage::InUse);
    let pager = [("PAGER", "sed 's/^/paged: /'"), ("NO_COLOR", "1")];
    let long = seen(&dir, &HISTORY, &pager, 4);
    let lines = long.lines().filter(|line| line.starts_with("paged: "));
    assert_eq!(lines.count(), 4, "{long}");
    let short = seen(&dir, &HISTORY, &pager, 5);
    assert!(short.starts_with("REV "), "{short}");
    let missing = [("PAGER", "no-such-pager"), ("NO_COLOR", "1")];
    let long = seen(&dir, &HISTORY, &missing, 4);
    assert!(long.contains("REV "), "{long}");
}

/// An emulator that takes calls and answers none.
fn silent_emulator() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_bar_on_a_terminal_tells_of_work_over_a_second_and_goes() {
    let dir = TempDir::new().unwrap();
    let (_listener, address) = silent_emulator();
    let list = [
        "list",
        "p",
        "--store=bigtable",
        "--bigtable-emulator",
        &address,
    ];
    let seen = seen(&dir, &list, &[("NO_COLOR", "1")], 50);
    let (note, error) = seen.split_once("\r\u{1b}[Kerror: ").unwrap();
    let first = "\r\u{1b}[K[====            ] 1 s  opening the Bigtable table ";
    assert!(note.starts_with(first), "{note}");
    assert!(error.starts_with("cannot create the tables"), "{error}");
    let failed = flagctl(&dir, &list);
    check_failed(&failed, 6, &[]);
    assert!(!stderr(&failed).contains('\r'), "{}", stderr(&failed));
}

/// Reads until this is shown, and gives back what was before and with it.
pub(crate) fn seen_until(terminal: &mut File, wanted: &str) -> String {
    let mut seen = Vec::new();
    let mut some = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if text.contains(wanted) {
            return text;
        }
        let Ok(read @ 1..) = terminal.read(&mut some) else {
            panic!("{wanted:?} is not in {text}");
        };
        seen.extend_from_slice(&some[..read]);
    }
}

/// Another process that holds the lock of the flags for writing until its standard input ends.
fn another_writer(dir: &Path) -> Child {
    let program = "import sqlite3, sys\n\
        flags = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        flags.execute('BEGIN IMMEDIATE')\n\
        print('locked', flush=True)\n\
        sys.stdin.read()";
    let mut writer = Command::new("python3")
        .args(["-c", program])
        .arg(dir.join("flags.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 7];
    let stdout = writer.stdout.as_mut().unwrap();
    stdout.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"locked\n");
    writer
}

#[test]
fn a_bar_tells_of_an_append_that_waits_for_another_writer() {
    let dir = with_revision();
    let revise = [
        "revise",
        "csr-assistant",
        "feature",
        NAME,
        "--percent=10",
        "--comment=why",
    ];
    let (mut ours, theirs) = terminal(50);
    let mut command = command(dir.path(), &revise);
    command
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    seen_until(&mut ours, "Go on? [y/N]");
    let mut writer = another_writer(dir.path());
    ours.write_all(b"y\n").unwrap();
    seen_until(
        &mut ours,
        " 1 s  appending a revision of csr-assistant/feature/",
    );
    drop(writer.stdin.take());
    let rest = seen_until(&mut ours, "revised ");
    assert!(rest.contains("\r\u{1b}[Krevised "), "{rest}");
    // The end is an error once nobody holds the other side.
    let _ = ours.read_to_end(&mut Vec::new());
    assert!(child.wait().unwrap().success());
    assert!(writer.wait().unwrap().success());
}

/// What a person sees who answers a question so, and how the program ends.
fn asked(mut command: Command, answer: &[u8]) -> (Option<i32>, String) {
    let (mut ours, theirs) = terminal(50);
    command
        .env("TERM", "dumb")
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut seen = seen_until(&mut ours, "Go on? [y/N]").into_bytes();
    ours.write_all(answer).unwrap();
    let mut some = [0; 4_096];
    while let Ok(read @ 1..) = ours.read(&mut some) {
        seen.extend_from_slice(&some[..read]);
    }
    let code = child.wait().unwrap().code();
    (code, String::from_utf8(seen).unwrap())
}

#[test]
fn a_person_is_asked_before_a_key_is_revoked() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("keys.json");
    let file = file.to_str().unwrap();
    let keys = |args: &[&str]| command(dir.path(), &[&["keys"], args, &["--file", file]].concat());
    let create = ["create", "--scope=log", "--project=p", "--comment=Ann"];
    check_done(&keys(&create).output().unwrap());
    let ids = || {
        let listed = keys(&["list", "-oname"]).output().unwrap();
        stdout(&listed).trim().to_owned()
    };
    let id = ids();
    let (code, seen) = asked(keys(&["revoke", &id]), b"n\n");
    assert_eq!((code, ids()), (Some(1), id.clone()), "{seen}");
    assert!(seen.contains("Ann"), "{seen}");
    let (code, seen) = asked(keys(&["revoke", &id]), b"y\n");
    assert_eq!((code, ids()), (Some(0), String::new()), "{seen}");
}

#[test]
fn a_person_is_asked_before_rows_are_copied() {
    let dir = world(Stage::InUse);
    let from = format!("--from=embedded:{}", dir.path().join("flag-data").display());
    let target = dir.path().join("copy");
    let to = format!("--to=embedded:{}", target.display());
    let copy = ["copy", "csr-assistant", &from, &to];
    let (code, seen) = asked(command(dir.path(), &copy), b"n\n");
    assert_eq!((code, target.exists()), (Some(1), false), "{seen}");
    let (code, seen) = asked(command(dir.path(), &copy), b"y\n");
    assert_eq!((code, target.exists()), (Some(0), true), "{seen}");
    let mut unasked = command(dir.path(), &[&copy[..], &["--yes"]].concat());
    check_done(&unasked.stdin(Stdio::null()).output().unwrap());
}

#[test]
fn a_person_is_asked_before_a_store_is_replaced() {
    let dir = world(Stage::InUse);
    let store = dir.path().join("flag-data");
    let copy = dir.path().join("copy");
    let copy = copy.to_str().unwrap();
    check_done(&command(&store, &["backup", copy]).output().unwrap());
    let restore = ["restore-backup", copy, "--replace"];
    let restore = |more: &[&str]| command(&store, &[&restore[..], more].concat());
    let kept = || {
        let files = std::fs::read_dir(&store).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("before-")).count()
    };
    let (code, seen) = asked(restore(&[]), b"n\n");
    assert_eq!((code, kept()), (Some(1), 0), "{seen}");
    assert!(seen.contains("replaces the embedded store in"), "{seen}");
    let (code, seen) = asked(restore(&[]), b"y\n");
    assert_eq!((code, kept()), (Some(0), 1), "{seen}");
    check_done(&restore(&["--yes"]).stdin(Stdio::null()).output().unwrap());
}

#[test]
fn a_store_in_the_wrong_folder_is_named_before_a_person_is_asked() {
    let dir = TempDir::new().unwrap();
    let add = ["add", "p", "feature", "f", "--description=x"];
    let mut here = command(dir.path(), &add);
    here.env("FLAG_DATA_DIR", "./flag-data")
        .current_dir(dir.path());
    let (code, seen) = asked(here, b"n\n");
    let folder = dir.path().join("flag-data");
    assert_eq!((code, folder.exists()), (Some(1), false), "{seen}");
    let whole = std::fs::canonicalize(dir.path()).unwrap().join("flag-data");
    let says = format!(
        "there is no embedded store in {} yet; this creates it",
        whole.display()
    );
    assert!(seen.contains(&says), "{seen}");
    let (question, warning) = (seen.find("Go on?"), seen.find("this creates it"));
    assert!(warning < question, "{seen}");
}

#[test]
fn nothing_is_paged_where_standard_output_is_no_terminal() {
    let dir = world(Stage::InUse);
    let mut command = command(&dir.path().join("flag-data"), &HISTORY);
    let output = command.env("PAGER", "false").output().unwrap();
    check_done(&output);
    assert_eq!(stdout(&output).lines().count(), 4);
}

#[test]
fn a_watched_flag_is_drawn_again_in_its_place_until_ctrl_c() {
    let dir = with_revision();
    count(&dir, "control", 120);
    let (mut ours, theirs) = terminal_of(24, 80);
    let mut command = command(
        dir.path(),
        &["watch", "csr-assistant/multi_step_api_router"],
    );
    command
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    let first = seen_until(&mut ours, "SHARE\r\n");
    assert!(
        first.starts_with("\r\u{1b}[Jcsr-assistant/feature/"),
        "{first}"
    );
    seen_until(&mut ours, "r1   control  120        120     100.0 %\r\n");
    check_done(&revise(&dir, "--percent 10"));
    let again = seen_until(&mut ours, "r2   control      0 ");
    // One line is the title, two are empty, and each table has a heading.
    assert!(again.contains("\r\u{1b}[7A\u{1b}[J"), "{again}");
    interrupt(&child);
    let mut rest = Vec::new();
    // The end is an error once nobody holds the other side.
    let _ = ours.read_to_end(&mut rest);
    assert!(
        rest.ends_with(b"\r\x1b[J"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_that_cannot_go_back_gets_a_line_for_each_change() {
    let dir = with_revision();
    let (mut ours, theirs) = terminal_of(24, 80);
    let mut command = command(
        dir.path(),
        &["watch", "csr-assistant/multi_step_api_router"],
    );
    command
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    let first = seen_until(&mut ours, "why\r\n");
    assert!(
        first.contains(" UTC  revision  r1  all get false by ann: "),
        "{first}"
    );
    assert!(!first.contains('\u{1b}'), "{first}");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
