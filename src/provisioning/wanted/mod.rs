//! What AWS should look like for a tenant. Pure: from the tenant's row to names, parameters, documents, settings.

mod apps;
mod functions;

pub use apps::{READABLE_ATTRIBUTES, client_settings, policy_item, refresh_validity_min};
pub use functions::{WantedFunction, functions, normal, role};

use super::{
    stacks::WantedStack,
    template::{Template, sha256_hex},
};
use crate::{
    aws::cognito::{NewAttribute, PasswordRules, PoolSettings},
    domain::{
        pool::{MAX_ATTRIBUTE_LENGTH, SignInWith, Tier},
        provisioning::{Desired, StackOutputs},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use step_up::settings::{Connection, EventHashKey, SETTINGS_SCHEMA_VERSION, TenantSettings};

/// Name of a tenant's stack.
pub fn stack_name(desired: &Desired) -> String {
    format!("stepgate-{}", desired.tenant_id.ulid())
}

/// Tags of everything that a tenant has.
pub fn tags(desired: &Desired) -> Vec<(&'static str, String)> {
    let mut tags = vec![
        ("stepgate:tenant", desired.tenant_id.to_string()),
        ("stepgate:cell", desired.cell.id.to_string()),
        ("stepgate:partner", desired.partner_id.to_string()),
    ];
    if desired.sandbox {
        tags.push(("stepgate:sandbox", "true".to_owned()));
    }
    tags
}

/// Resources of a tenant's stack that are never made anew or removed: they hold its users and what was kept of them.
pub(in crate::provisioning) const GUARDED: &[&str] = &["UserPool", "RecordsTable"];

/// The tenant's stack.
pub fn stack<'a>(desired: &Desired, template: &'a Template, settings_secret_arn: &str) -> WantedStack<'a> {
    let cell = &desired.cell;
    let pool = &desired.pool;
    let email = pool.email.as_ref();
    let mut parameters = BTreeMap::from([
        ("TenantId", desired.tenant_id.to_string()),
        ("TenantUlid", desired.tenant_id.ulid()),
        ("TemplateDigest", template.digest.clone()),
        ("Architecture", cell.architecture.to_string()),
        ("ArtifactBucket", cell.artifact_bucket.clone()),
        ("ChallengeArtifactKey", cell.artifacts.challenge.key.clone()),
        ("VerifyArtifactKey", cell.artifacts.verify.key.clone()),
        ("LogGroupName", cell.log_group_name.clone()),
        ("SettingsSecretArn", settings_secret_arn.to_owned()),
        ("CredentialsSecretArn", desired.credentials_secret_arn.clone()),
        ("Sandbox", desired.sandbox.to_string()),
        ("SignInWith", pool.sign_in_with.to_string()),
        ("SelfSignUp", pool.self_sign_up.to_string()),
        ("Tier", tier(pool.tier)),
        ("PasswordMinLength", pool.password.min_length.to_string()),
        (
            "PasswordRequireLowercase",
            pool.password.require_lowercase.to_string(),
        ),
        (
            "PasswordRequireUppercase",
            pool.password.require_uppercase.to_string(),
        ),
        ("PasswordRequireDigits", pool.password.require_digits.to_string()),
        (
            "PasswordRequireSymbols",
            pool.password.require_symbols.to_string(),
        ),
        (
            "TemporaryPasswordValidityDays",
            pool.password.temporary_validity_days.to_string(),
        ),
        (
            "EmailFrom",
            email.map(|email| email.from.clone()).unwrap_or_default(),
        ),
        (
            "EmailSesIdentityArn",
            email
                .map(|email| email.ses_identity_arn.clone())
                .unwrap_or_default(),
        ),
    ]);
    // A template of an earlier release may not know what came later.
    parameters.retain(|name, _| template.declares(name));
    WantedStack {
        name: stack_name(desired),
        template,
        parameters,
        tags: tags(desired),
        guarded: GUARDED,
        create_only: &["TenantUlid", "SignInWith", "Sandbox"],
        failed_before: desired.observed.failed_stacks,
    }
}

fn tier(tier: Tier) -> String {
    tier.as_str().to_ascii_uppercase()
}

/// The settings of the pool, as they are read back.
pub fn pool_settings(desired: &Desired, outputs: &StackOutputs) -> PoolSettings {
    let set = |values: &[&str]| {
        values
            .iter()
            .map(|value| (*value).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let pool = &desired.pool;
    let event_version = if pool.tier == Tier::Lite { "V1_0" } else { "V2_0" };
    let challenge = &outputs.challenge_function_arn;
    PoolSettings {
        tier: tier(pool.tier),
        native_mfa: "OFF".to_owned(),
        deletion_protection: if desired.sandbox { "INACTIVE" } else { "ACTIVE" }.to_owned(),
        remembers_devices: false,
        case_sensitive: false,
        sign_in_attributes: if pool.sign_in_with == SignInWith::Email {
            set(&["email"])
        } else {
            BTreeSet::new()
        },
        alias_attributes: BTreeSet::new(),
        first_factors: set(&["PASSWORD"]),
        verified_attributes: set(&["email"]),
        verified_before_update: set(&["email"]),
        admin_creates_users: !pool.self_sign_up,
        recovery: vec!["verified_email".to_owned()],
        password: PasswordRules {
            min_length: to_i32(pool.password.min_length),
            lowercase: pool.password.require_lowercase,
            uppercase: pool.password.require_uppercase,
            digits: pool.password.require_digits,
            symbols: pool.password.require_symbols,
            temporary_validity_days: to_i32(pool.password.temporary_validity_days),
        },
        triggers: BTreeMap::from([
            ("define_auth_challenge", challenge.clone()),
            ("create_auth_challenge", challenge.clone()),
            ("post_confirmation", challenge.clone()),
            (
                "verify_auth_challenge_response",
                outputs.verify_function_arn.clone(),
            ),
            (
                "pre_token_generation_config",
                format!("{event_version} {challenge}"),
            ),
        ]),
        email_identity_arn: pool
            .email
            .as_ref()
            .map(|email| email.ses_identity_arn.clone())
            .unwrap_or_default(),
        email_from: pool
            .email
            .as_ref()
            .map(|email| email.from.clone())
            .unwrap_or_default(),
        hosted_domains: BTreeSet::new(),
    }
}

/// The pool's custom attributes.
pub fn attributes(desired: &Desired) -> Vec<NewAttribute> {
    let attributes = desired.pool.attributes.iter();
    attributes
        .map(|attribute| NewAttribute {
            name: attribute.name.clone(),
            mutable: attribute.mutable,
            max_length: attribute.max_length.unwrap_or(MAX_ATTRIBUTE_LENGTH),
        })
        .collect()
}

/// What the triggers are told of the tenant. Without a pool they refuse every event.
pub fn tenant_settings(desired: &Desired, generation: i64) -> TenantSettings {
    TenantSettings {
        schema_version: SETTINGS_SCHEMA_VERSION,
        generation,
        tenant_id: desired.tenant_id.to_string(),
        user_pool_id: desired.observed.user_pool_id.clone(),
        suspended: desired.suspended,
        connection: Connection {
            tenant_dns: desired.connection.tenant_dns.clone(),
            community: desired.connection.community.clone(),
            client_id: desired.connection.client_id.clone(),
        },
        provider: desired
            .observed
            .provider
            .as_ref()
            .map(|provider| provider.metadata.clone()),
        allowed_provider_networks: desired
            .cell
            .allowed_provider_networks
            .iter()
            .map(ToString::to_string)
            .collect(),
        extra_ca_pem: desired.connection.extra_ca_pem.clone(),
        event_hash_key: EventHashKey(BASE64_STANDARD.encode(&desired.event_hash_key)),
        extra_methods: desired.methods.extra.clone(),
        observed_methods: desired.methods.observed(&desired.connection),
        registration: serde_json::to_value(&desired.registration).ok(),
    }
}

/// The resource policy of the credentials secret. Within an account an Allow restricts nobody, so reading is
/// denied to everybody who is not the verify function's role, the control plane included.
pub fn credentials_policy(verify_role_arn: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NobodyButVerifyReads",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"],
                "Resource": "*",
                "Condition": { "StringNotEquals": { "aws:PrincipalArn": verify_role_arn } }
            },
            {
                "Sid": "VerifyReads",
                "Effect": "Allow",
                "Principal": { "AWS": verify_role_arn },
                "Action": "secretsmanager:GetSecretValue",
                "Resource": "*"
            }
        ]
    })
}

/// A request token that is the same whenever the same thing is asked.
pub fn token(desired: &Desired, what: &str, content: &str) -> String {
    sha256_hex(&[&desired.tenant_id.to_string(), what, content])
}

/// Bounds are checked when the values come in; no setting comes near the limit.
fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// The settings that differ: name, what is wanted, what was found.
pub fn differing<T: serde::Serialize>(wanted: &T, found: &T) -> Vec<(String, Value, Value)> {
    let (Value::Object(wanted), Value::Object(mut found)) = (json!(wanted), json!(found)) else {
        return Vec::new();
    };
    let mut pairs: Vec<_> = wanted
        .into_iter()
        .map(|(name, value)| {
            let other = found.remove(&name).unwrap_or_default();
            (name, value, other)
        })
        .collect();
    pairs.extend(found.into_iter().map(|(name, value)| (name, Value::Null, value)));
    pairs.retain(|(_, wanted, found)| wanted != found);
    pairs
}

/// The same as `name: wanted …, found …`, for read-back errors. Values of settings are not secret.
pub fn differences<T: serde::Serialize>(wanted: &T, found: &T) -> Vec<String> {
    differing(wanted, found)
        .into_iter()
        .map(|(name, wanted, found)| format!("{name}: wanted {wanted}, found {found}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::cognito::ClientSettings;

    #[test]
    fn differences_name_the_setting_and_both_values() {
        let wanted = ClientSettings::closed("app".into());
        let found = ClientSettings {
            hides_unknown_users: false,
            ..wanted.clone()
        };
        assert_eq!(
            differences(&wanted, &found),
            ["hides_unknown_users: wanted true, found false"]
        );
        assert!(differences(&wanted, &wanted).is_empty());
    }
}
