//! Figures: what one repetition gave, and what several of them say together.

use std::collections::BTreeMap;
use std::fmt;

/// The least, the middle and the greatest of several figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of these figures; of none it is no number.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |position: usize| figures.get(position).copied().unwrap_or(f64::NAN);
        let half = figures.len() / 2;
        let middle = if figures.len().is_multiple_of(2) {
            at(half.wrapping_sub(1)).midpoint(at(half))
        } else {
            at(half)
        };
        Self { min: at(0), median: middle, max: at(figures.len().wrapping_sub(1)) }
    }
}

impl fmt::Display for Spread {
    /// The median, and in parentheses from where to where the figures went.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, median, max) = (number(self.min), number(self.median), number(self.max));
        if min == max { f.write_str(&median) } else { write!(f, "{median} ({min}..{max})") }
    }
}

/// A number with three digits that count, or all of those before the point.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    // Zero has a sign, which nobody wants to see.
    let text = format!("{:.decimals$}", value + 0.0);
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// What one repetition of a work gave.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests a second.
    pub rate: f64,
    /// Time on a processor for one request, in microseconds.
    pub cpu_us: f64,
    /// Bytes written to disks for one request.
    pub written: f64,
    /// The time in which half of the requests were answered, in microseconds.
    pub p50_us: f64,
    /// The time in which 99 of 100 were answered, in microseconds.
    pub p99_us: f64,
}

/// All repetitions of several works, which took turns.
#[derive(Clone, Debug, Default)]
pub struct Samples(BTreeMap<&'static str, Vec<Sample>>);

impl Samples {
    /// Adds a repetition of a work.
    pub fn push(&mut self, work: &'static str, sample: Sample) {
        self.0.entry(work).or_default().push(sample);
    }

    /// A figure of a work over its repetitions.
    #[must_use]
    pub fn spread(&self, work: &str, figure: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.of(work).iter().map(figure))
    }

    /// A figure of a work against the same of another one, each within one repetition.
    #[must_use]
    pub fn ratio(&self, work: &str, base: &str, figure: impl Fn(&Sample) -> f64) -> Spread {
        ratio(self.of(work), self.of(base), figure)
    }

    /// The repetitions of a work.
    #[must_use]
    pub fn of(&self, work: &str) -> &[Sample] {
        self.0.get(work).map_or(&[], Vec::as_slice)
    }
}

/// A figure of some repetitions against the same of others, pair by pair.
#[must_use]
pub fn ratio(samples: &[Sample], base: &[Sample], figure: impl Fn(&Sample) -> f64) -> Spread {
    Spread::of(samples.iter().zip(base).map(|(sample, base)| figure(sample) / figure(base)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_many_of_two_and_of_none() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of([]).to_string(), "-");
        assert_eq!(Spread::of([2.0, 2.001]).to_string(), "2.00");
    }

    #[test]
    fn numbers_have_three_digits_that_count() {
        let texts = [-0.0, 0.0123, 0.5, 9.994, 9.996, 99.96, 123.4, 1_234.0, 1_234_567.8].map(number);
        assert_eq!(texts, ["0", "0.0123", "0.50", "9.99", "10.0", "100", "123", "1,234", "1,234,568"]);
        assert_eq!(number(-123_456.0), "-123,456");
    }
}
