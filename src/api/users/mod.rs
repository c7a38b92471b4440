//! Users of a tenant's pool, as a help desk needs them.

pub mod export;
pub mod find;
pub mod get;
pub mod sign_out;

use crate::domain::user::{self, UserSub};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A user, as Cognito tells. Stepgate keeps nothing of it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct User {
    /// Cognito's `sub`.
    pub sub: UserSub,
    /// Cognito's user name; a UUID where users sign in by e-mail.
    #[schema(example = "ada")]
    pub username: String,
    /// E-mail address.
    #[schema(example = "ada@acme.example")]
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Cognito's status of the account, for example `FORCE_CHANGE_PASSWORD` until the first password is set.
    #[schema(example = "CONFIRMED")]
    pub status: String,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// Cognito's own second factors that the account has turned on: meant to be empty. They never stand in for a
    /// step-up, and a sign-in with one gets no tokens.
    pub native_mfa: Vec<String>,
    /// When the account was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl From<user::User> for User {
    fn from(user: user::User) -> Self {
        Self {
            sub: user.sub,
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            status: user.status,
            enabled: user.enabled,
            native_mfa: user.native_mfa,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
