//! Where a difference is: its path, how bad it is, and whether it can be written back.

use crate::{domain::drift::Severity, ids::AppId};
use std::fmt;

/// Where a difference is. The text form is the path by which it is shown and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The stack is gone.
    Stack,
    /// The stack can be deleted by one call.
    StackProtection,
    /// Somebody else changed the stack.
    StackParameter(String),
    /// The pool is gone.
    Pool,
    /// A setting of the pool.
    PoolSetting(String),
    /// Cognito's own one-time passwords.
    NativeTotp,
    /// The client of an app is gone.
    Client(AppId),
    /// A setting of an app's client.
    ClientSetting(AppId, String),
    /// A client that is no app's.
    ForeignClient(String),
    /// A function is gone.
    Function(&'static str),
    /// A setting of a function.
    FunctionSetting(&'static str, String),
    /// An environment variable that a function needs.
    Variable(&'static str, String),
    /// An environment variable that nobody gave it.
    ForeignVariable(&'static str, String),
    /// The role of a function is gone.
    Role(&'static str),
    /// Who may take the role of a function.
    Trust(&'static str),
    /// A policy inside the role of a function.
    InlinePolicy(&'static str, String),
    /// A policy attached to the role of a function.
    AttachedPolicy(&'static str, String),
    /// A secret is gone.
    Secret(&'static str),
    /// The resource policy of a secret.
    SecretPolicy(&'static str),
    /// What the triggers are told cannot be read.
    Settings,
    /// Something that the triggers are told.
    SettingsField(String),
    /// The policy of an app, as the triggers read it.
    PolicyItem(AppId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stack => f.write_str("stack"),
            Self::StackProtection => f.write_str("stack/termination_protection"),
            Self::StackParameter(name) => write!(f, "stack/parameters/{name}"),
            Self::Pool => f.write_str("user_pool"),
            Self::PoolSetting(name) => write!(f, "user_pool/{name}"),
            Self::NativeTotp => f.write_str("user_pool/native_totp"),
            Self::Client(app) => write!(f, "app_clients/{app}"),
            Self::ClientSetting(app, name) => write!(f, "app_clients/{app}/{name}"),
            Self::ForeignClient(id) => write!(f, "app_clients/{id}"),
            Self::Function(function) => write!(f, "functions/{function}"),
            Self::FunctionSetting(function, name) => write!(f, "functions/{function}/{name}"),
            Self::Variable(function, name) | Self::ForeignVariable(function, name) => {
                write!(f, "functions/{function}/environment/{name}")
            }
            Self::Role(function) => write!(f, "roles/{function}"),
            Self::Trust(function) => write!(f, "roles/{function}/trust"),
            Self::InlinePolicy(function, name) => write!(f, "roles/{function}/inline/{name}"),
            Self::AttachedPolicy(function, arn) => write!(f, "roles/{function}/attached/{arn}"),
            Self::Secret(secret) => write!(f, "secrets/{secret}"),
            Self::SecretPolicy(secret) => write!(f, "secrets/{secret}/resource_policy"),
            Self::Settings => f.write_str("settings"),
            Self::SettingsField(name) => write!(f, "settings/{name}"),
            Self::PolicyItem(app) => write!(f, "policies/{app}"),
        }
    }
}

impl Place {
    /// How bad a difference there is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Stack
            | Self::Pool
            | Self::NativeTotp
            | Self::Client(_)
            | Self::ForeignClient(_)
            | Self::Function(_)
            | Self::Variable(..)
            | Self::Role(_)
            | Self::Trust(_)
            | Self::InlinePolicy(..)
            | Self::AttachedPolicy(..)
            | Self::Secret(_)
            | Self::SecretPolicy("credentials")
            | Self::Settings
            | Self::SettingsField(_)
            | Self::PolicyItem(_) => Severity::Critical,
            Self::StackProtection | Self::ForeignVariable(..) | Self::SecretPolicy(_) => Severity::High,
            Self::StackParameter(name) => match name.as_str() {
                "ChallengeArtifactKey"
                | "VerifyArtifactKey"
                | "ArtifactBucket"
                | "SettingsSecretArn"
                | "CredentialsSecretArn" => Severity::Critical,
                _ => Severity::High,
            },
            Self::PoolSetting(name) => match name.as_str() {
                "native_mfa" | "remembers_devices" | "first_factors" | "triggers" | "hosted_domains" => {
                    Severity::Critical
                }
                "tier" | "email_identity_arn" | "email_from" => Severity::Medium,
                _ => Severity::High,
            },
            Self::ClientSetting(_, name) => match name.as_str() {
                "auth_flows" | "oauth" | "oauth_flows" | "identity_providers" | "write_attributes" => {
                    Severity::Critical
                }
                "hides_unknown_users"
                | "token_revocation"
                | "has_secret"
                | "callback_urls"
                | "oauth_scopes"
                | "rotates_refresh_tokens"
                | "refresh_token_validity_min"
                | "access_token_validity_min"
                | "id_token_validity_min" => Severity::High,
                _ => Severity::Medium,
            },
            Self::FunctionSetting(_, name) => match name.as_str() {
                "code_sha256" | "role_arn" | "layers" | "runtime" | "handler" => Severity::Critical,
                "log_group" => Severity::High,
                _ => Severity::Medium,
            },
        }
    }

    /// Whether it can be written back without losing anything. What is gone cannot, and neither can what Cognito fixes
    /// at creation.
    pub fn is_healable(&self) -> bool {
        match self {
            Self::Stack
            | Self::Pool
            | Self::Client(_)
            | Self::Function(_)
            | Self::Role(_)
            | Self::Secret(_) => false,
            Self::PoolSetting(name) => !matches!(
                name.as_str(),
                "case_sensitive" | "sign_in_attributes" | "alias_attributes" | "hosted_domains"
            ),
            Self::ClientSetting(_, name) => name != "has_secret",
            Self::StackParameter(name) => !matches!(name.as_str(), "TenantUlid" | "SignInWith" | "Sandbox"),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    #[test]
    fn what_opens_a_way_past_the_step_up_or_to_the_secret_is_critical() {
        let app = AppId::generate(&IdSource::seeded(1), chrono::DateTime::UNIX_EPOCH);
        for place in [
            Place::ClientSetting(app, "auth_flows".into()),
            Place::ForeignClient("c".into()),
            Place::PoolSetting("triggers".into()),
            Place::NativeTotp,
            Place::FunctionSetting("verify", "code_sha256".into()),
            Place::Trust("verify"),
            Place::AttachedPolicy("challenge", "arn".into()),
            Place::SecretPolicy("credentials"),
            Place::PolicyItem(app),
        ] {
            assert_eq!(place.severity(), Severity::Critical, "{place}");
        }
        for place in [
            Place::ClientSetting(app, "hides_unknown_users".into()),
            Place::PoolSetting("deletion_protection".into()),
            Place::ForeignVariable("verify", "STEPGATE_DEV_INSECURE_LOOPBACK".into()),
            Place::StackProtection,
        ] {
            assert_eq!(place.severity(), Severity::High, "{place}");
        }
        assert_eq!(Place::PoolSetting("tier".into()).severity(), Severity::Medium);
    }

    #[test]
    fn what_is_gone_or_fixed_at_creation_cannot_be_written_back() {
        assert!(!Place::Pool.is_healable() && !Place::PoolSetting("case_sensitive".into()).is_healable());
        assert!(Place::PoolSetting("triggers".into()).is_healable() && Place::NativeTotp.is_healable());
    }
}
