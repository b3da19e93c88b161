//! The metrics of this replica, read from the text that scrapers get.

/// A scrape.
#[derive(Debug)]
pub(super) struct Readings(Vec<MetricReading>);

/// A number with its name and labels.
#[derive(Debug)]
pub(super) struct MetricReading {
    /// Name and labels, as in the text.
    pub(super) series: String,
    name: String,
    labels: Vec<(String, String)>,
    /// The number, without its fraction.
    pub(super) value: u64,
}

/// How often something took at most how long.
#[derive(Debug)]
pub(super) struct Histogram {
    pub(super) count: u64,
    /// Upper bounds in seconds, as in the text, each with how often it was kept; in order.
    buckets: Vec<(String, u64)>,
}

impl Readings {
    /// Reads the text; lines that are no samples are left out.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(MetricReading::parse).collect())
    }

    /// All of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &MetricReading> {
        self.0.iter().filter(move |reading| reading.name == name)
    }

    /// The sum of all of this name that have these labels, perhaps besides others; `None` if there are none.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let found = self.all(name).filter(|reading| reading.has(labels));
        found
            .map(|reading| reading.value)
            .reduce(u64::saturating_add)
    }

    /// The histogram of this name and these labels; `None` if there is none.
    pub(super) fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Option<Histogram> {
        let count = self.sum(&format!("{name}_count"), labels)?;
        let buckets = format!("{name}_bucket");
        let buckets = self.all(&buckets).filter(|reading| reading.has(labels));
        let buckets = buckets.map(|reading| (reading.label("le").to_owned(), reading.value));
        Some(Histogram {
            count,
            buckets: buckets.collect(),
        })
    }
}

impl MetricReading {
    /// Reads a line such as `name{label="value"} 7`.
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, read_labels(labels.strip_suffix('}')?)),
            None => (series, Vec::new()),
        };
        let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
        Some(Self {
            series: series.to_owned(),
            name: name.to_owned(),
            labels,
            value: whole.parse().ok()?,
        })
    }

    /// The value of a label; empty if it is missing.
    pub(super) fn label(&self, name: &str) -> &str {
        let mut labels = self.labels.iter().filter(|(found, _)| found == name);
        labels.next().map_or("", |(_, value)| value)
    }

    /// The values of all labels, in order.
    pub(super) fn label_values(&self) -> String {
        let values: Vec<&str> = self
            .labels
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        values.join(", ")
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.label(name) == *value)
    }
}

impl Histogram {
    /// The least upper bound that this share of all keeps, in percent, such as `≤ 250 ms`.
    pub(super) fn within(&self, percent: u64) -> String {
        if self.count == 0 {
            return "–".to_owned();
        }
        let rank = self.count.saturating_mul(percent).div_ceil(100);
        let mut last = "0";
        for (bound, kept) in &self.buckets {
            if *kept >= rank && bound != "+Inf" {
                return format!("≤ {}", time(bound));
            }
            if bound != "+Inf" {
                last = bound;
            }
        }
        format!("> {}", time(last))
    }
}

/// A time in seconds in the unit that suits it.
fn time(seconds: &str) -> String {
    match seconds.parse::<f64>() {
        Ok(time) if time < 1.0 => format!("{} ms", (time * 1e6).round() / 1e3),
        Ok(time) => format!("{time} s"),
        Err(_) => format!("{seconds} s"),
    }
}

/// Reads `one="a",other="b"`.
fn read_labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = up_to_quote(after);
        labels.push((name.to_owned(), value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    labels
}

/// The text up to the next quote that is not escaped, and what comes after it.
fn up_to_quote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other)) => value.push(other),
                None => {}
            },
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP a_total How many
# TYPE a_total counter
a_total{reason="full",flag="p/feature/a \"b\", c\\"} 3
a_total{reason="other"} 4
b 2.75
lag_seconds_sum 1.5
lag_seconds_count 10
lag_seconds_bucket{le="0.05"} 4
lag_seconds_bucket{le="2.0"} 9
lag_seconds_bucket{le="+Inf"} 10
none_seconds_count 0
none_seconds_bucket{le="+Inf"} 0
"#;

    #[test]
    fn numbers_are_found_by_name_and_label() {
        let readings = Readings::parse(TEXT);
        assert_eq!(readings.sum("a_total", &[]), Some(7));
        assert_eq!(readings.sum("a_total", &[("reason", "other")]), Some(4));
        assert_eq!(readings.sum("a_total", &[("reason", "none")]), None);
        assert_eq!(readings.sum("b", &[]), Some(2));
        let first = readings.all("a_total").next().unwrap();
        assert_eq!(first.label("flag"), r#"p/feature/a "b", c\"#);
        assert_eq!(first.label_values(), r#"full, p/feature/a "b", c\"#);
    }

    #[test]
    fn a_histogram_tells_within_which_bound_a_share_stays() {
        let readings = Readings::parse(TEXT);
        let lag = readings.histogram("lag_seconds", &[]).unwrap();
        let within = [40, 50, 90, 99].map(|percent| lag.within(percent));
        assert_eq!(within, ["≤ 50 ms", "≤ 2 s", "≤ 2 s", "> 2 s"]);
        let none = readings.histogram("none_seconds", &[]).unwrap();
        assert_eq!(none.within(99), "–");
        assert!(readings.histogram("a_total", &[]).is_none());
    }
}
