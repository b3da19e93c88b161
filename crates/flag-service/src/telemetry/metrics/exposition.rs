//! The two text formats for scrapers: OpenMetrics 1.0 and Prometheus 0.0.4.
//!
//! Prometheus and its relatives ask for OpenMetrics; the older text is the default, as everything else understands it.

use std::fmt::Write as _;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus 0.0.4.
    Prometheus,
}

impl Exposition {
    /// All formats.
    pub(crate) const ALL: [Self; 2] = [Self::OpenMetrics, Self::Prometheus];

    /// Returns the format that an `Accept` header prefers.
    pub(crate) fn accepted(accept: &str) -> Self {
        let quality = |kinds: &[&str]| {
            let ranges = accept.split(',').filter_map(|range| quality(range, kinds));
            ranges.fold(0, u32::max)
        };
        let openmetrics = quality(&["application/openmetrics-text"]);
        if openmetrics > 0 && openmetrics >= quality(&["text/plain", "text/*"]) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts an OpenMetrics text without its end.
    pub(crate) fn of(self, openmetrics: &str) -> String {
        match self {
            Self::OpenMetrics => format!("{openmetrics}# EOF\n"),
            Self::Prometheus => prometheus(openmetrics),
        }
    }
}

/// Returns the quality of a media range, in thousandths, if it is one of these kinds in a supported version.
fn quality(range: &str, kinds: &[&str]) -> Option<u32> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    if !kinds.contains(&&*kind) {
        return None;
    }
    let mut quality = 1_000;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match (name.trim(), value.trim().trim_matches('"')) {
            ("version", "1.0.0" | "0.0.4") => {}
            ("version", _) => return None,
            ("q", value) => quality = thousandths(value)?,
            _ => {}
        }
    }
    Some(quality)
}

/// Parses `0.75` as 750.
fn thousandths(value: &str) -> Option<u32> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let fraction = format!("{fraction:0<3}");
    let thousandths =
        whole.parse::<u32>().ok()? * 1_000 + fraction.get(..3)?.parse::<u32>().ok()?;
    (thousandths <= 1_000).then_some(thousandths)
}

/// Converts to the older format, which has no units and infos, and describes a counter by the name of its samples.
fn prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(_), about) => help = Some(about.unwrap_or_default()),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                let help = help.take().unwrap_or_default();
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
                let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
            }
            (Some("#"), ..) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Exposition) {
        assert_eq!(Exposition::accepted(accept), expected, "{accept}");
    }

    #[test]
    fn each_scraper_gets_the_format_that_it_accepts() {
        // Prometheus 2.42, Prometheus 3, the OpenTelemetry collector, VictoriaMetrics, curl, a browser.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Exposition::OpenMetrics,
        );
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Exposition::OpenMetrics,
        );
        check(
            "text/plain;version=0.0.4;q=1,*/*;q=0.1",
            Exposition::Prometheus,
        );
        for accept in ["*/*", "", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"] {
            check(accept, Exposition::Prometheus);
        }
    }

    #[test]
    fn a_format_that_is_refused_or_less_wanted_is_not_used() {
        for accept in [
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=lots",
            "application/openmetrics-text;q=0.4, text/plain;q=0.5",
        ] {
            check(accept, Exposition::Prometheus);
        }
        check(
            "text/plain;q=0.5, Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.75",
            Exposition::OpenMetrics,
        );
    }

    #[test]
    fn the_older_text_names_a_counter_as_its_samples() {
        let openmetrics = "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n\
            # HELP b Which.\n# TYPE b info\nb_info{v=\"# TYPE\"} 1\n# HELP c What.\n# TYPE c unknown\nc 1\n# HELP d How many.\n# TYPE d gauge\nd 2\n";
        let expected = "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
            # HELP b_info Which.\n# TYPE b_info gauge\nb_info{v=\"# TYPE\"} 1\n# HELP c What.\n# TYPE c untyped\nc 1\n# HELP d How many.\n# TYPE d gauge\nd 2\n";
        assert_eq!(Exposition::Prometheus.of(openmetrics), expected);
        assert_eq!(
            Exposition::OpenMetrics.of(openmetrics),
            format!("{openmetrics}# EOF\n")
        );
    }
}
