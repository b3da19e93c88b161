//! Lines in a coordinate system, as SVG that needs nothing else.
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

/// The room above a picture that stands alone, for its title and its legend.
const HEADING: f64 = 26.0;

/// With no more points than this a line shows each.
const FEW: usize = 12;

/// The colours of a picture that stands alone, by day and by night.
const STYLE: &str = "
svg { --ink: #1c2024; --paper: #fff; --grid: #d9dde2; --l0: #0b62c4; --l1: #b8480c; --l2: #6a3fb5; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6e8ea; --paper: #15181b; --grid: #363c42; --l0: #6db0ff; --l1: #ff9d5c; --l2: #b79bff; }
}
text { font: 11px system-ui, sans-serif; fill: var(--ink); } text.title { font-size: 13px; font-weight: 600; }
rect { fill: var(--paper); } .grid { stroke: var(--grid); } .line { fill: none; stroke-width: 1.6; }
path.l0 { stroke: var(--l0); } path.l1 { stroke: var(--l1); } path.l2 { stroke: var(--l2); }
circle.l0, text.l0 { fill: var(--l0); } circle.l1, text.l1 { fill: var(--l1); } circle.l2, text.l2 { fill: var(--l2); }
";

/// A line, with its name in the legend.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a picture shows.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// How a number of the horizontal axis reads.
    pub(crate) across: fn(f64) -> String,
    /// How a number of the vertical axis reads.
    pub(crate) up: fn(f64) -> String,
    pub(crate) lines: Vec<Line>,
}

impl Chart {
    /// A figure of a page with its caption and its legend; the page has the style.
    pub(crate) fn figure(&self) -> String {
        format!(
            "<figure><figcaption>{title}{}</figcaption><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{title}'>{}</svg></figure>\n",
            self.legend(),
            self.drawing(),
            title = self.title
        )
    }

    /// A file of its own.
    pub(crate) fn file(&self) -> String {
        let mut names = String::new();
        for (number, line) in (0_u8..).zip(&self.lines) {
            let x = WIDTH - RIGHT - 150.0 * f64::from(number);
            // Writing to a text cannot fail.
            let _ = write!(
                names,
                "<text class='l{number}' x='{x:.0}' y='17' text-anchor='end'>{}</text>",
                line.name
            );
        }
        let height = HEADING + HEIGHT;
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{title}'>\n<style>{STYLE}</style>\n<rect width='{WIDTH}' height='{height}'/>\n<text class='title' x='10' y='17'>{title}</text>{names}\n<g transform='translate(0 {HEADING})'>{}</g>\n</svg>\n",
            self.drawing(),
            title = self.title
        )
    }

    /// Axes and lines; the vertical axis begins at zero.
    fn drawing(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
        let (right, top) = (
            most(|point| point.0).max(1e-9),
            ceiling(most(|point| point.1)),
        );
        let place = |(x, y): (f64, f64)| {
            (
                LEFT + x / right * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM),
            )
        };
        let mut svg = String::new();
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let (x, y) = place((0.0, top * share));
            let (far, _) = place((right, 0.0));
            let label = (self.up)(top * share);
            // Writing to a text cannot fail.
            let _ = write!(
                svg,
                "<path class='grid' d='M{x:.1} {y:.1}H{far:.1}'/><text x='{:.1}' y='{:.1}' text-anchor='end'>{label}</text>",
                x - 6.0,
                y + 4.0
            );
            let (x, y) = place((right * share, 0.0));
            let label = (self.across)(right * share);
            let _ = write!(
                svg,
                "<text x='{x:.1}' y='{:.1}' text-anchor='middle'>{label}</text>",
                y + 18.0
            );
        }
        for (number, line) in self.lines.iter().enumerate() {
            let places: Vec<_> = line.points.iter().copied().map(place).collect();
            let path: Vec<String> = places
                .iter()
                .map(|(x, y)| format!("{x:.1} {y:.1}"))
                .collect();
            let _ = write!(
                svg,
                "<path class='line l{number}' d='M{}'/>",
                path.join("L")
            );
            if places.len() <= FEW {
                for (x, y) in places {
                    let _ = write!(
                        svg,
                        "<circle class='l{number}' cx='{x:.1}' cy='{y:.1}' r='2.6'/>"
                    );
                }
            }
        }
        svg
    }

    fn legend(&self) -> String {
        let mut legend = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            let _ = write!(legend, " <span class='l{number}'>{}</span>", line.name);
        }
        legend
    }
}

/// The next round number: 1, 2 or 5 times a power of ten.
fn ceiling(number: f64) -> f64 {
    if number <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(number.log10().floor());
    let step = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|step| step * power >= number);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_lines_and_shows_few_points() {
        let line = |name, points: &[(f64, f64)]| Line {
            name,
            points: points.to_vec(),
        };
        let chart = Chart {
            title: "Memory",
            across: |number| format!("{number:.0}"),
            up: |number| format!("{number:.0} MiB"),
            lines: vec![
                line("few", &[(0.0, 0.0), (10.0, 5.0)]),
                line("many", &[(1.0, 1.0); FEW + 1]),
            ],
        };
        let file = chart.file();
        assert!(file.starts_with("<svg xmlns=") && file.ends_with("</svg>\n"));
        assert!(file.contains(">few</text>") && file.contains(">5 MiB</text>"));
        assert_eq!(file.matches("<circle").count(), 2);
        // The greatest of both axes lies in the upper right corner.
        assert!(file.contains("cx='690.0' cy='12.0'"), "{file}");
    }

    #[test]
    fn axes_end_in_round_numbers() {
        for (number, expected) in [
            (0.0, 1.0),
            (3.0, 5.0),
            (0.0012, 0.002),
            (5.0, 5.0),
            (7.0, 10.0),
        ] {
            assert!((ceiling(number) - expected).abs() < 1e-12, "{number}");
        }
    }
}
