//! Alarms: too few steps-up succeed, the provider errs too often, or steps-up take too long.
//!
//! A [`Rule`] judges what was [`Seen`] in a window of time; [`next`] says what becomes of an alarm. It is raised at the
//! first window that passes the limit and cleared when windows are clearly better again, so that a figure which moves
//! around its limit raises one alarm and not a hundred.

use super::{object::objects_only, text_enum, validation::Problems};
use crate::{
    ids::{AlarmId, PartnerId, TenantId},
    reporting::histogram::Histogram,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use step_up::reason::Reason;

/// Windows that may be watched, min.
pub const WINDOW_MIN: RangeInclusive<u32> = 5..=240;
/// After the last window that passed the limit an alarm stays raised for this long at least.
pub const HOLD: TimeDelta = TimeDelta::minutes(5);
/// How much above its limit a success rate must be to clear the alarm.
const RATE_MARGIN: f64 = 0.05;
/// The part of its limit that provider errors, and times, must not pass to clear the alarm.
const ERRORS_CLEAR: f64 = 0.5;
const LATENCY_CLEAR: f64 = 0.9;

/// Refusals that are the provider's fault, or that of the connection to it.
pub const PROVIDER_REASONS: [Reason; 4] = [
    Reason::ProviderUnavailable,
    Reason::ProviderMalformed,
    Reason::ProviderAddressRefused,
    Reason::ClientRejected,
];

text_enum! {
    /// What an alarm watches.
    AlarmKind {
        /// The share of steps-up that succeed.
        SuccessRate => "success_rate",
        /// Refusals because of the provider.
        ProviderErrors => "provider_errors",
        /// The time from the password to the success, 95th percentile.
        Latency => "latency",
    }
}

text_enum! {
    /// Whether an alarm is on.
    AlarmState {
        /// It is on.
        Raised => "raised",
        /// It is over.
        Cleared => "cleared",
    }
}

text_enum! {
    /// Why an alarm is over.
    ClearCause {
        /// The figure is clearly better than the limit again.
        Recovered => "recovered",
        /// There was too little traffic for a whole window to tell.
        TooFew => "too_few",
        /// It is no longer watched for.
        SwitchedOff => "switched_off",
    }
}

/// What a tenant is watched for. What is absent or `null` is not watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "success_rate": {"below": 0.8, "minimum_sample": 50, "window_min": 15},
    "provider_errors": {"above": 10, "window_min": 10},
    "latency": {"p95_above_ms": 90_000, "minimum_sample": 20, "window_min": 15}
}))]
pub struct Thresholds {
    /// Too few steps-up succeed.
    #[serde(default)]
    pub success_rate: Option<RateThreshold>,
    /// The provider errs too often.
    #[serde(default)]
    pub provider_errors: Option<ErrorThreshold>,
    /// Steps-up take too long.
    #[serde(default)]
    pub latency: Option<LatencyThreshold>,
}

/// The least share of steps-up that must succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct RateThreshold {
    /// Raised below this share of the journeys that are over; cleared 0.05 above it.
    #[schema(minimum = 0.01, maximum = 0.99, example = 0.8)]
    pub below: f64,
    /// Journeys that must be over in the window, else it tells nothing.
    #[schema(minimum = 1, maximum = 1_000_000, example = 50)]
    pub minimum_sample: u32,
    /// Length of the window, min.
    #[schema(minimum = 5, maximum = 240, example = 15)]
    pub window_min: u32,
}

/// The most errors of the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct ErrorThreshold {
    /// Raised above this number of answers refused because of the provider; cleared at half of it.
    #[schema(minimum = 1, maximum = 1_000_000, example = 10)]
    pub above: u32,
    /// Length of the window, min.
    #[schema(minimum = 5, maximum = 240, example = 10)]
    pub window_min: u32,
}

/// The longest time that steps-up may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct LatencyThreshold {
    /// Raised when the 95th percentile of the time from the password to the success is above this, ms; cleared at nine
    /// tenths of it.
    #[schema(minimum = 100, maximum = 3_600_000, example = 90_000)]
    pub p95_above_ms: u32,
    /// Successes that must be in the window, else it tells nothing.
    #[schema(minimum = 1, maximum = 1_000_000, example = 20)]
    pub minimum_sample: u32,
    /// Length of the window, min.
    #[schema(minimum = 5, maximum = 240, example = 15)]
    pub window_min: u32,
}

objects_only!(Thresholds, RateThreshold, ErrorThreshold, LatencyThreshold and Serialize);

/// What every tenant is watched for until its partner says otherwise.
impl Default for Thresholds {
    fn default() -> Self {
        Self {
            success_rate: Some(RateThreshold {
                below: 0.7,
                minimum_sample: 30,
                window_min: 15,
            }),
            provider_errors: Some(ErrorThreshold {
                above: 10,
                window_min: 10,
            }),
            latency: Some(LatencyThreshold {
                p95_above_ms: 120_000,
                minimum_sample: 30,
                window_min: 15,
            }),
        }
    }
}

impl Thresholds {
    /// Checks every number.
    pub fn validate(&self, problems: &mut Problems) {
        const COUNT: RangeInclusive<u32> = 1..=1_000_000;
        if let Some(rate) = &self.success_rate {
            problems.within("/success_rate", |problems| {
                problems.require(
                    (0.01..=0.99).contains(&rate.below),
                    "/below",
                    "out_of_range",
                    "must be from 0.01 to 0.99",
                );
                problems.range("/minimum_sample", rate.minimum_sample, COUNT);
                problems.range("/window_min", rate.window_min, WINDOW_MIN);
            });
        }
        if let Some(errors) = &self.provider_errors {
            problems.within("/provider_errors", |problems| {
                problems.range("/above", errors.above, COUNT);
                problems.range("/window_min", errors.window_min, WINDOW_MIN);
            });
        }
        if let Some(latency) = &self.latency {
            problems.within("/latency", |problems| {
                problems.range("/p95_above_ms", latency.p95_above_ms, 100..=3_600_000);
                problems.range("/minimum_sample", latency.minimum_sample, COUNT);
                problems.range("/window_min", latency.window_min, WINDOW_MIN);
            });
        }
    }

    /// The rules, one for each kind that is watched.
    pub fn rules(&self) -> Vec<Rule> {
        let rule = |kind, limit, minimum_sample: u32, window_min| Rule {
            kind,
            limit,
            minimum_sample: minimum_sample.into(),
            window_min,
        };
        let rate = self.success_rate.as_ref().map(|rate| {
            rule(
                AlarmKind::SuccessRate,
                rate.below,
                rate.minimum_sample,
                rate.window_min,
            )
        });
        let errors = self.provider_errors.as_ref().map(|errors| {
            rule(
                AlarmKind::ProviderErrors,
                errors.above.into(),
                0,
                errors.window_min,
            )
        });
        let latency = self.latency.as_ref().map(|latency| {
            let limit = latency.p95_above_ms.into();
            rule(
                AlarmKind::Latency,
                limit,
                latency.minimum_sample,
                latency.window_min,
            )
        });
        [rate, errors, latency].into_iter().flatten().collect()
    }
}

/// A limit and the window in which it must not be passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What is measured.
    pub kind: AlarmKind,
    /// The limit, in the unit of the kind.
    pub limit: f64,
    /// Measurements that a window must have.
    pub minimum_sample: i64,
    /// Length of the window, min.
    pub window_min: u32,
}

/// What the rollups say of a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Journeys that began.
    pub started: i64,
    /// Those of them that are not answered and may still be.
    pub open: i64,
    /// Steps-up that succeeded.
    pub succeeded: i64,
    /// Answers refused because of the provider.
    pub provider_errors: i64,
    /// Times to complete of the successes.
    pub to_complete: Histogram,
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// In the unit of the kind.
    pub value: f64,
    /// Of how many.
    pub sample: i64,
}

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The limit was passed.
    Breach(Measured),
    /// Not passed, but not clearly better either.
    Close,
    /// Clearly better than the limit.
    Fine(Measured),
    /// Too little to tell.
    TooFew,
}

impl Rule {
    /// The window.
    pub fn window(&self) -> TimeDelta {
        TimeDelta::minutes(self.window_min.into())
    }

    /// Judges a window. A success rate is that of the reports: of the journeys that are over, the share that succeeded.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn judge(&self, seen: &Seen) -> Verdict {
        let (sample, value) = match self.kind {
            AlarmKind::SuccessRate => {
                let over = (seen.started - seen.open.max(0)).max(seen.succeeded);
                (over, (over > 0).then(|| seen.succeeded as f64 / over as f64))
            }
            AlarmKind::ProviderErrors => (seen.provider_errors, Some(seen.provider_errors as f64)),
            AlarmKind::Latency => (
                seen.to_complete.count().try_into().unwrap_or(i64::MAX),
                seen.to_complete.percentile_ms(0.95).map(f64::from),
            ),
        };
        let Some(value) = value.filter(|_| sample >= self.minimum_sample) else {
            return Verdict::TooFew;
        };
        let (breach, fine) = match self.kind {
            AlarmKind::SuccessRate => (value < self.limit, value >= (self.limit + RATE_MARGIN).min(1.0)),
            AlarmKind::ProviderErrors => (value > self.limit, value <= self.limit * ERRORS_CLEAR),
            AlarmKind::Latency => (value > self.limit, value <= self.limit * LATENCY_CLEAR),
        };
        let measured = Measured { value, sample };
        match (breach, fine) {
            (true, _) => Verdict::Breach(measured),
            (false, true) => Verdict::Fine(measured),
            (false, false) => Verdict::Close,
        }
    }
}

/// What becomes of an alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// It stays what it is.
    Stay,
    /// It is raised.
    Raise(Measured),
    /// It stays raised: the limit was passed again.
    Again,
    /// It is cleared, with what was measured last.
    Clear(ClearCause, Option<f64>),
}

/// What becomes of an alarm whose last breach, if it is raised, was in the window up to `raised`, after a window up to
/// `until`.
pub fn next(rule: &Rule, raised: Option<DateTime<Utc>>, verdict: Verdict, until: DateTime<Utc>) -> Step {
    let Some(last_breach_at) = raised else {
        return match verdict {
            Verdict::Breach(measured) => Step::Raise(measured),
            _ => Step::Stay,
        };
    };
    let quiet = until - last_breach_at;
    match verdict {
        Verdict::Breach(_) => Step::Again,
        Verdict::Fine(measured) if quiet >= HOLD => Step::Clear(ClearCause::Recovered, Some(measured.value)),
        Verdict::TooFew if quiet >= rule.window() => Step::Clear(ClearCause::TooFew, None),
        Verdict::Fine(_) | Verdict::Close | Verdict::TooFew => Step::Stay,
    }
}

/// An alarm, on or over.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// Partner of the tenant.
    pub partner_id: PartnerId,
    /// Tenant it is about.
    pub tenant_id: TenantId,
    /// What it watches.
    pub kind: AlarmKind,
    /// Whether it is on.
    pub state: AlarmState,
    /// The limit that was passed: a share (0 to 1) for `success_rate`, a number for `provider_errors`, ms for `latency`.
    pub threshold: f64,
    /// Length of the window, min.
    #[schema(minimum = 5)]
    pub window_min: i32,
    /// What was measured when it was raised, in the same unit.
    pub value: f64,
    /// How many that was measured of.
    #[schema(minimum = 0)]
    pub sample: i64,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// End of the last window in which the limit was passed.
    pub last_breach_at: DateTime<Utc>,
    /// When it was cleared.
    pub cleared_at: Option<DateTime<Utc>>,
    /// Why it was cleared.
    pub cleared_because: Option<ClearCause>,
    /// What was measured when it was cleared; `null` when there was too little.
    pub cleared_value: Option<f64>,
}

/// What a tenant is watched for, and since which version.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmSettings {
    /// From 1.
    pub version: i64,
    /// What is watched for.
    pub thresholds: Thresholds,
    /// When it was last changed; `None` while it is what every tenant begins with.
    pub updated_at: Option<DateTime<Utc>>,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            version: 1,
            thresholds: Thresholds::default(),
            updated_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: AlarmKind) -> Rule {
        Thresholds::default()
            .rules()
            .into_iter()
            .find(|rule| rule.kind == kind)
            .unwrap()
    }

    fn rate(started: i64, open: i64, succeeded: i64) -> Verdict {
        rule(AlarmKind::SuccessRate).judge(&Seen {
            started,
            open,
            succeeded,
            ..Seen::default()
        })
    }

    #[test]
    fn a_rate_is_of_the_journeys_that_are_over() {
        assert_eq!(
            rate(40, 10, 20),
            Verdict::Breach(Measured {
                value: 20.0 / 30.0,
                sample: 30
            })
        );
        // Just as good as asked is no breach, and not clearly better.
        assert_eq!(rate(100, 0, 70), Verdict::Close);
        assert_eq!(
            rate(100, 0, 75),
            Verdict::Fine(Measured {
                value: 0.75,
                sample: 100
            })
        );
        assert_eq!(rate(29, 0, 0), Verdict::TooFew);
        assert_eq!(rate(60, 31, 0), Verdict::TooFew);
        // Some began before the window.
        assert_eq!(
            rate(0, 0, 40),
            Verdict::Fine(Measured {
                value: 1.0,
                sample: 40
            })
        );
        assert_eq!(rate(0, 0, 0), Verdict::TooFew);
    }

    #[test]
    fn errors_count_and_times_are_the_95th_percentile() {
        let errors = |provider_errors| {
            rule(AlarmKind::ProviderErrors).judge(&Seen {
                provider_errors,
                ..Seen::default()
            })
        };
        assert!(matches!(errors(11), Verdict::Breach(_)));
        assert_eq!((errors(10), errors(6)), (Verdict::Close, Verdict::Close));
        assert!(matches!(errors(5), Verdict::Fine(_)) && matches!(errors(0), Verdict::Fine(_)));
        let slow = |share: i64| {
            let mut counts = vec![0; 80];
            counts[40] = 100 - share;
            counts[79] = share;
            rule(AlarmKind::Latency).judge(&Seen {
                to_complete: Histogram::from_counts(&counts),
                ..Seen::default()
            })
        };
        assert!(matches!(slow(6), Verdict::Breach(Measured { sample: 100, .. })));
        assert!(matches!(slow(4), Verdict::Fine(_)));
    }

    #[test]
    fn an_alarm_is_raised_once_and_cleared_once_however_the_figure_moves() {
        let rule = rule(AlarmKind::SuccessRate);
        let begin = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let (mut raised, mut steps) = (None, Vec::new());
        // Minute by minute around the limit, then well above it.
        let rates = [60, 71, 69, 74, 68, 76, 60, 90, 90, 90, 90, 90, 90, 90, 90];
        for (minute, succeeded) in (0_i64..).zip(rates) {
            let until = begin + TimeDelta::minutes(minute);
            let step = next(&rule, raised, rate(100, 0, succeeded), until);
            match step {
                Step::Raise(_) | Step::Again => raised = Some(until),
                Step::Clear(..) => raised = None,
                Step::Stay => {}
            }
            if matches!(step, Step::Raise(_) | Step::Clear(..)) {
                steps.push((minute, step));
            }
        }
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert!(matches!(steps[0], (0, Step::Raise(_))));
        assert_eq!(steps[1], (11, Step::Clear(ClearCause::Recovered, Some(0.9))));
    }

    #[test]
    fn silence_clears_an_alarm_after_a_whole_window() {
        let rule = rule(AlarmKind::SuccessRate);
        let breach = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let after = |minutes| {
            next(
                &rule,
                Some(breach),
                Verdict::TooFew,
                breach + TimeDelta::minutes(minutes),
            )
        };
        assert_eq!(after(14), Step::Stay);
        assert_eq!(after(15), Step::Clear(ClearCause::TooFew, None));
        assert_eq!(next(&rule, None, Verdict::TooFew, breach), Step::Stay);
    }

    #[test]
    fn what_nobody_can_mean_is_refused_with_its_place() {
        let thresholds = Thresholds {
            success_rate: Some(RateThreshold {
                below: f64::NAN,
                minimum_sample: 0,
                window_min: 4,
            }),
            provider_errors: Some(ErrorThreshold {
                above: 0,
                window_min: 241,
            }),
            latency: Some(LatencyThreshold {
                p95_above_ms: 99,
                minimum_sample: 1_000_001,
                window_min: 0,
            }),
        };
        let mut problems = Problems::new();
        thresholds.validate(&mut problems);
        let error = problems.finish().unwrap_err();
        let places: Vec<_> = error
            .fields()
            .iter()
            .map(|field| field.pointer.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/success_rate/below",
                "/success_rate/minimum_sample",
                "/success_rate/window_min",
                "/provider_errors/above",
                "/provider_errors/window_min",
                "/latency/p95_above_ms",
                "/latency/minimum_sample",
                "/latency/window_min"
            ]
        );
        let mut problems = Problems::new();
        Thresholds::default().validate(&mut problems);
        assert!(problems.finish().is_ok());
    }
}
