//! The keys of flags: a name, or `feature/NAME` or `data/NAME` where both types have it.

use flag_model::{FlagKey, FlagName, FlagType, ProjectName};

/// Returns the flags that a key may mean, the preferred one first; a key that no flag can have means none.
pub(super) fn meanings(project: &ProjectName, key: &str) -> impl Iterator<Item = FlagKey> {
    let with_type = FlagType::ALL.into_iter().filter_map(move |flag_type| {
        let name = key.strip_prefix(flag_type.as_str())?.strip_prefix('/')?;
        Some((flag_type, name))
    });
    let without_type = FlagType::ALL.map(|flag_type| (flag_type, key));
    with_type
        .chain(without_type)
        .filter_map(move |(flag_type, name)| {
            let name = FlagName::new(name).ok()?;
            let project = project.clone();
            Some(FlagKey {
                project,
                flag_type,
                name,
            })
        })
}

/// Returns what stands before the name in the key of a flag: nothing, unless the name alone would mean another flag.
pub(super) fn prefix(flag: &FlagKey, is_shared: bool) -> &'static str {
    let name = flag.name.as_str();
    let is_shared = is_shared && flag.flag_type == FlagType::Data;
    match flag.flag_type {
        FlagType::Feature if begins_with_type(name) => "feature/",
        FlagType::Data if is_shared || begins_with_type(name) => "data/",
        _ => "",
    }
}

fn begins_with_type(name: &str) -> bool {
    name.starts_with("feature/") || name.starts_with("data/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: &[&str]) {
        let project = ProjectName::new("p").unwrap();
        let found: Vec<String> = meanings(&project, key)
            .map(|flag| flag.to_string())
            .collect();
        assert_eq!(found, expected, "{key}");
    }

    #[test]
    fn a_type_in_a_key_comes_first_and_then_the_whole_key_is_a_name() {
        check("a", &["p/feature/a", "p/data/a"]);
        let all = ["p/data/a", "p/feature/data/a", "p/data/data/a"];
        check("data/a", &all);
        check("x/a", &["p/feature/x/a", "p/data/x/a"]);
        check("feature/", &["p/feature/feature/", "p/data/feature/"]);
        check("", &[]);
        check("a#b", &[]);
        check(&"x".repeat(129), &[]);
    }

    #[test]
    fn a_key_of_a_bulk_answer_means_its_flag() {
        let project = ProjectName::new("p").unwrap();
        for name in ["a", "data/a", "feature/a"] {
            for is_shared in [false, true] {
                for flag_type in FlagType::ALL {
                    let flag = FlagKey {
                        project: project.clone(),
                        flag_type,
                        name: FlagName::new(name).unwrap(),
                    };
                    let key = format!("{}{name}", prefix(&flag, is_shared));
                    let exists = |meant: &FlagKey| {
                        meant.name == flag.name && (is_shared || meant.flag_type == flag_type)
                    };
                    assert_eq!(meanings(&project, &key).find(exists), Some(flag), "{key}");
                }
            }
        }
    }
}
