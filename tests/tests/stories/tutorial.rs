//! The tutorial, followed block by block as a newcomer follows it.

use std::path::Path;
use std::process::{Command, Stdio};

use flag_tests::{binaries, free_address};
use tempfile::TempDir;

/// A block of commands, and what the page says that comes of it.
struct Step {
    commands: String,
    answer: Option<String>,
}

/// The blocks of a page that a person types, each with the answer that follows it.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = page.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```sh" || line == "```text" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let block = block.join("\n");
            if line == "```text" {
                steps.last_mut().unwrap().answer = Some(block);
            } else if before != "<!-- not run: the test has them -->" {
                steps.push(Step {
                    commands: block,
                    answer: None,
                });
            }
        }
        before = line;
    }
    steps
}

/// Whether a text is as shown, where `…` stands for anything.
fn is_as_shown(text: &str, shown: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim);
    let Some(mut rest) = text.trim().strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || shown.ends_with('…')
}

#[test]
fn the_tutorial_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (folder, address) = (TempDir::new().unwrap(), free_address());
    let path = std::env::var("PATH").unwrap();
    let steps = steps(&page);
    assert!(steps.len() >= 8, "only {} blocks", steps.len());
    // One shell for all blocks, as a person has one; each answer goes into a file of its own.
    let script: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| format!("{{\n{}\n}} > answer{at} || exit 1", step.commands))
        .collect();
    let script = script.join("\n").replace("127.0.0.1:8080", &address);
    // A busy machine takes longer to write an exposure than a reader waits.
    let script = script.replace("sleep 1\n", "sleep 5\n");
    let ended = Command::new("bash")
        .args([
            "-m",
            "-c",
            &format!("trap 'kill %1' EXIT\n{script}\ntrap - EXIT"),
        ])
        .current_dir(&folder)
        .env_clear()
        .env("PATH", format!("{}:{path}", binaries().display()))
        .env("HOME", folder.path())
        .env("FLAG_LISTEN", &address)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    for (at, step) in steps.iter().enumerate() {
        let Some(shown) = &step.answer else { continue };
        let answer = std::fs::read_to_string(folder.path().join(format!("answer{at}"))).unwrap();
        let commands = &step.commands;
        assert!(
            is_as_shown(&answer, shown),
            "{commands}\n{answer}\nexpected\n{shown}"
        );
    }
}

#[test]
fn an_answer_that_differs_is_noticed() {
    for (text, shown, is_equal) in [
        ("a b c\n", "a … c", true),
        ("a b c", "a b", false),
        ("a b c", "b …", false),
        ("a b c", "a …", true),
        ("a b c", "a … d …", false),
        ("", "a", false),
    ] {
        assert_eq!(is_as_shown(text, shown), is_equal, "{text:?} {shown:?}");
    }
}
