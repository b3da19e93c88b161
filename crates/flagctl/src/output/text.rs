//! Text for people: lines, each with a tone, and cells in columns.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr as _;

use super::escape::{self, escaped};
use super::layout::{Row, lay_out};

/// The meaning of a line, which a terminal may show by a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// An ordinary line.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// Something that was not there.
    Added,
    /// Something that is there no longer.
    Removed,
    /// A difference.
    Changed,
    /// A problem.
    Problem,
}

impl Tone {
    /// The sign of a difference and its tone, by whether there is something before it and after it.
    pub(crate) fn of_difference(has_before: bool, has_after: bool) -> (char, Self) {
        match (has_before, has_after) {
            (false, true) => ('+', Self::Added),
            (true, false) => ('-', Self::Removed),
            _ => ('~', Self::Changed),
        }
    }

    /// The tone of a line that begins with such a sign.
    pub(super) fn of_line(line: &str) -> Self {
        let signs = [
            ("+ ", Self::Added),
            ("- ", Self::Removed),
            ("~ ", Self::Changed),
        ];
        let sign = signs.into_iter().find(|(sign, _)| line.starts_with(sign));
        sign.map_or(Self::Plain, |(_, tone)| tone)
    }

    /// The text as a terminal shows it in this tone.
    pub(crate) fn paint(self, text: &str) -> String {
        let style = match self {
            Self::Plain => return text.to_owned(),
            Self::Heading => Style::new().bold(),
            Self::Added => AnsiColor::Green.on_default(),
            Self::Changed => AnsiColor::Yellow.on_default(),
            Self::Removed | Self::Problem => AnsiColor::Red.on_default(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Lines and tables, each line or row with its tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<Block>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    Line(Tone, String),
    /// Its rows, and how many of them are not shown: they only make columns as wide as they are above.
    Table(Vec<Row<Tone>>, usize),
}

impl Text {
    /// The lines of a text without any tone; control characters are escaped.
    pub(crate) fn plain(text: &str) -> Self {
        Self::verbatim(&escape::escaped_lines(text))
    }

    /// One line; control characters are escaped.
    pub(super) fn line(tone: Tone, line: &str) -> Self {
        Self(vec![Block::Line(tone, escaped(line))])
    }

    /// The lines of a text that has been escaped already, in a way of its own.
    pub(super) fn verbatim(text: &str) -> Self {
        let lines = text.split_terminator('\n');
        let lines = lines.map(|line| Block::Line(Tone::Plain, line.to_owned()));
        Self(lines.collect())
    }

    /// The same with another text below.
    pub(crate) fn then(mut self, below: Self) -> Self {
        self.0.extend(below.0);
        self
    }

    /// The same with an empty line and another text below.
    pub(super) fn and(self, below: Self) -> Self {
        self.then(Self::line(Tone::Plain, "")).then(below)
    }

    /// The text for a terminal of this width; without a terminal no cell is wrapped.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<(Tone, String)> {
        let lines = self.0.iter().flat_map(|block| match block {
            Block::Line(tone, line) => vec![(*tone, line.clone())],
            Block::Table(rows, 0) => lay_out(rows, width),
            Block::Table(rows, hidden) => laid_out_after(*hidden, rows, width),
        });
        lines.collect()
    }

    /// The lines without colours and without a terminal.
    pub(crate) fn uncoloured(&self) -> String {
        self.lines(None)
            .iter()
            .fold(String::new(), |text, (_, line)| text + line + "\n")
    }
}

/// The lines of the rows after the hidden ones.
fn laid_out_after(hidden: usize, rows: &[Row<Tone>], width: Option<usize>) -> Vec<(Tone, String)> {
    let rows = rows.iter().enumerate();
    let numbered = rows.map(|(at, (tone, cells))| ((at, *tone), cells.clone()));
    let lines = lay_out(&numbered.collect::<Vec<_>>(), width).into_iter();
    let lines = lines.filter(|((at, _), _)| *at >= hidden);
    lines.map(|((_, tone), line)| (tone, line)).collect()
}

/// The lines as a terminal shows them, in the colours of their tones if it has any.
pub(super) fn painted(lines: &[(Tone, String)], has_colours: bool) -> String {
    let mut painted = String::new();
    for (tone, line) in lines {
        let tone = if has_colours { *tone } else { Tone::Plain };
        painted = painted + &tone.paint(line) + "\n";
    }
    painted
}

/// How many rows of a terminal of this width the lines take.
pub(super) fn terminal_rows(lines: &[(Tone, String)], width: usize) -> usize {
    let rows = |line: &str| line.width().div_ceil(width.max(1)).max(1);
    lines.iter().map(|(_, line)| rows(line)).sum()
}

/// A table, row by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns(Vec<Row<Tone>>);

impl Columns {
    /// A table with a heading.
    pub(super) fn headed<const N: usize>(heading: [&str; N]) -> Self {
        let mut columns = Self::default();
        columns.line(Tone::Heading, heading.map(str::to_owned));
        columns
    }

    /// Adds a row; control characters in its cells are escaped.
    pub(crate) fn line(&mut self, tone: Tone, cells: impl Into<Vec<String>>) {
        let cells: Vec<String> = cells.into();
        let cells = cells.iter().map(|cell| escaped(cell)).collect();
        self.0.push((tone, cells));
    }

    /// How many rows it has, with its heading.
    pub(super) fn rows(&self) -> usize {
        self.0.len()
    }

    /// The table as text.
    pub(crate) fn text(self) -> Text {
        self.after(0)
    }

    /// The rows after the first ones, in the columns of the whole table.
    pub(super) fn after(self, hidden: usize) -> Text {
        Text(vec![Block::Table(self.0, hidden)])
    }
}

/// Names and values in two columns.
impl<const N: usize> From<[(&str, String); N]> for Columns {
    fn from(pairs: [(&str, String); N]) -> Self {
        let mut columns = Self::default();
        for (name, value) in pairs {
            columns.line(Tone::Plain, [name.to_owned(), value]);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut columns = Columns::headed(["a", "bb", "c"]);
        columns.line(Tone::Plain, ["aaa", "b", ""].map(str::to_owned));
        columns.line(Tone::Problem, ["a", "long and last"].map(str::to_owned));
        let text = columns.text();
        assert_eq!(
            text.uncoloured(),
            "a    bb  c\naaa  b\na    long and last\n"
        );
        let tones: Vec<Tone> = text.lines(None).iter().map(|(tone, _)| *tone).collect();
        assert_eq!(tones, [Tone::Heading, Tone::Plain, Tone::Problem]);
    }

    #[test]
    fn rows_that_are_shown_later_are_in_the_same_columns() {
        let mut columns = Columns::headed(["a", "b"]);
        columns.line(Tone::Plain, ["long", "x"].map(str::to_owned));
        columns.line(Tone::Problem, ["y", "z"].map(str::to_owned));
        let last = columns.after(2).lines(Some(80));
        assert_eq!(last, [(Tone::Problem, "y     z".to_owned())]);
    }

    #[test]
    fn every_line_of_a_row_has_the_colour_of_its_tone() {
        let mut columns = Columns::headed(["a", "bb"]);
        columns.line(
            Tone::Changed,
            ["aaa", "one two three four"].map(str::to_owned),
        );
        columns.line(Tone::Plain, ["a", "b"].map(str::to_owned));
        columns.line(Tone::Problem, ["a", "\u{1b}[0m"].map(str::to_owned));
        let lines = columns.text().lines(Some(17));
        assert_eq!(
            painted(&lines, true),
            "\u{1b}[1ma    bb\u{1b}[0m\n\
             \u{1b}[33maaa  one two\u{1b}[0m\n\
             \u{1b}[33m     three four\u{1b}[0m\n\
             a    b\n\
             \u{1b}[31ma    \\u{1b}[0m\u{1b}[0m\n"
        );
        assert_eq!(
            painted(&lines, false),
            "a    bb\naaa  one two\n     three four\na    b\na    \\u{1b}[0m\n"
        );
    }

    #[test]
    fn a_long_line_takes_several_rows_of_a_terminal() {
        let lines = Text::plain("1234567890\n\n12345\n").lines(None);
        assert_eq!(terminal_rows(&lines, 5), 4);
        assert_eq!(terminal_rows(&lines, 80), 3);
        assert_eq!(terminal_rows(&[], 0), 0);
    }
}
