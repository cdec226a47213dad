//! Lines over an axis, drawn as SVG that needs nothing else: no script, no font, no second file.
//!
//! A plot is as wide as a phone, so that its text is read there at the size at which it was written; wide screens show
//! several side by side. A series has a colour, a dash pattern and a mark, so that each alone tells it from others.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::axis::{short, ticks, times};

/// Size of a plot and its margins, in the pixels of CSS.
const WIDTH: f64 = 344.0;
const HEIGHT: f64 = 216.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 38.0;
/// Colours of the style sheet, and the dash patterns that tell series apart when they are used up.
const COLORS: usize = 6;
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
/// Stretches of points, each from left to right.
pub(super) type Stretches = Vec<Vec<(f64, f64)>>;

/// One line. A stretch without points is left open.
pub(super) struct Series {
    /// What it is, for the legend.
    pub label: String,
    /// Its points.
    pub stretches: Stretches,
}

/// What runs along the horizontal axis.
pub(super) enum Along {
    /// Seconds of fuzzing.
    Time,
    /// Nights, with what stands below the first and the last.
    Nights(String, String),
}

/// A plot.
pub(super) struct Plot<'p> {
    pub title: &'p str,
    /// The unit, as part of the title.
    pub unit: &'p str,
    pub along: Along,
    /// Whether the vertical axis begins at zero; otherwise where the lines begin.
    pub from_zero: bool,
    pub series: &'p [Series],
    /// Where something happened, by number.
    pub marks: &'p [f64],
}

impl Plot<'_> {
    /// The plot as a figure; words where it has no points.
    pub(super) fn render(&self) -> Markup {
        let points = || self.series.iter().flat_map(|series| series.stretches.iter().flatten());
        html! {
            figure.plot {
                figcaption { (self.title) span.unit { " " (self.unit) } }
                @if points().count() == 0 {
                    p.empty { "Nothing was measured." }
                } @else {
                    (PreEscaped(self.svg()))
                }
            }
        }
    }

    fn bounds(&self) -> ([f64; 2], Vec<f64>) {
        let points = || self.series.iter().flat_map(|series| series.stretches.iter().flatten());
        let low = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
        let high = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NEG_INFINITY, f64::max);
        let left =
            if matches!(self.along, Along::Time) { 0.0 } else { low(&mut points().map(|point| point.0)) };
        let right = high(&mut points().map(|point| point.0)).max(left + 1e-9);
        let bottom = if self.from_zero { 0.0 } else { low(&mut points().map(|point| point.1)) };
        ([left, right], ticks(bottom, high(&mut points().map(|point| point.1))))
    }

    fn svg(&self) -> String {
        let ([left, right], values) = self.bounds();
        let (bottom, top) = (values[0], values[values.len() - 1]);
        let x = |at: f64| LEFT + (at - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y = |at: f64| HEIGHT - BOTTOM - (at - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        let put = &mut svg;
        write_text(
            put,
            format_args!(
                "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><g class=\"axis\">",
                escaped(&self.in_words())
            ),
        );
        for &value in &values {
            let at = y(value);
            write_text(
                put,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
                    WIDTH - RIGHT
                ),
            );
            write_text(
                put,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                    LEFT - 6.0,
                    at + 4.0,
                    short(value, values[1] - values[0])
                ),
            );
        }
        for (at, label) in self.labels([left, right]) {
            let (at, anchor) = (
                x(at),
                if at >= right && matches!(self.along, Along::Nights(..)) { "end" } else { "middle" },
            );
            let (low, high) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4.0);
            write_text(
                put,
                format_args!(
                    "<line class=\"tick\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{low}\" y2=\"{high}\"/>"
                ),
            );
            write_text(
                put,
                format_args!(
                    "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                    high + 13.0,
                    escaped(&label)
                ),
            );
        }
        for (number, &mark) in (1..).zip(self.marks) {
            let at = x(mark);
            write_text(
                put,
                format_args!(
                    "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
                    HEIGHT - BOTTOM
                ),
            );
            write_text(
                put,
                format_args!(
                    "<text class=\"mark\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">\u{2016}{number}</text>",
                    TOP - 3.0
                ),
            );
        }
        put.push_str("</g>");
        for (index, series) in self.series.iter().enumerate() {
            line(put, index, series, &x, &y);
        }
        svg.push_str("</svg>");
        svg
    }

    /// What stands along the horizontal axis.
    fn labels(&self, [left, right]: [f64; 2]) -> Vec<(f64, String)> {
        match &self.along {
            Along::Nights(first, last) => vec![(left, first.clone()), (right, last.clone())],
            Along::Time => times(right),
        }
    }

    /// The plot for who does not see it: where each line begins and ends.
    fn in_words(&self) -> String {
        let ends = |series: &Series| {
            let mut points = series.stretches.iter().flatten();
            let first = points.next()?;
            Some(format!(
                "{} from {} to {}",
                series.label,
                short(first.1, 1.0),
                short(points.last().unwrap_or(first).1, 1.0)
            ))
        };
        let lines: Vec<String> = self.series.iter().filter_map(ends).collect();
        format!("{} {}: {}", self.title, self.unit, lines.join("; "))
    }
}

/// Draws a series, and its mark where it ends.
fn line(put: &mut String, index: usize, series: &Series, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let color = index % COLORS;
    write_text(put, format_args!("<g class=\"series c{color}\"><title>{}</title>", escaped(&series.label)));
    for stretch in series.stretches.iter().filter(|stretch| !stretch.is_empty()) {
        let mut path = String::new();
        for (at, (time, value)) in stretch.iter().enumerate() {
            write_text(
                &mut path,
                format_args!("{}{:.1} {:.1}", if at == 0 { 'M' } else { 'L' }, x(*time), y(*value)),
            );
        }
        write_text(put, format_args!("<path d=\"{path}\" stroke-dasharray=\"{}\"/>", dash(index)));
    }
    if let Some((time, value)) = series.stretches.iter().flatten().last() {
        put.push_str(&mark(index, x(*time), y(*value)));
    }
    put.push_str("</g>");
}

fn dash(index: usize) -> &'static str {
    DASHES[index % DASHES.len()]
}

/// A small shape: which one goes with the series.
fn mark(index: usize, x: f64, y: f64) -> String {
    match index % 5 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.6\"/>"),
        1 => format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>", x - 3.5, y - 3.5),
        2 => format!(
            "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>",
            x,
            y - 4.4,
            x + 4.4,
            y + 3.4,
            x - 4.4,
            y + 3.4
        ),
        3 => format!(
            "<polygon points=\"{:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1}\"/>",
            x - 4.8,
            y - 4.8,
            x + 4.8,
            y + 4.8
        ),
        _ => format!(
            "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>",
            x,
            y + 4.4,
            x + 4.4,
            y - 3.4,
            x - 4.4,
            y - 3.4
        ),
    }
}

/// What the lines of several plots stand for.
pub(super) fn legend(labels: impl Iterator<Item = String>) -> Markup {
    let swatch = |index: usize| {
        let color = index % COLORS;
        PreEscaped(format!(
            "<svg viewBox=\"0 0 34 12\" width=\"34\" height=\"12\" aria-hidden=\"true\"><g class=\"series c{color}\">\
             <path d=\"M1 6L28 6\" stroke-dasharray=\"{}\"/>{}</g></svg>",
            dash(index),
            mark(index, 28.0, 6.0)
        ))
    };
    html! { ul.legend { @for (index, label) in labels.enumerate() { li { (swatch(index)) " " (label) } } } }
}

fn escaped(text: &str) -> String {
    html! { (text) }.into_string().replace('"', "&quot;")
}

fn write_text(into: &mut String, text: std::fmt::Arguments<'_>) {
    into.write_fmt(text).expect("a string takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_series_are_escaped_and_a_plot_without_points_says_so() {
        let series = [Series { label: "<img onerror=\"x\">".into(), stretches: vec![vec![(0.0, 1.0)]] }];
        let mut plot = Plot {
            title: "t",
            unit: "u",
            along: Along::Time,
            from_zero: true,
            series: &series,
            marks: &[1.0],
        };
        let drawn = plot.render().into_string();
        assert!(!drawn.contains("<img") && drawn.contains("&lt;img onerror=&quot;x&quot;&gt;"), "{drawn}");
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        plot.series = &[];
        assert!(plot.render().into_string().contains("Nothing was measured."));
    }
}
