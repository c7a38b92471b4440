//! What AWS should look like for an app: its client and its policy item.

use super::to_i32;
use crate::{
    aws::cognito::ClientSettings,
    domain::{
        app::user_writable_attributes,
        provisioning::{Desired, DesiredApp},
        registration::AppRegistration,
    },
};
use std::collections::BTreeSet;
use step_up::policy_item::PolicyItem;

/// Attributes that a user's tokens may read, beside the custom ones.
pub const READABLE_ATTRIBUTES: [&str; 8] = [
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "locale",
    "name",
    "preferred_username",
    "zoneinfo",
];

/// Shortest validity of a refresh token that Cognito takes, min. A policy that asks for less gets no refresh.
const SHORTEST_REFRESH_MIN: u32 = 60;

/// The settings of an app's client. Its name is the app's id, by which it is found when its own id was lost.
pub fn client_settings(desired: &Desired, app: &DesiredApp) -> ClientSettings {
    let custom = desired
        .pool
        .attributes
        .iter()
        .map(|attribute| format!("custom:{}", attribute.name));
    let readable = READABLE_ATTRIBUTES.iter().map(|name| (*name).to_owned());
    let refresh_min = refresh_validity_min(app);
    let mut auth_flows = BTreeSet::from(["ALLOW_CUSTOM_AUTH".to_owned()]);
    if refresh_min.is_some() {
        auth_flows.insert("ALLOW_REFRESH_TOKEN_AUTH".to_owned());
    }
    ClientSettings {
        auth_flows,
        read_attributes: readable.chain(custom).collect(),
        write_attributes: user_writable_attributes(&desired.pool)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        refresh_token_validity_min: to_i32(refresh_min.unwrap_or(SHORTEST_REFRESH_MIN)),
        access_token_validity_min: to_i32(app.settings.access_token_validity_min),
        id_token_validity_min: to_i32(app.settings.id_token_validity_min),
        session_validity_min: to_i32(app.settings.session_validity_min),
        ..ClientSettings::closed(app.id.to_string())
    }
}

/// How long refresh tokens work, min: as the app says, and not longer than any rule lets a step-up last. `None`
/// when that is less than Cognito can do: then tokens cannot be refreshed at all.
pub fn refresh_validity_min(app: &DesiredApp) -> Option<u32> {
    let asked = app.settings.refresh_token_validity_min;
    let limit = app.policy.smallest_max_age_min().unwrap_or(u32::MAX);
    let longest_token = app
        .settings
        .id_token_validity_min
        .max(app.settings.access_token_validity_min);
    // Cognito wants refresh tokens to outlive the others.
    (limit >= SHORTEST_REFRESH_MIN && limit > longest_token).then(|| asked.min(limit))
}

/// What the triggers are told of an app.
pub fn policy_item(app: &DesiredApp, client_id: &str, generation: i64) -> PolicyItem {
    PolicyItem {
        generation,
        app_id: app.id.to_string(),
        client_id: client_id.to_owned(),
        policy_version: app.policy_version,
        policy: app.policy.clone(),
        action_step_up: app.settings.action_step_up,
        return_url: app.settings.return_url.clone(),
        session_validity_s: app.settings.session_validity_min * 60,
        refresh_validity_s: refresh_validity_min(app).unwrap_or_default() * 60,
        exemptions: app.exemptions.clone(),
        registration: serde_json::to_value(AppRegistration {
            name: app.name.clone(),
            settings: app.settings.clone(),
            created_at: app.created_at,
        })
        .ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::app::AppSettings,
        ids::{AppId, IdSource},
    };
    use step_up::policy::{Outcome, PolicyDocument};

    fn app(refresh_min: u32, max_age_min: Option<u32>) -> DesiredApp {
        let mut policy = PolicyDocument::initial();
        if let Outcome::Required(requirement) = &mut policy.default {
            requirement.max_age_min = max_age_min;
        }
        let now = chrono::DateTime::from_timestamp(0, 0).unwrap();
        DesiredApp {
            id: AppId::generate(&IdSource::seeded(1), now),
            name: "Portal".into(),
            created_at: now,
            settings: AppSettings {
                refresh_token_validity_min: refresh_min,
                ..AppSettings::default()
            },
            client_id: None,
            client_in_doubt: false,
            policy_version: 1,
            policy,
            exemptions: Vec::new(),
        }
    }

    #[test]
    fn tokens_are_not_refreshed_beyond_the_age_of_a_step_up() {
        for (refresh_min, max_age_min, expected) in [
            (480, None, Some(480)),
            (480, Some(600), Some(480)),
            (480, Some(120), Some(120)),
            (480, Some(60), Some(60)),
            (480, Some(59), None),
        ] {
            assert_eq!(
                refresh_validity_min(&app(refresh_min, max_age_min)),
                expected,
                "{max_age_min:?}"
            );
        }
        let item = policy_item(&app(480, Some(30)), "client", 1);
        assert_eq!(
            item.refresh_validity_s, 0,
            "evidence that nobody may refresh from is not kept"
        );
    }

    #[test]
    fn what_users_may_write_is_what_they_may_read_and_nothing_verified() {
        let open = crate::domain::pool::PoolSettings {
            self_sign_up: true,
            ..Default::default()
        };
        let writable = user_writable_attributes(&open);
        assert!(writable.iter().all(|name| READABLE_ATTRIBUTES.contains(name)));
        assert!(!writable.contains(&"email_verified") && !writable.contains(&"preferred_username"));
    }
}
