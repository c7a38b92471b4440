//! Typed ids (`tnt_…`) and the source of randomness they are made from.
//!
//! An id is a prefix that names the kind and a lower-case ULID: sortable by creation, 80 random bits,
//! safe in URLs, AWS names and log searches. The text form is what the database and the API hold; anything
//! else (upper case, other prefix, wrong length) is not an id and is refused on parsing.
//!
//! To add a kind: one line in the `ids!` call below.

use chrono::{DateTime, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::sync::{Mutex, PoisonError};
use ulid::Ulid;

/// Makes ids and other random values. The only user of the random source in the service.
#[derive(Debug)]
pub struct IdSource(Mutex<StdRng>);

impl IdSource {
    /// Seeded by the operating system: for the service.
    pub fn from_os() -> Self {
        Self(Mutex::new(StdRng::from_os_rng()))
    }

    /// The same values on every run: for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A ULID made at `now`.
    pub fn ulid(&self, now: DateTime<Utc>) -> Ulid {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Ulid::from_parts(millis, u128::from_le_bytes(bytes))
    }

    /// Fills `bytes` with random ones fit for keys (ChaCha12, seeded by the operating system).
    pub fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
    }

    /// `length` random characters of `a-z0-9`, for name suffixes and key prefixes.
    pub fn suffix(&self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bytes = vec![0_u8; length];
        self.fill(&mut bytes);
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect()
    }
}

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 26 lower-case characters")]
pub struct ParseIdError {
    prefix: &'static str,
}

fn parse(text: &str, prefix: &'static str) -> Result<Ulid, ParseIdError> {
    let error = ParseIdError { prefix };
    let rest = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(error)?;
    let ulid = Ulid::from_string(rest).map_err(|_| error)?;
    // ULID's alphabet has look-alikes and both cases; only the canonical lower-case form is an id.
    if ulid.to_string().to_ascii_lowercase() == rest {
        Ok(ulid)
    } else {
        Err(error)
    }
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident => $prefix:literal,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// Prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id made at `now`.
            pub fn generate(ids: &IdSource, now: DateTime<Utc>) -> Self {
                Self(ids.ulid(now))
            }

            /// The id without its prefix, lower case: for names in AWS.
            pub fn ulid(&self) -> String {
                self.0.to_string().to_ascii_lowercase()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.ulid())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                <String as sqlx::Type<sqlx::Postgres>>::type_info()
            }

            fn compatible(ty: &sqlx::postgres::PgTypeInfo) -> bool {
                <String as sqlx::Type<sqlx::Postgres>>::compatible(ty)
            }
        }

        impl<'q> sqlx::Encode<'q, sqlx::Postgres> for $name {
            fn encode_by_ref(
                &self,
                buf: &mut sqlx::postgres::PgArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <String as sqlx::Encode<'q, sqlx::Postgres>>::encode_by_ref(&self.to_string(), buf)
            }
        }

        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<'r, sqlx::Postgres>>::decode(value)?.parse()?)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!($($doc),+)))
                    .pattern(Some(concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$")))
                    .examples([concat!($prefix, "_01jd7v0p3h8s5k2m4n6q9r1t0w")])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )+};
}

ids! {
    /// Id of a partner.
    PartnerId => "ptn",
    /// Id of an API key.
    KeyId => "key",
    /// Id of a cell.
    CellId => "cel",
    /// Id of a tenant.
    TenantId => "tnt",
    /// Id of an app.
    AppId => "app",
    /// Id of an operation.
    OperationId => "op",
    /// Id of an entry of the audit log.
    AuditId => "aud",
    /// Id of a change of a BlockID connection.
    ChangeId => "chg",
    /// Id of an exemption.
    ExemptionId => "exm",
    /// Id of a pilot step-up.
    PilotId => "plt",
    /// Id of a webhook.
    WebhookId => "whk",
    /// Id of a message to webhooks.
    MessageId => "msg",
    /// Id of a delivery of a message to a webhook.
    DeliveryId => "dlv",
    /// Id of a release of triggers and template in a cell.
    ReleaseId => "rel",
    /// Id of a rollout.
    RolloutId => "rlt",
    /// Id of an alarm.
    AlarmId => "alm",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_reads_back_and_nothing_else_is_an_id() {
        let ids = IdSource::seeded(1);
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let id = TenantId::generate(&ids, now);
        let text = id.to_string();
        assert_eq!(text.parse::<TenantId>().unwrap(), id);
        assert_eq!(text.len(), "tnt_".len() + 26);
        for bad in [
            text.to_uppercase(),
            text.replace("tnt_", "app_"),
            text[..20].to_owned(),
            format!("{text}0"),
            String::new(),
        ] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad} must not be an id");
        }
    }

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(IdSource::seeded(7).ulid(now), IdSource::seeded(7).ulid(now));
        assert_ne!(IdSource::from_os().ulid(now), IdSource::from_os().ulid(now));
    }
}
