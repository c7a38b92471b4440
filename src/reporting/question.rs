//! What a report asks: of which time, in which slices, split by what. Pure.
//!
//! Slices are whole ([`Question::settle`]): a first one that was counted from its middle on would look like less
//! traffic, and the rollups could not tell it anyway.

use crate::{domain::text_enum, domain::validation::Problems, ids::TenantId};
use chrono::{DateTime, Datelike, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

/// Slices of a report at most.
pub const MAX_SLICES: i64 = 1_500;

text_enum! {
    /// Length of a report's slices.
    SliceLength {
        /// A minute; only as far back as single events are kept.
        Minute => "minute",
        /// An hour.
        Hour => "hour",
        /// A day of the report's time zone.
        Day => "day",
    }
}

impl SliceLength {
    /// Its length, s; of a day without a change of clocks.
    const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// How much time a report is about unless it is said.
    pub const fn usual_range(self) -> TimeDelta {
        match self {
            Self::Minute | Self::Hour => TimeDelta::hours(24),
            Self::Day => TimeDelta::days(30),
        }
    }
}

text_enum! {
    /// What a report is split by.
    GroupBy {
        /// Tenant id.
        Tenant => "tenant",
        /// App id.
        App => "app",
        /// Method (ACR value).
        Method => "method",
        /// Outcome.
        Outcome => "outcome",
        /// Reason code.
        Reason => "reason",
        /// Policy version.
        PolicyVersion => "policy_version",
        /// Version of the triggers.
        TriggerVersion => "trigger_version",
    }
}

impl GroupBy {
    /// Whether a journey that was never answered belongs to a group: it has no method, outcome or reason.
    const fn knows_abandoned(self) -> bool {
        matches!(
            self,
            Self::Tenant | Self::App | Self::PolicyVersion | Self::TriggerVersion
        )
    }
}

/// Which rollup is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// By minute.
    Minute,
    /// By hour.
    Hour,
    /// By day, UTC.
    Day,
}

impl Grain {
    /// As the database names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// From this time on; the begin of a slice once it is settled.
    pub from: DateTime<Utc>,
    /// Before this time; the end of a slice once it is settled.
    pub to: DateTime<Utc>,
    /// One tenant.
    pub tenant_id: Option<TenantId>,
    /// One app.
    pub app_id: Option<String>,
    /// One method.
    pub method: Option<String>,
    /// One reason.
    pub reason: Option<String>,
}

/// A report that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is counted.
    pub filter: Filter,
    /// Length of slices.
    pub step: SliceLength,
    /// Split by.
    pub group_by: Option<GroupBy>,
    /// Whose days.
    pub zone: Tz,
}

impl Question {
    /// Checks the question, brings its time to whole slices (`from` back, `to` on), and says which rollup answers it.
    pub fn settle(&mut self, problems: &mut Problems) -> Grain {
        let (from, to) = (self.filter.from, self.filter.to);
        problems.require(from < to, "query:to", "out_of_range", "must be after `from`");
        self.filter.from = self.slice_of(from);
        self.filter.to = self.slice_end(to);
        let (from, to) = (self.filter.from, self.filter.to);
        problems.require(
            (to - from).num_seconds() / self.step.seconds() <= MAX_SLICES,
            "query:step",
            "too_many_slices",
            format!("would give more than {MAX_SLICES} slices: ask for a longer step or a shorter time"),
        );
        if self.step != SliceLength::Day {
            return match self.step {
                SliceLength::Minute => Grain::Minute,
                _ => Grain::Hour,
            };
        }
        let whole_hours = [from, to].iter().all(|at| {
            let offset_s = self
                .zone
                .offset_from_utc_datetime(&at.naive_utc())
                .fix()
                .local_minus_utc();
            offset_s % 3_600 == 0
        });
        problems.require(
            whole_hours,
            "query:time_zone",
            "not_whole_hours",
            "is not whole hours from UTC, and days are put together from whole hours: ask for step `hour`",
        );
        if self.zone == Tz::UTC {
            Grain::Day
        } else {
            Grain::Hour
        }
    }

    /// Whether it can be told of how many journeys there were and what became of them: an event tells its method and
    /// its reason only where there is one, and a journey without an answer has neither.
    pub const fn tells_journeys(&self) -> bool {
        self.filter.method.is_none() && self.filter.reason.is_none()
    }

    /// The same of each group.
    pub fn tells_journeys_of_groups(&self) -> bool {
        self.tells_journeys() && self.group_by.is_none_or(GroupBy::knows_abandoned)
    }

    /// End of the slice in which the time before `at` lies.
    fn slice_end(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let begin = self.slice_of(at);
        if begin == at {
            return at;
        }
        match self.step {
            SliceLength::Minute | SliceLength::Hour => begin + TimeDelta::seconds(self.step.seconds()),
            // The longest day has 25 hours, and the shortest 23: this is in the next one.
            SliceLength::Day => self.slice_of(begin + TimeDelta::hours(26)),
        }
    }

    /// Begin of the slice of the report that a slice of a rollup belongs to.
    pub(super) fn slice_of(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        match self.step {
            SliceLength::Minute => at
                .with_second(0)
                .and_then(|at| at.with_nanosecond(0))
                .unwrap_or(at),
            SliceLength::Hour => at
                .with_minute(0)
                .and_then(|at| at.with_second(0))
                .and_then(|at| at.with_nanosecond(0))
                .unwrap_or(at),
            SliceLength::Day => {
                let local = at.with_timezone(&self.zone);
                let begin = self
                    .zone
                    .with_ymd_and_hms(local.year(), local.month(), local.day(), 0, 0, 0);
                // Where clocks leap over midnight the day begins with the first hour there is.
                begin.earliest().map_or(at, |begin| begin.with_timezone(&Utc))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn settled(from: &str, to: &str, step: SliceLength, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>, Grain) {
        let mut question = Question {
            filter: Filter {
                from: at(from),
                to: at(to),
                tenant_id: None,
                app_id: None,
                method: None,
                reason: None,
            },
            step,
            group_by: None,
            zone,
        };
        let mut problems = Problems::new();
        let grain = question.settle(&mut problems);
        problems.finish().unwrap();
        (question.filter.from, question.filter.to, grain)
    }

    #[test]
    fn a_report_is_about_whole_slices() {
        let (from, to) = ("2026-01-05T10:20:30.5Z", "2026-01-06T11:00:00.001Z");
        for (step, zone, begin, end, grain) in [
            (
                SliceLength::Minute,
                Tz::UTC,
                "2026-01-05T10:20:00Z",
                "2026-01-06T11:01:00Z",
                Grain::Minute,
            ),
            (
                SliceLength::Hour,
                Tz::UTC,
                "2026-01-05T10:00:00Z",
                "2026-01-06T12:00:00Z",
                Grain::Hour,
            ),
            (
                SliceLength::Day,
                Tz::UTC,
                "2026-01-05T00:00:00Z",
                "2026-01-07T00:00:00Z",
                Grain::Day,
            ),
            (
                SliceLength::Day,
                Tz::Europe__Berlin,
                "2026-01-04T23:00:00Z",
                "2026-01-06T23:00:00Z",
                Grain::Hour,
            ),
        ] {
            assert_eq!(
                settled(from, to, step, zone),
                (at(begin), at(end), grain),
                "{step:?} {zone}"
            );
            // What is whole stays as it is.
            assert_eq!(
                settled(begin, end, step, zone),
                (at(begin), at(end), grain),
                "{step:?} {zone}"
            );
        }
    }

    #[test]
    fn days_of_23_and_25_hours_are_whole_too() {
        let zone = Tz::Europe__Berlin;
        for (within, begin, end) in [
            (
                "2026-03-29T09:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                "2026-10-25T22:59:59Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
        ] {
            let (from, to, _) = settled(begin, within, SliceLength::Day, zone);
            assert_eq!((from, to), (at(begin), at(end)));
        }
    }
}
