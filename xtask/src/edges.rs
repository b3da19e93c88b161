//! Which crates may depend on which: policy as data, compared with what cargo says.
//!
//! An edge that is missing here is a decision to take, not a line to add.
use std::fmt;

use anyhow::Result;

use crate::metadata::{Dependency, DependencyKind, Metadata, Package, report};

/// What a crate of ours may use of ours.
enum Allowed {
    Everything,
    Only(&'static [&'static str]),
}
use Allowed::{Everything, Only};

/// A row per crate of ours. A row names only crates of rows above it, so that no circle can be allowed.
const OURS: &[(&str, Allowed)] = &[
    ("flag-model", Only(&[])),
    ("flag-api", Only(&[])),
    ("flag-keys", Only(&["flag-model"])),
    ("flag-describe", Only(&["flag-model"])),
    ("flag-client", Only(&["flag-api", "flag-model"])),
    ("flag-rollout", Only(&["flag-model"])),
    ("flag-store", Only(&["flag-model"])),
    ("flag-store-embedded", Only(&["flag-model", "flag-store"])),
    ("flag-store-bigtable", Only(&["flag-model", "flag-store"])),
    (
        "flag-verify",
        Only(&["flag-keys", "flag-model", "flag-rollout", "flag-store"]),
    ),
    (
        "flag-settings",
        Only(&[
            "flag-model",
            "flag-store",
            "flag-store-bigtable",
            "flag-store-embedded",
        ]),
    ),
    (
        "flag-runtime",
        Only(&[
            "flag-keys",
            "flag-model",
            "flag-rollout",
            "flag-store",
            "flag-store-embedded",
        ]),
    ),
    (
        "flag-service",
        Only(&[
            "flag-api",
            "flag-describe",
            "flag-keys",
            "flag-model",
            "flag-rollout",
            "flag-runtime",
            "flag-settings",
            "flag-store",
            "flag-verify",
        ]),
    ),
    (
        "flagctl",
        Only(&[
            "flag-api",
            "flag-describe",
            "flag-keys",
            "flag-model",
            "flag-rollout",
            "flag-settings",
            "flag-store",
            "flag-store-bigtable",
            "flag-store-embedded",
            "flag-verify",
        ]),
    ),
    ("flag-tests", Everything),
    ("flag-load", Only(&[])),
    ("xtask", Only(&["flag-load"])),
];

/// A row per crate of others that only some of ours may use; those not named here are open to all.
/// What others of ours reach through these is `deny.toml`'s business.
const OTHERS: &[(&str, &[&str])] = &[
    ("actix-http", &["flag-service"]),
    ("actix-server", &["flag-service"]),
    ("actix-web", &["flag-client", "flag-service"]),
    ("bigtable_rs", &["flag-store-bigtable"]),
    (
        "clap",
        &["flag-settings", "flag-service", "flagctl", "xtask"],
    ),
    ("gcp_auth", &["flag-store-bigtable"]),
    ("opentelemetry", &["flag-service"]),
    ("opentelemetry_sdk", &["flag-service"]),
    ("reqwest", &["flag-client", "flag-tests", "flagctl"]),
    ("rusqlite", &["flag-store-embedded"]),
    ("utoipa", &["flag-api", "flag-service"]),
];

/// What the tables don't allow.
#[derive(Debug, PartialEq, Eq)]
enum Violation {
    /// A crate of ours without a row.
    NoRow { from: String },
    /// A dependency, and the rule that it breaks.
    Edge {
        from: String,
        to: String,
        rule: String,
    },
}

/// Compares the workspace with the tables.
pub(crate) fn run() -> Result<()> {
    report("edges", &violations(&Metadata::read()?))
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow { from } => {
                write!(
                    f,
                    "{from}: has no row in xtask/src/edges.rs that says what it may use"
                )
            }
            Self::Edge { from, to, rule } => {
                write!(f, "{from} → {to}: {rule}")
            }
        }
    }
}

fn violations(metadata: &Metadata) -> Vec<Violation> {
    let ours: Vec<&str> = metadata
        .packages
        .iter()
        .map(|package| &*package.name)
        .collect();
    metadata
        .packages
        .iter()
        .flat_map(|package| violations_of(package, &ours))
        .collect()
}

fn violations_of(package: &Package, ours: &[&str]) -> Vec<Violation> {
    let from = package.name.clone();
    let Some(allowed) = row(&from) else {
        return vec![Violation::NoRow { from }];
    };
    let edge = |dependency: &Dependency| {
        let to = dependency.name.clone();
        let rule = if ours.contains(&to.as_str()) {
            broken_rule_of_ours(&from, dependency, allowed)?
        } else {
            broken_rule_of_others(&from, &to)?
        };
        let from = from.clone();
        Some(Violation::Edge { from, to, rule })
    };
    package.dependencies.iter().filter_map(edge).collect()
}

/// Names the rule that an edge between crates of ours breaks, if any.
///
/// The crate and its build script may use what the row names. Its tests may also use the crate itself, with
/// other features, as a conformance suite has.
fn broken_rule_of_ours(from: &str, dependency: &Dependency, allowed: &Allowed) -> Option<String> {
    let to = dependency.name.as_str();
    let for_tests = dependency.kind == Some(DependencyKind::Dev);
    let fine = match allowed {
        Everything => true,
        Only(names) => names.contains(&to) || (for_tests && from == to),
    };
    (!fine).then(|| match allowed {
        Only(names) if !names.is_empty() => format!("{from} may use only {}", names.join(", ")),
        _ => format!("{from} may use no other crate of ours"),
    })
}

fn broken_rule_of_others(from: &str, to: &str) -> Option<String> {
    let (_, users) = OTHERS.iter().find(|(name, _)| *name == to)?;
    (!users.contains(&from)).then(|| format!("{to} is only for {}", users.join(", ")))
}

fn row(name: &str) -> Option<&'static Allowed> {
    OURS.iter()
        .find(|(row, _)| *row == name)
        .map(|(_, allowed)| allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A workspace of `flag-model`, `flag-store` and the crate under test.
    #[track_caller]
    fn check(from: &str, dependencies: &Value, expected: &[&str]) {
        let mut packages = vec![package(from, dependencies)];
        for other in ["flag-model", "flag-rollout", "flag-store"] {
            if other != from {
                packages.push(package(other, &json!([])));
            }
        }
        let metadata = json!({ "packages": packages, "workspace_root": "/w" });
        let metadata = Metadata::parse(metadata.to_string().as_bytes()).unwrap();
        let found: Vec<String> = violations(&metadata)
            .iter()
            .map(Violation::to_string)
            .collect();
        assert_eq!(found, expected);
    }

    fn package(name: &str, dependencies: &Value) -> Value {
        json!({ "name": name, "manifest_path": "/w/Cargo.toml", "dependencies": dependencies, "targets": [] })
    }

    #[test]
    fn an_allowed_edge_is_fine() {
        check(
            "flag-store",
            &json!([{ "name": "flag-model", "kind": null }]),
            &[],
        );
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_named_with_its_rule() {
        check(
            "flag-rollout",
            &json!([{ "name": "flag-store", "kind": null }]),
            &["flag-rollout → flag-store: flag-rollout may use only flag-model"],
        );
        check(
            "flag-model",
            &json!([{ "name": "flag-store", "kind": null }]),
            &["flag-model → flag-store: flag-model may use no other crate of ours"],
        );
    }

    #[test]
    fn a_build_script_may_use_no_more_than_its_crate() {
        check(
            "flag-store-embedded",
            &json!([{ "name": "flag-rollout", "kind": "build" }]),
            &[
                "flag-store-embedded → flag-rollout: flag-store-embedded may use only flag-model, flag-store",
            ],
        );
    }

    #[test]
    fn tests_may_use_the_crate_itself() {
        check(
            "flag-store-embedded",
            &json!([
                { "name": "flag-store-embedded", "kind": "dev" },
                { "name": "flag-store", "kind": "dev" },
            ]),
            &[],
        );
    }

    #[test]
    fn tests_may_not_use_what_their_crate_must_not_know() {
        check(
            "flag-rollout",
            &json!([{ "name": "flag-store", "kind": "dev" }]),
            &["flag-rollout → flag-store: flag-rollout may use only flag-model"],
        );
    }

    #[test]
    fn system_tests_may_use_everything() {
        check(
            "flag-tests",
            &json!([{ "name": "flag-store", "kind": null }]),
            &[],
        );
    }

    #[test]
    fn a_crate_without_a_row_is_an_error() {
        check(
            "flag-novelty",
            &json!([]),
            &["flag-novelty: has no row in xtask/src/edges.rs that says what it may use"],
        );
    }

    #[test]
    fn a_crate_of_others_may_be_kept_for_some() {
        check(
            "flag-store-embedded",
            &json!([{ "name": "rusqlite", "kind": null }]),
            &[],
        );
        check(
            "flag-store",
            &json!([{ "name": "rusqlite", "kind": "dev" }, { "name": "serde", "kind": null }]),
            &["flag-store → rusqlite: rusqlite is only for flag-store-embedded"],
        );
    }

    #[test]
    fn rows_name_only_rows_above_them() {
        for (position, (name, allowed)) in OURS.iter().enumerate() {
            let Only(names) = allowed else { continue };
            for used in *names {
                let above = OURS.iter().take(position).any(|(row, _)| row == used);
                assert!(above, "{name} names {used}, which has no row above");
            }
        }
    }

    #[test]
    fn the_workspace_keeps_to_the_tables() {
        assert_eq!(violations(&Metadata::read().unwrap()), []);
    }
}
