//! Served answers over time by rollout group, as stacked bars; a table says the same.

use flag_model::Timestamp;
use maud::{Markup, html};

use super::bar::swatch;
use super::text::{shown, thousands, time};

/// The size of the picture, without a unit.
const WIDTH: u64 = 1_000;
const HEIGHT: u64 = 200;

/// Marks that are nearer to each other share a label, in thousandths of the width.
const APART: u64 = 60;

/// The exposures of a span of time.
#[derive(Clone, Debug)]
pub(in crate::dashboard) struct Bin {
    /// When it began.
    pub(in crate::dashboard) start: Timestamp,
    /// Its exposures, in the order of the groups of the chart.
    pub(in crate::dashboard) exposures: Vec<u64>,
}

/// A revision that was made within the time of the chart.
#[derive(Clone, Debug)]
pub(in crate::dashboard) struct Mark {
    /// How far from the left it is, in thousandths of the width.
    pub(in crate::dashboard) place: u64,
    /// Its name, such as `r7`.
    pub(in crate::dashboard) label: String,
}

/// A chart.
#[derive(Clone, Debug)]
pub(in crate::dashboard) struct Chart {
    /// The names of the groups, with the classes of their colours.
    pub(in crate::dashboard) groups: Vec<(String, String)>,
    /// The spans, in order.
    pub(in crate::dashboard) bins: Vec<Bin>,
    /// The revisions.
    pub(in crate::dashboard) marks: Vec<Mark>,
}

impl Chart {
    /// All exposures.
    pub(in crate::dashboard) fn total(&self) -> u64 {
        self.bins.iter().map(Bin::total).sum()
    }

    /// The chart, its legend and its table.
    pub(in crate::dashboard) fn render(&self) -> Markup {
        let max = self.bins.iter().map(Bin::total).max().unwrap_or(0);
        let label = format!(
            "Served answers over time by group: {} in all, at most {} in a bar. The table below has the numbers.",
            thousands(self.total()),
            thousands(max)
        );
        html! {
            figure.chart {
                (self.mark_labels())
                svg viewBox={ "0 -14 " (WIDTH) " " (HEIGHT + 16) } preserveAspectRatio="none" role="img" aria-label=(label) {
                    line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                    @for (at, bin) in self.bins.iter().enumerate() { (self.bar(at, bin, max)) }
                    @for mark in &self.marks {
                        line.mark x1=(mark.place) x2=(mark.place) y1="-10" y2=(HEIGHT) {}
                    }
                }
                (self.scale(max))
                figcaption {
                    ul.groups {
                        @for (group, class) in &self.groups { li { (swatch(class)) " " (shown(group)) } }
                    }
                    @if !self.marks.is_empty() {
                        p { "Vertical lines, from left to right: " (self.labels()) "." }
                    }
                }
            }
            details { summary { "The numbers as a table" } (self.table()) }
        }
    }

    fn bar(&self, at: usize, bin: &Bin, max: u64) -> Markup {
        let bins = u64::try_from(self.bins.len()).unwrap_or(1).max(1);
        let at = u64::try_from(at).unwrap_or(0);
        let (from, to) = (at * WIDTH / bins, (at + 1) * WIDTH / bins);
        let mut top = HEIGHT;
        let parts = bin
            .exposures
            .iter()
            .zip(&self.groups)
            .map(|(exposures, (_, class))| {
                let height = scaled(*exposures, max);
                top = top.saturating_sub(height);
                (class, top, height)
            });
        let parts: Vec<_> = parts.collect();
        html! {
            @for (class, top, height) in parts {
                @if height > 0 {
                    rect class=(class) x=(from) y=(top) width=(to.saturating_sub(from).saturating_sub(1).max(1)) height=(height) {}
                }
            }
        }
    }

    /// The names of the marks above their lines. This picture is not stretched, so that text keeps its shape.
    fn mark_labels(&self) -> Markup {
        html! {
            @if !self.marks.is_empty() {
                svg.marks aria-hidden="true" focusable="false" {
                    @for (place, label) in placed(&self.marks) {
                        text x=(per_cent(place)) y="14" text-anchor=(anchor(place)) { (label) }
                    }
                }
            }
        }
    }

    fn scale(&self, max: u64) -> Markup {
        let (first, last) = (self.bins.first(), self.bins.last());
        html! {
            div.scale {
                @if let Some(first) = first { span { (time(first.start)) } }
                span { "highest bar: " (thousands(max)) }
                @if let Some(last) = last { span { (time(last.start)) } }
            }
        }
    }

    fn labels(&self) -> String {
        let labels: Vec<&str> = self.marks.iter().map(|mark| mark.label.as_str()).collect();
        labels.join(", ")
    }

    fn table(&self) -> Markup {
        html! {
            div.wide tabindex="0" role="region" aria-label="Served answers as a table" {
                table {
                    thead { tr { th scope="col" { "From" } @for (group, _) in &self.groups { th.number scope="col" { (shown(group)) } } } }
                    tbody {
                        @for bin in self.bins.iter().filter(|bin| bin.total() > 0) {
                            tr {
                                th scope="row" { (time(bin.start)) }
                                @for exposures in &bin.exposures { td.number { (thousands(*exposures)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The labels with their places; where marks are too near, one label names the first and the last of them.
fn placed(marks: &[Mark]) -> Vec<(u64, String)> {
    let mut placed: Vec<(u64, String)> = Vec::new();
    let mut first = "";
    for mark in marks {
        match placed.last_mut() {
            Some((place, label)) if mark.place.saturating_sub(*place) < APART => {
                *label = format!("{first}–{}", mark.label);
            }
            _ => {
                first = &mark.label;
                placed.push((mark.place, mark.label.clone()));
            }
        }
    }
    placed
}

/// A place in thousandths of the width.
fn per_cent(place: u64) -> String {
    format!("{}.{}%", place / 10, place % 10)
}

/// Keeps the labels at both ends within the picture.
fn anchor(place: u64) -> &'static str {
    match place {
        0..=30 => "start",
        31..=969 => "middle",
        _ => "end",
    }
}

impl Bin {
    fn total(&self) -> u64 {
        self.exposures.iter().copied().fold(0, u64::saturating_add)
    }
}

/// The height of a part; at least one point for what is not zero.
fn scaled(exposures: u64, max: u64) -> u64 {
    if exposures == 0 || max == 0 {
        return 0;
    }
    let height = u128::from(exposures) * u128::from(HEIGHT) / u128::from(max);
    u64::try_from(height).unwrap_or(HEIGHT).clamp(1, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_stacked_from_the_axis_up() {
        let chart = Chart {
            groups: vec![
                ("a".to_owned(), "g0".to_owned()),
                ("<b>".to_owned(), "g1".to_owned()),
            ],
            bins: vec![
                Bin {
                    start: Timestamp::UNIX_EPOCH,
                    exposures: vec![3, 1],
                },
                Bin {
                    start: Timestamp::UNIX_EPOCH,
                    exposures: vec![0, 0],
                },
            ],
            marks: vec![Mark {
                place: 500,
                label: "r2".to_owned(),
            }],
        };
        assert_eq!(chart.total(), 4);
        let text = chart.render().into_string();
        assert!(
            text.contains(r#"<rect class="g0" x="0" y="50" width="499" height="150">"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<rect class="g1" x="0" y="0" width="499" height="50">"#),
            "{text}"
        );
        assert!(
            text.contains("left to right: r2.") && text.contains("&lt;b&gt;"),
            "{text}"
        );
    }

    #[test]
    fn marks_have_their_names_at_their_places_and_share_them_where_they_are_near() {
        let mark = |place, label: &str| Mark {
            place,
            label: label.to_owned(),
        };
        let marks = [
            mark(3, "r1"),
            mark(400, "r2"),
            mark(410, "r3"),
            mark(459, "r4"),
            mark(985, "r5"),
        ];
        let expected = [(3, "r1"), (400, "r2–r4"), (985, "r5")];
        let expected = expected.map(|(place, label)| (place, label.to_owned()));
        assert_eq!(placed(&marks), expected);
        let chart = Chart {
            groups: Vec::new(),
            bins: Vec::new(),
            marks: marks.to_vec(),
        };
        let text = chart.render().into_string();
        for part in [
            r#"<text x="0.3%" y="14" text-anchor="start">r1</text>"#,
            r#"<text x="40.0%" y="14" text-anchor="middle">r2–r4</text>"#,
            r#"<text x="98.5%" y="14" text-anchor="end">r5</text>"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn what_is_not_zero_can_be_seen() {
        assert_eq!(scaled(1, 1_000_000), 1);
        assert_eq!(scaled(0, 10), 0);
        assert_eq!(scaled(u64::MAX, u64::MAX), HEIGHT);
    }
}
