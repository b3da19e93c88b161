//! Text for people: lines, each with a tone, and cells in columns.

use anstyle::{AnsiColor, Style};

use super::escape::{self, escaped};

/// What a line is, which a terminal may show by a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A line like any other.
    #[default]
    Plain,
    /// It says what stands below it.
    Heading,
    /// It differs from what it is shown beside.
    Changed,
    /// Something is wrong.
    Problem,
}

impl Tone {
    /// The text as a terminal shows it in this tone.
    pub(crate) fn paint(self, text: &str) -> String {
        let style = match self {
            Self::Plain => return text.to_owned(),
            Self::Heading => Style::new().bold(),
            Self::Changed => AnsiColor::Yellow.on_default(),
            Self::Problem => AnsiColor::Red.on_default(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Lines, each with its tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<(Tone, String)>);

impl Text {
    /// The lines of a text without any tone, as a terminal may show them.
    pub(crate) fn plain(text: &str) -> Self {
        Self::verbatim(&escape::escaped_lines(text))
    }

    /// One line, as a terminal may show it.
    pub(super) fn line(tone: Tone, line: &str) -> Self {
        Self(vec![(tone, escaped(line))])
    }

    /// The lines of a text that has been escaped already, in a way of its own.
    pub(super) fn verbatim(text: &str) -> Self {
        let lines = text.split_terminator('\n');
        let lines = lines.map(|line| (Tone::Plain, line.to_owned()));
        Self(lines.collect())
    }

    /// The same with an empty line and another text below.
    pub(super) fn and(mut self, below: Self) -> Self {
        self.0.push((Tone::Plain, String::new()));
        self.0.extend(below.0);
        self
    }

    /// The lines without colours.
    pub(crate) fn uncoloured(&self) -> String {
        let lines = self.0.iter().map(|(_, line)| format!("{line}\n"));
        lines.collect()
    }

    /// The lines in the colours of their tones.
    pub(super) fn coloured(&self) -> String {
        let lines = self.0.iter();
        let lines = lines.map(|(tone, line)| format!("{}\n", tone.paint(line)));
        lines.collect()
    }

    /// How many rows of a terminal of this width the lines take.
    pub(super) fn rows(&self, width: usize) -> usize {
        let lines = self.0.iter();
        let rows = lines.map(|(_, line)| line.chars().count().div_ceil(width.max(1)).max(1));
        rows.sum()
    }
}

/// Lines of cells, two spaces apart, each column as wide as its widest cell that another one follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns(Vec<(Tone, Vec<String>)>);

impl Columns {
    /// Columns under a heading.
    pub(super) fn headed<const N: usize>(heading: [&str; N]) -> Self {
        let mut columns = Self::default();
        columns.line(Tone::Heading, heading.map(str::to_owned));
        columns
    }

    /// Adds a line, whose cells are shown as a terminal may show them.
    pub(super) fn line(&mut self, tone: Tone, cells: impl Into<Vec<String>>) {
        let cells: Vec<String> = cells.into();
        let cells = cells.iter().map(|cell| escaped(cell)).collect();
        self.0.push((tone, cells));
    }

    /// The lines as they are shown.
    pub(super) fn text(&self) -> Text {
        let mut widths: Vec<usize> = Vec::new();
        for (_, cells) in &self.0 {
            let followed = cells.split_last().map_or(&[][..], |(_, followed)| followed);
            for (at, cell) in followed.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(at) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        let lines = self.0.iter().map(|(tone, cells)| {
            let widths = widths.iter().copied().chain(std::iter::repeat(0));
            let cells = cells.iter().zip(widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            (*tone, cells.join("  ").trim_end().to_owned())
        });
        Text(lines.collect())
    }
}

/// Names beside what they name.
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
        assert_eq!(
            text.coloured(),
            "\u{1b}[1ma    bb  c\u{1b}[0m\naaa  b\n\u{1b}[31ma    long and last\u{1b}[0m\n"
        );
    }

    #[test]
    fn a_long_line_takes_several_rows_of_a_terminal() {
        let text = Text::plain("1234567890\n\n12345\n");
        assert_eq!(text.rows(5), 4);
        assert_eq!(text.rows(80), 3);
        assert_eq!(Text::default().rows(0), 0);
    }
}
