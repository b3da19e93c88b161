//! Fills a template of `-o jsonpath=` with a result.

use super::escape::escaped;
use super::tree::Tree;
use crate::exit_code::ExitCode;
use crate::failure::CommandError;
use crate::jsonpath::{Part, Path, PathStep, Template};
use crate::suggestions::closest;

/// A path leads to nothing in this result.
#[derive(Debug, thiserror::Error)]
#[error("-o jsonpath: {0}")]
pub(super) struct WrongPath(String);

impl CommandError for WrongPath {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }
}

/// The template with what its paths lead to; it ends with a line break.
pub(super) fn filled(template: &Template, result: &Tree) -> Result<String, WrongPath> {
    let mut filled = fill(&template.0, result)?;
    if !filled.ends_with('\n') {
        filled.push('\n');
    }
    Ok(filled)
}

fn fill(parts: &[Part], value: &Tree) -> Result<String, WrongPath> {
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Path(path) => {
                let found = follow(path, value)?;
                let found: Vec<String> =
                    found.iter().map(|value| escaped(&value.plain())).collect();
                filled.push_str(&found.join(" "));
            }
            Part::Range(path, inner) => {
                for value in follow(path, value)? {
                    filled.push_str(&fill(inner, value)?);
                }
            }
        }
    }
    Ok(filled)
}

/// The values that a path leads to. A field that only some have is left out for the others.
fn follow<'t>(path: &Path, value: &'t Tree) -> Result<Vec<&'t Tree>, WrongPath> {
    let mut values = vec![value];
    for step in &path.0 {
        let next: Vec<&Tree> = values.iter().flat_map(|value| taken(step, value)).collect();
        if next.is_empty() && !values.iter().all(|value| is_empty(value)) {
            return Err(WrongPath(wrong(step, &values)));
        }
        values = next;
    }
    Ok(values)
}

fn taken<'t>(step: &PathStep, value: &'t Tree) -> Vec<&'t Tree> {
    match (step, value) {
        (PathStep::Field(name), Tree::Fields(fields)) => {
            let field = fields.iter().find(|(known, _)| known == name);
            field.map(|(_, value)| value).into_iter().collect()
        }
        (PathStep::Every, Tree::List(items)) => items.iter().collect(),
        (PathStep::Every, Tree::Fields(fields)) => fields.iter().map(|(_, value)| value).collect(),
        (PathStep::Index(index), Tree::List(items)) => {
            let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            let at = match *index {
                0.. => Some(from_end),
                _ => items.len().checked_sub(from_end),
            };
            at.and_then(|at| items.get(at)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether nothing could be found in it by any path.
fn is_empty(value: &Tree) -> bool {
    match value {
        Tree::Null => true,
        Tree::List(items) => items.is_empty(),
        _ => false,
    }
}

fn wrong(step: &PathStep, values: &[&Tree]) -> String {
    match (step, values.first()) {
        (PathStep::Field(name), Some(Tree::Fields(fields))) => {
            let known = fields.iter().map(|(name, _)| name.as_str());
            let known: Vec<&str> = known.collect();
            match closest(name, known.iter().copied()) {
                Some(near) => format!("there is no field {name}; did you mean {near}?"),
                None => format!("there is no field {name}, but {}", known.join(", ")),
            }
        }
        (PathStep::Field(name), Some(Tree::List(_))) => {
            format!("found a list where the field {name} was expected; [*] means every item")
        }
        (PathStep::Field(name), _) => {
            format!("found no fields where the field {name} was expected")
        }
        (PathStep::Index(index), Some(Tree::List(items))) => {
            format!("there is no item [{index}] in a list of {}", items.len())
        }
        (PathStep::Index(index), _) => format!("found no list where [{index}] was expected"),
        (PathStep::Every, _) => "found neither a list nor fields where [*] was expected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(template: &str, expected: Result<&str, &str>) {
        let result = json!({
            "project": "p",
            "none": [],
            "flags": [
                {"name": "f", "value": true, "tags": ["a", "b"], "extra": 1},
                {"name": "g\u{1b}", "value": null, "tags": []}
            ],
        });
        let template = Template::parse(template).unwrap();
        let filled = filled(&template, &Tree::of(&result).unwrap());
        let filled = filled.map_err(|wrong| wrong.to_string());
        let expected = expected.map(str::to_owned);
        assert_eq!(
            filled,
            expected.map_err(|reason| format!("-o jsonpath: {reason}"))
        );
    }

    #[test]
    fn a_path_is_replaced_by_what_it_leads_to() {
        check("{.project}", Ok("p\n"));
        check("{.flags[*].name}", Ok("f g\\u{1b}\n"));
        check("{.flags[-1].value}", Ok("\n"));
        check("{.flags[0].tags}", Ok("[\"a\",\"b\"]\n"));
        check("{.flags[*].extra}", Ok("1\n"));
        check("{.none[*].name}", Ok("\n"));
        check(
            "{range .flags[*]}{.name}: {.tags[*]};{end}",
            Ok("f: a b;g\\u{1b}: ;\n"),
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        check(
            "{.projct}",
            Err("there is no field projct; did you mean project?"),
        );
        check(
            "{.flags[0].owner}",
            Err("there is no field owner, but extra, name, tags, value"),
        );
        check(
            "{.flags.name}",
            Err("found a list where the field name was expected; [*] means every item"),
        );
        check("{.flags[2]}", Err("there is no item [2] in a list of 2"));
        check("{.project[0]}", Err("found no list where [0] was expected"));
    }
}
