//! A change of a tenant's BlockID connection, from the request to its end.
//!
//! ```text
//! staging ──secret is in the cell──▶ staged ──verify tried it──▶ done
//!                                      └──refused, or too late──▶ failed: everything is as it was
//! ```
//!
//! Until it is done the tenant's own connection stays in force, with its secret.

use super::{blockid::BlockIdConnection, confirmation, operation::Failure, text_enum};
use crate::{
    Error,
    error::{self, Code, FieldError},
    ids::{ChangeId, OperationId, TenantId},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// How long a change is tried before it is taken back.
pub const TRIED_FOR: TimeDelta = TimeDelta::minutes(15);

text_enum! {
    /// How far a change is.
    ChangeState {
        /// The client secret is on its way to the cell.
        Staging => "staging",
        /// It waits to be tried.
        Staged => "staged",
        /// It is in force.
        Done => "done",
        /// It was taken back.
        Failed => "failed",
    }
}

/// A change.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionChange {
    /// Its id.
    pub id: ChangeId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// How far it is.
    pub state: ChangeState,
    /// What is to be in force.
    pub connection: BlockIdConnection,
    /// What was in force when it was asked for.
    pub previous: BlockIdConnection,
    /// Issuer that the provider is expected to name, when it changes.
    pub issuer: Option<String>,
    /// Version of the credentials secret that is to be in force; `None` when the secret stays.
    pub version_id: Option<String>,
    /// The work; `None` while staging.
    pub operation_id: Option<OperationId>,
    /// Why it was taken back.
    pub failure: Option<Failure>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its secret was in the cell.
    pub staged_at: Option<DateTime<Utc>>,
    /// When it was done or taken back.
    pub finished_at: Option<DateTime<Utc>>,
}

impl ConnectionChange {
    /// Whether it has been tried for so long that it is taken back whatever the reason.
    pub fn tried_enough(&self, now: DateTime<Utc>) -> bool {
        self.staged_at.is_some_and(|since| now - since > TRIED_FOR)
    }
}

/// Whether a change makes links and evidence void, so that it is asked for twice.
pub fn voids_links(from: &BlockIdConnection, to: &BlockIdConnection, issuer: Option<&str>) -> bool {
    !from.same_place(to) || issuer.is_some()
}

/// Whether a change needs a client secret: one is never sent to another provider, or with another client id, than
/// it was given for.
pub fn needs_secret(from: &BlockIdConnection, to: &BlockIdConnection) -> bool {
    !from.same_place(to) || from.client_id != to.client_id
}

/// What is to be repeated to confirm exactly this change; good for a quarter of an hour at least.
#[derive(Clone, Copy)]
pub struct Confirmation<'a> {
    /// Key of the tenant.
    pub key: &'a [u8],
    /// The tenant.
    pub tenant_id: TenantId,
    /// What is in force.
    pub from: &'a BlockIdConnection,
    /// What is asked for.
    pub to: &'a BlockIdConnection,
    /// Issuer that is expected.
    pub issuer: Option<&'a str>,
}

impl Confirmation<'_> {
    /// The text to be repeated.
    pub fn token(&self, now: DateTime<Utc>) -> String {
        confirmation::token(self.key, &self.request(), now)
    }

    /// Whether `given` confirms it.
    pub fn accepts(&self, given: &str, now: DateTime<Utc>) -> bool {
        confirmation::accepts(self.key, &self.request(), given, now)
    }

    /// The refusal of a change that was not confirmed.
    pub fn required(&self, given: Option<&str>, now: DateTime<Utc>) -> Error {
        let detail = "Every link between a user and a BlockID subject, and all evidence of step-ups, is of the provider \
                      in force and void under another: users step up again, and those who are still linked to the old \
                      one are refused until an administrator removes the link.";
        let field = FieldError::new(
            "/confirm",
            if given.is_some() {
                "not_this_change"
            } else {
                "missing"
            },
            "must be what `confirmation.confirm` says, for exactly this change",
        );
        Error::new(Code::ConfirmationRequired, detail)
            .with_fields(vec![field])
            .with_confirmation(error::Confirmation {
                confirm: self.token(now),
                loses: "links and evidence of every user".to_owned(),
            })
    }

    fn request(&self) -> Value {
        json!([
            "change of the connection",
            self.tenant_id,
            [&self.from.tenant_dns, &self.from.community],
            [&self.to.tenant_dns, &self.to.community],
            self.issuer,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    fn connection(tenant_dns: &str) -> BlockIdConnection {
        BlockIdConnection {
            tenant_dns: tenant_dns.into(),
            community: "default".into(),
            client_id: "client".into(),
            extra_ca_pem: None,
        }
    }

    #[test]
    fn a_confirmation_is_of_one_change_and_does_not_last() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let tenant_id = TenantId::generate(&IdSource::seeded(1), now);
        let (old, new, other) = (connection("a.net"), connection("b.net"), connection("c.net"));
        let confirmation = Confirmation {
            key: b"key",
            tenant_id,
            from: &old,
            to: &new,
            issuer: None,
        };
        let token = confirmation.token(now);
        assert!(confirmation.accepts(&token, now + TimeDelta::minutes(15)));
        assert!(!confirmation.accepts(&token, now + TimeDelta::minutes(30)));
        assert!(!confirmation.accepts("", now));
        for different in [
            Confirmation {
                to: &other,
                ..confirmation
            },
            Confirmation {
                from: &other,
                ..confirmation
            },
            Confirmation {
                key: b"other",
                ..confirmation
            },
            Confirmation {
                issuer: Some("https://b.net"),
                ..confirmation
            },
        ] {
            assert!(!different.accepts(&token, now));
        }
    }

    #[test]
    fn a_secret_stays_with_the_client_and_the_place_it_was_given_for() {
        let old = connection("a.net");
        let client = BlockIdConnection {
            client_id: "other".into(),
            ..old.clone()
        };
        let ca = BlockIdConnection {
            extra_ca_pem: Some("…".into()),
            ..old.clone()
        };
        assert!(needs_secret(&old, &client) && !voids_links(&old, &client, None));
        assert!(needs_secret(&old, &connection("b.net")) && voids_links(&old, &connection("b.net"), None));
        assert!(!needs_secret(&old, &ca) && !voids_links(&old, &ca, None));
        assert!(voids_links(&old, &old, Some("https://a.net/new")));
    }
}
