//! Which file of a crate uses which, by the `use` declarations of its files.
use std::collections::{BTreeMap, BTreeSet};

use super::source::words;

/// A module, by its names from the root of its crate.
pub(super) type Path = Vec<String>;

/// A name that a `use` declaration brings into a module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Import {
    /// What is used, from the root of the crate.
    target: Path,
    /// As what; `*` for all of it.
    name: String,
    is_public: bool,
}

/// The imports of a crate, by module.
pub(super) struct Imports<'a> {
    modules: BTreeMap<&'a Path, Vec<Import>>,
    code: &'a BTreeMap<Path, String>,
}

impl<'a> Imports<'a> {
    /// Reads the masked code of every module.
    pub(super) fn read(code: &'a BTreeMap<Path, String>) -> Self {
        let of = |(module, code): (&'a Path, &String)| (module, imports(module, code));
        Self {
            modules: code.iter().map(of).collect(),
            code,
        }
    }

    /// The modules that each module uses itself. Re-exports are followed to what they name, and use nothing themselves.
    pub(super) fn edges(&self) -> BTreeMap<&'a Path, BTreeSet<&'a Path>> {
        let of = |(module, imports): (&&'a Path, &Vec<Import>)| {
            let used = imports.iter().filter(|import| !import.is_public);
            let used = used.filter_map(|import| self.resolve(&import.target, 0));
            (*module, used.filter(|used| used != module).collect())
        };
        self.modules.iter().map(of).collect()
    }

    /// The module whose file defines what a path names.
    fn resolve(&self, path: &[String], depth: u8) -> Option<&'a Path> {
        let lengths = (0..=path.len()).rev();
        let (module, item) = lengths
            .map(|length| path.split_at(length))
            .find(|(module, _)| self.modules.contains_key(&module.to_vec()))?;
        let (module, imports) = self.modules.get_key_value(&module.to_vec())?;
        let Some((name, rest)) = item.split_first() else {
            return Some(module);
        };
        let exported = imports.iter().filter(|import| import.is_public);
        let mut targets = exported.filter_map(|import| match &*import.name {
            "*" => (self.defines(&import.target, name)).then(|| [&*import.target, item].concat()),
            own => (own == name).then(|| [&*import.target, rest].concat()),
        });
        match targets.next() {
            Some(target) if depth < 8 => self.resolve(&target, depth + 1),
            _ => Some(module),
        }
    }

    /// Whether the file of a module defines a name.
    fn defines(&self, module: &Path, name: &str) -> bool {
        const KEYWORDS: [&str; 8] = [
            "struct", "enum", "trait", "fn", "const", "type", "static", "mod",
        ];
        let Some(code) = self.code.get(module) else {
            return false;
        };
        KEYWORDS.iter().any(|keyword| {
            words(code, keyword).any(|rest| {
                let rest = rest.trim_start().strip_prefix(name);
                rest.is_some_and(|rest| {
                    !rest.starts_with(|it: char| it.is_alphanumeric() || it == '_')
                })
            })
        })
    }
}

/// The imports of a module from its own crate.
fn imports(module: &Path, code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    for rest in words(code, "use") {
        let at = code.len() - rest.len() - "use".len();
        let Some((tree, _)) = rest.split_once(';') else {
            continue;
        };
        // `pub` or `pub(crate)` before it; anything else that precedes an item ends otherwise.
        let prefix = code.get(..at).unwrap_or_default().trim_end();
        let is_public = prefix.ends_with("pub") || prefix.ends_with(')');
        for (path, name) in leaves(tree.trim()) {
            if let Some(target) = absolute(module, &path, code) {
                imports.push(Import {
                    target,
                    name,
                    is_public,
                });
            }
        }
    }
    imports
}

/// Every path of a `use` tree, with the name that it gets.
fn leaves(tree: &str) -> Vec<(String, String)> {
    if let Some((prefix, group)) = tree.split_once('{') {
        let group = group.trim_end().strip_suffix('}').unwrap_or(group);
        let leaves = members(group).into_iter().flat_map(leaves);
        return leaves
            .map(|(path, name)| match &*path {
                "self" => {
                    let path = prefix.trim().trim_end_matches("::").to_owned();
                    let name = path.rsplit("::").next().unwrap_or_default().to_owned();
                    (path, name)
                }
                _ => (format!("{}{path}", prefix.trim()), name),
            })
            .collect();
    }
    let (path, name) = match tree.split_once(" as ") {
        Some((path, name)) => (path, name),
        None => (tree, tree.rsplit("::").next().unwrap_or_default()),
    };
    vec![(path.trim().to_owned(), name.trim().to_owned())]
}

/// The members of a group, which may hold groups.
fn members(group: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let members = group.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    members
        .map(str::trim)
        .filter(|member| !member.is_empty())
        .collect()
}

/// A path from the root of the crate; `None` if it leads to another crate. A glob keeps its module.
fn absolute(module: &Path, path: &str, code: &str) -> Option<Path> {
    let mut names = path.trim_end_matches("::*").split("::").peekable();
    let mut base = match *names.peek()? {
        "crate" => Path::new(),
        "self" | "super" => module.clone(),
        child
            if words(code, "mod")
                .any(|rest| rest.trim_start().starts_with(&format!("{child};"))) =>
        {
            return Some(
                module
                    .iter()
                    .cloned()
                    .chain(names.map(str::to_owned))
                    .collect(),
            );
        }
        _ => return None,
    };
    while let Some(name) = names.next_if(|name| ["crate", "self", "super"].contains(name)) {
        if name == "super" {
            base.pop();
        }
    }
    base.extend(names.map(str::to_owned));
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &str) -> Path {
        names
            .split("::")
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The modules that `a` uses, in a crate of these files.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let code = files
            .iter()
            .map(|(module, code)| (path(module), (*code).to_owned()));
        let code: BTreeMap<_, _> = code.collect();
        let edges = Imports::read(&code).edges();
        let found: Vec<String> = edges[&path("a")].iter().map(|it| it.join("::")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_are_found_in_trees() {
        let files = [
            ("", "mod a; mod b; mod c;"),
            ("b", ""),
            ("c", ""),
            ("c::d", ""),
        ];
        let with = |code| [&files[..], &[("a", code)]].concat();
        check(
            &with("use crate::{b::X, c::{self, d::{Y, Z}}};"),
            &["b", "c", "c::d"],
        );
        check(&with("use super::b::X as Y; use std::fmt;"), &["b"]);
        check(&with("fn f() { use crate::c::*; }"), &["c"]);
    }

    #[test]
    fn children_are_used_by_name_or_through_self() {
        let files = [("", "mod a;"), ("a::b", ""), ("a::c", "")];
        let with = |code| [&files[..], &[("a", code)]].concat();
        check(
            &with("mod b;\nmod c;\nuse self::b::X;\nuse c::Y;"),
            &["a::b", "a::c"],
        );
        check(&with("mod b;\npub(crate) use self::b::X;"), &[]);
    }

    #[test]
    fn re_exports_are_followed_to_the_file_that_defines() {
        let files = [
            ("", "mod a; mod f; pub use f::g::T as U;"),
            ("a", "use crate::f::X; use crate::U; use crate::f::Z;"),
            (
                "f",
                "mod g; mod h; pub(crate) use self::g::X; pub use h::*;",
            ),
            ("f::g", ""),
            ("f::h", "struct Z;"),
        ];
        check(&files, &["f::g", "f::h"]);
    }
}
