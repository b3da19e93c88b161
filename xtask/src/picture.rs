//! The picture of the README: what `flagctl` says of a flag, as a terminal shows it.
//!
//! Drawn from real output in a store of its own. Times in it are those of the drawing, so it differs each time.
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::foreground::Foreground;
use crate::metadata::Metadata;
use crate::release::output;
use crate::test;

/// Where it is shown from.
const PICTURE: &str = "docs/terminal.svg";

/// The flag that everything is about.
const FLAG: &str = "csr-assistant feature beta_search";

/// What is done before.
const BEFORE: [&[&str]; 3] = [
    &["add", "--description=The new search", "--yes"],
    &[
        "revise",
        "--control=false",
        "--percent=10",
        "--comment=One in ten",
        "--yes",
    ],
    &[
        "revise",
        "--percent=40",
        "--override=A12345",
        "--comment=Rollout to 40 %, and Ann",
        "--yes",
    ],
];

/// What is shown.
const SHOWN: [&[&str]; 2] = [&["explain", "A12345"], &["history"]];

/// Sizes of the letters and the room around them, in pixels.
const LETTER: f64 = 7.25;
const LINE: f64 = 18.0;
const MARGIN: f64 = 16.0;

/// The colours, by day and by night.
const STYLE: &str = "
svg { --ink: #1c2024; --paper: #f6f8fa; --typed: #0b62c4; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e8ea; --paper: #15181b; --typed: #6db0ff; } }
rect { fill: var(--paper); } text { font: 12px ui-monospace, monospace; fill: var(--ink); white-space: pre; }
.typed { fill: var(--typed); font-weight: 600; }
";

/// Draws it anew.
pub(crate) fn run(foreground: &mut Foreground) -> Result<()> {
    let flagctl = test::build(foreground)?.join("flagctl");
    let metadata = Metadata::read()?;
    let folder = metadata.target_directory.join("picture");
    fs::create_dir_all(&folder)?;
    let session = session(&flagctl, &folder);
    fs::remove_dir_all(&folder)?;
    fs::write(metadata.workspace_root.join(PICTURE), drawn(&session?))?;
    println!("{PICTURE}");
    Ok(())
}

/// What the terminal shows.
fn session(flagctl: &Path, folder: &Path) -> Result<String> {
    let run = |words: &[&str]| {
        let (command, rest) = words.split_at(1);
        let mut process = Command::new(flagctl);
        process.args(command).args(FLAG.split(' ')).args(rest);
        process.current_dir(folder).env_clear();
        output(
            process
                .env("FLAG_STORE", "embedded")
                .env("FLAG_OWNER", "John Smith"),
        )
    };
    for words in BEFORE {
        run(words)?;
    }
    let mut session = String::new();
    for words in SHOWN {
        let (command, rest) = words.split_at(1);
        let typed = [command, &[FLAG], rest].concat().join(" ");
        // Writing to a text cannot fail.
        let _ = writeln!(session, "$ flagctl {typed}\n{}\n", run(words)?.trim_end());
    }
    Ok(session.trim_end().to_owned())
}

/// A session as SVG; lines that begin with `$ ` were typed.
#[expect(clippy::cast_precision_loss, reason = "sizes in pixels")]
fn drawn(session: &str) -> String {
    let columns = session.lines().map(|line| line.chars().count()).max();
    let width = columns.unwrap_or(0) as f64 * LETTER + 2.0 * MARGIN;
    let height = session.lines().count() as f64 * LINE + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\
         <title>flagctl explains a flag and shows its history</title><style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\"/>\n"
    );
    for (at, line) in session.lines().enumerate() {
        let y = MARGIN + (at as f64 + 0.75) * LINE;
        let class = if line.starts_with("$ ") {
            " class=\"typed\""
        } else {
            ""
        };
        let line = line.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\"{class} xml:space=\"preserve\">{line}</text>"
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stands_out_and_marks_of_xml_are_escaped() {
        let svg = drawn("$ flagctl a\n1 < 2 & 3");
        assert!(
            svg.contains("class=\"typed\" xml:space=\"preserve\">$ flagctl a</text>"),
            "{svg}"
        );
        assert!(
            svg.contains("xml:space=\"preserve\">1 &lt; 2 &amp; 3</text>"),
            "{svg}"
        );
    }
}
