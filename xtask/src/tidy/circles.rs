//! Circles of files that use each other: a file in one cannot be understood, moved or tested without the others.
use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Imports, Path};

/// The most files in a circle.
const LIMIT: usize = 4;

/// Crates with larger circles, and their sizes: lower a limit when a circle gets smaller, and never raise one.
const ABOVE_LIMIT: [(&str, usize); 4] = [
    ("flag-client", 5),
    ("flag-service", 37),
    ("flag-store", 5),
    ("flagctl", 58),
];

/// The most files in a circle of this crate.
pub(super) fn limit(package: &str) -> usize {
    let above = ABOVE_LIMIT.iter().find(|(name, _)| *name == package);
    above.map_or(LIMIT, |(_, limit)| *limit)
}

/// The largest circle of a crate, given the masked code of its modules; without a circle a single module.
pub(super) fn largest(code: &BTreeMap<Path, String>) -> Vec<&Path> {
    let edges = Imports::read(code).edges();
    let reached: BTreeMap<_, _> = edges
        .keys()
        .map(|from| (*from, reach(&edges, from)))
        .collect();
    let circles = edges.keys().map(|module| {
        let mutual = |other: &&&Path| {
            reached
                .get(**other)
                .is_some_and(|back| back.contains(module))
        };
        let circle = reached.get(module).into_iter().flatten();
        circle.filter(mutual).copied().collect::<Vec<_>>()
    });
    circles.max_by_key(Vec::len).unwrap_or_default()
}

/// A module and all that it reaches.
fn reach<'a>(edges: &BTreeMap<&'a Path, BTreeSet<&'a Path>>, from: &'a Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::from([from]);
    let mut waiting = vec![from];
    while let Some(module) = waiting.pop() {
        let next = edges.get(module).into_iter().flatten();
        waiting.extend(next.filter(|next| reached.insert(next)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_circle_is_found() {
        let files = [
            ("a", "use crate::b::X;"),
            ("b", "use crate::c::X;"),
            ("c", "use crate::a::X; use crate::d::X;"),
            ("d", "use crate::e::X;"),
            ("e", "use crate::d::X;"),
            ("f", "use crate::a::X;"),
        ];
        let code = files.map(|(name, code)| (vec![name.to_owned()], code.to_owned()));
        let code = BTreeMap::from(code);
        let names: Vec<_> = largest(&code).into_iter().map(|it| it.join("::")).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }
}
