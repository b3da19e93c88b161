//! Circles of files that use each other: a file in one cannot be understood, moved or tested without the others.
use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Imports, Path};

/// The most files in a circle.
const LIMIT: usize = 4;

/// Crates with a larger circle, and its size: lowered whenever the circle gets smaller, and never raised.
const ABOVE_LIMIT: [(&str, usize); 0] = [];

/// The most files in a circle of this crate.
pub(super) fn limit(package: &str) -> usize {
    let above = ABOVE_LIMIT.iter().find(|(name, _)| *name == package);
    above.map_or(LIMIT, |(_, limit)| *limit)
}

/// What is wrong with the largest circle of a crate, given its limit: it grew, or it shrank and its limit did not.
pub(super) fn complaint(package: &str, circle: &[&Path], limit: usize) -> Option<String> {
    let size = circle.len();
    if size > limit {
        let modules: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
        let modules = modules.join(", ");
        return Some(format!(
            "{package}: {size} files use each other in a circle, at most {limit} may: {modules}"
        ));
    }
    (limit > LIMIT && size < limit).then(|| {
        format!("{package}: its largest circle has {size} files, and its limit is still {limit}")
    })
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
    #[test]
    fn a_circle_may_only_shrink_and_its_limit_with_it() {
        let modules = ["a", "b", "c", "d", "e"].map(|name| vec![name.to_owned()]);
        let circle: Vec<_> = modules.iter().collect();
        let check = |limit, expected: Option<&str>| {
            assert_eq!(complaint("x", &circle, limit).as_deref(), expected);
        };
        check(
            LIMIT,
            Some("x: 5 files use each other in a circle, at most 4 may: a, b, c, d, e"),
        );
        check(5, None);
        check(
            6,
            Some("x: its largest circle has 5 files, and its limit is still 6"),
        );
        assert_eq!(complaint("x", &circle[..1], LIMIT), None);
    }
}
