//! New events into counts by minute, hour and day. Pure: which events are new is for the store to say.
//!
//! Counting is done here and not in SQL because a worker has the events at hand, and because a store that can do no more than
//! keep rows and add numbers up is then enough.

use super::{
    batch::EventRow,
    histogram::{Histogram, bucket},
};
use crate::ids::{PartnerId, TenantId};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Outcome under which the first answers of journeys are counted, beside the events themselves.
pub const ENDED: &str = "ended";

/// An event and whose it is.
pub type Owned = (EventRow, PartnerId);

/// What events have in common that are counted together. Texts are empty, and the version 0, where an event has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// Whose users they are about.
    pub tenant_id: TenantId,
    /// Beginning of the slice of time.
    pub slice: DateTime<Utc>,
    /// App.
    pub app_id: &'a str,
    /// Method.
    pub method: &'a str,
    /// Type of the events, or [`ENDED`].
    pub outcome: &'a str,
    /// Reason code.
    pub reason: &'a str,
    /// Policy version.
    pub policy_version: i64,
    /// Version of the triggers.
    pub trigger_version: &'a str,
}

/// How many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Partner of the tenant.
    pub partner_id: PartnerId,
    /// All of them.
    pub events: i64,
    /// Those in the first invocation of a process.
    pub cold_starts: i64,
    /// Those by another method than the policy's first.
    pub fallbacks: i64,
    /// Times to complete, of successes.
    pub to_complete: Histogram,
    /// The same times one by one, s; for metrics.
    pub to_complete_s: Vec<f64>,
}

impl Counts {
    const fn none(partner_id: PartnerId) -> Self {
        Self {
            partner_id,
            events: 0,
            cold_starts: 0,
            fallbacks: 0,
            to_complete: Histogram::EMPTY,
            to_complete_s: Vec::new(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.cold_starts += other.cold_starts;
        self.fallbacks += other.fallbacks;
        self.to_complete.add(&other.to_complete);
        self.to_complete_s.extend(&other.to_complete_s);
    }
}

/// Counts of one length of slices, sorted by what they count: workers that add theirs to the same rows take them in the same
/// order, and none waits for the other in a circle.
pub type Slices<'a> = BTreeMap<Key<'a>, Counts>;

/// Events counted by the minute.
#[derive(Debug, Default)]
pub struct Tally<'a> {
    minutes: Slices<'a>,
}

impl<'a> Tally<'a> {
    /// Counts an event that was not there before.
    pub fn event(&mut self, (event, partner_id): &'a Owned) {
        let key = Key {
            method: text(event.method.as_ref()),
            outcome: &event.kind,
            reason: text(event.reason.as_ref()),
            ..Self::key(event, event.at)
        };
        let counts = self.of(key, *partner_id);
        counts.events += 1;
        counts.cold_starts += i64::from(event.cold_start);
        counts.fallbacks += i64::from(event.fallback == Some(true));
        if event.kind == "succeeded" && event.journey_id.is_some() {
            let took = event.at - event.filed_at;
            let took_ms = u32::try_from(took.num_milliseconds().max(0)).unwrap_or(u32::MAX);
            counts.to_complete.count_one(bucket(took_ms));
            counts.to_complete_s.push(took.as_seconds_f64());
        }
    }

    /// Counts the first answer of a journey, when the journey began.
    pub fn end(&mut self, (answer, partner_id): &'a Owned) {
        let key = Key {
            outcome: ENDED,
            ..Self::key(answer, answer.filed_at)
        };
        self.of(key, *partner_id).events += 1;
    }

    fn key(event: &'a EventRow, counted_at: DateTime<Utc>) -> Key<'a> {
        Key {
            tenant_id: event.tenant_id,
            slice: slice(counted_at, 60),
            app_id: text(event.app_id.as_ref()),
            method: "",
            outcome: "",
            reason: "",
            policy_version: event.policy_version.unwrap_or(0),
            trigger_version: &event.trigger_version,
        }
    }

    fn of(&mut self, key: Key<'a>, partner_id: PartnerId) -> &mut Counts {
        self.minutes
            .entry(key)
            .or_insert_with(|| Counts::none(partner_id))
    }

    /// By the minute.
    pub const fn minutes(&self) -> &Slices<'a> {
        &self.minutes
    }

    /// The same by slices of another length, s, that a minute divides: 3,600 or 86,400. Days are those of UTC.
    pub fn by(&self, length_s: i64) -> Slices<'a> {
        let mut slices = Slices::new();
        for (key, counts) in &self.minutes {
            let key = Key {
                slice: slice(key.slice, length_s),
                ..*key
            };
            slices
                .entry(key)
                .or_insert_with(|| Counts::none(counts.partner_id))
                .add(counts);
        }
        slices
    }
}

/// The first answer of every journey among these events, by journey; of two the earlier one.
pub fn first_answers<'a>(events: impl IntoIterator<Item = &'a Owned>) -> BTreeMap<&'a str, &'a Owned> {
    let mut first: BTreeMap<&str, &Owned> = BTreeMap::new();
    for owned in events {
        let (event, _) = owned;
        let answers = matches!(event.kind.as_str(), "succeeded" | "failed");
        if let Some(journey) = event.journey_id.as_deref().filter(|_| answers) {
            let known = first.entry(journey).or_insert(owned);
            if event.at < known.0.at {
                *known = owned;
            }
        }
    }
    first
}

fn text(given: Option<&String>) -> &str {
    given.map_or("", String::as_str)
}

/// The beginning of the slice in which a time is.
fn slice(at: DateTime<Utc>, length_s: i64) -> DateTime<Utc> {
    let second = at.timestamp();
    // A time that chrono can say is within its range after going back less than a day; its first day is not ours.
    DateTime::from_timestamp(second - second.rem_euclid(length_s), 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;
    use crate::reporting::batch;
    use chrono::TimeDelta;
    use serde_json::json;

    const NOON_MS: i64 = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000;

    struct Made {
        ids: IdSource,
        tenant: TenantId,
        partner: PartnerId,
    }

    impl Made {
        fn new() -> Self {
            let ids = IdSource::seeded(7);
            let at = DateTime::from_timestamp_millis(NOON_MS).unwrap();
            let (tenant, partner) = (TenantId::generate(&ids, at), PartnerId::generate(&ids, at));
            Self { ids, tenant, partner }
        }

        fn journey(&self, began_ms: i64) -> String {
            let began = DateTime::from_timestamp_millis(began_ms).unwrap();
            format!("jrn_{}", self.ids.ulid(began)).to_ascii_lowercase()
        }

        /// An event as it would come in.
        fn event(&self, kind: &str, journey: &str, at_ms: i64, app: Option<&str>) -> Owned {
            let id = format!("evt_{kind}{}{at_ms}", journey.trim_start_matches("jrn_"));
            let event = json!({
                "stepgate_event": 1, "event_id": id, "at_unix_ms": at_ms, "type": kind,
                "tenant_id": self.tenant, "app_id": app, "journey_id": journey, "method": (kind == "succeeded").then_some("otp"),
                "fallback": (kind == "succeeded").then_some(true), "cold_start": kind == "started", "duration_ms": 5,
                "policy_version": 3, "trigger_version": "0.1.0", "reason": (kind == "failed").then_some("code_rejected"),
            });
            let body = json!({"stepgate_batch": 1, "tenant_id": self.tenant, "events": [event]}).to_string();
            let now = DateTime::from_timestamp_millis(at_ms).unwrap();
            let mut read = batch::read(&body, now - TimeDelta::days(1), now);
            assert_eq!(read.rejected, []);
            (read.rows.remove(0), self.partner)
        }
    }

    fn events_of(slices: &Slices<'_>, outcome: &str) -> Vec<(i64, i64)> {
        let of_outcome = slices.iter().filter(|(key, _)| key.outcome == outcome);
        of_outcome
            .map(|(key, counts)| ((key.slice.timestamp_millis() - NOON_MS) / 60_000, counts.events))
            .collect()
    }

    #[test]
    fn events_are_counted_when_they_happen_and_ends_when_their_journey_began() {
        let made = Made::new();
        let began_ms = NOON_MS - 30_000;
        let journey = made.journey(began_ms);
        let events = [
            made.event("started", &journey, began_ms, Some("app_1")),
            made.event("offered", &journey, began_ms, Some("app_1")),
            made.event("succeeded", &journey, NOON_MS + 10_000, Some("app_1")),
        ];
        let mut tally = Tally::default();
        for event in &events {
            tally.event(event);
        }
        for answer in first_answers(&events).values() {
            tally.end(answer);
        }
        let minutes = tally.minutes();
        assert_eq!(events_of(minutes, "started"), [(-1, 1)]);
        assert_eq!(events_of(minutes, "succeeded"), [(0, 1)]);
        assert_eq!(events_of(minutes, ENDED), [(-1, 1)]);
        let success = minutes
            .iter()
            .find(|(key, _)| key.outcome == "succeeded")
            .unwrap();
        assert_eq!(
            (success.0.method, success.0.policy_version, success.1.fallbacks),
            ("otp", 3, 1)
        );
        assert_eq!(success.1.to_complete_s, [40.0]);
        assert_eq!(success.1.to_complete.counts()[bucket(40_000)], 1);
        let started = minutes.values().map(|counts| counts.cold_starts).sum::<i64>();
        assert_eq!(started, 1);
    }

    #[test]
    fn hours_and_days_hold_what_their_minutes_do() {
        let made = Made::new();
        let events: Vec<Owned> = (0..300)
            .map(|number| {
                let at_ms = NOON_MS + number * 37_000;
                made.event(
                    "succeeded",
                    &made.journey(at_ms - 1_000 * (1 + number % 9)),
                    at_ms,
                    Some("app_1"),
                )
            })
            .collect();
        let mut tally = Tally::default();
        for event in &events {
            tally.event(event);
        }
        for (length_s, slices) in [(3_600, 4), (86_400, 1)] {
            let by = tally.by(length_s);
            assert_eq!(by.len(), slices);
            assert!(by.keys().all(|key| key.slice.timestamp() % length_s == 0));
            let sum = |of: &Slices<'_>| {
                of.values().fold(Counts::none(made.partner), |mut sum, counts| {
                    sum.add(counts);
                    sum
                })
            };
            let (whole, parts) = (sum(&by), sum(tally.minutes()));
            assert_eq!((whole.events, whole.fallbacks), (300, 300));
            assert_eq!(whole.to_complete, parts.to_complete);
            assert_eq!(whole.to_complete.count(), 300);
        }
    }

    #[test]
    fn of_two_answers_the_earlier_one_ends_a_journey() {
        let made = Made::new();
        let journey = made.journey(NOON_MS);
        let events = [
            made.event("succeeded", &journey, NOON_MS + 9_000, None),
            made.event("failed", &journey, NOON_MS + 4_000, None),
            made.event("started", &journey, NOON_MS, None),
        ];
        let first = first_answers(&events);
        assert_eq!(first.len(), 1);
        assert_eq!(first[journey.as_str()].0.kind, "failed");
    }

    #[test]
    fn a_slice_begins_before_its_time_also_before_1970() {
        let at = |second| DateTime::from_timestamp(second, 999_000_000).unwrap();
        assert_eq!(slice(at(119), 60).timestamp(), 60);
        assert_eq!(slice(at(-1), 60).timestamp(), -60);
        assert_eq!(slice(at(-1), 86_400).timestamp(), -86_400);
    }
}
