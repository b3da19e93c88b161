//! `compare`: what is reported where nothing can be compared.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use crate::world::{Stage, world};
use crate::*;

/// A service that answers every question alike; gone with the test's process.
fn service(status: &str, detail: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = format!(r#"{{"detail": "{detail}"}}"#);
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(&connection).lines();
            lines.map(Result::unwrap).find(String::is_empty);
            connection
                .write_all(format!("{head}{body}").as_bytes())
                .unwrap();
        }
    });
    url
}

/// Compares the two services for the instance ids on standard input.
fn compare(ours: &str, theirs: &str, ids: &str) -> Output {
    let dir = world(Stage::InUse);
    let args = [
        "compare",
        "csr-assistant",
        "--service",
        ours,
        "--with",
        theirs,
        "--ids",
        "-",
    ];
    let mut command = command(&dir.path().join("flag-data"), &args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads none of it may be gone.
    let _ = child.stdin.take().unwrap().write_all(ids.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn where_neither_serves_anything_the_first_cause_is_reported() {
    let ours = service("401 Unauthorized", "an API key is required");
    let theirs = service("404 Not Found", "no such project");
    let compared = compare(&ours, &theirs, "A12345\nB\n");
    let said = stderr(&compared);
    assert_eq!(compared.status.code(), Some(1), "{said}");
    let cause = format!(
        "asked for feature/{NAME} and A12345, {ours}/ answered 401 an API key is required, and {theirs}/ answered 404 no such project"
    );
    assert!(said.contains(&cause), "{said}");
    let shown = stdout(&compared);
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains("401")).collect();
    assert_eq!(lines.len(), 1, "{shown}");
    assert!(lines[0].contains("404 no such project"), "{shown}");
}

#[test]
fn instance_ids_that_are_missing_are_missing_on_standard_input() {
    let compared = compare("http://127.0.0.1:1", "http://127.0.0.1:1", "\n");
    check_failed(&compared, 2, &["standard input contains no instance ids"]);
}
