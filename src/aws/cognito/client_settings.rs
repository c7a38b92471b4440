//! Every setting of an app client.

use aws_sdk_cognitoidentityprovider::{
    operation::{
        create_user_pool_client::builders::CreateUserPoolClientFluentBuilder,
        update_user_pool_client::builders::UpdateUserPoolClientFluentBuilder,
    },
    types::{
        ExplicitAuthFlowsType, PreventUserExistenceErrorTypes, TimeUnitsType, TokenValidityUnitsType,
        UserPoolClientType,
    },
};
use serde::Serialize;
use std::collections::BTreeSet;

/// Every setting of an app client that Cognito knows, as far as it differs between apps or opens a door.
/// The client has no secret (it runs in browsers and phones) and no OAuth flows, callback addresses or analytics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "Cognito's own independent switches")]
pub struct ClientSettings {
    /// Name, by which a client is found again whose id was lost.
    pub name: String,
    /// Whether the client has a secret.
    pub has_secret: bool,
    /// Ways to sign in: `ALLOW_…`.
    pub auth_flows: BTreeSet<String>,
    /// Whether answers for unknown users look like those for known ones.
    pub hides_unknown_users: bool,
    /// Whether tokens can be revoked.
    pub token_revocation: bool,
    /// Whether clients may report addresses of their users.
    pub propagates_user_context: bool,
    /// Whether hosted pages serve this client.
    pub oauth: bool,
    /// OAuth flows.
    pub oauth_flows: BTreeSet<String>,
    /// OAuth scopes.
    pub oauth_scopes: BTreeSet<String>,
    /// Identity providers other than the pool itself.
    pub identity_providers: BTreeSet<String>,
    /// Where hosted pages may send the browser.
    pub callback_urls: BTreeSet<String>,
    /// Where hosted pages may send the browser after signing out.
    pub logout_urls: BTreeSet<String>,
    /// Attributes that the user's tokens may read.
    pub read_attributes: BTreeSet<String>,
    /// Attributes that the user may change.
    pub write_attributes: BTreeSet<String>,
    /// Whether a refresh gives a new refresh token.
    pub rotates_refresh_tokens: bool,
    /// Validity of refresh tokens, min.
    pub refresh_token_validity_min: i32,
    /// Validity of access tokens, min.
    pub access_token_validity_min: i32,
    /// Validity of ID tokens, min.
    pub id_token_validity_min: i32,
    /// How long Cognito keeps a challenge open, min.
    pub session_validity_min: i32,
}

impl ClientSettings {
    /// A client without any way to sign in; callers fill in what they allow.
    pub fn closed(name: String) -> Self {
        Self {
            name,
            has_secret: false,
            auth_flows: BTreeSet::new(),
            hides_unknown_users: true,
            token_revocation: true,
            propagates_user_context: false,
            oauth: false,
            oauth_flows: BTreeSet::new(),
            oauth_scopes: BTreeSet::new(),
            identity_providers: BTreeSet::new(),
            callback_urls: BTreeSet::new(),
            logout_urls: BTreeSet::new(),
            read_attributes: BTreeSet::new(),
            write_attributes: BTreeSet::new(),
            rotates_refresh_tokens: false,
            refresh_token_validity_min: 60,
            access_token_validity_min: 15,
            id_token_validity_min: 15,
            session_validity_min: 3,
        }
    }

    pub(super) fn from_sdk(client: &UserPoolClientType) -> Self {
        let units = client.token_validity_units();
        let set = |values: &[String]| values.iter().cloned().collect::<BTreeSet<_>>();
        Self {
            name: client.client_name().unwrap_or_default().to_owned(),
            has_secret: client.client_secret().is_some(),
            auth_flows: client
                .explicit_auth_flows()
                .iter()
                .map(|flow| flow.as_str().to_owned())
                .collect(),
            hides_unknown_users: client.prevent_user_existence_errors()
                == Some(&PreventUserExistenceErrorTypes::Enabled),
            token_revocation: client.enable_token_revocation().unwrap_or_default(),
            propagates_user_context: client
                .enable_propagate_additional_user_context_data()
                .unwrap_or_default(),
            oauth: client.allowed_o_auth_flows_user_pool_client().unwrap_or_default(),
            oauth_flows: client
                .allowed_o_auth_flows()
                .iter()
                .map(|flow| flow.as_str().to_owned())
                .collect(),
            oauth_scopes: set(client.allowed_o_auth_scopes()),
            // Without any, AWS answers with the pool itself, which is what we mean.
            identity_providers: set(client.supported_identity_providers())
                .into_iter()
                .filter(|provider| provider != "COGNITO")
                .collect(),
            callback_urls: set(client.callback_urls()),
            logout_urls: set(client.logout_urls()),
            read_attributes: set(client.read_attributes()),
            write_attributes: set(client.write_attributes()),
            rotates_refresh_tokens: client
                .refresh_token_rotation()
                .is_some_and(|rotation| rotation.feature().as_str() == "ENABLED"),
            // Cognito's units when none are set: days, hours, hours.
            refresh_token_validity_min: minutes(
                Some(client.refresh_token_validity()),
                units.and_then(TokenValidityUnitsType::refresh_token),
                &TimeUnitsType::Days,
            ),
            access_token_validity_min: minutes(
                client.access_token_validity(),
                units.and_then(TokenValidityUnitsType::access_token),
                &TimeUnitsType::Hours,
            ),
            id_token_validity_min: minutes(
                client.id_token_validity(),
                units.and_then(TokenValidityUnitsType::id_token),
                &TimeUnitsType::Hours,
            ),
            session_validity_min: client.auth_session_validity().unwrap_or(3),
        }
    }

    fn flows(&self) -> Vec<ExplicitAuthFlowsType> {
        self.auth_flows
            .iter()
            .map(|flow| ExplicitAuthFlowsType::from(flow.as_str()))
            .collect()
    }

    fn existence_errors(&self) -> PreventUserExistenceErrorTypes {
        if self.hides_unknown_users {
            PreventUserExistenceErrorTypes::Enabled
        } else {
            PreventUserExistenceErrorTypes::Legacy
        }
    }
}

/// The two calls take the same settings through builders of different types. OAuth flows, scopes, addresses and
/// analytics are left out on purpose: an update resets what it leaves out, and their default is "none".
macro_rules! with_settings {
    ($settings:expr, $builder:expr) => {{
        let settings: &ClientSettings = $settings;
        $builder
            .client_name(&settings.name)
            .set_explicit_auth_flows(Some(settings.flows()))
            .prevent_user_existence_errors(settings.existence_errors())
            .enable_token_revocation(settings.token_revocation)
            .enable_propagate_additional_user_context_data(settings.propagates_user_context)
            .allowed_o_auth_flows_user_pool_client(settings.oauth)
            .set_supported_identity_providers(Some(settings.identity_providers.iter().cloned().collect()))
            .set_callback_urls(Some(settings.callback_urls.iter().cloned().collect()))
            .set_logout_urls(Some(settings.logout_urls.iter().cloned().collect()))
            .set_allowed_o_auth_flows(Some(Vec::new()))
            .set_allowed_o_auth_scopes(Some(settings.oauth_scopes.iter().cloned().collect()))
            .set_read_attributes(Some(settings.read_attributes.iter().cloned().collect()))
            .set_write_attributes(Some(settings.write_attributes.iter().cloned().collect()))
            .refresh_token_validity(settings.refresh_token_validity_min)
            .access_token_validity(settings.access_token_validity_min)
            .id_token_validity(settings.id_token_validity_min)
            .token_validity_units(
                TokenValidityUnitsType::builder()
                    .refresh_token(TimeUnitsType::Minutes)
                    .access_token(TimeUnitsType::Minutes)
                    .id_token(TimeUnitsType::Minutes)
                    .build(),
            )
            .auth_session_validity(settings.session_validity_min)
    }};
}

impl ClientSettings {
    pub(super) fn create_request(
        &self,
        builder: CreateUserPoolClientFluentBuilder,
    ) -> CreateUserPoolClientFluentBuilder {
        with_settings!(self, builder).generate_secret(self.has_secret)
    }

    pub(super) fn update_request(
        &self,
        builder: UpdateUserPoolClientFluentBuilder,
    ) -> UpdateUserPoolClientFluentBuilder {
        with_settings!(self, builder)
    }
}

fn minutes(value: Option<i32>, unit: Option<&TimeUnitsType>, default_unit: &TimeUnitsType) -> i32 {
    let factor = match unit.unwrap_or(default_unit) {
        TimeUnitsType::Days => 24 * 60,
        TimeUnitsType::Hours => 60,
        _ => 1,
    };
    value.unwrap_or_default().saturating_mul(factor)
}
