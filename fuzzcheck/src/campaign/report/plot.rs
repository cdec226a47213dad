//! Line plots as self-contained SVG: no script, no font, no other file.
//!
//! A plot is as wide as a phone, so that its text has its natural size there; wide screens show
//! several side by side. A series has a color, a dash pattern and a mark, each of which alone identifies it.

use maud::{Markup, html};

use super::axis::{short, ticks, times};

/// Size of a plot and its margins, in the pixels of CSS.
const WIDTH: f64 = 344.0;
const HEIGHT: f64 = 216.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 38.0;
/// The number of colors in the style sheet, and the dash patterns for when they run out.
const COLORS: usize = 6;
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
/// Stretches of points, each from left to right.
pub(super) type Stretches = Vec<Vec<(f64, f64)>>;

/// One line. A stretch without points is a gap.
pub(super) struct Series {
    /// Its label in the legend.
    pub label: String,
    /// Its points.
    pub stretches: Stretches,
}

/// The horizontal axis.
pub(super) enum Along {
    /// Seconds of fuzzing.
    Time,
    /// Nights, with the labels of the first and the last.
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
    /// Where to draw markers.
    pub marks: &'p [f64],
}

impl Plot<'_> {
    /// The plot as a figure; a text if it has no points.
    pub(super) fn render(&self) -> Markup {
        let points = || self.series.iter().flat_map(|series| series.stretches.iter().flatten());
        html! {
            figure.plot {
                figcaption { (self.title) span.unit { " " (self.unit) } }
                @if points().count() == 0 {
                    p.empty { "Nothing was measured." }
                } @else {
                    (self.svg())
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

    fn svg(&self) -> Markup {
        let ([left, right], values) = self.bounds();
        let (bottom, top) = (values[0], values[values.len() - 1]);
        let x = |at: f64| LEFT + (at - left) / (right - left) * (WIDTH - LEFT - RIGHT);
        let y = |at: f64| HEIGHT - BOTTOM - (at - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
        let (end, low) = (px(WIDTH - RIGHT), HEIGHT - BOTTOM);
        let anchor =
            |at: f64| if at >= right && matches!(self.along, Along::Nights(..)) { "end" } else { "middle" };
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.in_words()) {
                g.axis {
                    @for value in &values {
                        line.grid x1=(LEFT) x2=(end) y1=(px(y(*value))) y2=(px(y(*value))) {}
                        text x=(px(LEFT - 6.0)) y=(px(y(*value) + 4.0)) text-anchor="end" {
                            (short(*value, values[1] - values[0]))
                        }
                    }
                    @for (at, label) in self.labels([left, right]) {
                        line.tick x1=(px(x(at))) x2=(px(x(at))) y1=(low) y2=(low + 4.0) {}
                        text x=(px(x(at))) y=(px(low + 17.0)) text-anchor=(anchor(at)) { (label) }
                    }
                    @for (number, &mark) in (1..).zip(self.marks) {
                        line.mark x1=(px(x(mark))) x2=(px(x(mark))) y1=(TOP) y2=(px(low)) {}
                        text.mark x=(px(x(mark))) y=(px(TOP - 3.0)) text-anchor="middle" { "\u{2016}" (number) }
                    }
                }
                @for (index, series) in self.series.iter().enumerate() { (line(index, series, &x, &y)) }
            }
        }
    }

    /// The labels of the horizontal axis.
    fn labels(&self, [left, right]: [f64; 2]) -> Vec<(f64, String)> {
        match &self.along {
            Along::Nights(first, last) => vec![(left, first.clone()), (right, last.clone())],
            Along::Time => times(right),
        }
    }

    /// The alternative text: where each line begins and ends.
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

/// A place as SVG has it.
fn px(at: f64) -> String {
    format!("{at:.1}")
}

/// Draws a series, and its mark where it ends.
fn line(index: usize, series: &Series, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> Markup {
    let path = |stretch: &[(f64, f64)]| {
        let places = stretch.iter().map(|(time, value)| format!("{:.1} {:.1}", x(*time), y(*value)));
        format!("M{}", places.collect::<Vec<_>>().join("L"))
    };
    html! {
        g class={ "series c" (index % COLORS) } {
            title { (series.label) }
            @for stretch in series.stretches.iter().filter(|stretch| !stretch.is_empty()) {
                path d=(path(stretch)) stroke-dasharray=(dash(index)) {}
            }
            @if let Some((time, value)) = series.stretches.iter().flatten().last() {
                (mark(index, x(*time), y(*value)))
            }
        }
    }
}

fn dash(index: usize) -> &'static str {
    DASHES[index % DASHES.len()]
}

/// A small shape, chosen by the series.
fn mark(index: usize, x: f64, y: f64) -> Markup {
    let corners: &[(f64, f64)] = match index % 5 {
        0 => return html! { circle cx=(px(x)) cy=(px(y)) r="3.6" {} },
        1 => &[(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
        2 => &[(0.0, -4.4), (4.4, 3.4), (-4.4, 3.4)],
        3 => &[(-4.8, 0.0), (0.0, -4.8), (4.8, 0.0), (0.0, 4.8)],
        _ => &[(0.0, 4.4), (4.4, -3.4), (-4.4, -3.4)],
    };
    let points: Vec<String> = corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
    html! { polygon points=(points.join(" ")) {} }
}

/// The legend of several plots.
pub(super) fn legend(labels: impl Iterator<Item = String>) -> Markup {
    let swatch = |index: usize| {
        html! {
            svg viewBox="0 0 34 12" width="34" height="12" aria-hidden="true" {
                g class={ "series c" (index % COLORS) } {
                    path d="M1 6L28 6" stroke-dasharray=(dash(index)) {}
                    (mark(index, 28.0, 6.0))
                }
            }
        }
    };
    html! { ul.legend { @for (index, label) in labels.enumerate() { li { (swatch(index)) " " (label) } } } }
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
