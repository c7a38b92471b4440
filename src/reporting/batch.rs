//! A queue message into rows. Pure: what cannot be stored comes back with a reason and is put aside by the caller.
//!
//! A cell may run triggers that are newer than this service, so an event is read leniently: fields that are not
//! known are ignored, and types and reasons are texts. What is kept is bounded in length.

use crate::ids::TenantId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use step_up::event::BATCH_SCHEMA_VERSION;
use ulid::Ulid;

/// How far ahead of this service's clock an event may be.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(10);
/// Longest text of a field, characters.
const MAX_TEXT_CHARS: usize = 200;
/// Longest sample of what cannot be stored, characters.
const MAX_SAMPLE_CHARS: usize = 500;
/// Entries of `amr` and of the hops that are kept.
const MAX_ENTRIES: usize = 32;

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Known by it.
    pub event_id: String,
    /// Beginning of its journey, or its own time: the same for every repetition.
    pub filed_at: DateTime<Utc>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Whose function printed it.
    pub tenant_id: TenantId,
    /// `started`, `succeeded`, …
    pub kind: String,
    /// App.
    pub app_id: Option<String>,
    /// Journey.
    pub journey_id: Option<String>,
    /// Round of the journey.
    pub round: Option<i16>,
    /// The user, hidden.
    pub user_hash: Option<String>,
    /// Reason code.
    pub reason: Option<String>,
    /// Method (ACR value).
    pub method: Option<String>,
    /// Whether it came by another method than the policy's first.
    pub fallback: Option<bool>,
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
    /// Authenticator assurance level.
    pub aal: Option<i16>,
    /// Identity assurance level.
    pub ial: Option<i16>,
    /// Policy version that decided.
    pub policy_version: Option<i64>,
    /// Rule that decided.
    pub rule: Option<String>,
    /// Whether a stale policy had to serve.
    pub policy_stale: bool,
    /// Action.
    pub action: Option<String>,
    /// Trigger source.
    pub source: Option<String>,
    /// First invocation of its process.
    pub cold_start: bool,
    /// Time in the function, ms.
    pub duration_ms: i32,
    /// Time by hop, ms.
    pub hops_ms: BTreeMap<String, u32>,
    /// Version of the trigger binary.
    pub trigger_version: String,
}

/// Why something is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// The message is not a batch of a version that is known.
    UnreadableMessage,
    /// The event lacks what every event has.
    UnreadableEvent,
    /// The event names another tenant than its batch.
    OtherTenant,
    /// The tenant is not one of the cell's.
    UnknownTenant,
    /// The event is older than events are kept.
    TooOld,
    /// The event is of a time to come.
    InTheFuture,
}

impl Rejection {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableMessage => "unreadable_message",
            Self::UnreadableEvent => "unreadable_event",
            Self::OtherTenant => "other_tenant",
            Self::UnknownTenant => "unknown_tenant",
            Self::TooOld => "too_old",
            Self::InTheFuture => "in_the_future",
        }
    }
}

/// What is not stored, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Why.
    pub why: Rejection,
    /// What it was: an event, or a whole message. Without zero characters, which PostgreSQL's text cannot hold.
    pub body: String,
}

impl Rejected {
    /// `body` for this reason.
    pub fn new(why: Rejection, body: &str) -> Self {
        let body = body.chars().filter(|character| *character != '\0').collect();
        Self { why, body }
    }

    /// The first characters of it.
    pub fn sample(&self) -> String {
        self.body.chars().take(MAX_SAMPLE_CHARS).collect()
    }
}

/// What a message holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// To be stored.
    pub rows: Vec<EventRow>,
    /// To be put aside.
    pub rejected: Vec<Rejected>,
}

/// A message as [`step_up::event::EventBatch`] is written, its events still as they were printed: most of what a worker
/// does with an event is to read it, and it is read once.
#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(rename = "stepgate_batch")]
    version: u32,
    tenant_id: String,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// What is asked of an event that is looked for.
#[derive(Deserialize)]
struct Named {
    event_id: String,
}

#[derive(Deserialize)]
struct Line {
    event_id: String,
    at_unix_ms: i64,
    #[serde(rename = "type")]
    kind: String,
    tenant_id: String,
    app_id: Option<String>,
    journey_id: Option<String>,
    round: Option<u8>,
    user_hash: Option<String>,
    reason: Option<String>,
    method: Option<String>,
    fallback: Option<bool>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    aal: Option<u8>,
    ial: Option<u8>,
    policy_version: Option<i64>,
    rule: Option<String>,
    #[serde(default)]
    policy_stale: bool,
    action: Option<String>,
    source: Option<String>,
    #[serde(default)]
    cold_start: bool,
    #[serde(default)]
    duration_ms: u32,
    #[serde(default)]
    hops_ms: BTreeMap<String, u32>,
    #[serde(default)]
    trigger_version: String,
}

/// Reads a message. Events that began before `oldest` are not kept any more.
pub fn read(body: &str, oldest: DateTime<Utc>, now: DateTime<Utc>) -> Read {
    let mut read = Read::default();
    let unreadable = || Rejected::new(Rejection::UnreadableMessage, body);
    let Ok(batch) = serde_json::from_str::<Batch<'_>>(body) else {
        read.rejected.push(unreadable());
        return read;
    };
    let tenant: Result<TenantId, _> = batch.tenant_id.parse();
    let (BATCH_SCHEMA_VERSION, Ok(tenant_id)) = (batch.version, tenant) else {
        read.rejected.push(unreadable());
        return read;
    };
    for event in batch.events {
        match row(event.get(), tenant_id, &batch.tenant_id, (oldest, now)) {
            Ok(row) => read.rows.push(row),
            Err(why) => read.rejected.push(Rejected::new(why, event.get())),
        }
    }
    read
}

/// The events of a message as they were printed, of those that [`read`] would store.
pub fn originals(body: &str, rows: &[EventRow]) -> Vec<String> {
    let Ok(batch) = serde_json::from_str::<Batch<'_>>(body) else {
        return Vec::new();
    };
    let of_rows = |event: &&&RawValue| {
        let named = serde_json::from_str::<Named>(event.get());
        named.is_ok_and(|named| rows.iter().any(|row| row.event_id == named.event_id))
    };
    let originals = batch.events.iter().filter(of_rows);
    originals.map(|event| event.get().to_owned()).collect()
}

fn row(
    event: &str,
    tenant_id: TenantId,
    tenant: &str,
    (oldest, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<EventRow, Rejection> {
    let line: Line = serde_json::from_str(event).map_err(|_| Rejection::UnreadableEvent)?;
    if line.tenant_id != tenant {
        return Err(Rejection::OtherTenant);
    }
    let at = DateTime::from_timestamp_millis(line.at_unix_ms).ok_or(Rejection::UnreadableEvent)?;
    let well_formed = is_id(&line.event_id, "evt_") && is_word(&line.kind);
    if !well_formed || line.journey_id.as_deref().is_some_and(|id| began(id).is_none()) {
        return Err(Rejection::UnreadableEvent);
    }
    let filed_at = line.journey_id.as_deref().and_then(began).unwrap_or(at);
    if at > now + CLOCK_SKEW || filed_at > now + CLOCK_SKEW {
        return Err(Rejection::InTheFuture);
    }
    if filed_at < oldest || at < oldest {
        return Err(Rejection::TooOld);
    }
    Ok(EventRow {
        event_id: line.event_id,
        filed_at,
        at,
        tenant_id,
        kind: line.kind,
        app_id: line.app_id.map(bounded),
        journey_id: line.journey_id,
        round: line.round.map(i16::from),
        user_hash: line.user_hash.map(bounded),
        reason: line.reason.map(bounded),
        method: line.method.map(bounded),
        fallback: line.fallback,
        acr: line.acr.map(bounded),
        amr: line.amr.into_iter().take(MAX_ENTRIES).map(bounded).collect(),
        aal: line.aal.map(i16::from),
        ial: line.ial.map(i16::from),
        policy_version: line.policy_version,
        rule: line.rule.map(bounded),
        policy_stale: line.policy_stale,
        action: line.action.map(bounded),
        source: line.source.map(bounded),
        cold_start: line.cold_start,
        duration_ms: i32::try_from(line.duration_ms).unwrap_or(i32::MAX),
        hops_ms: line
            .hops_ms
            .into_iter()
            .take(MAX_ENTRIES)
            .map(|(hop, ms)| (bounded(hop), ms))
            .collect(),
        trigger_version: bounded(line.trigger_version),
    })
}

/// When a journey began: its id carries the time.
fn began(journey_id: &str) -> Option<DateTime<Utc>> {
    let ulid = Ulid::from_string(journey_id.strip_prefix("jrn_")?).ok()?;
    DateTime::from_timestamp_millis(i64::try_from(ulid.timestamp_ms()).ok()?)
}

fn is_id(text: &str, prefix: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.strip_prefix(prefix)
        .is_some_and(|rest| (1..=64).contains(&rest.len()) && rest.bytes().all(plain))
}

fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// PostgreSQL's text holds no zero character.
fn bounded(text: String) -> String {
    if text.len() <= MAX_TEXT_CHARS && !text.contains('\0') {
        return text;
    }
    text.chars()
        .filter(|character| *character != '\0')
        .take(MAX_TEXT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TENANT: &str = "tnt_01jd7v0p3h8s5k2m4n6q9r1t0w";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_607_200, 0).unwrap()
    }

    fn journey(at: DateTime<Utc>) -> String {
        let ulid = Ulid::from_parts(u64::try_from(at.timestamp_millis()).unwrap(), 7);
        format!("jrn_{}", ulid.to_string().to_ascii_lowercase())
    }

    fn event() -> Value {
        json!({
            "stepgate_event": 1, "event_id": "evt_0123456789abcdef0123456789abcdef", "at_unix_ms": now().timestamp_millis(),
            "type": "succeeded", "tenant_id": TENANT, "app_id": "app_1", "journey_id": journey(now() - TimeDelta::seconds(9)),
            "round": 1, "user_hash": "ab", "reason": null, "method": "otp", "acr": null, "amr": ["otp"], "aal": 2, "ial": null,
            "policy_version": 3, "rule": "default", "policy_stale": false, "action": null, "source": "VerifyAuthChallengeResponse_Authentication",
            "cold_start": true, "duration_ms": 41, "hops_ms": {"token": 12}, "trigger_version": "0.1.0",
        })
    }

    fn read_one(event: &Value) -> Read {
        let body = json!({"stepgate_batch": 1, "tenant_id": TENANT, "events": [event]});
        read(&body.to_string(), now() - TimeDelta::days(30), now())
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut event = event();
        event[pointer] = value;
        event
    }

    #[test]
    fn a_repetition_at_another_time_is_filed_at_the_same_place() {
        let first = read_one(&event()).rows.remove(0);
        let later = now().timestamp_millis() + 5_000;
        let again = read_one(&with("at_unix_ms", json!(later))).rows.remove(0);
        assert_eq!(
            (&first.event_id, first.filed_at),
            (&again.event_id, again.filed_at)
        );
        assert_eq!(first.filed_at, now() - TimeDelta::seconds(9));
        let alone = read_one(&with("journey_id", Value::Null)).rows.remove(0);
        assert_eq!(alone.filed_at, now());
    }

    #[test]
    fn what_a_newer_trigger_says_is_kept_and_long_texts_are_cut() {
        let mut newer = with("type", json!("unheard_of"));
        newer["reason"] = json!("brand_new_reason");
        newer["of_the_future"] = json!([1]);
        newer["rule"] = json!("\0x".repeat(1_000));
        let row = read_one(&newer).rows.remove(0);
        assert_eq!(
            (row.kind.as_str(), row.reason.as_deref()),
            ("unheard_of", Some("brand_new_reason"))
        );
        assert_eq!(row.rule.unwrap(), "x".repeat(MAX_TEXT_CHARS));
    }

    #[test]
    fn what_cannot_be_stored_says_why() {
        let far = now() + TimeDelta::hours(1);
        for (event, why) in [
            (json!({}), Rejection::UnreadableEvent),
            (json!("text"), Rejection::UnreadableEvent),
            (with("event_id", json!("evt_'; DROP")), Rejection::UnreadableEvent),
            (with("type", json!("")), Rejection::UnreadableEvent),
            (with("at_unix_ms", json!(i64::MAX)), Rejection::UnreadableEvent),
            (with("journey_id", json!("jrn_x")), Rejection::UnreadableEvent),
            (with("duration_ms", json!(-1)), Rejection::UnreadableEvent),
            (
                with("tenant_id", json!("tnt_01jd7v0p3h8s5k2m4n6q9r1t0x")),
                Rejection::OtherTenant,
            ),
            (
                with("at_unix_ms", json!(far.timestamp_millis())),
                Rejection::InTheFuture,
            ),
            (with("journey_id", json!(journey(far))), Rejection::InTheFuture),
            (
                with("journey_id", json!(journey(now() - TimeDelta::days(31)))),
                Rejection::TooOld,
            ),
        ] {
            let read = read_one(&event);
            let whys: Vec<_> = read.rejected.iter().map(|rejected| rejected.why).collect();
            assert_eq!((read.rows.len(), whys), (0, vec![why]), "{event}");
        }
        let long = "x\0".repeat(1_000);
        let rejected = read(&long, now(), now()).rejected.remove(0);
        assert_eq!(
            (rejected.sample(), rejected.body),
            ("x".repeat(500), "x".repeat(1_000))
        );
        let of_two = json!({"stepgate_batch": 1, "tenant_id": TENANT, "events": [event(), {}]}).to_string();
        let rows = read(&of_two, now() - TimeDelta::days(30), now()).rows;
        assert_eq!(originals(&of_two, &rows), [event().to_string()]);
        for body in [
            "",
            "{}",
            "[]",
            r#"{"stepgate_batch":2,"tenant_id":"tnt_01jd7v0p3h8s5k2m4n6q9r1t0w","events":[]}"#,
            r#"{"stepgate_batch":1,"tenant_id":"tnt_x","events":[]}"#,
        ] {
            let read = read(body, now(), now());
            assert_eq!(read.rejected[0].why, Rejection::UnreadableMessage, "{body}");
        }
    }
}
