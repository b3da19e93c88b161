//! A part of the terminal that is drawn again and again in its place.

use std::fmt::Write as _;
use std::io;

use super::terminal;
use super::text::{Text, Tone, painted, terminal_rows};
use super::view::{OutputPipe, print_more};
use crate::failure::Failure;

/// What is on the terminal now.
#[derive(Debug)]
pub(crate) struct Screen {
    /// How many rows were drawn.
    rows: usize,
    /// Columns and rows of the terminal then.
    size: (usize, usize),
}

impl Screen {
    /// Nothing drawn yet; `None` where nothing can be drawn in its place.
    pub(crate) fn open() -> Option<Self> {
        let size = terminal::size(&io::stdout())?;
        terminal::can_redraw().then_some(Self { rows: 0, size })
    }

    /// Draws the text in the place of the one before, as much of it as fits.
    pub(crate) fn draw(&mut self, text: &Text) -> Result<OutputPipe, Failure> {
        let size = terminal::size(&io::stdout()).unwrap_or(self.size);
        let mut lines = text.lines(Some(size.0));
        fit(&mut lines, size);
        let mut frame = self.back(size);
        frame.push_str(&painted(&lines, terminal::has_colours(&io::stdout())));
        self.rows = terminal_rows(&lines, size.0);
        self.size = size;
        print_more(&frame)
    }

    /// Leaves what is drawn, and erases what the terminal itself has written below, such as `^C`.
    pub(crate) fn leave() -> Result<(), Failure> {
        print_more("\r\u{1b}[J").map(|_| ())
    }

    /// Moves the cursor to where the drawing begins, and erases it; all of the screen if its size has changed, as lines have moved.
    fn back(&self, size: (usize, usize)) -> String {
        let mut back = String::from("\r");
        if self.rows > 0 && self.size != size {
            back.push_str("\u{1b}[H");
        } else if self.rows > 0 {
            let _ = write!(back, "\u{1b}[{}A", self.rows);
        }
        back + "\u{1b}[J"
    }
}

/// Cuts off what does not fit above the row of the cursor, and says so.
fn fit(lines: &mut Vec<(Tone, String)>, (width, height): (usize, usize)) {
    let room = height.saturating_sub(1).max(1);
    if terminal_rows(lines, width) <= room {
        return;
    }
    while !lines.is_empty() && terminal_rows(lines, width) >= room {
        lines.pop();
    }
    lines.push((Tone::Plain, "…".to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], size: (usize, usize), expected: &[&str]) {
        let lines = lines.iter().map(|line| (Tone::Plain, (*line).to_owned()));
        let mut lines: Vec<_> = lines.collect();
        fit(&mut lines, size);
        let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_does_not_fit_the_screen_is_cut_off() {
        check(&["a", "b", "c"], (80, 4), &["a", "b", "c"]);
        check(&["a", "b", "c"], (80, 3), &["a", "…"]);
        check(&["a", "bb bb", "c"], (3, 4), &["a", "…"]);
        check(&["a", "b"], (80, 1), &["…"]);
    }

    #[test]
    fn the_cursor_goes_back_to_where_the_drawing_began() {
        let drawn = |rows| Screen {
            rows,
            size: (80, 24),
        };
        assert_eq!(drawn(0).back((80, 24)), "\r\u{1b}[J");
        assert_eq!(drawn(7).back((80, 24)), "\r\u{1b}[7A\u{1b}[J");
        assert_eq!(drawn(7).back((200, 50)), "\r\u{1b}[H\u{1b}[J");
    }
}
