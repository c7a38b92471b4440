//! Users of a tenant's pool. They live in Cognito and nowhere else: the control plane asks for one when a help desk
//! does, keeps nothing, and writes no more than the `sub` into logs and the audit log.

use super::validation::Problems;
use chrono::{DateTime, Utc};
use std::{fmt, str::FromStr};

/// Longest user name or address that is looked for, characters.
pub const LOOKED_FOR_MAX_CHARS: usize = 128;
/// Longest BlockID subject, characters.
pub const SUBJECT_MAX_CHARS: usize = 255;

/// Cognito's `sub` of a user: a UUID in lower case, which no name or address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSub(String);

/// The text is not a `sub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in lower case")]
pub struct ParseUserSubError;

impl UserSub {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserSub {
    type Err = ParseUserSubError;

    fn from_str(text: &str) -> Result<Self, ParseUserSubError> {
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        let digits = |byte: u8| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if groups == [8, 4, 4, 4, 12] && text.bytes().all(digits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseUserSubError)
        }
    }
}

impl fmt::Display for UserSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for UserSub {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for UserSub {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for UserSub {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("Cognito's `sub` of a user."))
            .pattern(Some(
                "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            ))
            .examples(["f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071"])
            .into()
    }
}

impl utoipa::ToSchema for UserSub {}

/// How a user is looked for: exactly, by one thing. Not `Debug`: it holds a name or an address.
#[derive(Clone)]
pub enum Wanted {
    /// By `sub`.
    Sub(UserSub),
    /// By user name.
    Username(String),
    /// By e-mail address.
    Email(String),
}

impl Wanted {
    /// Reads what a caller gave: exactly one of the three.
    pub fn one_of(
        sub: Option<UserSub>,
        username: Option<String>,
        email: Option<String>,
        problems: &mut Problems,
    ) -> Option<Self> {
        match (sub, username, email) {
            (Some(sub), None, None) => Some(Self::Sub(sub)),
            (None, Some(username), None) => {
                problems.name("/username", &username, LOOKED_FOR_MAX_CHARS);
                Some(Self::Username(username))
            }
            (None, None, Some(email)) => {
                problems.name("/email", &email, LOOKED_FOR_MAX_CHARS);
                Some(Self::Email(email))
            }
            _ => {
                let detail = "must have exactly one of `sub`, `username` and `email`";
                problems.add("", "exactly_one", detail);
                None
            }
        }
    }
}

/// A user as it is exported: all that Cognito tells. Not `Debug`: it holds personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Cognito's user name.
    pub username: String,
    /// Cognito's status of the account.
    pub status: String,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// When the account was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// Every attribute by name, `sub` and the custom ones among them.
    pub attributes: std::collections::BTreeMap<String, String>,
}

impl UserRecord {
    /// What no other user of any pool ever has: `sub`, which Cognito always tells.
    pub fn identity(&self) -> &str {
        self.attributes.get("sub").unwrap_or(&self.username)
    }
}

/// A user, as Cognito tells. Not `Debug`: it holds personal data.
#[derive(Clone)]
pub struct User {
    /// Cognito's `sub`.
    pub sub: UserSub,
    /// Cognito's user name: a UUID where users sign in by e-mail.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub email_verified: bool,
    /// Cognito's status, for example `CONFIRMED`.
    pub status: String,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// Cognito's own second factors that the user has turned on. Not meant to be: they would come after the password.
    pub native_mfa: Vec<String>,
    /// When the account was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_is_a_lower_case_uuid_and_nothing_else() {
        let good = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";
        assert_eq!(good.parse::<UserSub>().unwrap().as_str(), good);
        for bad in [
            "",
            "ada",
            &good.to_uppercase(),
            &good[1..],
            &good.replace('-', ""),
            "user#x",
        ] {
            assert!(bad.parse::<UserSub>().is_err(), "{bad}");
        }
    }

    #[test]
    fn exactly_one_thing_is_looked_for() {
        let sub = || "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071".parse().ok();
        let text = |given: bool| given.then(|| "ada".to_owned());
        for (given, fine) in [
            ((true, false, false), true),
            ((false, true, false), true),
            ((false, false, true), true),
            ((false, false, false), false),
            ((true, true, false), false),
            ((true, true, true), false),
        ] {
            let mut problems = Problems::new();
            let sub = if given.0 { sub() } else { None };
            let wanted = Wanted::one_of(sub, text(given.1), text(given.2), &mut problems);
            assert_eq!(
                (wanted.is_some(), problems.finish().is_ok()),
                (fine, fine),
                "{given:?}"
            );
        }
    }
}
