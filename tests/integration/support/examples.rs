//! Bodies that are accepted.

use serde_json::{Value, json};

/// The client secret in [`tenant`]; unlike anything else, so that it can be searched for.
pub(crate) const CLIENT_SECRET: &str = "canary-b7f1c2d9-client-secret";

/// A tenant with every field given.
pub(crate) fn tenant(name: &str) -> Value {
    json!({
        "name": name,
        "cell_id": null,
        "region": null,
        "external_id": null,
        "labels": {"plan": "gold"},
        "blockid": {
            "tenant_dns": "127.0.0.1:9",
            "community": "default",
            "client_id": "demo-client",
            "client_secret": CLIENT_SECRET,
        },
        "pool": {
            "self_sign_up": false,
            "sign_in_with": "username",
            "attributes": [{"name": "unit", "mutable": true, "max_length": 40}],
            "password": {
                "min_length": 10, "require_lowercase": true, "require_uppercase": true, "require_digits": true,
                "require_symbols": false, "temporary_validity_days": 3,
            },
            "email": {
                "from": "Acme <login@acme.example>",
                "ses_identity_arn": "arn:aws:ses:eu-central-1:123456789012:identity/acme.example",
            },
            "tier": "essentials",
        },
    })
}

/// The connection of [`tenant`] with another secret.
pub(crate) fn connection(client_secret: &str) -> Value {
    json!({
        "tenant_dns": "127.0.0.1:9", "community": "default", "client_id": "demo-client",
        "client_secret": client_secret,
    })
}

/// An app with every field given.
pub(crate) fn app(name: &str) -> Value {
    json!({
        "name": name,
        "id_token_validity_min": 20,
        "access_token_validity_min": 10,
        "refresh_token_validity_min": 600,
        "session_validity_min": 5,
        "allowed_origins": ["https://portal.acme.example", "http://localhost:3000"],
        "return_url": "https://portal.acme.example/callback",
        "action_step_up": false,
        "policy": policy(),
    })
}

/// A policy that may be stored before anything was learned of the provider.
pub(crate) fn policy() -> Value {
    json!({
        "schema_version": 1,
        "rules": [],
        "default": {"step_up": "required", "methods": ["liveID push", "otp sms", "otp email", "otp"], "attempts": 3},
    })
}

/// A webhook to where nobody listens.
pub(crate) fn webhook() -> Value {
    json!({"url": "http://127.0.0.1:9/hook", "description": "Portal", "events": ["tenant.ready", "policy.changed"]})
}
