//! What every crate of ours has in common, as far as the compiler does not check it; and how large everything is.
mod circles;
mod english;
mod glossary;
mod imports;
mod layers;
mod links;
mod source;
mod statistics;
mod tree;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use self::statistics::Statistics;
use self::tree::Tree;
use crate::metadata::{Metadata, Package, report};

/// Checks every crate, and prints the largest circle of each and the size of everything.
pub(crate) fn run() -> Result<()> {
    let metadata = Metadata::read()?;
    let trees = trees(&metadata)?;
    for Tree {
        package, modules, ..
    } in &trees
    {
        let (circle, limit) = (
            circles::largest(modules).len(),
            circles::limit(&package.name),
        );
        println!(
            "{:<20} largest circle {circle:>3} files, limit {limit:>3}",
            package.name
        );
    }
    println!("\n{}", sizes(&metadata, &trees));
    report("tidy", &violations(&metadata, &trees)?)
}

fn trees(metadata: &Metadata) -> Result<Vec<Tree<'_>>> {
    metadata.packages.iter().map(Tree::read).collect()
}

fn violations(metadata: &Metadata, trees: &[Tree<'_>]) -> Result<Vec<String>> {
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
        let manifest = metadata.relative(&package.manifest_path).display();
        if !inherits_the_lints(&read(&package.manifest_path)?) {
            found.push(format!(
                "{manifest}: lacks `[lints]` with `workspace = true`"
            ));
        }
        found.extend(missing_fields(package, &manifest.to_string())?);
        found.extend(left_out(package).map(|test| {
            format!("{manifest}: `required-features` leaves the test `{test}` out of `cargo test`")
        }));
    }
    found.extend(trees.iter().filter_map(|tree| {
        let name = &tree.package.name;
        circles::complaint(name, &circles::largest(&tree.modules), circles::limit(name))
    }));
    for tree in trees {
        found.extend(layers::complaints(&tree.package.name, &tree.modules));
    }
    found.extend(glossary::complaints(metadata, trees)?);
    found.extend(links::complaints(&metadata.workspace_root)?);
    found.extend(english::complaints(&metadata.workspace_root)?);
    Ok(found)
}

/// The tests that cargo leaves out without a word unless their features are switched on.
fn left_out(package: &Package) -> impl Iterator<Item = &str> {
    let targets = package.targets.iter();
    targets
        .filter(|target| !target.required_features.is_empty())
        .filter(|target| target.kind.iter().any(|kind| kind == "test"))
        .map(|target| &*target.name)
}

/// The size of the product, of all tests, and of the chores.
fn sizes(metadata: &Metadata, trees: &[Tree<'_>]) -> String {
    let [mut product, mut tests, mut xtask] = [(); 3].map(|()| Statistics::default());
    for tree in trees {
        let own = match &*tree.package.name {
            "xtask" => &mut xtask,
            "flag-tests" | "flag-load" => &mut tests,
            _ => &mut product,
        };
        for file in &tree.files {
            let name = metadata.relative(&file.path).display().to_string();
            own.add(&name, &file.code.product);
        }
        for file in &tree.files {
            let name = metadata.relative(&file.path).display().to_string();
            tests.add(&name, &file.code.tests);
        }
    }
    [
        product.rows("product"),
        tests.rows("tests"),
        xtask.rows("xtask"),
    ]
    .concat()
}

/// The files that open a crate: `lib.rs`, `main.rs`, and what stands in for them.
fn roots(package: &Package) -> impl Iterator<Item = &Path> {
    let targets = package.targets.iter();
    targets
        .filter(|target| target.is_product())
        .map(|target| &*target.src_path)
}

fn opens_with_a_header(source: &str) -> bool {
    source.starts_with("//! ")
}

/// What registries and packages show of a crate; those of `tests` and `xtask` are for us alone.
const SHOWN: [&str; 5] = [
    "description",
    "keywords",
    "categories",
    "readme",
    "rust-version",
];

fn missing_fields(package: &Package, manifest: &str) -> Result<Vec<String>> {
    if !manifest.starts_with("crates/") {
        return Ok(Vec::new());
    }
    let text = read(&package.manifest_path)?;
    let missing = |field: &&&str| !text.lines().any(|line| line.starts_with(**field));
    let lacks = |field| format!("{manifest}: lacks `{field}`");
    Ok(SHOWN.iter().filter(missing).map(lacks).collect())
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
    fn lints_are_inherited_explicitly() {
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
        let metadata = Metadata::read().unwrap();
        let trees = trees(&metadata).unwrap();
        assert_eq!(violations(&metadata, &trees).unwrap(), [""; 0]);
    }
}
