//! Raises and clears alarms, minute by minute, from rollups.
//!
//! The window ends some time ago ([`DELAY`]): events take a moment to arrive. Of any number of workers one judges a
//! minute, in one transaction with what follows from it: alarms, and messages to webhooks. One that is killed has judged
//! nothing, and another does it. After a time without workers the newest window is judged, not every one that was missed.

use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        alarm::{self, Alarm, AlarmKind, AlarmState, ClearCause, Rule, Seen, Step, WINDOW_MIN},
        webhook::{Announcement, EventType},
    },
    ids::{AlarmId, TenantId},
    storage::{
        Tx,
        alarms::{self, Watched},
        webhook_outbox,
    },
};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde_json::json;
use std::{collections::HashMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// Pause between looks. A minute is judged once, whoever looks first.
const EVERY: Duration = Duration::from_secs(15);
/// How far behind the clock windows end: events that take longer to arrive count in the next ones.
pub const DELAY: TimeDelta = TimeDelta::minutes(2);

/// Evaluates until `stop`.
pub async fn run(context: &Context, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = evaluate(context).await {
            tracing::warn!(%error, "alarms cannot be evaluated at the moment");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// What an evaluation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Alarms raised.
    pub raised: usize,
    /// Alarms cleared.
    pub cleared: usize,
}

/// Judges the newest minute, unless that was done.
pub async fn evaluate(context: &Context) -> Result<Evaluated> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let until = (now - DELAY)
        .duration_trunc(TimeDelta::minutes(1))
        .map_err(crate::Error::internal)?;
    let mut tx = context.db.begin(&scope).await?;
    let mut done = Evaluated::default();
    if !alarms::begin_evaluation(&mut tx, &scope, until).await? {
        return Ok(done);
    }
    let longest = TimeDelta::minutes((*WINDOW_MIN.end()).into());
    let watched = alarms::watched(&mut tx, &scope, until - longest, until).await?;
    let windows: Vec<_> = watched
        .iter()
        .flat_map(|watched| {
            let rules = watched.thresholds.rules();
            rules
                .into_iter()
                .map(move |rule| (watched.tenant_id, rule.kind, until - rule.window()))
        })
        .collect();
    let seen = alarms::seen(&mut tx, &scope, &windows, until).await?;
    let mut raised: HashMap<(TenantId, AlarmKind), Alarm> = alarms::raised(&mut tx, &scope)
        .await?
        .into_iter()
        .map(|alarm| ((alarm.tenant_id, alarm.kind), alarm))
        .collect();
    for watched in &watched {
        for rule in watched.thresholds.rules() {
            let key = (watched.tenant_id, rule.kind);
            let nothing = Seen::default();
            let verdict = rule.judge(seen.get(&key).unwrap_or(&nothing));
            let alarm = raised.remove(&key);
            let since = alarm.as_ref().map(|alarm| alarm.last_breach_at);
            match (alarm::next(&rule, since, verdict, until), alarm) {
                (Step::Raise(measured), _) => {
                    let alarm = new_alarm(context, watched, &rule, measured, (until, now));
                    done.raised += usize::from(raise(&mut tx, context, &alarm).await?);
                }
                (Step::Again, Some(alarm)) => alarms::note_breach(&mut tx, &scope, alarm.id, until).await?,
                (Step::Clear(cause, value), Some(alarm)) => {
                    done.cleared += usize::from(clear(&mut tx, context, alarm, (cause, value), now).await?);
                }
                (Step::Stay | Step::Again | Step::Clear(..), _) => {}
            }
        }
    }
    // What is left is not watched for any more.
    for alarm in raised.into_values() {
        let why = (ClearCause::SwitchedOff, None);
        done.cleared += usize::from(clear(&mut tx, context, alarm, why, now).await?);
    }
    tx.commit().await?;
    Ok(done)
}

fn new_alarm(
    context: &Context,
    watched: &Watched,
    rule: &Rule,
    measured: alarm::Measured,
    (until, now): (DateTime<Utc>, DateTime<Utc>),
) -> Alarm {
    Alarm {
        id: AlarmId::generate(&context.ids, now),
        partner_id: watched.partner_id,
        tenant_id: watched.tenant_id,
        kind: rule.kind,
        state: AlarmState::Raised,
        threshold: rule.limit,
        window_min: i32::try_from(rule.window_min).unwrap_or(i32::MAX),
        value: measured.value,
        sample: measured.sample,
        raised_at: now,
        last_breach_at: until,
        cleared_at: None,
        cleared_because: None,
        cleared_value: None,
    }
}

async fn raise(tx: &mut Tx, context: &Context, alarm: &Alarm) -> Result<bool> {
    let inserted = alarms::insert(tx, &OperatorScope::worker(), alarm).await?;
    if inserted {
        tracing::warn!(
            alarm = %alarm.id, tenant = %alarm.tenant_id, kind = %alarm.kind, value = alarm.value,
            threshold = alarm.threshold, "alarm raised"
        );
        tell(tx, context, EventType::AlarmRaised, alarm, alarm.raised_at).await?;
    }
    Ok(inserted)
}

async fn clear(
    tx: &mut Tx,
    context: &Context,
    alarm: Alarm,
    (cause, value): (ClearCause, Option<f64>),
    now: DateTime<Utc>,
) -> Result<bool> {
    let cleared = alarms::clear(tx, &OperatorScope::worker(), alarm.id, (cause, value), now).await?;
    if cleared {
        tracing::info!(alarm = %alarm.id, tenant = %alarm.tenant_id, kind = %alarm.kind, %cause, "alarm cleared");
        let alarm = Alarm {
            state: AlarmState::Cleared,
            cleared_at: Some(now),
            cleared_because: Some(cause),
            cleared_value: value,
            ..alarm
        };
        tell(tx, context, EventType::AlarmCleared, &alarm, now).await?;
    }
    Ok(cleared)
}

async fn tell(
    tx: &mut Tx,
    context: &Context,
    event: EventType,
    alarm: &Alarm,
    now: DateTime<Utc>,
) -> Result<()> {
    let announcement = Announcement {
        kind: event.as_str(),
        tenant_id: Some(alarm.tenant_id),
        subject: alarm.id.to_string(),
        data: json!({ "tenant_id": alarm.tenant_id, "alarm": alarm }),
    };
    webhook_outbox::announce(tx, alarm.partner_id, &announcement, &context.ids, now).await
}
