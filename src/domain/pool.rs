//! Settings of a tenant's Cognito user pool: what Cognito accepts, and what it fixes at creation.
//!
//! Sources: the API reference of `CreateUserPool` and `UpdateUserPool`. `sign_in_with` and everything about an
//! attribute are fixed when made; attributes may be added, never changed or removed.

use super::{object::objects_only, text_enum, validation::Problems};
use serde::{Deserialize, Deserializer, Serialize};

/// Custom attributes a pool can have.
pub const MAX_ATTRIBUTES: usize = 50;
/// Longest value of a text attribute, characters.
pub const MAX_ATTRIBUTE_LENGTH: u32 = 2048;

text_enum! {
    /// What users type to sign in.
    SignInWith {
        /// A user name chosen at creation.
        Username => "username",
        /// An e-mail address; Cognito makes a UUID the user name.
        Email => "email",
    }
}

text_enum! {
    /// Cognito's feature plan.
    Tier {
        /// Lite: no step-up claims in access tokens.
        Lite => "lite",
        /// Essentials: step-up claims in ID and access tokens.
        Essentials => "essentials",
        /// Plus: Essentials and threat protection.
        Plus => "plus",
    }
}

/// Settings of a user pool. Create-only: `sign_in_with`, and every attribute once it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct PoolSettings {
    /// Whether users may sign themselves up.
    pub self_sign_up: bool,
    /// What users type to sign in. Fixed at creation.
    pub sign_in_with: SignInWith,
    /// Custom attributes. More may be added later; none can be changed or removed.
    #[schema(max_items = 50)]
    pub attributes: Vec<Attribute>,
    /// Password rules.
    pub password: PasswordRules,
    /// Sender of the pool's e-mail; without one Cognito's own, which is limited to about 50 a day.
    pub email: Option<EmailSender>,
    /// Cognito's feature plan.
    pub tier: Tier,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            self_sign_up: false,
            sign_in_with: SignInWith::Username,
            attributes: Vec::new(),
            password: PasswordRules::default(),
            email: None,
            tier: Tier::Essentials,
        }
    }
}

/// A custom attribute of a user, text, named `custom:{name}` in Cognito. Fixed at creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Attribute {
    /// Name without the prefix `custom:`.
    #[schema(
        example = "unit",
        min_length = 1,
        max_length = 20,
        pattern = "^[A-Za-z0-9_.-]+$"
    )]
    pub name: String,
    /// Whether it can be changed after the user was made.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub mutable: bool,
    /// Longest value, characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2048)]
    pub max_length: Option<u32>,
}

/// Rules for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "Cognito's own independent switches")]
pub struct PasswordRules {
    /// Shortest password, characters.
    #[schema(minimum = 6, maximum = 99)]
    pub min_length: u32,
    /// A lower-case letter is needed.
    pub require_lowercase: bool,
    /// An upper-case letter is needed.
    pub require_uppercase: bool,
    /// A digit is needed.
    pub require_digits: bool,
    /// A symbol is needed.
    pub require_symbols: bool,
    /// How long an invited user's first password works, days.
    #[schema(minimum = 1, maximum = 90)]
    pub temporary_validity_days: u32,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            min_length: 12,
            require_lowercase: true,
            require_uppercase: true,
            require_digits: true,
            require_symbols: false,
            temporary_validity_days: 7,
        }
    }
}

/// An Amazon SES identity that sends the pool's e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct EmailSender {
    /// Sender address, alone or as `Name <address>`.
    #[schema(example = "Acme <login@acme.example>", max_length = 320)]
    pub from: String,
    /// ARN of the verified SES identity.
    #[schema(
        example = "arn:aws:ses:eu-central-1:123456789012:identity/acme.example",
        max_length = 2048
    )]
    pub ses_identity_arn: String,
}

/// A change of pool settings; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct PoolChange {
    /// Whether users may sign themselves up.
    pub self_sign_up: Option<bool>,
    /// Fixed at creation: only the present value is accepted.
    pub sign_in_with: Option<SignInWith>,
    /// The whole list: every present attribute unchanged, and new ones.
    #[schema(max_items = 50)]
    pub attributes: Option<Vec<Attribute>>,
    /// Password rules, as a whole.
    pub password: Option<PasswordRules>,
    /// Sender of the pool's e-mail; `null` returns to Cognito's own.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EmailSender>)]
    pub email: Option<Option<EmailSender>>,
    /// Cognito's feature plan.
    pub tier: Option<Tier>,
}

objects_only!(PoolSettings, Attribute, PasswordRules, EmailSender and Serialize);
objects_only!(PoolChange);

impl PoolSettings {
    /// Checks what Cognito would refuse at the first provisioning, so that the caller hears of it now.
    pub fn validate(&self, problems: &mut Problems) {
        problems.within("/attributes", |problems| {
            validate_attributes(&self.attributes, problems);
        });
        problems.range("/password/min_length", self.password.min_length, 6..=99);
        problems.range(
            "/password/temporary_validity_days",
            self.password.temporary_validity_days,
            1..=90,
        );
        if let Some(email) = &self.email {
            problems.within("/email", |problems| email.validate(problems));
        }
    }

    /// Applies a change, or says which fields Cognito has fixed.
    #[must_use]
    pub fn change(self, change: PoolChange, problems: &mut Problems) -> Self {
        if change
            .sign_in_with
            .is_some_and(|wanted| wanted != self.sign_in_with)
        {
            problems.add(
                "/sign_in_with",
                "create_only",
                format!(
                    "is fixed when the pool is made (it is `{}`): Cognito cannot change it later",
                    self.sign_in_with
                ),
            );
        }
        let attributes = match change.attributes {
            Some(wanted) => {
                check_attributes_kept(&self.attributes, &wanted, problems);
                wanted
            }
            None => self.attributes,
        };
        Self {
            self_sign_up: change.self_sign_up.unwrap_or(self.self_sign_up),
            sign_in_with: self.sign_in_with,
            attributes,
            password: change.password.unwrap_or(self.password),
            email: change.email.unwrap_or(self.email),
            tier: change.tier.unwrap_or(self.tier),
        }
    }
}

fn validate_attributes(attributes: &[Attribute], problems: &mut Problems) {
    if attributes.len() > MAX_ATTRIBUTES {
        problems.add(
            "",
            "too_many",
            format!("a pool has at most {MAX_ATTRIBUTES} custom attributes"),
        );
    }
    for (index, attribute) in attributes.iter().enumerate() {
        let name = attribute.name.as_str();
        let pointer = format!("/{index}/name");
        if name.is_empty() || name.len() > 20 {
            problems.add(
                &pointer,
                "length",
                "must have 1 to 20 characters (Cognito's limit)",
            );
        } else if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        {
            problems.add(
                &pointer,
                "invalid_character",
                "must consist of letters, digits, `_`, `-` and `.`; the prefix `custom:` is added",
            );
        } else if attributes[..index]
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(name))
        {
            problems.add(&pointer, "duplicate", "is there twice");
        }
        if let Some(max_length) = attribute.max_length {
            problems.range(
                &format!("/{index}/max_length"),
                max_length,
                1..=MAX_ATTRIBUTE_LENGTH,
            );
        }
    }
}

fn check_attributes_kept(present: &[Attribute], wanted: &[Attribute], problems: &mut Problems) {
    for old in present {
        match wanted.iter().position(|new| new.name == old.name) {
            None => problems.add(
                "/attributes",
                "create_only",
                format!(
                    "`{}` is missing: Cognito cannot remove an attribute from a pool",
                    old.name
                ),
            ),
            Some(index) if wanted[index] != *old => problems.add(
                &format!("/attributes/{index}"),
                "create_only",
                format!(
                    "`{}` is fixed when it is made: Cognito cannot change an attribute later",
                    old.name
                ),
            ),
            Some(_) => {}
        }
    }
}

fn yes() -> bool {
    true
}

/// Tells `null` from absent: called only when the field is there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(settings: &PoolSettings, json: &str) -> Result<PoolSettings, Vec<(String, String)>> {
        let mut problems = Problems::new();
        let changed = settings
            .clone()
            .change(serde_json::from_str(json).unwrap(), &mut problems);
        changed.validate(&mut problems);
        let fields = |error: crate::Error| {
            error
                .fields()
                .iter()
                .map(|f| (f.pointer.clone(), f.code.clone()))
                .collect()
        };
        problems.finish().map(|()| changed).map_err(fields)
    }

    fn pool(json: &str) -> PoolSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_cognito_fixed_cannot_be_changed() {
        let pool = pool(r#"{"attributes": [{"name": "unit"}, {"name": "grade", "mutable": false}]}"#);
        let codes = |json| change(&pool, json).unwrap_err();
        assert_eq!(
            codes(r#"{"sign_in_with": "email"}"#),
            [("/sign_in_with".into(), "create_only".into())]
        );
        assert_eq!(
            codes(r#"{"attributes": [{"name": "unit"}]}"#),
            [("/attributes".into(), "create_only".into())]
        );
        assert_eq!(
            codes(r#"{"attributes": [{"name": "grade"}, {"name": "unit"}]}"#),
            [("/attributes/0".into(), "create_only".into())]
        );
        assert!(change(&pool, r#"{"sign_in_with": "username"}"#).is_ok());
        let more =
            r#"{"attributes": [{"name": "new"}, {"name": "unit"}, {"name": "grade", "mutable": false}]}"#;
        assert_eq!(change(&pool, more).unwrap().attributes.len(), 3);
    }

    #[test]
    fn null_clears_the_sender_and_absence_keeps_it() {
        let sender = r#"{"from": "a@b.example", "ses_identity_arn": "arn:aws:ses:eu-west-1:123456789012:identity/b.example"}"#;
        let pool = pool(&format!(r#"{{"email": {sender}}}"#));
        assert!(
            change(&pool, r#"{"self_sign_up": true}"#)
                .unwrap()
                .email
                .is_some()
        );
        assert!(change(&pool, r#"{"email": null}"#).unwrap().email.is_none());
    }

    #[test]
    fn every_unacceptable_setting_is_named() {
        let pool = pool(
            r#"{"attributes": [{"name": "custom:x"}, {"name": "a"}, {"name": "A"}, {"name": "b", "max_length": 0}],
                "password": {"min_length": 5, "temporary_validity_days": 0},
                "email": {"from": "nobody", "ses_identity_arn": "arn:aws:sns:eu-west-1:1:x"}}"#,
        );
        let mut problems = Problems::new();
        pool.validate(&mut problems);
        let error = problems.finish().unwrap_err();
        let pointers: Vec<_> = error.fields().iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/attributes/0/name",
                "/attributes/2/name",
                "/attributes/3/max_length",
                "/password/min_length",
                "/password/temporary_validity_days",
                "/email/from",
                "/email/ses_identity_arn"
            ]
        );
    }
}
