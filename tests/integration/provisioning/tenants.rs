//! A tenant is brought to what is asked, and to nothing else.

use super::{
    holdings::{assert_nothing_doubled, settings_document},
    rig::{REGION, Rig},
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use stepgate::{
    aws::cognito::{PasswordRules, PoolSettings as FoundSettings},
    domain::{
        operation::{OperationState, StepState},
        pool::{Attribute, PoolChange, PoolSettings, SignInWith, Tier},
        provisioning::StepName,
    },
    provisioning::pass::Outcome,
    usecases::{self, tenants::TenantChange},
};

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn attribute(name: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        mutable: true,
        max_length: Some(64),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn a_tenant_with_two_apps_becomes_ready_with_every_setting_written() {
    let rig = Rig::start().await;
    let pool = PoolSettings {
        sign_in_with: SignInWith::Email,
        attributes: vec![attribute("unit"), attribute("level")],
        ..PoolSettings::default()
    };
    let (tenant, creation) = rig.tenant("Acme", pool).await;
    let (portal, portal_operation) = rig.app(tenant.id, "Portal").await;
    let (admin, admin_operation) = rig.app(tenant.id, "Admin").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);

    for operation in [&creation, &portal_operation, &admin_operation] {
        let (operation, steps) = rig.operation(operation).await;
        assert!(
            matches!(operation.state, OperationState::Succeeded { .. }),
            "{operation:?}"
        );
        let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
        let plan: Vec<_> = StepName::plan(operation.kind)
            .iter()
            .map(|step| step.as_str())
            .collect();
        assert_eq!(names, plan);
        // A new tenant's triggers have no settings and no policies in which these could be written.
        let expected = |name: &str| match name {
            "suspension" | "exemptions" | "connection_change" => StepState::Skipped,
            _ => StepState::Succeeded,
        };
        assert!(
            steps
                .iter()
                .all(|step| step.state == expected(&step.name) && step.attempts == 1),
            "{steps:#?}"
        );
    }
    assert_nothing_doubled(&rig, &tenant, &[portal.clone(), admin]).await;

    let tenant = rig.read(tenant.id).await;
    let pool_id = tenant.user_pool_id.unwrap();
    let cognito = rig.context.aws.cognito(REGION);
    let found = cognito.pool(&pool_id).await.unwrap().unwrap();
    assert_eq!(found.custom_attributes, set(&["level", "unit"]));
    let function = |name: &str| {
        format!(
            "arn:aws:lambda:{REGION}:{}:function:stepgate-{}-{name}",
            rig.account,
            tenant.id.ulid()
        )
    };
    let challenge = function("challenge");
    let wanted = FoundSettings {
        tier: "ESSENTIALS".into(),
        native_mfa: "OFF".into(),
        deletion_protection: "ACTIVE".into(),
        remembers_devices: false,
        case_sensitive: false,
        sign_in_attributes: set(&["email"]),
        alias_attributes: set(&[]),
        first_factors: set(&["PASSWORD"]),
        verified_attributes: set(&["email"]),
        verified_before_update: set(&["email"]),
        admin_creates_users: true,
        recovery: vec!["verified_email".into()],
        password: PasswordRules {
            min_length: 12,
            lowercase: true,
            uppercase: true,
            digits: true,
            symbols: false,
            temporary_validity_days: 7,
        },
        triggers: BTreeMap::from([
            ("define_auth_challenge", challenge.clone()),
            ("create_auth_challenge", challenge.clone()),
            ("post_confirmation", challenge.clone()),
            ("verify_auth_challenge_response", function("verify")),
            ("pre_token_generation_config", format!("V2_0 {challenge}")),
        ]),
        email_identity_arn: String::new(),
        email_from: String::new(),
        hosted_domains: set(&[]),
    };
    assert_eq!(found.settings, wanted);

    let client_id = rig.read_app(&portal).await.client_id.unwrap();
    let client = cognito.client(&pool_id, &client_id).await.unwrap().unwrap();
    assert_eq!(
        client.auth_flows,
        set(&["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    );
    assert!(client.hides_unknown_users && client.token_revocation);
    assert!(!client.has_secret && !client.oauth && client.callback_urls.is_empty());
    assert!(client.read_attributes.contains("custom:unit"));
    // Policies may rest on custom attributes: the user must not be able to write them.
    assert!(
        client
            .write_attributes
            .iter()
            .all(|name| !name.starts_with("custom:"))
    );
    let minutes = (
        client.id_token_validity_min,
        client.access_token_validity_min,
        client.refresh_token_validity_min,
    );
    assert_eq!(minutes, (15, 15, 480));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_triggers_are_told_pool_provider_and_policy_and_only_verify_reads_the_secret() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let tenant = rig.read(tenant.id).await;

    let settings = settings_document(&rig, tenant.id).await;
    assert_eq!(settings.user_pool_id, tenant.user_pool_id);
    assert_eq!(settings.tenant_id, tenant.id.to_string());
    assert_eq!(settings.allowed_provider_networks, ["127.0.0.1/32"]);
    assert!(settings.provider.unwrap().token_endpoint.ends_with("/v1/token"));

    let client_id = rig.read_app(&app).await.client_id.unwrap();
    let table = format!("stepgate-{}-policies", tenant.id.ulid());
    let item = rig
        .context
        .aws
        .dynamodb(REGION)
        .policy(&table, &client_id)
        .await
        .unwrap()
        .unwrap();
    let item: step_up::policy_item::PolicyItem = serde_json::from_str(&item.document).unwrap();
    assert_eq!((item.app_id, item.policy_version), (app.id.to_string(), 1));
    assert_eq!((item.session_validity_s, item.refresh_validity_s), (180, 28_800));

    let arn: String = sqlx::query_scalar("SELECT credentials_secret_arn FROM tenants")
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    let policy = rig
        .context
        .aws
        .secrets_manager(REGION)
        .resource_policy(&arn)
        .await
        .unwrap()
        .unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let verify = format!(
        "arn:aws:iam::{0}:role/stepgate/stepgate-{1}-verify",
        rig.account,
        tenant.id.ulid()
    );
    let deny = &policy["Statement"][0];
    assert_eq!(
        (&deny["Effect"], &deny["Principal"]),
        (&json!("Deny"), &json!("*"))
    );
    assert_eq!(
        deny["Action"],
        json!([
            "secretsmanager:GetSecretValue",
            "secretsmanager:BatchGetSecretValue"
        ])
    );
    assert_eq!(
        deny["Condition"],
        json!({ "StringNotEquals": { "aws:PrincipalArn": verify } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_over_a_converged_tenant_writes_nothing() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let before = settings_document(&rig, tenant.id).await;

    rig.sql("UPDATE tenants SET generation = generation + 1").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert_eq!(settings_document(&rig, tenant.id).await, before);
    let generation: i64 = sqlx::query_scalar("SELECT policy_item_generation FROM apps")
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    assert_eq!(generation, 1);
    assert_nothing_doubled(&rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rows_forgot_is_found_in_aws_again() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let client_id = rig.read_app(&app).await.client_id;
    let pool_id = rig.read(tenant.id).await.user_pool_id;

    // As if every answer of AWS had been lost between the call and the row.
    rig.sql("UPDATE tenants SET observed = '{}', observed_generation = 0")
        .await;
    rig.sql("UPDATE apps SET client_id = NULL, policy_item_generation = 0")
        .await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert_eq!(rig.read_app(&app).await.client_id, client_id);
    assert_eq!(rig.read(tenant.id).await.user_pool_id, pool_id);
    assert_nothing_doubled(&rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_client_of_an_app_is_removed_before_anybody_hears_of_it() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    let cognito = rig.context.aws.cognito(REGION);
    let name = stepgate::aws::cognito::ClientSettings::closed(app.id.to_string());
    cognito.create_client(&pool_id, &name).await.unwrap();

    rig.sql("UPDATE tenants SET generation = generation + 1").await;
    rig.sql("UPDATE apps SET client_id = NULL, policy_item_generation = 0")
        .await;
    rig.run_worker().await;
    assert_eq!(cognito.clients(&pool_id).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_pool_go_through_and_those_that_lose_users_are_refused() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    rig.run_worker().await;
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();

    let change = PoolChange {
        self_sign_up: Some(true),
        tier: Some(Tier::Lite),
        attributes: Some(vec![attribute("unit")]),
        ..PoolChange::default()
    };
    let change = TenantChange {
        pool: Some(change),
        ..TenantChange::default()
    };
    let (_, update) = rig.update(tenant.id, change).await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(matches!(
        rig.operation(&update).await.0.state,
        OperationState::Succeeded { .. }
    ));
    let pool = rig
        .context
        .aws
        .cognito(REGION)
        .pool(&pool_id)
        .await
        .unwrap()
        .unwrap();
    assert!(!pool.settings.admin_creates_users && pool.custom_attributes.contains("unit"));
    assert!(pool.settings.triggers["pre_token_generation_config"].starts_with("V1_0 "));

    // The API refuses this; the worker does not rely on it.
    rig.sql("UPDATE tenants SET generation = generation + 1, pool = jsonb_set(pool, '{sign_in_with}', '\"email\"')").await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    let error = rig.read(tenant.id).await.last_error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("change_loses_data", Some("tenant_stack"))
    );
    assert!(
        error.message.contains("SignInWith") && error.hint.is_some(),
        "{error:?}"
    );
    assert_eq!(rig.read(tenant.id).await.user_pool_id.unwrap(), pool_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policys_maximum_age_becomes_the_refresh_validity_and_the_item_follows_the_version() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    let client_id = rig.read_app(&app).await.client_id.unwrap();
    let table = format!("stepgate-{}-policies", tenant.id.ulid());

    for (replaces, max_age_min, flows, refresh_s) in [
        (
            1,
            120,
            set(&["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
            7200,
        ),
        (2, 30, set(&["ALLOW_CUSTOM_AUTH"]), 0),
    ] {
        let document = json!({
            "schema_version": 1,
            "rules": [],
            "default": { "step_up": "required", "methods": ["liveID push", "otp", "otp sms", "otp email"], "max_age_min": max_age_min },
        });
        let written = usecases::policies::put(
            &rig.context,
            &rig.request,
            (tenant.id, app.id),
            replaces,
            usecases::policies::Content::Document(&document),
        )
        .await
        .unwrap();
        let (operation, _) = written.operation;
        assert_eq!(rig.run_worker().await, [Outcome::Converged]);
        let (operation, steps) = rig.operation(&operation).await;
        assert!(matches!(operation.state, OperationState::Succeeded { .. }));
        assert_eq!(steps.len(), 3, "a policy needs no look at the stack");
        let item = rig
            .context
            .aws
            .dynamodb(REGION)
            .policy(&table, &client_id)
            .await
            .unwrap()
            .unwrap();
        let document: step_up::policy_item::PolicyItem = serde_json::from_str(&item.document).unwrap();
        assert_eq!(
            (document.policy_version, document.refresh_validity_s),
            (replaces + 1, refresh_s)
        );
        assert_eq!(item.generation, replaces + 1);
        let client = rig
            .context
            .aws
            .cognito(REGION)
            .client(&pool_id, &client_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(client.auth_flows, flows);
    }
}
