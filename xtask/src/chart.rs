//! Lines in a coordinate system, as SVG that needs nothing else.
//!
//! Its colours follow the light or dark mode of the reader; plotters writes a fixed colour into each element.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

/// The room above the axes, for title and legend.
const HEADING: f64 = 26.0;

/// With no more points than this a line shows each.
const FEW: usize = 12;

/// The colours, by day and by night.
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
    /// The picture, as a file of its own or as a part of a page.
    pub(crate) fn svg(&self) -> String {
        let (height, ends) = (HEADING + HEIGHT, self.ends());
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{title}'>\n<style>{STYLE}</style>\n<rect width='{WIDTH}' height='{height}'/>\n<text class='title' x='10' y='17'>{title}</text>{}\n<g transform='translate(0 {HEADING})'>{}{}</g>\n</svg>\n",
            self.legend(),
            self.axes(ends),
            self.curves(ends),
            title = self.title
        )
    }

    fn legend(&self) -> String {
        let names = (0_u8..).zip(&self.lines).map(|(number, line)| {
            let x = WIDTH - RIGHT - 150.0 * f64::from(number);
            format!(
                "<text class='l{number}' x='{x:.0}' y='17' text-anchor='end'>{}</text>",
                line.name
            )
        });
        names.collect()
    }

    /// The values at the right end of the horizontal and at the top of the vertical axis; both begin at zero.
    fn ends(&self) -> (f64, f64) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let max = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
        let (right, top) = (max(|point| point.0), max(|point| point.1));
        (right.max(1e-9), ceiling(top))
    }

    /// Grid lines and numbers.
    fn axes(&self, (right, top): (f64, f64)) -> String {
        let steps = (0..=4).map(|step| {
            let share = f64::from(step) / 4.0;
            let (left, y) = place((0.0, top * share), (right, top));
            let (x, bottom) = place((right * share, 0.0), (right, top));
            format!(
                "<path class='grid' d='M{left:.1} {y:.1}H{:.1}'/><text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text><text x='{x:.1}' y='{:.1}' text-anchor='middle'>{}</text>",
                WIDTH - RIGHT,
                left - 6.0,
                y + 4.0,
                (self.up)(top * share),
                bottom + 18.0,
                (self.across)(right * share)
            )
        });
        steps.collect()
    }

    fn curves(&self, ends: (f64, f64)) -> String {
        let curves = self.lines.iter().enumerate().map(|(number, line)| {
            let places = || line.points.iter().map(|point| place(*point, ends));
            let path: Vec<String> = places().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let shown = places().filter(|_| line.points.len() <= FEW);
            let circles = shown.map(|(x, y)| {
                format!("<circle class='l{number}' cx='{x:.1}' cy='{y:.1}' r='2.6'/>")
            });
            format!(
                "<path class='line l{number}' d='M{}'/>{}",
                path.join("L"),
                circles.collect::<String>()
            )
        });
        curves.collect()
    }
}

/// Where a point lies in the picture, given the ends of the axes.
fn place((x, y): (f64, f64), (right, top): (f64, f64)) -> (f64, f64) {
    (
        LEFT + x / right * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM),
    )
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
    fn a_picture_names_its_lines_and_shows_few_points() {
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
        let file = chart.svg();
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
