//! Every example that the help or a page shows, run as it stands.
//!
//! `# exits 7` behind an example says how it ends, if not with 0; `# needs …` that no test can run it here. A block of a page whose lines begin with `flagctl `
//! is run, unless the line before it is a comment that begins with `<!-- not run: ` and says why.

use std::path::PathBuf;

use crate::world::{Stage, world};
use crate::*;

/// A command line as a person would type it.
struct Example {
    typed: String,
    code: i32,
}

/// Runs the examples one after the other in one folder.
fn check_all(dir: &TempDir, origin: &str, examples: &[Example]) {
    let here = (examples.iter()).filter(|example| !example.typed.contains("# needs "));
    for Example { typed, code } in here {
        let output = shell(dir, typed);
        assert_eq!(
            output.status.code(),
            Some(*code),
            "{origin}: {typed}\n{}{}",
            stdout(&output),
            stderr(&output)
        );
    }
}

/// Runs a line as a shell does, in a folder.
pub(crate) fn shell(dir: &TempDir, typed: &str) -> Output {
    Command::new("sh")
        .args(["-c", typed])
        .current_dir(dir)
        .env_clear()
        .env("PATH", search_path())
        .env("USER", "ann")
        .output()
        .unwrap()
}

/// The commands of a text, a backslash at the end of a line joining it with the next.
fn examples<'t>(lines: impl IntoIterator<Item = &'t str>) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut typed = String::new();
    for line in lines {
        typed += line.trim();
        if let Some(begun) = typed.strip_suffix('\\') {
            typed = begun.to_owned();
        } else if !typed.is_empty() && !typed.starts_with('#') {
            examples.push(example(&typed));
            typed.clear();
        } else {
            typed.clear();
        }
    }
    examples
}

fn example(typed: &str) -> Example {
    assert!(typed.starts_with("flagctl "), "no example: {typed}");
    // The last days of examples pass some day.
    let typed = typed.replace("--expires-on 20", "--expires-on 90");
    let (typed, code) = typed
        .split_once("# exits ")
        .map_or((&*typed, 0), |(typed, code)| {
            (typed, code.trim().parse().unwrap())
        });
    Example {
        typed: typed.to_owned(),
        code,
    }
}

fn help(command: &[&str]) -> String {
    let help = flagctl(&TempDir::new().unwrap(), &[command, &["--help"]].concat());
    check_done(&help);
    stdout(&help).to_owned()
}

/// The lines below a heading of a help, up to the next empty one.
fn section<'h>(help: &'h str, heading: &str) -> Vec<&'h str> {
    let lines = help.lines().skip_while(|line| *line != heading);
    lines.skip(1).take_while(|line| !line.is_empty()).collect()
}

/// The commands below a command, without `help`.
fn commands(help: &str) -> Vec<String> {
    let lines = section(help, "Commands:");
    let named = lines.into_iter().filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        (!line.starts_with(' ')).then(|| line.split_whitespace().next().unwrap().to_owned())
    });
    named.filter(|name| name != "help").collect()
}

/// The examples in the help of a command and of those below it.
fn examples_of(command: &[&str]) -> Vec<Example> {
    let help = help(command);
    let lines = ["Example:", "Examples:"].map(|heading| section(&help, heading));
    let mut found = examples(lines.concat());
    for name in commands(&help) {
        found.extend(examples_of(&[command, &[name.as_str()]].concat()));
    }
    found
}

fn stage(command: &str) -> Stage {
    match command {
        "add" => Stage::Unknown,
        "revise" => Stage::Added,
        _ => Stage::InUse,
    }
}

#[test]
fn every_command_has_an_example_and_every_example_of_a_help_works() {
    let commands = commands(&help(&[]));
    assert!(commands.len() > 10, "{commands:?}");
    for command in &commands {
        let examples = examples_of(&[command]);
        assert!(!examples.is_empty(), "{command} has no example");
        let dir = world(stage(command));
        if commands.iter().any(|command| command == "export") && command == "apply" {
            check_done(&shell(&dir, "flagctl export csr-assistant > flags.yaml"));
        }
        check_all(&dir, &format!("flagctl {command} --help"), &examples);
    }
}

/// The blocks of a page that are to be run.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let is_ours = block.iter().any(|line| line.starts_with("flagctl "));
            if is_ours && !before.starts_with("<!-- not run: ") {
                blocks.push(block);
            }
        }
        before = line;
    }
    blocks
}

#[test]
fn every_example_of_a_page_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs
        .filter(|path| path.extension() == Some("md".as_ref()))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    let mut run = 0;
    for path in pages {
        let page = std::fs::read_to_string(&path).unwrap();
        let dir = world(Stage::InUse);
        for block in blocks(&page) {
            let examples = examples(block);
            run += examples.len();
            check_all(&dir, &path.display().to_string(), &examples);
        }
    }
    assert!(run >= 3, "only {run} examples were found");
}

#[test]
fn a_block_that_is_marked_is_not_run() {
    let page = "\
```sh
flagctl list p
# of another tool
other
```
<!-- not run: needs Bigtable -->
```sh
flagctl init
```
```sh
cargo test
```
```text
flagctl list p
```";
    assert_eq!(
        blocks(page),
        [["flagctl list p", "# of another tool", "other"]]
    );
}

#[test]
fn an_example_may_be_of_several_lines_and_end_with_another_code() {
    let lines = [
        "# why",
        "  flagctl diff a \\",
        "      b  # exits 7",
        "",
        "flagctl list p",
    ];
    let found = examples(lines);
    let found: Vec<(&str, i32)> = found
        .iter()
        .map(|example| (example.typed.trim(), example.code))
        .collect();
    assert_eq!(found, [("flagctl diff a b", 7), ("flagctl list p", 0)]);
}
