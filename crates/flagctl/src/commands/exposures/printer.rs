//! Exposures on standard output, one on a line as they are read.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use flag_model::FlagKey;
use flag_store::ExposureRecord;

use crate::failure::Failure;
use crate::output::{ExposureLines, LineFormat, OutputPipe, exposures_table, print_more};

/// The format of exposures that are printed as they are read.
#[derive(Debug)]
enum PrintFormat {
    Lines(ExposureLines),
    Table,
}

/// Prints exposures one on a line.
#[derive(Debug)]
pub(super) struct ExposurePrinter<'a> {
    format: PrintFormat,
    has_heading: bool,
    progress: &'a PrintProgress,
}

/// How many exposures were read and written.
#[derive(Debug)]
pub(super) struct PrintProgress {
    flag: FlagKey,
    written: AtomicU64,
}

impl PrintProgress {
    /// None yet.
    pub(super) fn new(flag: &FlagKey) -> Self {
        Self {
            flag: flag.clone(),
            written: AtomicU64::new(0),
        }
    }

    /// Counts further ones.
    pub(super) fn add(&self, count: usize) {
        self.written.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many they are.
    pub(super) fn count(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl fmt::Display for PrintProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} exposures of {}", self.count(), self.flag.name)
    }
}

impl<'a> ExposurePrinter<'a> {
    /// Prints them as lines, or as a table.
    pub(super) fn new(lines: Option<LineFormat>, progress: &'a PrintProgress) -> Self {
        Self {
            format: lines.map_or(PrintFormat::Table, |format| {
                PrintFormat::Lines(ExposureLines::new(format))
            }),
            has_heading: false,
            progress,
        }
    }

    /// Prints further exposures.
    pub(super) fn print(&mut self, records: &[ExposureRecord]) -> Result<OutputPipe, Failure> {
        let mut text = String::new();
        match &mut self.format {
            PrintFormat::Lines(lines) => {
                if !self.has_heading {
                    text.push_str(lines.heading());
                }
                for record in records {
                    lines.push(&mut text, &record.text());
                }
            }
            PrintFormat::Table => {
                let exposures: Vec<_> = records.iter().map(ExposureRecord::text).collect();
                let table = exposures_table(&exposures).uncoloured();
                let skipped = usize::from(self.has_heading);
                for line in table.lines().skip(skipped) {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        self.has_heading = true;
        self.progress.add(records.len());
        print_more(&text)
    }

    /// How many cells got an apostrophe.
    pub(super) fn escaped_cells(&self) -> u64 {
        match &self.format {
            PrintFormat::Lines(lines) => lines.escaped_cells(),
            PrintFormat::Table => 0,
        }
    }
}
