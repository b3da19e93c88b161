//! Every log line of the service and of its libraries has its row in `docs/operating.md`.

#![allow(clippy::unwrap_used, clippy::string_slice, reason = "tests")]

use std::fs;
use std::path::Path;

/// The messages of all log lines in a file, tests apart.
fn messages(source: &str) -> Vec<String> {
    let (code, _) = source
        .split_once("#[cfg(test)]\nmod tests {")
        .unwrap_or((source, ""));
    let begins = ["error!(", "warn!(", "info!("];
    let lines = begins.iter().flat_map(|begin| code.split(begin).skip(1));
    let messages = lines.map(|rest| {
        let mut open = 1;
        let end = rest.find(|character| {
            open += i32::from(character == '(') - i32::from(character == ')');
            open == 0
        });
        let call = &rest[..end.unwrap()];
        call.rsplit('"').nth(1).unwrap().to_owned()
    });
    messages.collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            sources(&entry.path(), found);
        } else if entry.file_name().to_string_lossy().ends_with(".rs") {
            found.extend(messages(&fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn every_log_line_is_in_the_handbook() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let handbook = fs::read_to_string(here.join("../../docs/operating.md")).unwrap();
    let mut found = Vec::new();
    sources(&here.join("src"), &mut found);
    for library in ["flag-runtime", "flag-store-bigtable", "flag-store-embedded"] {
        sources(&here.join(format!("../{library}/src")), &mut found);
    }
    assert!(found.len() >= 10, "{found:?}");
    // Messages with a placeholder have a test of their own (`http/failure_log.rs`).
    found.retain(|message| message != "{message}");
    found.retain(|message| !handbook.contains(&format!("| `{message}` |")));
    assert!(found.is_empty(), "no row for {found:#?}");
}
