//! Templates of `-o jsonpath=`: a small part of those of `kubectl`, documented in `docs/flagctl.md`.
//!
//! Text stands for itself; `{…}` is a path (`.flags[*].name`), a text in quotes, or `range PATH` and `end`. Knows no result:
//! `output` follows the paths.

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Vec<Part>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A text that stands for itself.
    Text(String),
    /// What a path leads to, with spaces between.
    Path(Path),
    /// The same parts for each value that a path leads to.
    Range(Path, Vec<Part>),
}

/// A path from the result, or in a range from its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(pub(crate) Vec<PathStep>);

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathStep {
    /// A field.
    Field(String),
    /// An item of a list; a negative one counts from the end.
    Index(i64),
    /// Every item of a list, or every field.
    Every,
}

/// Reads templates.
struct Parser<'t> {
    rest: &'t str,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let parts = parser.parts(false)?;
        if !parts.iter().any(|part| !matches!(part, Part::Text(_))) {
            return Err("expected a path in braces, such as {.name}".to_owned());
        }
        Ok(Self(parts))
    }
}

impl Parser<'_> {
    /// The parts up to the end of the template, or of a range.
    fn parts(&mut self, is_range: bool) -> Result<Vec<Part>, String> {
        let mut parts = Vec::new();
        while !self.rest.is_empty() {
            let Some((text, rest)) = self.rest.split_once('{') else {
                parts.push(Part::Text(std::mem::take(&mut self.rest).to_owned()));
                break;
            };
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            let end =
                closing_brace(rest).ok_or_else(|| format!("there is no }} after {{{rest}"))?;
            let inner = rest.get(..end).unwrap_or_default().trim();
            self.rest = rest.get(end + 1..).unwrap_or_default();
            match inner {
                "end" if is_range => return Ok(parts),
                "end" => return Err("{end} without {range}".to_owned()),
                _ => parts.push(self.part(inner)?),
            }
        }
        if is_range {
            return Err("{range} without {end}".to_owned());
        }
        Ok(parts)
    }

    fn part(&mut self, inner: &str) -> Result<Part, String> {
        if let Some(path) = inner.strip_prefix("range ") {
            let path = Path::parse(path.trim())?;
            return Ok(Part::Range(path, self.parts(true)?));
        }
        if inner.starts_with('"') {
            let text = serde_json::from_str(inner);
            return text
                .map(Part::Text)
                .map_err(|_| format!("found {inner}, expected a text in quotes"));
        }
        Path::parse(inner).map(Part::Path)
    }
}

/// The position of the brace that closes, outside of quotes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '}') => return Some(at),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

impl Path {
    fn parse(text: &str) -> Result<Self, String> {
        let unknown = |rest: &str| {
            format!("found {rest} in {{{text}}}, expected .name, ['name'], [0] or [*]")
        };
        let mut rest = text.strip_prefix(['$', '@']).unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (inner, after) = after.split_once(']').ok_or_else(|| unknown(rest))?;
                steps.push(PathStep::in_brackets(inner).ok_or_else(|| unknown(rest))?);
                rest = after;
                continue;
            }
            let after = rest.strip_prefix('.').ok_or_else(|| unknown(rest))?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            match name {
                // The whole result.
                "" if steps.is_empty() && after.is_empty() => {}
                "" => return Err(unknown(rest)),
                "*" => steps.push(PathStep::Every),
                name if name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) =>
                {
                    steps.push(PathStep::Field(name.to_owned()));
                }
                _ => return Err(unknown(rest)),
            }
            rest = after;
        }
        if steps.is_empty() && text.is_empty() {
            return Err("found {}, expected a path, such as {.name}".to_owned());
        }
        Ok(Self(steps))
    }
}

impl PathStep {
    fn in_brackets(inner: &str) -> Option<Self> {
        let quoted = inner
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''));
        match (inner, quoted) {
            ("*", _) => Some(Self::Every),
            (_, Some(name)) => Some(Self::Field(name.to_owned())),
            (digits, None) => digits.parse().ok().map(Self::Index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(template: &str, reason: &str) {
        assert_eq!(Template::parse(template).unwrap_err(), reason);
    }

    #[test]
    fn a_template_has_texts_paths_and_ranges() {
        let template =
            Template::parse("{range .flags[*]}{.name}={@['a b'][-1]}{\"\\n\"}{end}").unwrap();
        let field = |name: &str| PathStep::Field(name.to_owned());
        let inner = vec![
            Part::Path(Path(vec![field("name")])),
            Part::Text("=".to_owned()),
            Part::Path(Path(vec![field("a b"), PathStep::Index(-1)])),
            Part::Text("\n".to_owned()),
        ];
        let path = Path(vec![field("flags"), PathStep::Every]);
        assert_eq!(template, Template(vec![Part::Range(path, inner)]));
        assert_eq!(
            Template::parse("{.}").unwrap(),
            Template(vec![Part::Path(Path(Vec::new()))])
        );
    }

    #[test]
    fn what_is_not_of_the_part_that_is_known_is_refused() {
        check_refused(".name", "expected a path in braces, such as {.name}");
        check_refused("{.name", "there is no } after {.name");
        check_refused("{}", "found {}, expected a path, such as {.name}");
        check_refused("{range .flags[*]}{.name}", "{range} without {end}");
        check_refused("{.name}{end}", "{end} without {range}");
        let expected = "expected .name, ['name'], [0] or [*]";
        check_refused(
            "{..name}",
            &format!("found ..name in {{..name}}, {expected}"),
        );
        check_refused(
            "{.flags[?(@.a)]}",
            &format!("found [?(@.a)] in {{.flags[?(@.a)]}}, {expected}"),
        );
        check_refused(
            "{.flags[0:2]}",
            &format!("found [0:2] in {{.flags[0:2]}}, {expected}"),
        );
        check_refused("{name}", &format!("found name in {{name}}, {expected}"));
    }
}
