//! Webhooks: where a partner wants to be told what happened, and what is told.
//!
//! A message is a CloudEvent (1.0, structured JSON), signed by the Standard Webhooks scheme. Its id stays the same for
//! every attempt and every replay, so that a receiver can tell what it has seen.
//!
//! To tell something new: a variant of [`EventType`], and an announcement in the transaction that makes it true.

use super::{text_enum, validation::Problems};
use crate::ids::{DeliveryId, MessageId, PartnerId, TenantId, WebhookId};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Webhooks that a partner may have.
pub const MAX_WEBHOOKS: i64 = 20;
/// Longest URL, characters.
pub const URL_MAX_CHARS: usize = 2048;
/// Longest description, characters.
pub const DESCRIPTION_MAX_CHARS: usize = 256;
/// Pauses after the first, second, … failed attempt, s. Together nearly a day; after the last the delivery is given up.
pub const PAUSES_S: [i64; 10] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800];
/// How long a webhook may fail without a single success before it is switched off.
pub const DISABLE_AFTER: TimeDelta = TimeDelta::days(5);
/// How long ended deliveries, and what was told by them, are kept.
pub const KEEP: TimeDelta = TimeDelta::days(30);

text_enum! {
    /// What a webhook can be told.
    EventType {
        /// AWS is as asked: every accepted change of the tenant has arrived.
        TenantReady => "tenant.ready",
        /// What was asked of a tenant was given up.
        TenantFailed => "tenant.failed",
        /// AWS was found other than wanted, past Stepgate.
        TenantDrifted => "tenant.drifted",
        /// A tenant was deleted: its triggers refuse everybody.
        TenantDeleted => "tenant.deleted",
        /// A deleted tenant was removed for good.
        TenantPurged => "tenant.purged",
        /// The client secret of a tenant was rotated.
        RotationDone => "rotation.done",
        /// The triggers decide by a new version of a policy.
        PolicyChanged => "policy.changed",
        /// Too few steps-up of a tenant succeed, the provider errs too often, or steps-up take too long.
        AlarmRaised => "alarm.raised",
        /// Such an alarm is over.
        AlarmCleared => "alarm.cleared",
    }
}

/// Type of the message that tries a webhook out; it is not subscribed to.
pub const TEST_TYPE: &str = "webhook.test";

text_enum! {
    /// How far a delivery is.
    DeliveryState {
        /// To be sent, or sent again.
        Pending => "pending",
        /// Accepted by the receiver.
        Delivered => "delivered",
        /// Given up; it can be replayed.
        Dead => "dead",
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Where messages go.
    pub url: String,
    /// For people.
    pub description: String,
    /// What is told.
    pub events: Vec<EventType>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why nothing is sent.
    pub disabled_reason: Option<String>,
    /// First failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Grows with every change of URL, description, events and whether anything is sent.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Webhook {
    /// Checks everything but where the URL leads.
    pub fn validate(&self, problems: &mut Problems) {
        let length = self.url.chars().count();
        problems.require(
            (1..=URL_MAX_CHARS).contains(&length),
            "/url",
            "wrong_length",
            "must have 1 to 2048 characters",
        );
        problems.require(
            self.description.chars().count() <= DESCRIPTION_MAX_CHARS,
            "/description",
            "too_long",
            "must have at most 256 characters",
        );
        problems.require(
            !self.description.chars().any(char::is_control),
            "/description",
            "control_character",
            "must not contain control characters",
        );
        problems.require(
            !self.events.is_empty(),
            "/events",
            "empty",
            "must name at least one event",
        );
        for (index, event) in self.events.iter().enumerate() {
            if self.events[..index].contains(event) {
                problems.add(&format!("/events/{index}"), "duplicate", "is there twice");
            }
        }
    }

    /// What the audit log says of it. Paths of webhook URLs often are credentials: they are told apart by a digest.
    pub fn for_audit(&self) -> Value {
        let origin = url::Url::parse(&self.url)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default();
        let digest = hex::encode(&Sha256::digest(&self.url)[..8]);
        json!({
            "origin": origin, "url_sha256": digest, "description": self.description, "events": self.events,
            "enabled": self.enabled,
        })
    }
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// What happened: an [`EventType`] or [`TEST_TYPE`].
    pub kind: &'static str,
    /// Tenant it is about.
    pub tenant_id: Option<TenantId>,
    /// What it is about: an id.
    pub subject: String,
    /// What is told of it. No secrets, no user attributes.
    pub data: Value,
}

impl Announcement {
    /// The CloudEvent (1.0, JSON format), to the byte.
    pub fn cloud_event(&self, id: MessageId, partner_id: PartnerId, at: DateTime<Utc>) -> String {
        let source = match self.tenant_id {
            Some(tenant_id) => format!("/v1/tenants/{tenant_id}"),
            None => format!("/v1/partners/{partner_id}"),
        };
        json!({
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": format!("dev.stepgate.{}", self.kind),
            "subject": self.subject,
            "time": at,
            "datacontenttype": "application/json",
            "partnerid": partner_id,
            "data": self.data,
        })
        .to_string()
    }
}

/// A message on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Webhook it goes to.
    pub webhook_id: WebhookId,
    /// Message it carries.
    pub message_id: MessageId,
    /// What the message tells.
    pub kind: String,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts begun.
    pub attempts: i32,
    /// When the next attempt is due, while it is pending.
    pub next_attempt_at: DateTime<Utc>,
    /// HTTP status of the last attempt.
    pub last_status: Option<i32>,
    /// What was wrong with the last attempt.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was accepted or given up.
    pub finished_at: Option<DateTime<Utc>>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// From 1.
    #[schema(minimum = 1)]
    pub number: i32,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, ms.
    #[schema(minimum = 0)]
    pub duration_ms: i32,
    /// HTTP status of the answer, if there was one.
    pub status: Option<i32>,
    /// What was wrong.
    pub error: Option<String>,
}

/// When a delivery is due again after its `attempts`-th attempt failed; `None` when it is given up.
pub fn next_attempt(attempts: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
    Some(now + TimeDelta::seconds(*PAUSES_S.get(index)?))
}

/// The headers of the Standard Webhooks scheme for a message.
pub fn signature_headers(
    secret: &SecretString,
    id: MessageId,
    body: &str,
    now: DateTime<Utc>,
) -> Result<[(&'static str, String); 3], standardwebhooks::WebhookError> {
    let (id, timestamp) = (id.to_string(), now.timestamp());
    let signature =
        standardwebhooks::Webhook::new(secret.expose_secret())?.sign(&id, timestamp, body.as_bytes())?;
    Ok([
        (standardwebhooks::HEADER_WEBHOOK_ID, id),
        (standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, timestamp.to_string()),
        (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    #[test]
    fn retries_last_nearly_a_day_and_then_end() {
        let start = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let (mut now, mut attempts) = (start, 1);
        while let Some(next) = next_attempt(attempts, now) {
            assert!(next > now);
            (now, attempts) = (next, attempts + 1);
        }
        assert_eq!(attempts, 11);
        let lasted = now - start;
        assert!(
            lasted > TimeDelta::hours(23) && lasted < TimeDelta::hours(24),
            "{lasted}"
        );
    }

    #[test]
    fn a_message_is_a_cloud_event_and_its_headers_follow_the_scheme() {
        let ids = IdSource::seeded(3);
        let now = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let (id, partner_id) = (MessageId::generate(&ids, now), PartnerId::generate(&ids, now));
        let tenant_id = TenantId::generate(&ids, now);
        let announcement = Announcement {
            kind: EventType::TenantReady.as_str(),
            tenant_id: Some(tenant_id),
            subject: tenant_id.to_string(),
            data: json!({"generation": 3}),
        };
        let body = announcement.cloud_event(id, partner_id, now);
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["type"], "dev.stepgate.tenant.ready");
        assert_eq!(event["id"], id.to_string());
        assert_eq!(event["source"], format!("/v1/tenants/{tenant_id}"));
        // The vector of the scheme's own test.
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let [_, (_, timestamp), (_, signature)] = signature_headers(&secret, id, &body, now).unwrap();
        let expected = standardwebhooks::Webhook::new(secret.expose_secret()).unwrap();
        assert_eq!(
            signature,
            expected
                .sign(&id.to_string(), timestamp.parse().unwrap(), body.as_bytes())
                .unwrap()
        );
    }

    #[test]
    fn the_audit_log_never_holds_a_whole_url() {
        let ids = IdSource::seeded(3);
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let webhook = Webhook {
            id: WebhookId::generate(&ids, now),
            partner_id: PartnerId::generate(&ids, now),
            url: "https://hooks.acme.example/t0ken?k=t0ken".into(),
            description: String::new(),
            events: vec![EventType::TenantReady],
            enabled: true,
            disabled_reason: None,
            failing_since: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let told = webhook.for_audit().to_string();
        assert!(
            told.contains("https://hooks.acme.example") && !told.contains("t0ken"),
            "{told}"
        );
    }
}
