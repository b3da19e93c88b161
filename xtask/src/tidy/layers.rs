//! The order of the top modules of a crate: each uses only those after it.
use std::collections::BTreeMap;

use super::imports::{Imports, Path};

/// The crates with an order, and their modules from the top down. Other modules may use each other freely.
const ORDERS: [(&str, &[&str]); 2] = [
    (
        "flag-runtime",
        &[
            "exposures",
            "replica",
            "sample_ratios",
            "flags",
            "events",
            "store",
        ],
    ),
    (
        "flag-service",
        &[
            "server",
            "demo",
            "config",
            "handlers",
            "dashboard",
            "openapi",
            "http",
            "access",
            "tls",
            "telemetry",
            "outbound",
        ],
    ),
];

/// The imports of a crate that lead upwards, given the masked code of its modules.
pub(super) fn complaints(package: &str, code: &BTreeMap<Path, String>) -> Vec<String> {
    let order = ORDERS.iter().find(|(name, _)| *name == package);
    let order = order.map_or(&[][..], |(_, order)| order);
    let layer = |module: &Path| {
        let top = module.first()?;
        order.iter().position(|name| name == top)
    };
    let mut found = Vec::new();
    for (from, used) in Imports::read(code).edges() {
        for to in used {
            if layer(from)
                .zip(layer(to))
                .is_some_and(|(from, to)| to < from)
            {
                let (from, to) = (from.join("::"), to.join("::"));
                found.push(format!(
                    "{package}: {from} uses {to}, which is above it (xtask/src/tidy/layers.rs)"
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let path = |name: &str| -> Path { name.split("::").map(str::to_owned).collect() };
        let code = files.iter();
        let code = code.map(|(name, code)| (path(name), (*code).to_owned()));
        assert_eq!(complaints("flag-runtime", &code.collect()), expected);
    }

    #[test]
    fn an_import_from_a_module_above_is_found() {
        let files = [
            ("store::guard", "use crate::flags::cache::X;"),
            ("flags::cache", "use crate::store::guard::Y;"),
        ];
        check(
            &files,
            &[
                "flag-runtime: store::guard uses flags::cache, which is above it (xtask/src/tidy/layers.rs)",
            ],
        );
    }

    #[test]
    fn modules_without_an_order_are_free() {
        check(&[("causes", "use crate::flags::X;"), ("flags", "")], &[]);
    }
}
