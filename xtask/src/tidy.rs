//! What every crate of ours has in common, as far as the compiler doesn't see to it.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::metadata::{Metadata, Package, report};

/// Checks every crate.
pub(crate) fn run() -> Result<()> {
    report("tidy", &violations(&Metadata::read()?)?)
}

fn violations(metadata: &Metadata) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        for root in roots(package) {
            if !opens_with_a_header(&read(root)?) {
                let root = metadata.relative(root).display();
                found.push(format!(
                    "{root}: opens without a `//!` header that says what it is for"
                ));
            }
        }
        if !inherits_the_lints(&read(&package.manifest_path)?) {
            let manifest = metadata.relative(&package.manifest_path).display();
            found.push(format!(
                "{manifest}: lacks `[lints]` with `workspace = true`"
            ));
        }
    }
    Ok(found)
}

/// The files that open a crate: `lib.rs`, `main.rs`, and what stands in for them.
fn roots(package: &Package) -> impl Iterator<Item = &Path> {
    package
        .targets
        .iter()
        .filter(|target| {
            target
                .kind
                .iter()
                .any(|kind| kind == "lib" || kind == "bin")
        })
        .map(|target| &*target.src_path)
}

fn opens_with_a_header(source: &str) -> bool {
    source.starts_with("//! ")
}

fn inherits_the_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_the_very_first_thing() {
        assert!(opens_with_a_header("//! Decides.\nmod decide;\n"));
        assert!(!opens_with_a_header("mod decide;\n//! Decides.\n"));
        assert!(!opens_with_a_header("//!\n"));
    }

    #[test]
    fn lints_are_inherited_in_so_many_words() {
        assert!(inherits_the_lints(
            "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"
        ));
        assert!(!inherits_the_lints("[package]\nname = \"a\"\n"));
        assert!(!inherits_the_lints(
            "[lints]\n[dependencies]\nworkspace = true\n"
        ));
    }

    #[test]
    fn the_workspace_is_tidy() {
        assert_eq!(violations(&Metadata::read().unwrap()).unwrap(), [""; 0]);
    }
}
