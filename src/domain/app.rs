//! An app: one Cognito app client of a tenant's pool, with one step-up policy.

use super::pool::PoolSettings;
use super::validation::{NAME_MAX_CHARS, Problems};
use crate::ids::{AppId, PartnerId, TenantId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Origins an app may have.
pub const MAX_ORIGINS: usize = 50;

/// Longest address that a step-up may return to.
const RETURN_URL_MAX_BYTES: usize = 512;

/// Attributes that users may write in every pool.
const ALWAYS_WRITABLE_ATTRIBUTES: [&str; 5] = ["family_name", "given_name", "locale", "name", "zoneinfo"];

/// Attributes that users of a pool may write. Policies and links may not rest on any of them.
///
/// The e-mail address is among them only where users sign themselves up: Cognito takes at sign-up what the client may
/// write and nothing else, and without an address nobody could confirm an account.
pub fn user_writable_attributes(pool: &PoolSettings) -> Vec<&'static str> {
    let mut attributes = ALWAYS_WRITABLE_ATTRIBUTES.to_vec();
    if pool.self_sign_up {
        attributes.insert(0, "email");
    }
    attributes
}

/// Settings of an app, within the bounds of `CreateUserPoolClient`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppSettings {
    /// Lifetime of ID tokens, min.
    #[schema(minimum = 5, maximum = 1440)]
    pub id_token_validity_min: u32,
    /// Lifetime of access tokens, min.
    #[schema(minimum = 5, maximum = 1440)]
    pub access_token_validity_min: u32,
    /// Lifetime of refresh tokens, min; the age at which a step-up must be repeated at the latest.
    #[schema(minimum = 60, maximum = 525_600)]
    pub refresh_token_validity_min: u32,
    /// How long Cognito keeps a challenge open, min.
    #[schema(minimum = 3, maximum = 15)]
    pub session_validity_min: u32,
    /// Web origins in which the app runs, `https://host[:port]`; plain HTTP only for `localhost`.
    #[schema(max_items = 50)]
    pub allowed_origins: Vec<String>,
    /// Whether signed-in users may step up for one action.
    pub action_step_up: bool,
    /// Page of the app to which BlockID returns when the step-up takes a page of its own instead of a frame. Its origin is one of
    /// `allowed_origins`, and BlockID must know it as a redirect URI of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub return_url: Option<String>,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            id_token_validity_min: 15,
            access_token_validity_min: 15,
            refresh_token_validity_min: 480,
            session_validity_min: 3,
            allowed_origins: Vec::new(),
            action_step_up: false,
            return_url: None,
        }
    }
}

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Tenant it belongs to.
    pub tenant_id: TenantId,
    /// Partner it belongs to.
    pub partner_id: PartnerId,
    /// Name for people, unique in the tenant.
    pub name: String,
    /// Settings.
    pub settings: AppSettings,
    /// Cognito app client id, once there is one.
    pub client_id: Option<String>,
    /// Policy version in force.
    pub policy_version: i64,
    /// Grows with every change of name and settings.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A change of an app; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppChange {
    /// Name.
    pub name: Option<String>,
    /// Lifetime of ID tokens, min.
    pub id_token_validity_min: Option<u32>,
    /// Lifetime of access tokens, min.
    pub access_token_validity_min: Option<u32>,
    /// Lifetime of refresh tokens, min.
    pub refresh_token_validity_min: Option<u32>,
    /// How long Cognito keeps a challenge open, min.
    pub session_validity_min: Option<u32>,
    /// The whole list of origins.
    pub allowed_origins: Option<Vec<String>>,
    /// Whether signed-in users may step up for one action.
    pub action_step_up: Option<bool>,
    /// Page of the app to which BlockID returns; `Some(None)` takes it away.
    pub return_url: Option<Option<String>>,
}

impl App {
    /// Applies a change. Returns the names of the fields that are not as they were.
    pub fn change(&mut self, change: AppChange) -> Vec<&'static str> {
        let mut changed = Vec::new();
        let settings = &mut self.settings;
        replace(&mut self.name, change.name, "name", &mut changed);
        for (field, value, name) in [
            (
                &mut settings.id_token_validity_min,
                change.id_token_validity_min,
                "id_token_validity_min",
            ),
            (
                &mut settings.access_token_validity_min,
                change.access_token_validity_min,
                "access_token_validity_min",
            ),
            (
                &mut settings.refresh_token_validity_min,
                change.refresh_token_validity_min,
                "refresh_token_validity_min",
            ),
            (
                &mut settings.session_validity_min,
                change.session_validity_min,
                "session_validity_min",
            ),
        ] {
            replace(field, value, name, &mut changed);
        }
        replace(
            &mut settings.allowed_origins,
            change.allowed_origins,
            "allowed_origins",
            &mut changed,
        );
        replace(
            &mut settings.action_step_up,
            change.action_step_up,
            "action_step_up",
            &mut changed,
        );
        replace(
            &mut settings.return_url,
            change.return_url,
            "return_url",
            &mut changed,
        );
        changed
    }
}

fn replace<T: PartialEq>(
    field: &mut T,
    value: Option<T>,
    name: &'static str,
    changed: &mut Vec<&'static str>,
) {
    if let Some(value) = value
        && value != *field
    {
        *field = value;
        changed.push(name);
    }
}

/// Checks an app's name and settings.
pub fn validate(name: &str, settings: &AppSettings, problems: &mut Problems) {
    problems.name("/name", name, NAME_MAX_CHARS);
    // Cognito's pattern for client names: [\w\s+=,.@-]+
    problems.require(
        name.chars()
            .all(|c| c.is_alphanumeric() || "_ +=,.@-".contains(c)),
        "/name",
        "invalid_character",
        "must consist of letters, digits, spaces and `_+=,.@-` (Cognito's rule for client names)",
    );
    problems.range("/id_token_validity_min", settings.id_token_validity_min, 5..=1440);
    problems.range(
        "/access_token_validity_min",
        settings.access_token_validity_min,
        5..=1440,
    );
    problems.range(
        "/refresh_token_validity_min",
        settings.refresh_token_validity_min,
        60..=525_600,
    );
    problems.range("/session_validity_min", settings.session_validity_min, 3..=15);
    let longest = settings
        .id_token_validity_min
        .max(settings.access_token_validity_min);
    problems.require(
        settings.refresh_token_validity_min > longest,
        "/refresh_token_validity_min",
        "too_short",
        "must be longer than the validity of ID and access tokens (Cognito's rule)",
    );
    problems.require(
        settings.allowed_origins.len() <= MAX_ORIGINS,
        "/allowed_origins",
        "too_many",
        format!("at most {MAX_ORIGINS} origins"),
    );
    for (index, origin) in settings.allowed_origins.iter().enumerate() {
        let pointer = format!("/allowed_origins/{index}");
        if !is_origin(origin) {
            problems.add(
                &pointer,
                "not_an_origin",
                "must be `https://host[:port]` (or `http://localhost[:port]`), lower case, without a path",
            );
        } else if settings.allowed_origins[..index].contains(origin) {
            problems.add(&pointer, "duplicate", "is there twice");
        }
    }
    let return_url = settings.return_url.as_deref();
    problems.require(
        return_url.is_none_or(|url| is_return_url(url, &settings.allowed_origins)),
        "/return_url",
        "not_a_page_of_the_app",
        format!(
            "must be the normalised address of a page on one of `allowed_origins`, of {RETURN_URL_MAX_BYTES} bytes at most, without fragment, user \
             information, `code`, `state` and `error`"
        ),
    );
}

/// Whether a step-up may return to `text`: a page of one of the app's origins, without a fragment, which would swallow the code, and without the
/// parameters that the code comes in.
fn is_return_url(text: &str, origins: &[String]) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    let reserved = |name: &str| matches!(name, "code" | "state" | "error");
    text.len() <= RETURN_URL_MAX_BYTES
        && url.as_str() == text
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !url.query_pairs().any(|(name, _)| reserved(&name))
        && origins.contains(&url.origin().ascii_serialization())
}

/// Whether `text` is exactly what a browser sends as `Origin` for a page we accept.
fn is_origin(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && local);
    scheme && url.origin().ascii_serialization() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        for good in [
            "https://a.example",
            "https://a.example:8443",
            "http://localhost:3000",
            "http://127.0.0.1:1",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "*",
            "null",
            "https://u@a.example",
            "",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn a_step_up_returns_to_a_page_of_the_app_only() {
        let origins = ["https://a.example".to_owned(), "http://localhost:3000".to_owned()];
        for good in [
            "https://a.example/",
            "https://a.example/callback?keep=me",
            "http://localhost:3000/callback",
        ] {
            assert!(is_return_url(good, &origins), "{good}");
        }
        for bad in [
            "https://a.example",
            "https://a.example:443/",
            "https://b.example/",
            "https://a.example.evil.example/",
            "http://a.example/",
            "https://u@a.example/",
            "https://a.example/#x",
            "https://a.example/?code=1",
            "https://a.example/?a=b&st%61te=1",
            "https://A.example/",
            "javascript:alert(1)",
            "/callback",
            "",
            &format!("https://a.example/{}", "x".repeat(500)),
        ] {
            assert!(!is_return_url(bad, &origins), "{bad}");
        }
    }

    #[test]
    fn bounds_are_cognitos_and_all_are_reported() {
        let settings = AppSettings {
            id_token_validity_min: 1441,
            access_token_validity_min: 4,
            refresh_token_validity_min: 59,
            session_validity_min: 16,
            allowed_origins: vec!["x".into()],
            action_step_up: false,
            return_url: Some("https://a.example/".into()),
        };
        let mut problems = Problems::new();
        validate("a/b", &settings, &mut problems);
        assert_eq!(problems.finish().unwrap_err().fields().len(), 8);
        let mut problems = Problems::new();
        validate("Portal", &AppSettings::default(), &mut problems);
        assert!(problems.finish().is_ok());
    }
}
