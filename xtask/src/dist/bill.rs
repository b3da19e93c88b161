//! The bill of material of a program, in `CycloneDX`: every crate that is in it, and which of them uses which.
//!
//! From `cargo tree`, which knows the features that a build has, and the lock file, which has the checksums.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::foreground::cargo;
use crate::metadata::Package;
use crate::release::{Release, output};

/// A crate: name and version.
type Crate = (String, String);

/// What a tree of crates holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tree {
    /// The licence of each, as its manifest spells it.
    licences: BTreeMap<Crate, String>,
    /// What each uses.
    uses: BTreeMap<Crate, BTreeSet<Crate>>,
}

/// Writes the bill of a program.
pub(super) fn of(package: &Package, release: &Release, workspace: &Path) -> Result<String> {
    let tree = output(
        cargo()
            .current_dir(workspace)
            .args(["tree", "--locked", "--package", &package.name])
            .args([
                "--edges",
                "normal,no-proc-macro",
                "--prefix",
                "depth",
                "--format",
                "|{p}|{l}",
            ]),
    )?;
    let lock = fs::read_to_string(workspace.join("Cargo.lock"))?;
    let top = (package.name.clone(), package.version.clone());
    let bill = write(&Tree::parse(&tree)?, &checksums(&lock), &top, release)?;
    Ok(format!("{bill:#}\n"))
}

impl Tree {
    /// Reads lines like `2|bytes v1.12.1|MIT`, the depth first; what stands deeper is used by what stood above.
    fn parse(text: &str) -> Result<Self> {
        let mut tree = Self::default();
        let mut above: Vec<Crate> = Vec::new();
        for line in text.lines() {
            let mut parts = line.split('|');
            let (depth, name, licence) = (parts.next(), parts.next(), parts.next());
            let depth: usize = depth.context("no depth")?.parse()?;
            let mut words = name
                .with_context(|| format!("no crate in {line}"))?
                .split(' ');
            let (name, version) = (
                words.next(),
                words.next().and_then(|it| it.strip_prefix('v')),
            );
            let found = (
                name.context("no name")?.to_owned(),
                version.context("no version")?.to_owned(),
            );
            // A star says that what it uses stands further above.
            let licence = licence
                .unwrap_or_default()
                .trim_end_matches(" (*)")
                .to_owned();
            tree.licences.insert(found.clone(), licence);
            tree.uses.entry(found.clone()).or_default();
            above.truncate(depth);
            if let Some(user) = above.last() {
                tree.uses
                    .entry(user.clone())
                    .or_default()
                    .insert(found.clone());
            }
            above.push(found);
        }
        Ok(tree)
    }
}

/// The checksums of a lock file; our own crates have none.
fn checksums(lock: &str) -> BTreeMap<Crate, &str> {
    let sum = |package| {
        let found = (value(package, "name")?, value(package, "version")?);
        Some((
            (found.0.to_owned(), found.1.to_owned()),
            value(package, "checksum")?,
        ))
    };
    lock.split("[[package]]").filter_map(sum).collect()
}

/// The text behind `key = ` in a table.
fn value<'a>(table: &'a str, key: &str) -> Option<&'a str> {
    let line = |line: &'a str| {
        line.strip_prefix(key)?
            .strip_prefix(" = \"")?
            .strip_suffix('"')
    };
    table.lines().find_map(line)
}

/// Spells the bill of `top`, which is in the tree too.
fn write(
    tree: &Tree,
    sums: &BTreeMap<Crate, &str>,
    top: &Crate,
    release: &Release,
) -> Result<Value> {
    let component = |(found, licence): (&Crate, &String)| {
        // Manifests from before SPDX separate by a slash.
        let licence = Some(licence).filter(|licence| !licence.is_empty());
        let licence = licence.map(|licence| json!({ "expression": licence.replace('/', " OR ") }));
        let sum = sums
            .get(found)
            .map(|sum| json!({ "alg": "SHA-256", "content": sum }));
        json!({
            "type": if found == top { "application" } else { "library" },
            "bom-ref": purl(found),
            "name": found.0,
            "version": if found == top { &release.version } else { &found.1 },
            "purl": purl(found),
            "licenses": licence.into_iter().collect::<Vec<_>>(),
            "hashes": sum.into_iter().collect::<Vec<_>>(),
        })
    };
    let others = tree.licences.iter().filter(|(found, _)| *found != top);
    let uses = tree.uses.iter().map(|(user, used)| {
        let used: Vec<String> = used.iter().map(purl).collect();
        json!({ "ref": purl(user), "dependsOn": used })
    });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": release.created()?,
            "component": tree.licences.get_key_value(top).map(component),
        },
        "components": others.map(component).collect::<Vec<_>>(),
        "dependencies": uses.collect::<Vec<_>>(),
    }))
}

/// What a crate is called among packages of all kinds.
fn purl((name, version): &Crate) -> String {
    format!("pkg:cargo/{name}@{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0|flagctl v1.0.0 (/somewhere)|Apache-2.0\n1|a v0.1.0|MIT/Apache-2.0\n2|b v2.0.0|\n\
                        1|b v2.0.0| (*)";
    const LOCK: &str = "[[package]]\nname = \"b\"\nversion = \"2.0.0\"\nchecksum = \"0f\"\n";

    fn named(name: &str, version: &str) -> Crate {
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn a_crate_that_is_used_twice_is_there_once() {
        let tree = Tree::parse(TREE).unwrap();
        let (top, a, b) = (
            named("flagctl", "1.0.0"),
            named("a", "0.1.0"),
            named("b", "2.0.0"),
        );
        assert_eq!(tree.licences.len(), 3);
        assert_eq!(tree.uses[&top], [a.clone(), b.clone()].into());
        assert_eq!(tree.uses[&a], [b.clone()].into());
        assert_eq!(tree.uses[&b], [].into());
    }

    #[test]
    fn a_bill_names_licence_checksum_and_use_and_no_folder() {
        let release = Release {
            version: "1.0.0-dev.1.g0".to_owned(),
            commit: String::new(),
            epoch: 0,
        };
        let tree = Tree::parse(TREE).unwrap();
        let bill = write(
            &tree,
            &checksums(LOCK),
            &named("flagctl", "1.0.0"),
            &release,
        )
        .unwrap();
        assert_eq!(bill["metadata"]["component"]["version"], "1.0.0-dev.1.g0");
        let licence = &bill["components"][0]["licenses"][0]["expression"];
        assert_eq!(licence, "MIT OR Apache-2.0");
        assert_eq!(bill["components"][1]["hashes"][0]["content"], "0f");
        assert_eq!(bill["dependencies"][0]["dependsOn"][0], "pkg:cargo/b@2.0.0");
        assert!(!bill.to_string().contains("somewhere"));
    }
}
