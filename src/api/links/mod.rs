//! Links of a user to BlockID subjects.

pub mod create;
pub mod list;
pub mod unlink;

use chrono::{DateTime, Utc};
use serde::Serialize;
use step_up::{link, record_keys::link_id};

/// The tie between a user and a BlockID subject.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Link {
    /// Names it among the user's links; the same for every user's link to this provider.
    #[schema(
        pattern = "^[0-9a-f]{64}$",
        example = "6c1f8a6a0f4c4bd8e4f6c9d1b2a39485760f1e2d3c4b5a69788796a5b4c3d2e1"
    )]
    pub id: String,
    /// `iss` of the provider.
    #[schema(example = "https://acme.1kosmos.net/oauth2/community/default/v1")]
    pub issuer: String,
    /// `sub` at the provider.
    #[schema(example = "8f14e45f-ceea-467f-ab1c-0e1f2a3b4c5d")]
    pub subject: String,
    /// Community it was made in; in another one it does not hold.
    #[schema(example = "default")]
    pub community: String,
    /// How it came about: `username` or `verified_email` at a first step-up, or `administrator`.
    #[schema(example = "administrator")]
    pub made_by: String,
    /// Id of the API key that made it; `null` when it came about at a step-up.
    pub actor: Option<String>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

impl From<link::Link> for Link {
    fn from(link: link::Link) -> Self {
        Self {
            id: link_id(&link.issuer),
            issuer: link.issuer,
            subject: link.subject,
            community: link.community,
            made_by: link.made_by,
            actor: link.actor,
            made_at: DateTime::from_timestamp(link.made_at_unix_s, 0).unwrap_or_default(),
        }
    }
}
