//! Lines in a coordinate system, as SVG that needs nothing else.
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

/// A line, with its name in the legend.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a picture shows.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// How a number of the horizontal axis reads.
    pub(super) across: fn(f64) -> String,
    /// How a number of the vertical axis reads.
    pub(super) up: fn(f64) -> String,
    pub(super) lines: Vec<Line>,
}

impl Chart {
    /// A figure with its caption and its legend; the vertical axis begins at zero.
    pub(super) fn svg(&self) -> String {
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
        let mut svg = format!(
            "<figure><figcaption>{}{}</figcaption><svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{}'>",
            self.title,
            self.legend(),
            self.title
        );
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
            let path: Vec<String> = line
                .points
                .iter()
                .map(|&point| {
                    let (x, y) = place(point);
                    format!("{x:.1} {y:.1}")
                })
                .collect();
            let _ = write!(
                svg,
                "<path class='line l{number}' d='M{}'/>",
                path.join("L")
            );
        }
        svg + "</svg></figure>\n"
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
