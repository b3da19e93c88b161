//! Lays out rows of cells in columns, which fit a terminal if it is wide enough for their longest words.

use unicode_width::UnicodeWidthStr as _;

/// The space between two columns.
const GAP: &str = "  ";

/// No column gets narrower than this to make a table fit.
const NARROWEST: usize = 12;

/// A row of cells, and what its lines inherit from it.
pub(super) type Row<T> = (T, Vec<String>);

/// The lines of a table: a line for each row, or several if cells have to be wrapped for a terminal of this width.
pub(super) fn lay_out<T: Copy>(rows: &[Row<T>], terminal: Option<usize>) -> Vec<(T, String)> {
    let mut widths = widths(rows, str::width);
    // A single column may hold commands, which are copied.
    let terminal = terminal.filter(|_| widths.len() > 1);
    if let Some(terminal) = terminal {
        let longest_word = |cell: &str| words(cell).into_iter().map(str::width).max().unwrap_or(0);
        shrink(&mut widths, &self::widths(rows, longest_word), terminal);
    }
    let lines = rows.iter().flat_map(|(inherited, cells)| {
        let lines = row_lines(cells, &widths, terminal);
        lines.into_iter().map(|line| (*inherited, line))
    });
    lines.collect()
}

/// The width of each column. The last cell of a row that has fewer cells than others may be wider.
fn widths<T>(rows: &[Row<T>], width: impl Fn(&str) -> usize) -> Vec<usize> {
    let columns = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let column = |at: usize| {
        let cells = rows.iter().filter_map(|(_, cells)| {
            let counts = at + 1 < cells.len() || at + 1 == columns;
            cells.get(at).filter(|_| counts)
        });
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    (0..columns).map(column).collect()
}

/// Makes the widest columns narrower until all fit, or until they would break a word.
fn shrink(widths: &mut [usize], words: &[usize], terminal: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > terminal {
        let shrinkable = widths.iter_mut().zip(words);
        let shrinkable = shrinkable.filter(|(width, word)| **width > NARROWEST.max(**word));
        let Some((widest, _)) = shrinkable.max_by_key(|(width, _)| **width) else {
            return;
        };
        *widest -= 1;
    }
}

/// The lines of a row.
fn row_lines(cells: &[String], widths: &[usize], terminal: Option<usize>) -> Vec<String> {
    let mut left = 0;
    let cells: Vec<(usize, Vec<String>)> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(at, (cell, width))| {
            let is_last = at + 1 == cells.len();
            let room = match terminal {
                Some(terminal) if is_last => terminal.saturating_sub(left).max(*width),
                Some(_) => *width,
                None => usize::MAX,
            };
            left += width + GAP.len();
            (*width, wrapped(cell, room))
        })
        .collect();
    let height = cells.iter().map(|(_, lines)| lines.len()).max();
    let line = |at: usize| {
        let cells: Vec<String> = cells
            .iter()
            .map(|(width, lines)| padded(lines.get(at).map_or("", String::as_str), *width))
            .collect();
        cells.join(GAP).trim_end().to_owned()
    };
    (0..height.unwrap_or(0)).map(line).collect()
}

/// The lines of a cell, none of whose words is broken.
fn wrapped(cell: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(cell) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The parts of a cell that stay on one line: words, and times, which have a space between digits.
fn words(cell: &str) -> Vec<&str> {
    let is_digit = |at: usize| cell.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let spaces = cell.match_indices(' ').map(|(at, _)| at);
    let breaks = spaces.filter(|&at| !(is_digit(at.wrapping_sub(1)) && is_digit(at + 1)));
    let mut words = Vec::new();
    let mut from = 0;
    for at in breaks.chain([cell.len()]) {
        words.extend(cell.get(from..at));
        from = at + 1;
    }
    words
}

fn padded(cell: &str, width: usize) -> String {
    let padding = width.saturating_sub(cell.width());
    format!("{cell}{}", " ".repeat(padding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[&[&str]], terminal: Option<usize>, expected: &[&str]) {
        let cells = |row: &&[&str]| row.iter().map(ToString::to_string).collect();
        let rows: Vec<Row<()>> = rows.iter().map(|row| ((), cells(row))).collect();
        let lines = lay_out(&rows, terminal);
        let lines: Vec<&str> = lines.iter().map(|((), line)| line.as_str()).collect();
        assert_eq!(lines, expected);
    }

    const TEXT: &str = "one two three four five six seven eight nine ten";

    #[test]
    fn a_table_that_fits_is_as_wide_as_its_cells() {
        let rows: [&[&str]; 2] = [&["a", TEXT], &["日本", "x"]];
        let first = format!("a     {TEXT}");
        let expected = [first.as_str(), "日本  x"];
        check(&rows, None, &expected);
        check(&rows, Some(54), &expected);
    }

    #[test]
    fn a_cell_is_wrapped_between_words_where_the_terminal_is_too_narrow() {
        check(
            &[&["NAME", "TEXT", "TIME"], &["a", TEXT, "2024-09-25 19:15"]],
            Some(48),
            &[
                "NAME  TEXT                      TIME",
                "a     one two three four five   2024-09-25 19:15",
                "      six seven eight nine ten",
            ],
        );
        check(
            &[&["name", TEXT], &["long-name", "x"]],
            Some(40),
            &[
                "name       one two three four five six",
                "           seven eight nine ten",
                "long-name  x",
            ],
        );
    }

    #[test]
    fn no_word_is_broken() {
        let key = "PROJECT#p#ROWTYPE#FLAG#FLAGTYPE#feature";
        let line = format!("key  {key}");
        check(&[&["key", key]], Some(20), &[&line]);
    }

    #[test]
    fn a_single_column_is_left_as_it_is() {
        check(&[&[TEXT]], Some(20), &[TEXT]);
    }
}
