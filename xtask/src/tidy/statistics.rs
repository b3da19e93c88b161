//! How much code there is, and how long its files and functions are.
use std::fmt;

use super::source::{self, Function, functions};

/// The code of one kind: product, tests or chores.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    files: Lengths,
    functions: Lengths,
}

/// Lengths in lines of code, without blanks and comments, each with its name.
#[derive(Debug, Default)]
struct Lengths(Vec<(usize, String)>);

impl Statistics {
    /// Adds the masked code of a file, if there is any.
    pub(super) fn add(&mut self, file: &str, code: &str) {
        let lines = source::lines(code);
        if lines == 0 {
            return;
        }
        self.files.0.push((lines, file.to_owned()));
        let functions = functions(code);
        let named = functions.map(|Function { name, lines }| (lines, format!("{name} in {file}")));
        self.functions.0.extend(named);
    }

    /// The lines of a table, one for files and one for functions.
    pub(super) fn rows(&mut self, kind: &str) -> String {
        format!(
            "{kind:<8} {}\n{kind:<8} {}\n",
            self.files.row("files"),
            self.functions.row("functions")
        )
    }
}

impl Lengths {
    fn row(&mut self, what: &str) -> impl fmt::Display {
        self.0.sort_unstable();
        let lines: usize = self.0.iter().map(|(lines, _)| lines).sum();
        let at = |percent: usize| {
            let last = self.0.len().saturating_sub(1);
            self.0
                .get(last * percent / 100)
                .map_or(0, |(lines, _)| *lines)
        };
        let (longest, name) = self.0.last().cloned().unwrap_or_default();
        format!(
            "{lines:>6} lines in {:>5} {what:<9} median {:>3}, 90th percentile {:>3}, longest {longest:>3}: {name}",
            self.0.len(),
            at(50),
            at(90)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_reported_by_median_and_longest() {
        let mut statistics = Statistics::default();
        statistics.add("a.rs", "fn f() {\n}\n");
        statistics.add("b.rs", "const A: u8 = 1;\n");
        statistics.add("c.rs", "fn g() {\n\n;\n}\nfn h() {}\n");
        statistics.add("d.rs", "\n");
        assert_eq!(
            statistics.rows("product"),
            "product       7 lines in     3 files     median   2, 90th percentile   2, longest   4: c.rs\n\
             product       6 lines in     3 functions median   2, 90th percentile   2, longest   3: g in c.rs\n"
        );
    }
}
