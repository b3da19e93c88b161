//! The public API of the client, recorded: what applications compile against changes only on purpose.
//!
//! Taken from the pages that rustdoc makes, as its JSON is for nightly compilers alone. `FLAG_BLESS=1` records anew.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::foreground::{Foreground, cargo};
use crate::metadata::Metadata;

/// Whose API, and where it is recorded.
const PACKAGE: &str = "flag-client";
const RECORD: &str = "tests/fixtures/flag_client_api.txt";

/// What opens a declaration in a page, and what closes it.
const DECLARATIONS: [(&str, &str); 3] = [
    ("<pre class=\"rust item-decl\"><code>", "</code></pre>"),
    ("<h3 class=\"code-header\">", "</h3>"),
    ("<h4 class=\"code-header\">", "</h4>"),
];

/// Where a page begins to list what every type has.
const BLANKET: &str = "id=\"blanket-implementations\"";

/// Traits that the compiler finds by itself, and of which no application knows.
const UNSAID: [&str; 6] = [
    "Freeze for",
    "RefUnwindSafe for",
    "UnsafeUnpin for",
    "UnwindSafe for",
    "Unpin for",
    "StructuralPartialEq for",
];

/// Compares the API with its record.
pub(crate) fn run(foreground: &mut Foreground) -> Result<()> {
    let metadata = Metadata::read()?;
    foreground.run(cargo().args([
        "doc",
        "--no-deps",
        "--all-features",
        "--locked",
        "-p",
        PACKAGE,
    ]))?;
    let folder = metadata
        .target_directory
        .join("doc")
        .join(PACKAGE.replace('-', "_"));
    let found = record(&folder)?;
    let path = metadata.workspace_root.join(RECORD);
    if env::var_os("FLAG_BLESS").is_some() {
        fs::write(&path, &found)?;
    }
    let recorded = fs::read_to_string(&path).with_context(|| format!("no {RECORD}"))?;
    if found == recorded {
        println!("api: {} lines, as recorded", found.lines().count());
        return Ok(());
    }
    let (new, old) = (
        lines_without(&found, &recorded),
        lines_without(&recorded, &found),
    );
    bail!(
        "the API of {PACKAGE} is not as recorded:\n{}{}\
         If that is meant, say so in CHANGELOG.md, and record it: FLAG_BLESS=1 cargo xtask api",
        new.concat(),
        old.concat().replace("+ ", "- ")
    );
}

fn lines_without(text: &str, other: &str) -> Vec<String> {
    let differs = |line: &&str| other.lines().all(|known| known != *line);
    text.lines()
        .filter(differs)
        .map(|line| format!("+ {line}\n"))
        .collect()
}

/// Writes down every declaration, page by page.
fn record(folder: &Path) -> Result<String> {
    let mut lines = Vec::new();
    for page in pages(folder)? {
        let html = fs::read_to_string(&page)?;
        let declarations = declarations(&html);
        if !declarations.is_empty() {
            let name = page.strip_prefix(folder)?.with_extension("");
            lines.push(format!("# {}", name.display()));
            lines.extend(declarations);
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The pages of a folder and of those in it, in order.
fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(pages(&path)?);
        } else if path.extension().is_some_and(|it| it == "html") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The declarations of a page, each in one line.
fn declarations(html: &str) -> Vec<String> {
    let (mut rest, _) = html.split_once(BLANKET).unwrap_or((html, ""));
    let mut found = Vec::new();
    loop {
        let first = DECLARATIONS.iter().filter_map(|(open, close)| {
            let start = rest.find(open)?;
            Some((start, rest.get(start + open.len()..)?, close))
        });
        let Some((_, inner, close)) = first.min_by_key(|(start, ..)| *start) else {
            return found;
        };
        let (declaration, behind) = inner.split_once(close).unwrap_or((inner, ""));
        let line = plain(declaration);
        if !UNSAID.iter().any(|unsaid| line.contains(unsaid)) {
            found.push(line);
        }
        rest = behind;
    }
}

/// The text of a piece of HTML, its white space made one space.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    // What stands in a line of its own.
    for character in html.replace("<div", " <div").chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            // Marks a type whose traits a page shows when it is touched.
            'ⓘ' => {}
            _ => text.push(character),
        }
    }
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_declarations_and_not_those_of_every_type() {
        let html = "<pre class=\"rust item-decl\"><code>pub struct <a href=\"#\">Flag</a>&lt;T&gt; {\n}</code></pre>\
            <h4 class=\"code-header\">pub fn name(&amp;self) -&gt; &amp;&#39;static str ⓘ</h4>\
            <h3 class=\"code-header\">impl Unpin for Flag</h3><h3 class=\"code-header\">impl Send for Flag</h3>\
            <h2 id=\"blanket-implementations\"></h2><h3 class=\"code-header\">impl Any for T</h3>";
        assert_eq!(
            declarations(html),
            [
                "pub struct Flag<T> { }",
                "pub fn name(&self) -> &'static str",
                "impl Send for Flag"
            ]
        );
    }
}
