//! Query parameters of pages. What is not understood is as if it were not there: a page has nothing to refuse.

use crate::storage::{Cursor, PageRequest};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use std::{collections::BTreeMap, convert::Infallible, future::Ready, future::ready};

use crate::reporting::question::{Filter, GroupBy, Question, SliceLength};
use chrono_tz::Tz;

/// Longest value that is looked at, characters.
const MAX_CHARS: usize = 200;

/// The parameters.
#[derive(Debug, Default, Clone)]
pub(super) struct Params(BTreeMap<String, String>);

impl FromRequest for Params {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned();
        let sound =
            |value: &str| !value.is_empty() && value.chars().count() <= MAX_CHARS && !value.contains('\0');
        ready(Ok(Self(pairs.filter(|(_, value)| sound(value)).collect())))
    }
}

impl Params {
    /// A value.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value of some kind.
    pub(super) fn read<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// The part of a list that is asked for.
    pub(super) fn page(&self) -> PageRequest {
        PageRequest {
            after: self.text("cursor").and_then(|text| Cursor::decode(text).ok()),
            ..PageRequest::default()
        }
    }

    /// The same page with another value of one parameter.
    pub(super) fn with(&self, path: &str, name: &str, value: &str) -> String {
        let mut pairs = self.0.clone();
        pairs.insert(name.to_owned(), value.to_owned());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        format!("{path}?{query}")
    }

    /// The time that figures are about.
    pub(super) fn range(&self, now: DateTime<Utc>) -> Range {
        let kind = self.text("range").unwrap_or_default();
        let known = RANGES
            .iter()
            .find(|known| known.name == kind)
            .unwrap_or(&RANGES[1]);
        let slice = TimeDelta::seconds(known.slice_s);
        // Whole slices: a first one that is half as long would look like half as much.
        let begun = now.duration_trunc(slice).unwrap_or(now);
        Range {
            known,
            from: begun - slice * (known.slices - 1),
            to: now,
        }
    }
}

/// A length of time that figures may be about.
#[derive(Debug)]
pub(super) struct KnownRange {
    /// In addresses.
    pub(super) name: &'static str,
    /// For people.
    pub(super) label: &'static str,
    step: SliceLength,
    slice_s: i64,
    slices: i32,
}

/// All of them.
pub(super) const RANGES: [KnownRange; 4] = [
    KnownRange {
        name: "1h",
        label: "Last hour",
        step: SliceLength::Minute,
        slice_s: 60,
        slices: 60,
    },
    KnownRange {
        name: "24h",
        label: "Last 24 hours",
        step: SliceLength::Hour,
        slice_s: 3_600,
        slices: 24,
    },
    KnownRange {
        name: "7d",
        label: "Last 7 days",
        step: SliceLength::Hour,
        slice_s: 3_600,
        slices: 168,
    },
    KnownRange {
        name: "30d",
        label: "Last 30 days",
        step: SliceLength::Day,
        slice_s: 86_400,
        slices: 30,
    },
];

/// The time that figures are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Its length.
    pub(super) known: &'static KnownRange,
    /// Begin of its first slice.
    pub(super) from: DateTime<Utc>,
    /// Its end.
    pub(super) to: DateTime<Utc>,
}

impl Range {
    /// What is asked of reports.
    pub(super) fn question(&self, group_by: Option<GroupBy>) -> Question {
        Question {
            filter: Filter {
                from: self.from,
                to: self.to,
                tenant_id: None,
                app_id: None,
                method: None,
                reason: None,
            },
            step: self.known.step,
            group_by,
            zone: Tz::UTC,
        }
    }

    /// Begins of its slices.
    pub(super) fn slices(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let (from, slice) = (self.from, TimeDelta::seconds(self.known.slice_s));
        (0..self.known.slices).map(move |index| from + slice * index)
    }

    /// A slice's begin for people.
    pub(super) fn label(&self, slice: DateTime<Utc>) -> String {
        let format = match (self.known.step, self.known.slices) {
            (SliceLength::Day, _) => "%-d %b",
            (_, 168) => "%-d %b %H:%M",
            _ => "%H:%M",
        };
        slice.format(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_whole_slices_and_ends_now() {
        let now = DateTime::from_timestamp(1_767_607_261, 0).unwrap();
        for known in &RANGES {
            let params = Params(BTreeMap::from([("range".to_owned(), known.name.to_owned())]));
            let range = params.range(now);
            let slices: Vec<_> = range.slices().collect();
            assert_eq!((slices[0], range.to), (range.from, now), "{}", known.name);
            let last = slices[slices.len() - 1];
            assert!(
                last <= now && now < last + TimeDelta::seconds(known.slice_s),
                "{}",
                known.name
            );
        }
        assert_eq!(Params::default().range(now).known.name, "24h");
    }
}
