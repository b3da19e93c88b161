//! What was measured, as text, as JSON, and as the generated part of a page.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Part;
use super::goal::Row;
use super::machine;
use crate::generated;
use crate::metadata::Metadata;

/// The page, and where its pictures lie.
const PAGE: &str = "docs/performance.md";
const PICTURES: &str = "docs/performance";

/// What a part gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Measured {
    /// The day.
    pub(super) date: String,
    /// Its rows of the table of goals.
    pub(super) rows: Vec<Row>,
    /// What lies behind them.
    pub(super) tables: Vec<Table>,
    pub(super) pictures: Vec<Picture>,
}

/// A table beside that of the goals. All but the first column are figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A picture of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Picture {
    /// The name of its file, without the ending.
    pub(super) name: String,
    /// What it shows, for people who cannot see it.
    pub(super) shows: String,
    pub(super) svg: String,
}

/// All parts that were measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    /// Where the last of them was.
    machine: String,
    parts: BTreeMap<Part, Measured>,
}

impl Table {
    pub(super) fn new(title: impl Into<String>, head: &[&str]) -> Self {
        Self {
            title: title.into(),
            head: head.iter().map(|&word| word.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For a terminal: columns below each other.
    fn text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let mut text = format!("\n{}\n", self.title);
        for line in lines() {
            for (column, cell) in line.iter().enumerate() {
                let widths = lines().filter_map(|line| line.get(column));
                let width = widths.map(|cell| cell.chars().count()).max().unwrap_or(0);
                // Writing to a text cannot fail.
                let _ = write!(text, "{cell:<width$}  ");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// For a page.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = self.head.iter().skip(1).map(|_| "---:|");
        let rule: String = rule.collect();
        let rows = self.rows.iter().map(|cells| line(cells));
        let rows: String = rows.collect();
        format!(
            "**{}**\n\n{}|---|{rule}\n{rows}",
            self.title,
            line(&self.head)
        )
    }
}

impl Measured {
    /// What lies behind the goals, for a terminal.
    pub(super) fn text(&self) -> String {
        self.tables.iter().map(Table::text).collect()
    }

    fn markdown(&self) -> String {
        let tables = self.tables.iter();
        let tables = tables.map(|table| format!("\n{}", table.markdown()));
        let pictures = self.pictures.iter().map(|picture| {
            let Picture { name, shows, .. } = picture;
            format!("\n![{shows}](performance/{name}.svg)\n")
        });
        tables.chain(pictures).collect()
    }
}

impl Report {
    /// What was measured before, if anything was.
    pub(super) fn read() -> Result<Self> {
        let Ok(json) = fs::read_to_string(folder()?.join("bench.json")) else {
            return Ok(Self::default());
        };
        serde_json::from_str(&json).context("bench.json is of another version: remove it")
    }

    /// Takes in what a part gave, and keeps it.
    pub(super) fn put(&mut self, part: Part, measured: Measured) -> Result<()> {
        let date = machine::today()?;
        self.machine = machine::line(&date)?;
        self.parts.insert(part, Measured { date, ..measured });
        let folder = folder()?;
        for picture in self.pictures() {
            fs::write(folder.join(format!("{}.svg", picture.name)), &picture.svg)?;
        }
        let json = serde_json::to_string_pretty(self)? + "\n";
        Ok(fs::write(folder.join("bench.json"), json)?)
    }

    /// The table of goals, for a terminal.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new(self.place(), &["what", "goal", "measured", ""]);
        for row in self.rows() {
            table.row(row.cells().map(|cell| cell.replace("**", "")));
        }
        table.text()
    }

    /// Writes the generated part of the page, and its pictures.
    pub(super) fn write(&self) -> Result<()> {
        let folder = Metadata::read()?.workspace_root.join(PICTURES);
        fs::create_dir_all(&folder)?;
        for picture in self.pictures() {
            fs::write(folder.join(format!("{}.svg", picture.name)), &picture.svg)?;
        }
        generated::write(PAGE, &self.markdown())
    }

    fn markdown(&self) -> String {
        let mut page = format!(
            "{}\n\n| What | Goal | Measured | |\n|---|---|---|---|\n",
            self.place()
        );
        for row in self.rows() {
            // Writing to a text cannot fail.
            let _ = writeln!(page, "| {} |", row.cells().join(" | "));
        }
        page + &self
            .parts
            .values()
            .map(Measured::markdown)
            .collect::<String>()
    }

    /// When and where; and which parts were measured on another day.
    fn place(&self) -> String {
        let last = self.parts.values().map(|measured| &measured.date).max();
        let older = self.parts.iter();
        let older = older.filter(|(_, measured)| Some(&measured.date) != last);
        let older = older.map(|(part, Measured { date, .. })| format!(" {}: {date}.", part.name()));
        self.machine.clone() + &older.collect::<String>()
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.values().flat_map(|measured| &measured.rows)
    }

    fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.parts.values().flat_map(|measured| &measured.pictures)
    }
}

/// Where measurements keep what they leave.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = Metadata::read()?.target_directory.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::super::goal::{Goal, Unit};
    use super::*;

    fn report() -> Report {
        let mut table = Table::new("Behind it", &["", "answers/s"]);
        table.row(["bare".to_owned(), "150000".to_owned()]);
        let row = Row::new("all on", Unit::Ratio, Goal::AtLeast(0.8), 0.7);
        let measured = Measured {
            date: "2026-01-02".to_owned(),
            rows: vec![row],
            tables: vec![table],
            pictures: vec![Picture {
                name: "flags".to_owned(),
                shows: "Memory by flags".to_owned(),
                svg: "<svg/>".to_owned(),
            }],
        };
        Report {
            machine: "Measured here.".to_owned(),
            parts: BTreeMap::from([(Part::Memory, measured)]),
        }
    }

    #[test]
    fn a_page_has_the_goals_then_what_lies_behind_them() {
        let page = report().markdown();
        let expected = "Measured here.\n\n| What | Goal | Measured | |\n|---|---|---|---|\n\
            | all on | at least 0.80 | 0.70 | **missed** |\n\n\
            **Behind it**\n\n|  | answers/s |\n|---|---:|\n| bare | 150000 |\n\n\
            ![Memory by flags](performance/flags.svg)\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn a_part_of_another_day_is_reported() {
        let mut report = report();
        assert_eq!(report.place(), "Measured here.");
        let older = Measured {
            date: "2026-01-01".to_owned(),
            ..Measured::default()
        };
        report.parts.insert(Part::InProcess, older);
        assert_eq!(report.place(), "Measured here. in-process: 2026-01-01.");
    }

    #[test]
    fn a_terminal_shows_columns() {
        let text = report().parts[&Part::Memory].text();
        assert_eq!(text, "\nBehind it\n      answers/s\nbare  150000\n");
        assert!(report().text().contains("missed\n"));
    }

    #[test]
    fn what_was_kept_is_read_back() {
        let json = serde_json::to_string(&report()).unwrap();
        let read: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(read.markdown(), report().markdown());
    }
}
