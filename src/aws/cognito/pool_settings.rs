//! Every setting of a user pool that the step-up rests on.

use aws_sdk_cognitoidentityprovider::types::{LambdaConfigType, SignInPolicyType, UserPoolType};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The settings of a pool that are written by the template and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolSettings {
    /// Feature plan.
    pub tier: String,
    /// Cognito's own second factor, which would come after the password and skip the step-up.
    pub native_mfa: String,
    /// Whether the pool is protected against deletion.
    pub deletion_protection: String,
    /// Whether devices are remembered, which would skip challenges.
    pub remembers_devices: bool,
    /// Whether user names that differ only in case are different users.
    pub case_sensitive: bool,
    /// What users sign in with instead of a user name.
    pub sign_in_attributes: BTreeSet<String>,
    /// What users may sign in with beside a user name.
    pub alias_attributes: BTreeSet<String>,
    /// First factors.
    pub first_factors: BTreeSet<String>,
    /// Attributes verified at sign-up.
    pub verified_attributes: BTreeSet<String>,
    /// Attributes that keep their old value until the new one is verified.
    pub verified_before_update: BTreeSet<String>,
    /// Whether only administrators make users.
    pub admin_creates_users: bool,
    /// Ways to recover an account, by priority.
    pub recovery: Vec<String>,
    /// Password rules.
    pub password: PasswordRules,
    /// Triggers by name; the pre-token trigger with its event version.
    pub triggers: BTreeMap<&'static str, String>,
    /// SES identity that sends e-mail; empty: Cognito's own sender.
    pub email_identity_arn: String,
    /// Sender address with an SES identity.
    pub email_from: String,
    /// Domains of hosted pages.
    pub hosted_domains: BTreeSet<String>,
}

/// Rules for passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "Cognito's own independent switches")]
pub struct PasswordRules {
    /// Shortest password, characters.
    pub min_length: i32,
    /// A lower-case letter is needed.
    pub lowercase: bool,
    /// An upper-case letter is needed.
    pub uppercase: bool,
    /// A digit is needed.
    pub digits: bool,
    /// A symbol is needed.
    pub symbols: bool,
    /// Validity of an invited user's first password, days.
    pub temporary_validity_days: i32,
}

impl PoolSettings {
    pub(super) fn from_sdk(pool: &UserPoolType) -> Self {
        let policies = pool.policies();
        let password = policies.and_then(|policies| policies.password_policy());
        let sign_in = policies.and_then(|policies| policies.sign_in_policy());
        let email = pool.email_configuration();
        let mut recovery: Vec<_> = pool
            .account_recovery_setting()
            .map(|setting| setting.recovery_mechanisms().to_vec())
            .unwrap_or_default();
        recovery.sort_by_key(aws_sdk_cognitoidentityprovider::types::RecoveryOptionType::priority);
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Self {
            tier: text(pool.user_pool_tier().map(aws_sdk_cognitoidentityprovider::types::UserPoolTierType::as_str)),
            native_mfa: pool
                .mfa_configuration()
                .map_or("OFF", |mfa| mfa.as_str())
                .to_owned(),
            deletion_protection: pool
                .deletion_protection()
                .map_or("INACTIVE", |one| one.as_str())
                .to_owned(),
            remembers_devices: pool.device_configuration().is_some(),
            // Without the setting a pool is case-sensitive.
            case_sensitive: pool
                .username_configuration()
                .is_none_or(aws_sdk_cognitoidentityprovider::types::UsernameConfigurationType::case_sensitive),
            sign_in_attributes: pool
                .username_attributes()
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            alias_attributes: pool
                .alias_attributes()
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            first_factors: first_factors(sign_in),
            verified_attributes: pool
                .auto_verified_attributes()
                .iter()
                .map(|one| one.as_str().to_owned())
                .collect(),
            verified_before_update: pool
                .user_attribute_update_settings()
                .map(|settings| {
                    let attributes = settings.attributes_require_verification_before_update();
                    attributes.iter().map(|one| one.as_str().to_owned()).collect()
                })
                .unwrap_or_default(),
            admin_creates_users: pool
                .admin_create_user_config()
                .is_some_and(aws_sdk_cognitoidentityprovider::types::AdminCreateUserConfigType::allow_admin_create_user_only),
            recovery: recovery
                .iter()
                .map(|option| option.name().as_str().to_owned())
                .collect(),
            password: PasswordRules {
                min_length: password
                    .and_then(aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::minimum_length)
                    .unwrap_or_default(),
                lowercase: password.is_some_and(aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::require_lowercase),
                uppercase: password.is_some_and(aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::require_uppercase),
                digits: password.is_some_and(aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::require_numbers),
                symbols: password.is_some_and(aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::require_symbols),
                temporary_validity_days: password.map_or(0, aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::temporary_password_validity_days),
            },
            triggers: pool.lambda_config().map(triggers).unwrap_or_default(),
            email_identity_arn: text(email.and_then(|email| email.source_arn())),
            email_from: text(email.and_then(|email| email.from())),
            hosted_domains: [pool.domain(), pool.custom_domain()]
                .into_iter()
                .flatten()
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The Lite plan, and a pool that was never told, have no list and know passwords only.
fn first_factors(policy: Option<&SignInPolicyType>) -> BTreeSet<String> {
    let listed = policy
        .map(SignInPolicyType::allowed_first_auth_factors)
        .unwrap_or_default();
    if listed.is_empty() {
        return BTreeSet::from(["PASSWORD".to_owned()]);
    }
    listed.iter().map(|factor| factor.as_str().to_owned()).collect()
}

/// Every trigger that is set. AWS repeats a pre-token trigger of version 1 under its older name.
fn triggers(config: &LambdaConfigType) -> BTreeMap<&'static str, String> {
    let pre_token = config.pre_token_generation_config();
    let older_name = config
        .pre_token_generation()
        .filter(|arn| pre_token.is_none_or(|new| new.lambda_arn() != *arn));
    let named = [
        ("pre_sign_up", config.pre_sign_up()),
        ("custom_message", config.custom_message()),
        ("post_confirmation", config.post_confirmation()),
        ("pre_authentication", config.pre_authentication()),
        ("post_authentication", config.post_authentication()),
        ("define_auth_challenge", config.define_auth_challenge()),
        ("create_auth_challenge", config.create_auth_challenge()),
        (
            "verify_auth_challenge_response",
            config.verify_auth_challenge_response(),
        ),
        ("pre_token_generation", older_name),
        ("user_migration", config.user_migration()),
        (
            "custom_sms_sender",
            config
                .custom_sms_sender()
                .map(aws_sdk_cognitoidentityprovider::types::CustomSmsLambdaVersionConfigType::lambda_arn),
        ),
        (
            "custom_email_sender",
            config
                .custom_email_sender()
                .map(aws_sdk_cognitoidentityprovider::types::CustomEmailLambdaVersionConfigType::lambda_arn),
        ),
        (
            "inbound_federation",
            config
                .inbound_federation()
                .map(aws_sdk_cognitoidentityprovider::types::InboundFederationLambdaType::lambda_arn),
        ),
    ];
    let mut set: BTreeMap<_, _> = named
        .into_iter()
        .filter_map(|(name, arn)| Some((name, arn.filter(|arn| !arn.is_empty())?.to_owned())))
        .collect();
    if let Some(config) = pre_token {
        set.insert(
            "pre_token_generation_config",
            format!("{} {}", config.lambda_version(), config.lambda_arn()),
        );
    }
    set
}
