//! Methods of a tenant: labels, and what the provider returns for each.

pub mod get;
pub mod put;

use crate::usecases::methods::Known;
use chrono::{DateTime, Utc};
use serde::Serialize;
use step_up::settings;

/// A step-up method with its labels (NIST SP 800-63B).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "labels are independent of each other"
)]
pub struct Method {
    /// ACR value as sent to BlockID.
    #[schema(example = "liveID push")]
    pub acr: String,
    /// Name for people.
    pub label: String,
    /// Highest authenticator assurance level that a password and this method reach.
    #[schema(minimum = 1, maximum = 3)]
    pub max_aal: u8,
    /// Whether it resists phishing.
    pub phishing_resistant: bool,
    /// Whether it is a restricted authenticator (SMS).
    pub restricted: bool,
    /// Whether it is no second factor on its own (e-mail).
    pub not_out_of_band: bool,
    /// Identity assurance level that it proves, for proofing.
    #[schema(minimum = 1, maximum = 3)]
    pub proves_ial: Option<u8>,
    /// Whether it is the tenant's own, beside the shipped ones.
    pub extra: bool,
    /// What the provider returned in the newest pilot step-up; `null` while it is not learned.
    pub observed: Option<ObservedMethod>,
}

/// What a provider returned for a method.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ObservedMethod {
    /// `acr` of the id_token.
    pub acr: Option<String>,
    /// `amr` of the id_token.
    pub amr: Vec<String>,
    /// Whether the id_token carried `auth_time`.
    pub auth_time: bool,
    /// Whether the nonce came back.
    pub nonce: Option<bool>,
    /// Whether the code was exchanged with a PKCE verifier.
    pub pkce: Option<bool>,
    /// When it was learned.
    pub recorded_at: DateTime<Utc>,
}

/// Every method of a tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Methods {
    /// Generation of the tenant; the `ETag` of this.
    #[schema(minimum = 1)]
    pub generation: i64,
    /// The shipped ones first.
    pub items: Vec<Method>,
}

impl From<settings::ObservedMethod> for ObservedMethod {
    fn from(observed: settings::ObservedMethod) -> Self {
        Self {
            acr: observed.acr,
            amr: observed.amr,
            auth_time: observed.auth_time,
            nonce: observed.nonce,
            pkce: observed.pkce,
            recorded_at: DateTime::from_timestamp(observed.recorded_at_unix_s, 0).unwrap_or_default(),
        }
    }
}

impl From<Known> for Methods {
    fn from(Known { generation, methods }: Known) -> Self {
        let items = methods.into_iter().map(|known| Method {
            acr: known.method.acr,
            label: known.method.label,
            max_aal: known.method.max_aal,
            phishing_resistant: known.method.phishing_resistant,
            restricted: known.method.restricted,
            not_out_of_band: known.method.not_out_of_band,
            proves_ial: known.method.proves_ial,
            extra: known.extra,
            observed: known.observed.map(ObservedMethod::from),
        });
        Self {
            generation,
            items: items.collect(),
        }
    }
}
