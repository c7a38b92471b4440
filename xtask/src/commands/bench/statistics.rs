//! Samples, their median and their spread.

/// Samples of one measurement; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// `None` without samples, or with one that is no number.
    pub(crate) fn new(mut samples: Vec<f64>) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        samples.sort_by(f64::total_cmp);
        Some(Self(samples))
    }

    /// The value below which this part of the samples lies (0–1), between neighbours in proportion.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let last = self.0.len() - 1;
        let place = part.clamp(0.0, 1.0) * as_f64(last);
        let below = self
            .0
            .iter()
            .enumerate()
            .rfind(|(index, _)| as_f64(*index) <= place);
        let (index, value) = below.map_or((0, self.0[0]), |(index, value)| (index, *value));
        let next = self.0[(index + 1).min(last)];
        value + (next - value) * (place - as_f64(index))
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The middle half: first and third quartile.
    pub(crate) fn spread(&self) -> [f64; 2] {
        [self.quantile(0.25), self.quantile(0.75)]
    }
}

/// Counts here are far below 2^32.
pub(crate) fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[f64]) -> Series {
        Series::new(samples.to_vec()).unwrap()
    }

    #[test]
    fn quantiles_lie_between_neighbours_in_proportion() {
        let five = series(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((five.median(), five.spread()), (3.0, [2.0, 4.0]));
        assert_eq!((five.quantile(0.0), five.quantile(1.0)), (1.0, 5.0));
        assert!((five.quantile(0.9) - 4.6).abs() < 1e-9);
        assert!((series(&[1.0, 2.0]).median() - 1.5).abs() < 1e-9);
        assert_eq!(Some(series(&[7.0]).spread()), Some([7.0, 7.0]));
    }

    #[test]
    fn one_wild_sample_does_not_move_the_median() {
        assert_eq!(Some(series(&[1.0, 1.0, 1.0, 1.0, 900.0]).median()), Some(1.0));
    }

    #[test]
    fn nothing_and_what_is_no_number_are_no_series() {
        assert_eq!(Series::new(Vec::new()), None);
        assert_eq!(Series::new(vec![1.0, f64::NAN]), None);
    }
}
