//! Where a tenant's connection leads, and who may lead it elsewhere.

use crate::bench::{App, Bench, authorize_url, now_ms, random_letters};
use crate::functions::Trigger;
use crate::outcome::{Outcome, Trials};
use crate::stepgate::{Stepgate, any_method_policy};
use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use step_up::reason::Reason;

/// After this long every warm function has read its settings again.
const SETTINGS_READ: Duration = Duration::from_secs(33);

/// Hosts that lead inside, or say something else than a host.
const INSIDE: [&str; 20] = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "[::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[::ffff:169.254.169.254]",
    "0.0.0.0",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "user@acme.1kosmos.net",
    "acme.1kosmos.net:pw@169.254.169.254",
    "https://169.254.169.254",
    "acme.1kosmos.net:0",
    "acme.1kosmos.net:443@169.254.169.254",
];

/// Token endpoints that the tenant's function must not connect to, whoever wrote them into its settings.
const ENDPOINTS_INSIDE: [&str; 8] = [
    "https://10.0.0.1/token",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/token",
    "https://[fd00:ec2::254]/token",
    "https://[::ffff:169.254.169.254]/token",
    "https://2852039166/token",
    "http://169.254.169.254/token",
    "https://user:password@127.0.0.1/token",
];

/// A19: tenant DNS that leads to private addresses, at onboarding and at connect.
pub(super) async fn a19(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let api = bench.api()?;
    let tenant = format!("/v1/tenants/{}/blockid", bench.target.tenant_id);
    for host in INSIDE {
        let blockid = json!({
            "tenant_dns": host, "community": "default", "client_id": "client", "client_secret": "secret"
        });
        let new = json!({ "name": format!("A19 {}", random_letters(8)), "blockid": blockid });
        for (door, method, path, body, pointer) in [
            (
                "check",
                Method::POST,
                "/v1/blockid:check",
                &blockid,
                "/tenant_dns",
            ),
            (
                "onboarding",
                Method::POST,
                "/v1/tenants",
                &new,
                "/blockid/tenant_dns",
            ),
            ("change", Method::PUT, tenant.as_str(), &blockid, "/tenant_dns"),
        ] {
            let answer = if method == Method::PUT {
                api.change(method, path, body).await?
            } else {
                api.call(method, path, None, Some(body)).await?
            };
            let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
            let told = errors.iter().any(|error| error["pointer"] == pointer);
            trials.holds(
                &format!("{door}: {host}"),
                answer.status == 422 && told,
                "validation_failed",
            );
        }
    }
    let settings = bench.settings().await?;
    let probe = async |settings: &Value| {
        let event = json!({ "stepgate_probe": { "version_stage": "AWSCURRENT", "settings": settings } });
        let mut invoked = bench.invoke(Trigger::Verify, &event).await?;
        anyhow::Ok(invoked.payload["outcome"].take())
    };
    // The control: the way to the provider is open.
    let open = probe(&settings).await?;
    anyhow::ensure!(open == "invalid_grant", "the provider cannot be tried: {open}");
    for endpoint in ENDPOINTS_INSIDE {
        let mut inside = settings.clone();
        inside["provider"]["token_endpoint"] = endpoint.into();
        let outcome = probe(&inside).await?;
        trials.holds(
            &format!("connect: {endpoint}: {outcome}"),
            outcome == "address_refused",
            "provider_address_refused",
        );
    }
    // And the secret goes to no other provider than it was given by, public or not.
    let mut elsewhere = settings;
    elsewhere["connection"]["tenant_dns"] = "evil.example".into();
    let outcome = probe(&elsewhere).await?;
    trials.holds(
        "another provider",
        outcome == "credentials_mismatch",
        "credentials_mismatch",
    );
    Ok(trials.outcome())
}

/// A tenant of this attack alone: others go on with theirs.
async fn own_tenant(bench: &Bench) -> anyhow::Result<(Bench, Value)> {
    let api = bench.api()?;
    let provider = bench.target.blockid_url.as_ref().context("no simulator")?;
    let port = provider
        .port_or_known_default()
        .context("a simulator without port")?;
    let host = provider.host_str().context("a simulator without host")?;
    let secret = bench.target.client_secret.as_ref();
    let blockid = json!({
        "tenant_dns": format!("{host}:{port}"), "community": "default", "client_id": "demo-client",
        "client_secret": secret.context("the client secret is not known")?,
    });
    let new = json!({ "name": format!("A31 {}", random_letters(8)), "blockid": blockid });
    let made = api.post("/v1/tenants", &new).await?;
    api.wait(&made["operation"]).await?;
    let id = made["tenant"]["id"].as_str().context("a tenant without id")?;
    let tenant = api.get(&format!("/v1/tenants/{id}")).await?;
    let app = api
        .make_app(id, &json!({ "name": "Main", "policy": any_method_policy() }))
        .await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
    let mut target = bench.target.clone();
    id.clone_into(&mut target.tenant_id);
    target.user_pool_id = text(&tenant["user_pool_id"])?;
    target.client_id = text(&app["client_id"])?;
    target.app_id = Some(text(&app["id"])?);
    let mut elsewhere = blockid;
    let other = if host == "localhost" {
        "127.0.0.1"
    } else {
        "localhost"
    };
    elsewhere["tenant_dns"] = format!("{other}:{port}").into();
    Ok((Bench::new(target)?, elsewhere))
}

/// Asks for the re-pointing until it is confirmed.
async fn repoint(api: &Stepgate, path: &str, wanted: &Value, trials: &mut Trials) -> anyhow::Result<()> {
    let mut asked = wanted.clone();
    let mut token = Value::Null;
    for (what, confirm) in [
        ("once", Value::Null),
        ("with a made-up token", json!("f".repeat(40))),
    ] {
        asked["confirm"] = confirm;
        let answer = api.change(Method::PUT, path, &asked).await?;
        let refused = answer.status == 409 && answer.body["code"] == "confirmation_required";
        trials.holds(what, refused, "confirmation_required");
        token = answer.body["confirmation"]["confirm"].clone();
    }
    let mut without_secret = wanted.clone();
    if let Some(body) = without_secret.as_object_mut() {
        body.remove("client_secret");
    }
    without_secret["confirm"] = token.clone();
    let answer = api.change(Method::PUT, path, &without_secret).await?;
    trials.holds(
        "with the secret of the old provider",
        answer.status == 422,
        "validation_failed",
    );
    asked["confirm"] = token;
    let accepted = api.change(Method::PUT, path, &asked).await?.ok("PUT")?;
    api.wait(&accepted["operation"]).await
}

/// A31: a partner's key re-points a tenant; then a late worker restores the settings of before.
pub(super) async fn a31(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let (own, elsewhere) = own_tenant(bench).await?;
    let app: App = own.main_app();
    let user = own.user().await?;
    let tokens = own.sign_in(&app, &user).await?;
    let refresh_token = tokens.refresh_token.context("no refresh token")?;
    // The control: it works before.
    own.cognito
        .refresh(&app.client_id, &refresh_token)
        .await?
        .tokens()?;
    let before = own.settings().await?;

    // From here on only links that are there count, and the user's still does.
    let mut linked_only = any_method_policy();
    linked_only["default"]["subject_link"] = "linked_only".into();
    own.api()?
        .put_policy(&own.target.tenant_id, &app.id, &linked_only)
        .await?;
    tokio::time::sleep(SETTINGS_READ).await;
    own.sign_in(&app, &user)
        .await
        .context("the link holds before the re-pointing")?;

    let path = format!("/v1/tenants/{}/blockid", own.target.tenant_id);
    repoint(own.api()?, &path, &elsewhere, &mut trials).await?;
    tokio::time::sleep(SETTINGS_READ).await;
    let since = now_ms();
    let step = own.cognito.refresh(&app.client_id, &refresh_token).await?;
    let reason = own.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason(
        "evidence of the old issuer",
        &step,
        reason,
        &[Reason::EvidenceExpired],
    );

    let challenge = own.challenge(&app, &user).await?;
    let moved = elsewhere["tenant_dns"].as_str().unwrap_or_default();
    trials.holds(
        "challenge",
        authorize_url(&challenge)?.contains(moved),
        "of the new provider",
    );
    let posted = own.posted(&challenge).await?;
    let since = now_ms();
    let step = own.answer(&app, &user, &challenge, &posted.answer()).await?;
    let reason = own.reason(&step, Trigger::Verify, &user, since).await?;
    trials.by_reason("link of the old issuer", &step, reason, &[Reason::LinkRefused]);

    // A worker that was thought dead writes the settings of before.
    let name = "STEPGATE_SETTINGS_SECRET_ARN";
    let arn = own.function_variable(Trigger::Define, name).await?;
    let late = json!({ "SecretId": arn, "SecretString": before.to_string() });
    own.aws()?.must("secretsmanager", "PutSecretValue", &late).await?;
    tokio::time::sleep(SETTINGS_READ).await;
    let since = now_ms();
    let step = own.cognito.refresh(&app.client_id, &refresh_token).await?;
    let reason = own.reason(&step, Trigger::Gate, &user, since).await?;
    trials.by_reason("older generation", &step, reason, &[Reason::EvidenceExpired]);
    Ok(trials.outcome())
}
