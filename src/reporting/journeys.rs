//! A user's last journeys, from their events: what a help desk looks at. Pure.

use crate::domain::text_enum;
use chrono::{DateTime, Utc};

/// Journeys that are shown.
pub const SHOWN: usize = 10;
/// Events that are read for them: a journey has a dozen at most, for its rounds are bounded.
pub const EVENTS_READ: i64 = 200;

text_enum! {
    /// What became of a journey.
    JourneyOutcome {
        /// The step-up satisfied the policy.
        Succeeded => "succeeded",
        /// The last answer was refused.
        Failed => "failed",
        /// The policy asked for no step-up.
        Skipped => "skipped",
        /// An exemption stood in.
        Exempted => "exempted",
        /// The gate refused tokens.
        RefusedTokens => "refused_tokens",
        /// Nobody answered, or not yet.
        Unanswered => "unanswered",
    }
}

impl JourneyOutcome {
    /// What an event decides; `None` for those that only accompany.
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "succeeded" => Some(Self::Succeeded),
            "failed" => Some(Self::Failed),
            "skipped" => Some(Self::Skipped),
            "exempted" => Some(Self::Exempted),
            "refused_tokens" => Some(Self::RefusedTokens),
            _ => None,
        }
    }
}

/// An event, as far as it tells about its journey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JourneyEvent {
    /// Its journey.
    pub journey_id: String,
    /// When the journey began.
    pub began_at: DateTime<Utc>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// `started`, `succeeded`, …
    pub kind: String,
    /// App.
    pub app_id: Option<String>,
    /// Action, when it is no sign-in.
    pub action: Option<String>,
    /// Reason code.
    pub reason: Option<String>,
    /// Method (ACR value).
    pub method: Option<String>,
}

/// One sign-in from the password to the tokens, or the step-up for one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// `jrn_…`
    pub id: String,
    /// App.
    pub app_id: Option<String>,
    /// Action, when it is no sign-in.
    pub action: Option<String>,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_event_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: JourneyOutcome,
    /// Why, for refusals.
    pub reason: Option<String>,
    /// Method of the step-up that decided.
    pub method: Option<String>,
}

/// The journeys of these events, which come newest first; so do they, and no more than [`SHOWN`].
pub fn newest(events: Vec<JourneyEvent>) -> Vec<Journey> {
    let mut journeys: Vec<Journey> = Vec::new();
    for event in events {
        let known = journeys.iter().position(|journey| journey.id == event.journey_id);
        let index = known.unwrap_or_else(|| {
            journeys.push(Journey {
                id: event.journey_id.clone(),
                app_id: None,
                action: None,
                began_at: event.began_at,
                last_event_at: event.at,
                outcome: JourneyOutcome::Unanswered,
                reason: None,
                method: None,
            });
            journeys.len() - 1
        });
        let journey = &mut journeys[index];
        journey.app_id = journey.app_id.take().or(event.app_id);
        journey.action = journey.action.take().or(event.action);
        // The newest that decides is met first.
        if let (JourneyOutcome::Unanswered, Some(outcome)) =
            (journey.outcome, JourneyOutcome::of(&event.kind))
        {
            journey.outcome = outcome;
            journey.reason = event.reason;
            journey.method = event.method;
        }
    }
    journeys.truncate(SHOWN);
    journeys
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn event(journey: &str, second: i64, kind: &str, reason: Option<&str>) -> JourneyEvent {
        let began_at = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        JourneyEvent {
            journey_id: journey.to_owned(),
            began_at,
            at: began_at + TimeDelta::seconds(second),
            kind: kind.to_owned(),
            app_id: (kind != "failed").then(|| "app_1".to_owned()),
            action: None,
            reason: reason.map(str::to_owned),
            method: (kind == "succeeded").then(|| "otp".to_owned()),
        }
    }

    #[test]
    fn the_newest_event_that_decides_is_the_outcome() {
        let journeys = newest(vec![
            event("late", 90, "failed", Some("state_mismatch")),
            event("open", 80, "offered", None),
            event("second round", 70, "tokens", None),
            event("late", 65, "offered", None),
            event("second round", 60, "linked", None),
            event("second round", 60, "succeeded", None),
            event("second round", 40, "failed", Some("answer_replayed")),
            event("second round", 10, "started", None),
        ]);
        let told: Vec<_> = journeys
            .iter()
            .map(|journey| {
                (
                    journey.id.as_str(),
                    journey.outcome,
                    journey.reason.as_deref(),
                    journey.method.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("late", JourneyOutcome::Failed, Some("state_mismatch"), None),
                ("open", JourneyOutcome::Unanswered, None, None),
                ("second round", JourneyOutcome::Succeeded, None, Some("otp")),
            ]
        );
        assert!(
            journeys
                .iter()
                .all(|journey| journey.app_id.as_deref() == Some("app_1"))
        );
        assert_eq!(
            journeys[2].last_event_at - journeys[2].began_at,
            TimeDelta::seconds(70)
        );
    }

    #[test]
    fn no_more_than_ten_are_shown() {
        let events = (0..30)
            .rev()
            .map(|number| event(&format!("jrn_{number}"), number, "started", None));
        let journeys = newest(events.collect());
        assert_eq!(journeys.len(), SHOWN);
        assert_eq!(
            (journeys[0].id.as_str(), journeys[9].id.as_str()),
            ("jrn_29", "jrn_20")
        );
    }
}
