//! Latencies as counts by bucket. Buckets grow by a fixed factor, so histograms of any slices of time add up, and a
//! percentile read from the sum is off by at most half a bucket: 9 %.

/// Buckets per doubling.
const PER_DOUBLING: f64 = 4.0;
/// The last bucket; it takes everything from 2^22 ms (70 min) up.
pub const LAST_BUCKET: usize = 88;

/// Counts by bucket, the first being the one for 1 ms and less. Missing ones at the end are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(Vec<u64>);

/// The bucket of a duration.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and LAST_BUCKET"
)]
pub fn bucket(ms: u32) -> usize {
    let doublings = f64::from(ms.max(1)).log2();
    ((doublings * PER_DOUBLING).floor() as usize).min(LAST_BUCKET)
}

/// The bucket of the first of an array's subscripts, as in `58:60`.
fn first_bucket(bounds: &str) -> usize {
    let first = bounds
        .split(':')
        .next()
        .and_then(|first| first.parse::<usize>().ok());
    first.map_or(0, |first| first.saturating_sub(1).min(LAST_BUCKET))
}

impl Histogram {
    /// Without durations.
    pub const EMPTY: Self = Self(Vec::new());

    /// Counts a duration of this [`bucket`]; one that there is not is the last.
    pub fn count_one(&mut self, bucket: usize) {
        let bucket = bucket.min(LAST_BUCKET);
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        if let Some(count) = self.0.get_mut(bucket) {
            *count += 1;
        }
    }

    /// Counts by bucket, as they are stored.
    pub fn counts(&self) -> &[u64] {
        &self.0
    }

    /// From counts by bucket; what cannot be a count is none.
    #[cfg(test)]
    pub(crate) fn from_counts(counts: &[i64]) -> Self {
        Self(
            counts
                .iter()
                .map(|count| u64::try_from(*count).unwrap_or(0))
                .collect(),
        )
    }

    /// From stored counts as PostgreSQL writes an array of them: `{1,2,3}` from the first bucket on, `[58:60]={1,2,3}` from the
    /// bucket before the named subscript on. What cannot be a count is none.
    pub fn from_text(text: &str) -> Self {
        let (first, counts) = text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]="))
            .map_or((0, text), |(bounds, counts)| (first_bucket(bounds), counts));
        let mut all = vec![0; first];
        let counts = counts.trim_start_matches('{').trim_end_matches('}');
        all.extend(counts.split(',').map(|count| count.parse().unwrap_or(0)));
        Self(all)
    }

    /// The sum of stored counts, as far as there are any.
    pub fn from_texts(texts: impl IntoIterator<Item = Option<String>>) -> Self {
        let mut sum = Self::EMPTY;
        for text in texts.into_iter().flatten() {
            sum.add(&Self::from_text(&text));
        }
        sum
    }

    /// The counts as PostgreSQL reads an array of them, from the first bucket that counts something on; a subscript is the bucket
    /// plus one.
    pub fn to_text(&self) -> String {
        let first = self.0.iter().position(|count| *count > 0).unwrap_or(0);
        let counts: Vec<String> = self.0.iter().skip(first).map(ToString::to_string).collect();
        if counts.is_empty() {
            return "{}".to_owned();
        }
        format!("[{}:{}]={{{}}}", first + 1, self.0.len(), counts.join(","))
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration below which the share `p` (0 to 1) of them lies, ms: the geometric middle of its bucket. `None`
    /// when there are none.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts stay far below 2^52, durations below 2^23"
    )]
    pub fn percentile_ms(&self, p: f64) -> Option<u32> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((count as f64 * p).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        let bucket = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(((bucket as f64 + 0.5) / PER_DOUBLING).exp2().round() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations_ms: &[u32]) -> Histogram {
        let mut counts = vec![0; LAST_BUCKET + 1];
        for ms in durations_ms {
            counts[bucket(*ms)] += 1;
        }
        Histogram::from_counts(&counts)
    }

    #[test]
    fn a_percentile_is_close_to_the_truth_and_sums_are_as_good_as_wholes() {
        let all: Vec<u32> = (1..=10_000).map(|n| n * 7).collect();
        let (even, odd): (Vec<u32>, Vec<u32>) = all.iter().partition(|ms| **ms % 2 == 0);
        let mut sum = of(&even);
        sum.add(&of(&odd));
        assert_eq!(sum, of(&all));
        assert_eq!(sum.count(), 10_000);
        for p in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let truth = 70_000.0 * p;
            let read = f64::from(sum.percentile_ms(p).unwrap());
            assert!((read / truth - 1.0).abs() < 0.10, "p{p}: {read} for {truth}");
        }
    }

    #[test]
    fn the_edges_hold() {
        assert_eq!((bucket(0), bucket(1), bucket(2), bucket(4)), (0, 0, 4, 8));
        assert_eq!(bucket(u32::MAX), LAST_BUCKET);
        assert_eq!(Histogram::default().percentile_ms(0.5), None);
        assert_eq!(Histogram::from_counts(&[-1, 0]).count(), 0);
        for text in ["[2:3]={7,18446744073709551615}", "[1:1]={1}", "[61:62]={1,2}"] {
            assert_eq!(Histogram::from_text(text).to_text(), text);
        }
        assert_eq!(Histogram::from_text("{0,7}").to_text(), "[2:2]={7}");
        assert_eq!(Histogram::from_text("{}").count(), 0);
        assert_eq!(Histogram::EMPTY.to_text(), "{}");
        let far = Histogram::from_text("[4000000000:4000000000]={1}");
        assert_eq!(far.counts().len(), LAST_BUCKET + 1);
        assert_eq!(
            Histogram::from_text("{-1,NULL,2,x}"),
            Histogram::from_counts(&[0, 0, 2, 0])
        );
        let mut short = Histogram::from_counts(&[1]);
        short.add(&Histogram::from_counts(&[1, 2, 3]));
        assert_eq!(short, Histogram::from_counts(&[2, 2, 3]));
    }
}
