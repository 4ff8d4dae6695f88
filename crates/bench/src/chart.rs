//! Charts: bars in SVG, small, and readable on light and on dark ground.

use std::fmt::Write as _;

use crate::measured::{Spread, number};

/// Places in a chart, in pixels.
const WIDTH: f64 = 760.0;
const LABEL_WIDTH: f64 = 290.0;
const VALUE_WIDTH: f64 = 80.0;
const HEAD: f64 = 34.0;
const STEP: f64 = 24.0;
const BAR: f64 = 14.0;

const STYLE: &str = "text{font:12px sans-serif;fill:#24292f}.t{font-weight:bold}.b{fill:#4078c0}.m{fill:#9a9a9a}\
                     .r{stroke:#24292f}@media(prefers-color-scheme:dark){text{fill:#d7dce2}.b{fill:#6ea8fe}\
                     .m{fill:#777}.r{stroke:#d7dce2}}";

/// Bars below each other: the length is the median, a line goes from the least to the greatest.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What is shown, with the unit.
    pub title: String,
    bars: Vec<(String, Spread, bool)>,
}

impl Bars {
    /// A chart without bars.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), bars: Vec::new() }
    }

    /// Adds a bar.
    pub fn bar(&mut self, label: impl Into<String>, figure: Spread) {
        self.bars.push((label.into(), figure, false));
    }

    /// Adds a bar that the others are held against, in grey.
    pub fn base(&mut self, label: impl Into<String>, figure: Spread) {
        self.bars.push((label.into(), figure, true));
    }

    /// The chart.
    #[must_use]
    pub fn svg(&self) -> String {
        let room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
        let greatest = self.bars.iter().map(|(_, figure, _)| figure.max).fold(0.0, f64::max);
        let length = |value| scaled(value, greatest, room);
        let height = HEAD + STEP * self.bars.len() as f64 + 6.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\">\n<style>{STYLE}</style>\n\
             <text class=\"t\" x=\"0\" y=\"16\">{}</text>\n",
            escaped(&self.title)
        );
        let mut top = HEAD;
        for (label, figure, base) in &self.bars {
            let (text, middle, class) = (top + 11.0, top + BAR / 2.0, if *base { "m" } else { "b" });
            let (from, to) = (LABEL_WIDTH + length(figure.min), LABEL_WIDTH + length(figure.max));
            // Writing to a String cannot fail.
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LABEL_WIDTH}\" y=\"{top:.0}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>\
                 <line class=\"r\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{text:.0}\">{}</text>",
                LABEL_WIDTH - 8.0,
                escaped(label),
                length(figure.median),
                to + 8.0,
                number(figure.median),
            );
            top += STEP;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// How long a value is where the greatest one takes all the room.
fn scaled(value: f64, greatest: f64, room: f64) -> f64 {
    if value.is_finite() && greatest > 0.0 { (value / greatest).clamp(0.0, 1.0) * room } else { 0.0 }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_takes_all_the_room_and_nothing_takes_none() {
        let lengths = [(2.0, 2.0), (1.0, 2.0), (0.0, 2.0), (1.0, 0.0), (f64::NAN, 2.0), (3.0, 2.0)]
            .map(|(value, greatest)| scaled(value, greatest, 100.0));
        assert_eq!(lengths.map(f64::to_bits), [100.0, 50.0, 0.0, 0.0, 0.0, 100.0].map(f64::to_bits));
    }

    #[test]
    fn labels_are_escaped() {
        let mut bars = Bars::new("a < b");
        bars.bar("R&D", Spread::of([1.0]));
        let svg = bars.svg();
        assert!(svg.contains("a &lt; b") && svg.contains("R&amp;D"), "{svg}");
    }
}
