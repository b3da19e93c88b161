//! Exposures one on a line, for other programs: JSON, and CSV by RFC 4180.

use std::fmt::Write as _;

use flag_store::ExposureText;

use super::csv::Csv;
use super::escape::escaped_json;
use super::exposures::Exposure;

/// The columns, as in JSON.
const COLUMNS: &str = "row_key,request_id,created,instance_id,value,rollout_group,reason,bucket,revision,from_cache\r\n";

/// A format with an exposure on each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineFormat {
    /// A JSON object.
    Ndjson,
    /// Cells between commas.
    Csv,
}

/// Writes exposures one on a line.
#[derive(Debug)]
pub(crate) struct ExposureLines {
    format: LineFormat,
    csv: Csv,
}

impl ExposureLines {
    /// Writes them in this format.
    pub(crate) fn new(format: LineFormat) -> Self {
        let csv = Csv::default();
        Self { format, csv }
    }

    /// What comes before the first exposure.
    pub(crate) fn heading(&self) -> &'static str {
        match self.format {
            LineFormat::Ndjson => "",
            LineFormat::Csv => COLUMNS,
        }
    }

    /// How many cells got an apostrophe.
    pub(crate) fn escaped_cells(&self) -> u64 {
        self.csv.escaped_cells
    }

    /// Appends the line of an exposure.
    pub(crate) fn push(&mut self, lines: &mut String, exposure: &ExposureText) {
        match self.format {
            LineFormat::Ndjson => {
                let exposure = Exposure::from(exposure);
                let json = serde_json::to_string(&exposure).unwrap_or_default();
                let _ = writeln!(lines, "{}", escaped_json(&json));
            }
            LineFormat::Csv => self.push_cells(lines, exposure),
        }
    }

    fn push_cells(&mut self, lines: &mut String, exposure: &ExposureText) {
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            exposure.key.clone(),
            exposure.request_id.clone(),
            exposure.created.clone(),
            exposure.instance.clone(),
            exposure.value.clone(),
            exposure.rollout_group.clone(),
            optional(&exposure.reason),
            optional(&exposure.bucket),
            optional(&exposure.revision),
            optional(&exposure.from_cache),
        ];
        self.csv.push(cells.iter().map(String::as_str));
        lines.push_str(&std::mem::take(&mut self.csv.lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(instance: &str, value: &str) -> ExposureText {
        ExposureText {
            key: "KEY".to_owned(),
            request_id: "r".to_owned(),
            created: "2026-11-28 12:00:00.000000".to_owned(),
            instance: instance.to_owned(),
            value: value.to_owned(),
            rollout_group: "control".to_owned(),
            from_cache: None,
            revision: None,
            reason: Some("control".to_owned()),
            bucket: None,
        }
    }

    #[track_caller]
    fn check(format: LineFormat, instance: &str, value: &str, expected: &str) {
        let mut lines = String::new();
        ExposureLines::new(format).push(&mut lines, &exposure(instance, value));
        assert_eq!(lines, expected);
    }

    #[track_caller]
    fn check_cell(value: &str, cell: &str) {
        let expected = format!("KEY,r,2026-11-28 12:00:00.000000,A,{cell},control,control,,,\r\n");
        check(LineFormat::Csv, "A", value, &expected);
    }

    #[test]
    fn a_cell_of_csv_is_quoted_where_it_must() {
        check_cell("plain text", "plain text");
        check_cell("a,b", "\"a,b\"");
        check_cell("say \"a\"", "\"say \"\"a\"\"\"");
        check_cell(" a", "\" a\"");
        check_cell("", "");
        check_cell("a\nb\u{1b}[2J", "a\\nb\\u{1b}[2J");
    }

    #[test]
    fn no_cell_of_csv_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            check_cell(formula, &format!("'{formula}"));
        }
        check_cell("=A1,B1", "\"'=A1,B1\"");
        let mut lines = ExposureLines::new(LineFormat::Csv);
        lines.push(&mut String::new(), &exposure("-5", "=1"));
        assert_eq!(lines.escaped_cells(), 2);
    }

    #[test]
    fn json_is_exact_and_obeyed_by_no_terminal() {
        check(
            LineFormat::Ndjson,
            "-5",
            "=\u{9b}\n",
            "{\"row_key\":\"KEY\",\"request_id\":\"r\",\"created\":\"2026-11-28 12:00:00.000000\",\
             \"instance_id\":\"-5\",\"value\":\"=\\u009b\\n\",\"rollout_group\":\"control\",\"reason\":\"control\",\
             \"bucket\":null,\"revision\":null,\"from_cache\":null}\n",
        );
    }
}
