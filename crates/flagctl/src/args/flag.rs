//! Which flag: in one word, or in three.

use clap::Args;
use flag_model::{FlagType, quoted};

/// Which flag.
#[derive(Clone, Debug, Args)]
pub(crate) struct FlagWords {
    /// Flag: `NAME`, `PROJECT/NAME`, `PROJECT/TYPE/NAME`, or `PROJECT TYPE NAME`
    #[arg(value_name = "FLAG", required = true, num_args = 1..)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) project: ProjectOption,
}

/// The project of flags that are named without one.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProjectOption {
    /// The project.
    #[arg(
        short = 'p',
        long = "project",
        value_name = "PROJECT",
        help = "Project [env: FLAG_PROJECT] [default: that of `flagctl use`]"
    )]
    pub(crate) project: Option<String>,
}

/// Which project: as a word, or as an option.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArgs {
    /// Project; left out, the one of --project
    #[arg(value_name = "PROJECT")]
    word: Option<String>,
    #[command(flatten)]
    option: ProjectOption,
}

impl ProjectArgs {
    /// The project, if one is named; two different ones are refused.
    pub(crate) fn named(&self) -> Result<Option<&str>, String> {
        match (self.word.as_deref(), self.option.project.as_deref()) {
            (Some(word), Some(option)) if word != option => Err(two_projects(word, option)),
            (word, option) => Ok(word.or(option)),
        }
    }
}

/// A flag as it was named; what is left out is found later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFlag {
    pub(crate) project: Option<String>,
    pub(crate) flag_type: Option<FlagType>,
    pub(crate) name: String,
}

impl NamedFlag {
    /// The flag of a project that was typed as `NAME` or `TYPE/NAME`.
    pub(crate) fn of_project(project: &str, typed: &str) -> Self {
        let with_type = typed.split_once('/');
        let with_type = with_type.and_then(|(of, name)| Some((as_type(of)?, name)));
        Self {
            project: Some(project.to_owned()),
            flag_type: with_type.map(|(of, _)| of),
            name: with_type.map_or(typed, |(_, name)| name).to_owned(),
        }
    }
}

impl FlagWords {
    /// The flag alone; further words are refused.
    pub(crate) fn alone(&self) -> Result<NamedFlag, String> {
        self.with_rest(0).map(|(flag, _)| flag)
    }

    /// The flag, and a bounded number of further words.
    pub(crate) fn with_rest(&self, max: usize) -> Result<(NamedFlag, &[String]), String> {
        take_flag(&self.words, self.project.project.as_deref(), max)
    }
}

/// Takes the flag from the first words; returns it and the others, of which there may be at most `max`.
pub(crate) fn take_flag<'w>(
    words: &'w [String],
    project: Option<&str>,
    max: usize,
) -> Result<(NamedFlag, &'w [String]), String> {
    let (named, rest) = first(words)?;
    if let Some(word) = rest.get(max) {
        return Err(unexpected(words, word));
    }
    let project = match (&named.project, project) {
        (Some(of_flag), Some(option)) if of_flag != option => {
            return Err(two_projects(of_flag, option));
        }
        (of_flag, option) => of_flag.clone().or(option.map(str::to_owned)),
    };
    Ok((NamedFlag { project, ..named }, rest))
}

fn two_projects(word: &str, option: &str) -> String {
    let (word, option) = (quoted(word), quoted(option));
    format!("two projects are named: {word} and --project {option}")
}

fn first(words: &[String]) -> Result<(NamedFlag, &[String]), String> {
    let flag = |project: Option<&str>, flag_type, name: &str| NamedFlag {
        project: project.map(str::to_owned),
        flag_type,
        name: name.to_owned(),
    };
    if let [project, flag_type, name, rest @ ..] = words
        && let Some(flag_type) = as_type(flag_type)
    {
        return Ok((flag(Some(project), Some(flag_type), name), rest));
    }
    if let [path, rest @ ..] = words
        && path.contains('/')
    {
        let parts: Vec<&str> = path.split('/').collect();
        return match parts.as_slice() {
            [project, name] => Ok((flag(Some(project), None, name), rest)),
            [project, flag_type, name] if as_type(flag_type).is_some() => {
                Ok((flag(Some(project), as_type(flag_type), name), rest))
            }
            _ => Err(format!(
                "found {}, expected PROJECT/NAME or PROJECT/TYPE/NAME",
                quoted(path)
            )),
        };
    }
    match words {
        [flag_type, name, rest @ ..] if as_type(flag_type).is_some() => {
            Ok((flag(None, as_type(flag_type), name), rest))
        }
        [name, rest @ ..] => Ok((flag(None, None, name), rest)),
        [] => Err("no flag is named".to_owned()),
    }
}

fn unexpected(words: &[String], word: &str) -> String {
    match words {
        [_, flag_type, _] => format!(
            "found the type {}, expected feature or data",
            quoted(flag_type)
        ),
        _ => format!(
            "unexpected word {}; a flag is named as NAME, PROJECT/NAME, PROJECT/TYPE/NAME or PROJECT TYPE NAME",
            quoted(word)
        ),
    }
}

fn as_type(word: &str) -> Option<FlagType> {
    FlagType::ALL
        .into_iter()
        .find(|known| known.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flag as `project/type/name` with dashes for what is left out, and the other words.
    #[track_caller]
    fn check(typed: &str, expected: Result<(&str, &[&str]), &str>) {
        let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        let found = take_flag(&words, None, 1).map(|(flag, rest)| {
            let flag_type = flag.flag_type.map_or("-", FlagType::as_str);
            let project = flag.project.as_deref().unwrap_or("-");
            (
                format!("{project}/{flag_type}/{}", flag.name),
                rest.to_vec(),
            )
        });
        let expected = expected.map(|(flag, rest)| {
            let rest = rest.iter().map(ToString::to_string);
            (flag.to_owned(), rest.collect::<Vec<String>>())
        });
        assert_eq!(found, expected.map_err(str::to_owned), "{typed}");
    }

    #[test]
    fn a_flag_is_named_in_one_word_or_in_three() {
        check("f", Ok(("-/-/f", &[])));
        check("f 10%", Ok(("-/-/f", &["10%"])));
        check("p/f on", Ok(("p/-/f", &["on"])));
        check("p/data/f", Ok(("p/data/f", &[])));
        check("p feature f", Ok(("p/feature/f", &[])));
        check("p feature f x", Ok(("p/feature/f", &["x"])));
        check("feature f", Ok(("-/feature/f", &[])));
        check("data", Ok(("-/-/data", &[])));
        check("p feature a/b", Ok(("p/feature/a/b", &[])));
    }

    #[test]
    fn what_names_no_flag_is_refused() {
        check(
            "p wrong f",
            Err("found the type \"wrong\", expected feature or data"),
        );
        let says = "unexpected word \"x\"; a flag is named as NAME, PROJECT/NAME, PROJECT/TYPE/NAME or PROJECT TYPE NAME";
        check("p feature f 10% x", Err(says));
        check(
            "p/wrong/f",
            Err("found \"p/wrong/f\", expected PROJECT/NAME or PROJECT/TYPE/NAME"),
        );
    }

    #[test]
    fn two_different_projects_are_refused() {
        let words = ["p/f".to_owned()];
        assert!(take_flag(&words, Some("p"), 0).is_ok());
        let two = take_flag(&words, Some("q"), 0).unwrap_err();
        assert_eq!(two, "two projects are named: \"p\" and --project \"q\"");
    }
}
