//! Puts a pool back to what its stack says, after somebody changed it past the stack.

use super::{Cognito, PoolSettings};
use crate::aws::{Answered, AwsError};
use aws_sdk_cognitoidentityprovider::{
    operation::RequestId as _,
    types::{
        AccountRecoverySettingType, AdminCreateUserConfigType, AuthFactorType, DefaultEmailOptionType,
        DeletionProtectionType, EmailConfigurationType, EmailSendingAccountType, LambdaConfigType,
        PasswordPolicyType, PreTokenGenerationLambdaVersionType, PreTokenGenerationVersionConfigType,
        RecoveryOptionNameType, RecoveryOptionType, SignInPolicyType, SoftwareTokenMfaConfigType,
        UserAttributeUpdateSettingsType, UserPoolMfaType, UserPoolPolicyType, UserPoolTierType,
        VerificationMessageTemplateType, VerifiedAttributeType,
    },
};

impl Cognito {
    /// Whether users of the pool may have one-time passwords of Cognito's own as a second factor.
    pub async fn native_totp(&self, pool_id: &str) -> Result<bool, AwsError> {
        let read = self
            .client
            .get_user_pool_mfa_config()
            .user_pool_id(pool_id)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("cognito-idp:GetUserPoolMfaConfig", &error))?;
        Ok(read
            .software_token_mfa_configuration()
            .is_some_and(SoftwareTokenMfaConfigType::enabled))
    }

    /// Switches Cognito's own second factor off.
    pub async fn switch_native_mfa_off(&self, pool_id: &str) -> Result<Answered<()>, AwsError> {
        let set = self
            .client
            .set_user_pool_mfa_config()
            .user_pool_id(pool_id)
            .mfa_configuration(UserPoolMfaType::Off)
            .software_token_mfa_configuration(SoftwareTokenMfaConfigType::builder().enabled(false).build())
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("cognito-idp:SetUserPoolMfaConfig", &error))?;
        Ok(Answered::new((), set.request_id()))
    }

    /// Writes every setting of a pool that can be changed: what an update leaves out returns to Cognito's default. Tags
    /// are written as they are there, because an update without them takes them away.
    pub async fn restore_pool(
        &self,
        pool_id: &str,
        settings: &PoolSettings,
    ) -> Result<Answered<()>, AwsError> {
        const OPERATION: &str = "cognito-idp:UpdateUserPool";
        let described = self
            .client
            .describe_user_pool()
            .user_pool_id(pool_id)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk("cognito-idp:DescribeUserPool", &error))?;
        let tags = described
            .user_pool()
            .and_then(|pool| pool.user_pool_tags())
            .cloned();
        let verified = |names: &std::collections::BTreeSet<String>| {
            let attributes = names
                .iter()
                .map(|name| VerifiedAttributeType::from(name.as_str()));
            Some(attributes.collect::<Vec<_>>())
        };
        let creation = AdminCreateUserConfigType::builder()
            .allow_admin_create_user_only(settings.admin_creates_users)
            .build();
        let messages = VerificationMessageTemplateType::builder()
            .default_email_option(DefaultEmailOptionType::ConfirmWithCode)
            .build();
        let checks = UserAttributeUpdateSettingsType::builder()
            .set_attributes_require_verification_before_update(verified(&settings.verified_before_update))
            .build();
        let updated = self
            .client
            .update_user_pool()
            .user_pool_id(pool_id)
            .policies(policies(settings))
            .deletion_protection(DeletionProtectionType::from(
                settings.deletion_protection.as_str(),
            ))
            .lambda_config(triggers(settings).map_err(|error| incomplete(OPERATION, &error))?)
            .set_auto_verified_attributes(verified(&settings.verified_attributes))
            .verification_message_template(messages)
            .user_attribute_update_settings(checks)
            .mfa_configuration(UserPoolMfaType::from(settings.native_mfa.as_str()))
            .email_configuration(email(settings))
            .set_user_pool_tags(tags)
            .admin_create_user_config(creation)
            .account_recovery_setting(recovery(settings).map_err(|error| incomplete(OPERATION, &error))?)
            .user_pool_tier(UserPoolTierType::from(settings.tier.as_str()))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &error))?;
        Ok(Answered::new((), updated.request_id()))
    }
}

fn incomplete(
    operation: &'static str,
    error: &aws_sdk_cognitoidentityprovider::error::BuildError,
) -> AwsError {
    AwsError {
        operation,
        code: "Construction".to_owned(),
        message: error.to_string(),
        request_id: None,
    }
}

fn policies(settings: &PoolSettings) -> UserPoolPolicyType {
    let password = PasswordPolicyType::builder()
        .minimum_length(settings.password.min_length)
        .require_lowercase(settings.password.lowercase)
        .require_uppercase(settings.password.uppercase)
        .require_numbers(settings.password.digits)
        .require_symbols(settings.password.symbols)
        .temporary_password_validity_days(settings.password.temporary_validity_days)
        .build();
    let factors = settings.first_factors.iter();
    let sign_in = SignInPolicyType::builder()
        .set_allowed_first_auth_factors(Some(
            factors
                .map(|factor| AuthFactorType::from(factor.as_str()))
                .collect(),
        ))
        .build();
    // The Lite plan knows passwords only and does not take the setting.
    let sign_in = (settings.tier != "LITE").then_some(sign_in);
    UserPoolPolicyType::builder()
        .password_policy(password)
        .set_sign_in_policy(sign_in)
        .build()
}

fn triggers(
    settings: &PoolSettings,
) -> Result<LambdaConfigType, aws_sdk_cognitoidentityprovider::error::BuildError> {
    let arn = |name: &str| settings.triggers.get(name).cloned();
    let versioned = arn("pre_token_generation_config");
    let pre_token = match versioned.as_deref().and_then(|text| text.split_once(' ')) {
        Some((version, function)) => Some(
            PreTokenGenerationVersionConfigType::builder()
                .lambda_version(PreTokenGenerationLambdaVersionType::from(version))
                .lambda_arn(function)
                .build()?,
        ),
        None => None,
    };
    Ok(LambdaConfigType::builder()
        .set_define_auth_challenge(arn("define_auth_challenge"))
        .set_create_auth_challenge(arn("create_auth_challenge"))
        .set_verify_auth_challenge_response(arn("verify_auth_challenge_response"))
        .set_post_confirmation(arn("post_confirmation"))
        .set_pre_token_generation_config(pre_token)
        .build())
}

fn email(settings: &PoolSettings) -> EmailConfigurationType {
    let builder = EmailConfigurationType::builder();
    if settings.email_identity_arn.is_empty() {
        return builder
            .email_sending_account(EmailSendingAccountType::CognitoDefault)
            .build();
    }
    builder
        .email_sending_account(EmailSendingAccountType::Developer)
        .source_arn(&settings.email_identity_arn)
        .from(&settings.email_from)
        .build()
}

fn recovery(
    settings: &PoolSettings,
) -> Result<AccountRecoverySettingType, aws_sdk_cognitoidentityprovider::error::BuildError> {
    let options = settings.recovery.iter().zip(1..).map(|(name, priority)| {
        RecoveryOptionType::builder()
            .name(RecoveryOptionNameType::from(name.as_str()))
            .priority(priority)
            .build()
    });
    let options: Vec<_> = options.collect::<Result<_, _>>()?;
    Ok(AccountRecoverySettingType::builder()
        .set_recovery_mechanisms(Some(options))
        .build())
}
