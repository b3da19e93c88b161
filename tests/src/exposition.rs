//! What the service counts, read as strictly as OpenMetrics 1.0 is written.

use std::collections::{BTreeMap, BTreeSet};

/// A scrape that was understood to the last line.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// The kind of each family, by name.
    pub kinds: BTreeMap<String, String>,
    /// Every sample, in order.
    pub samples: Vec<Sample>,
}

/// A number with a name and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its name, with the suffix of its kind.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Exposition {
    /// Reads an OpenMetrics text; panics, naming the line, where that is not well-formed.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_suffix("# EOF\n").expect("no end");
        let mut exposition = Self::default();
        let (mut current, mut helped) = (String::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(about) = line.strip_prefix("# ") {
                let words: Vec<&str> = about.splitn(3, ' ').collect();
                let [what, name, rest] = *words else {
                    panic!("{line}");
                };
                assert!(is_name(name), "{line}");
                match what {
                    "HELP" => assert!(helped.insert(name.to_owned()) && rest.len() > 2, "{line}"),
                    "TYPE" => {
                        let is_new = exposition.kinds.insert(name.to_owned(), rest.to_owned());
                        assert!(is_new.is_none() && helped.contains(name), "{line}");
                        name.clone_into(&mut current);
                    }
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    _ => panic!("{line}"),
                }
            } else {
                let sample = Sample::parse(line);
                let suffix = sample.name.strip_prefix(&*current).expect(line);
                let suffixes: &[&str] = match &**exposition.kinds.get(&current).expect(line) {
                    "counter" => &["_total"],
                    "gauge" => &[""],
                    "histogram" => &["_sum", "_count", "_bucket"],
                    "info" => &["_info"],
                    kind => panic!("{kind}: {line}"),
                };
                assert!(suffixes.contains(&suffix), "{line}");
                let twice = exposition
                    .samples
                    .iter()
                    .any(|other| other.is_same(&sample));
                assert!(!twice, "twice: {line}");
                exposition.samples.push(sample);
            }
        }
        exposition.check_histograms();
        exposition
    }

    /// The value of a sample with these labels and no others.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let labels: BTreeMap<String, String> = labels.collect();
        let found = self.samples.iter();
        let mut found = found.filter(|sample| sample.name == name && sample.labels == labels);
        found.next().map(|sample| sample.value)
    }

    /// The names that somebody asks Prometheus for.
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.iter().map(|sample| &*sample.name).collect()
    }

    /// Classes are in order and grow, and the last one is the count.
    fn check_histograms(&self) {
        let mut before: Option<(&Sample, f64)> = None;
        for sample in self
            .samples
            .iter()
            .filter(|it| it.name.ends_with("_bucket"))
        {
            let bound = sample.labels.get("le").unwrap();
            let bound = bound.replace("+Inf", "inf").parse::<f64>().unwrap();
            if let Some((other, below)) = before
                && other.without_bound() == sample.without_bound()
                && other.name == sample.name
            {
                assert!(below < bound && other.value <= sample.value, "{sample:?}");
            }
            before = Some((sample, bound));
            if bound == f64::INFINITY {
                let count = sample.name.replace("_bucket", "_count");
                let counts = self
                    .samples
                    .iter()
                    .find(|it| it.name == count && it.labels == sample.without_bound());
                assert_eq!(counts.unwrap().value.to_bits(), sample.value.to_bits());
            }
        }
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        // Without labels a space ends the name; with them the space comes after, or within one.
        let end = line.find(['{', ' ']).expect(line);
        let (name, rest) = line.split_at(end);
        let rest = match rest.strip_prefix('{') {
            Some(labels) => labels.to_owned(),
            None => format!("}}{rest}"),
        };
        assert!(is_name(name), "{line}");
        let (mut labels, mut rest) = (BTreeMap::new(), &*rest);
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").expect(line);
            let (value, after) = quoted(after).expect(line);
            assert!(is_name(label), "{line}");
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        let value = rest.strip_prefix("} ").expect(line);
        Self {
            name: name.to_owned(),
            labels,
            value: value.parse().expect(line),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.labels == other.labels
    }

    fn without_bound(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        labels.remove("le");
        labels
    }
}

/// A value up to its quote, unescaped, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            '\n' => return None,
            plain => value.push(plain),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let first = text.starts_with(|it: char| it.is_ascii_lowercase());
    first
        && text
            .chars()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}
