//! The query of `GET /get-feature-flag`.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memchr2};
use percent_encoding::percent_decode;

/// The parameter that names the project.
pub const PROJECT_NAME: &str = "project_name";
/// The parameter that holds the instance id.
pub const INSTANCE_ID: &str = "instance_id";
/// The parameter that holds `feature` or `data`.
pub const FLAG_TYPE: &str = "flag_type";
/// The parameter that names the flag.
pub const FLAG_NAME: &str = "flag_name";

/// The parameter that asks for the header [`REASON`](crate::REASON), whatever its value.
pub const WITH_REASON: &str = "with_reason";

/// The parameters, decoded; borrowed from the query where nothing was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagQuery<'a> {
    /// The project.
    pub project_name: Cow<'a, str>,
    /// The instance that the value is for.
    pub instance_id: Cow<'a, str>,
    /// `feature` or `data`, or an invalid type.
    pub flag_type: Cow<'a, str>,
    /// The flag.
    pub flag_name: Cow<'a, str>,
    /// Whether [`WITH_REASON`] is given.
    pub with_reason: bool,
}

/// A parameter and its problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParameter {
    /// Its name.
    pub name: &'static str,
    /// Its problem.
    pub problem: ParameterProblem,
}

/// The problem of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterProblem {
    /// It is missing.
    Missing,
    /// It is given more than once.
    Repeated,
    /// It is not UTF-8.
    NotUtf8,
    /// Its value is invalid.
    Invalid {
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
}

impl fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.problem {
            ParameterProblem::Missing => f.write_str("missing"),
            ParameterProblem::Repeated => f.write_str("given more than once"),
            ParameterProblem::NotUtf8 => f.write_str("not UTF-8"),
            ParameterProblem::Invalid { found, expected } => {
                write!(f, "found {found}, expected {expected}")
            }
        }
    }
}

impl<'a> FlagQuery<'a> {
    /// Reads a raw query string, `a=b&c=d`; other parameters are ignored. Returns all problems at once.
    ///
    /// Allocates only for encoded values.
    pub fn parse(query: &'a str) -> Result<Self, Vec<InvalidParameter>> {
        let mut found = [PROJECT_NAME, INSTANCE_ID, FLAG_TYPE, FLAG_NAME].map(ParameterReader::new);
        let mut with_reason = false;
        for Pair { name, value } in Pairs::of(query) {
            match found.iter_mut().find(|parameter| name.is(parameter.name)) {
                Some(parameter) => parameter.fill(value),
                None => with_reason |= name.is(WITH_REASON),
            }
        }
        match found.map(ParameterReader::read) {
            [
                Ok(project_name),
                Ok(instance_id),
                Ok(flag_type),
                Ok(flag_name),
            ] => Ok(Self {
                project_name,
                instance_id,
                flag_type,
                flag_name,
                with_reason,
            }),
            found => Err(found.into_iter().filter_map(Result::err).collect()),
        }
    }
}

/// The rest of a query; `None` at its end.
pub(crate) struct Pairs<'a>(Option<&'a str>);

impl<'a> Pairs<'a> {
    /// Returns the parameters of a raw query string.
    pub(crate) fn of(query: &'a str) -> Self {
        Self(Some(query))
    }
}

/// A parameter of a query, not decoded.
pub(crate) struct Pair<'a> {
    name: Raw<'a>,
    pub(crate) value: Raw<'a>,
}

impl Pair<'_> {
    /// Whether it has this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.is(name)
    }
}

/// A text of a query, and whether any of it may be encoded.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    text: &'a str,
    is_encoded: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let (pair, rest) = split_once(self.0?, b'&');
        self.0 = rest;
        let is_encoded = memchr2(b'%', b'+', pair.as_bytes()).is_some();
        let raw = |text| Raw { text, is_encoded };
        let (name, value) = split_once(pair, b'=');
        Some(Pair {
            name: raw(name),
            value: raw(value.unwrap_or_default()),
        })
    }
}

/// Splits a text at the first of these bytes, which must be ASCII, so that no character is split.
fn split_once(text: &str, byte: u8) -> (&str, Option<&str>) {
    memchr(byte, text.as_bytes())
        .and_then(|at| Some((text.get(..at)?, text.get(at + 1..))))
        .unwrap_or((text, None))
}

impl<'a> Raw<'a> {
    /// Whether it is this name; a client may encode any character.
    fn is(self, known: &str) -> bool {
        self.text == known || (self.is_encoded && self.decode().is_some_and(|name| name == known))
    }

    /// Decodes `+` and `%XX`; `None` if the result is not UTF-8. Any other `%` stays as it is.
    fn decode(self) -> Option<Cow<'a, str>> {
        if !self.is_encoded {
            return Some(Cow::Borrowed(self.text));
        }
        let spaced = self.text.replace('+', " ");
        let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
        Some(Cow::Owned(decoded.into_owned()))
    }
}

/// A parameter while the query is read.
pub(crate) struct ParameterReader<'a> {
    name: &'static str,
    value: Option<Raw<'a>>,
    is_repeated: bool,
}

impl<'a> ParameterReader<'a> {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            value: None,
            is_repeated: false,
        }
    }

    pub(crate) fn fill(&mut self, value: Raw<'a>) {
        self.is_repeated = self.value.replace(value).is_some();
    }

    /// Reads a parameter that may be missing.
    pub(crate) fn read_optional(self) -> Result<Option<Cow<'a, str>>, InvalidParameter> {
        match self.value {
            None => Ok(None),
            Some(_) => self.read().map(Some),
        }
    }

    /// Reads a parameter that must be there.
    pub(crate) fn read(self) -> Result<Cow<'a, str>, InvalidParameter> {
        let value = match self.value {
            None => Err(ParameterProblem::Missing),
            Some(_) if self.is_repeated => Err(ParameterProblem::Repeated),
            Some(value) => value.decode().ok_or(ParameterProblem::NotUtf8),
        };
        value.map_err(|problem| InvalidParameter {
            name: self.name,
            problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "project_name=p&instance_id=A12345&flag_type=feature&flag_name=f";

    #[track_caller]
    fn check_instance(encoded: &str, decoded: &str) {
        let query = QUERY.replace("A12345", encoded);
        assert_eq!(FlagQuery::parse(&query).unwrap().instance_id, decoded);
    }

    #[track_caller]
    fn check_problems(query: &str, expected: &[&str]) {
        let problems = FlagQuery::parse(query).unwrap_err();
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn values_are_decoded_exactly() {
        check_instance("A12345", "A12345");
        check_instance("a+b%20c%2Bd%26e%3Df%25", "a b c+d&e=f%");
        check_instance("%E6%97%A5%e6%9c%ac", "日本");
        check_instance("日本", "日本");
        check_instance("50%", "50%");
        check_instance("a=b", "a=b");
        check_instance("%00", "\0");
        check_instance("", "");
    }

    #[test]
    fn nothing_is_copied_that_needs_no_decoding() {
        let query = FlagQuery::parse(QUERY).unwrap();
        assert!(matches!(query.instance_id, Cow::Borrowed("A12345")));
    }

    #[test]
    fn other_parameters_are_ignored() {
        let query = format!("debug&{QUERY}&project=x&project=y&=&");
        assert_eq!(
            FlagQuery::parse(&query).unwrap(),
            FlagQuery::parse(QUERY).unwrap()
        );
    }

    #[test]
    fn a_name_may_be_encoded() {
        assert!(FlagQuery::parse(&QUERY.replace("flag_name", "flag%5Fname")).is_ok());
    }

    #[test]
    fn every_problem_is_reported() {
        check_problems(
            "",
            &[
                "project_name: missing",
                "instance_id: missing",
                "flag_type: missing",
                "flag_name: missing",
            ],
        );
        check_problems(
            "project_name=p&instance_id=%FF&flag_name=f&flag_name=g",
            &[
                "instance_id: not UTF-8",
                "flag_type: missing",
                "flag_name: given more than once",
            ],
        );
        check_problems(
            &format!("{QUERY}&instance_id=A12345"),
            &["instance_id: given more than once"],
        );
        check_problems(
            &format!("{QUERY}&instance%5Fid=%FF"),
            &["instance_id: given more than once"],
        );
    }
}
