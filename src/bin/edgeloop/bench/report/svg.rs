//! The report as a picture: how long the fastest half took, the fastest nine tenths, and so on. Both axes are logarithmic,
//! and the horizontal one gives as much room to each further nine of 99.99… %.

use std::fmt::Write;

use super::text::time;
use super::{Report, float};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 520.0;
/// Of the plot itself.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 860.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 455.0;

/// Points on the curve from one ten-fold of rareness to the next.
const STEPS: u32 = 24;

/// Shares of the requests at which there is a line.
const MARKS: [(f64, &str); 8] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.999_99, "99.999 %"),
    (0.999_999, "99.9999 %"),
];

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #333 }
.title { font-size: 17px; font-weight: 600; fill: #111 }
.back { fill: #fff }
.grid { stroke: #ddd; stroke-width: 1 }
.curve { fill: none; stroke: #0b6bcb; stroke-width: 2.5; stroke-linejoin: round }
.dot { fill: #0b6bcb }
.value { font-weight: 600; fill: #0a4f96; stroke: #fff; stroke-width: 4; paint-order: stroke }
@media (prefers-color-scheme: dark) {
text { fill: #bbb }
.title { fill: #eee }
.back { fill: #16181c }
.grid { stroke: #34373d }
.curve { stroke: #6cb2ff }
.dot { fill: #6cb2ff }
.value { fill: #9fccff; stroke: #16181c }
}
";

/// From nanoseconds and shares to places.
struct Scale {
    /// Decimal logarithms of the least and the most on the vertical axis.
    low: f64,
    high: f64,
    /// How many nines there are.
    nines: u32,
}

impl Scale {
    fn x(&self, share: f64) -> f64 {
        let nines = -(1.0 - share).max(f64::MIN_POSITIVE).log10();
        LEFT + (RIGHT - LEFT) * (nines / f64::from(self.nines)).min(1.0)
    }

    fn y(&self, nanos: f64) -> f64 {
        let height = (nanos.max(1.0).log10() - self.low) / (self.high - self.low);
        BOTTOM - (BOTTOM - TOP) * height.clamp(0.0, 1.0)
    }
}

impl Report<'_> {
    pub(crate) fn svg(&self) -> String {
        let times = self.times();
        let title = format!("Time of a request by percentile: {}", self.target.url);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
             <title>{0}</title>\n<style>\n{STYLE}</style>\n\
             <rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
             <text class=\"title\" x=\"24\" y=\"32\">{0}</text>\n",
            escaped(&title)
        );
        let rate = self.per_second(self.tally.answers);
        let failed = self.tally.failed_in_all();
        let lines = [
            self.way(),
            format!(
                "{rate:.0} requests/s, {} answered, {failed} failed",
                times.len()
            ),
        ];
        for (line, y) in lines.iter().zip([52, 70]) {
            // Writing to a String does not fail.
            let _ = writeln!(svg, "<text x=\"24\" y=\"{y}\">{}</text>", escaped(line));
        }
        if times.is_empty() {
            let (x, y) = (WIDTH / 2.0, HEIGHT / 2.0);
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">Nothing was answered.</text>"
            );
        } else {
            self.plot(&mut svg);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn plot(&self, svg: &mut String) {
        let times = self.times();
        // A little more than there is, so that no curve lies on the edge.
        let (low, high) = (
            float(times.min().max(1)) / 1.2,
            float(times.max().max(1)) * 1.2,
        );
        let scale = Scale {
            low: low.log10(),
            high: high.log10(),
            nines: (times.len().max(2) - 1).ilog10().clamp(0, 5) + 1,
        };
        for nanos in ticks(low, high) {
            let (y, text) = (scale.y(nanos), time(nanos));
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 8.0,
                y + 4.5,
            );
        }
        // The first two are in front of the first nine.
        for (share, text) in MARKS.into_iter().take(2 + scale.nines as usize) {
            let x = scale.x(share);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\"/>\n\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                BOTTOM + 20.0,
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">share of the requests that took no longer</text>",
            f64::midpoint(LEFT, RIGHT),
            BOTTOM + 44.0,
        );
        self.curve(svg, &scale);
    }

    fn curve(&self, svg: &mut String, scale: &Scale) {
        let times = self.times();
        let mut points = String::new();
        for step in 0..=STEPS * scale.nines {
            let share = 1.0 - 10f64.powf(-f64::from(step) / f64::from(STEPS));
            let nanos = float(times.value_at_quantile(share));
            let _ = write!(points, "{:.1},{:.1} ", scale.x(share), scale.y(nanos));
        }
        let _ = writeln!(
            svg,
            "<polyline class=\"curve\" points=\"{}\"/>",
            points.trim_end()
        );
        for (share, _) in MARKS.into_iter().skip(1).take(scale.nines as usize) {
            let nanos = float(times.value_at_quantile(share));
            let (x, y) = (scale.x(share), scale.y(nanos));
            // Below a curve that rises there is room to the right, but at the edge.
            let (anchor, beside) = if x > RIGHT - 70.0 {
                ("end", -10.0)
            } else {
                ("start", 10.0)
            };
            let _ = writeln!(
                svg,
                "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n\
                 <text class=\"value\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                x + beside,
                y + 18.0,
                time(nanos),
            );
        }
    }
}

/// Round numbers between two: 1, 2 and 5 of each power of ten, or only the powers if there are many.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if high / low > 10_000.0 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    powers
        .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
