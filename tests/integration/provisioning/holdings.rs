//! What AWS holds of a tenant.

use super::rig::{REGION, Rig};
use stepgate::{
    domain::{
        app::App,
        tenant::{Tenant, TenantState},
    },
    ids::TenantId,
};

/// Everything that AWS holds of a tenant, counted. Exactly one of each, whatever happened on the way.
pub(crate) async fn assert_nothing_doubled(rig: &Rig, tenant: &Tenant, apps: &[App]) {
    let tenant = rig.read(tenant.id).await;
    assert!(tenant.ready(), "not ready: {:?}", tenant.last_error);
    let pool_id = tenant.user_pool_id.unwrap();
    let sdk = rig.context.aws.region(REGION);

    let cloudformation = aws_sdk_cloudformation::Client::new(&sdk);
    let stacks = cloudformation.describe_stacks().send().await.unwrap();
    let name = format!("stepgate-{}", tenant.id.ulid());
    let own: Vec<_> = stacks
        .stacks()
        .iter()
        .filter(|stack| stack.stack_name() == Some(&name))
        .collect();
    assert_eq!(own.len(), 1, "stacks of {name}");

    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
    let pools = cognito
        .list_user_pools()
        .max_results(60)
        .into_paginator()
        .items()
        .send();
    let pools = pools.try_collect().await.unwrap();
    assert_eq!(
        pools.iter().filter(|pool| pool.name() == Some(&name)).count(),
        1,
        "pools of {name}"
    );

    let prefix = format!("stepgate/{}/", tenant.id);
    let names = secret_names(&sdk).await;
    assert_eq!(
        names.iter().filter(|name| name.starts_with(&prefix)).count(),
        2,
        "secrets of {name}: {names:?}"
    );

    let mut clients: Vec<_> = rig
        .context
        .aws
        .cognito(REGION)
        .clients(&pool_id)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.client_id)
        .collect();
    clients.sort();
    let mut stored = Vec::new();
    for app in apps {
        stored.push(rig.read_app(app).await.client_id.unwrap());
    }
    stored.sort();
    assert_eq!(clients, stored, "one client per app");

    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let items = dynamodb
        .scan()
        .table_name(format!("{name}-policies"))
        .send()
        .await
        .unwrap();
    assert_eq!(items.count(), i32::try_from(apps.len()).unwrap(), "policy items");
}

/// The tenant settings that the triggers read.
pub(crate) async fn settings_document(rig: &Rig, tenant: TenantId) -> step_up::settings::TenantSettings {
    let name: String = sqlx::query_scalar("SELECT settings_secret_name FROM tenants WHERE id = $1")
        .bind(tenant.to_string())
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    let text = rig
        .context
        .aws
        .secrets_manager(REGION)
        .value(&name)
        .await
        .unwrap()
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Everything that makes a tenant what it is, in AWS and in its row, without what differs from tenant to tenant and
/// from try to try: ids, generations, times, keys.
pub(crate) async fn fingerprint(rig: &Rig, tenant: TenantId, apps: &[App]) -> String {
    let tenant = rig.read(tenant).await;
    let name = format!("stepgate-{}", tenant.id.ulid());
    let aws = &rig.context.aws;
    let stack = aws.cloudformation(REGION).describe(&name).await.unwrap().unwrap();
    let cognito = aws.cognito(REGION);
    let pool_id = tenant.user_pool_id.clone().unwrap();
    let pool = cognito.pool(&pool_id).await.unwrap().unwrap();
    let functions = [
        &stack.outputs["ChallengeFunctionArn"],
        &stack.outputs["VerifyFunctionArn"],
    ];
    let mut parts = vec![
        format!(
            "{} {:?} {:?} {:?}",
            stack.status_text, stack.parameters, stack.outputs, stack.tags
        ),
        format!("{:?} {:?}", pool.settings, pool.custom_attributes),
    ];
    for function in functions {
        parts.push(format!(
            "{:?}",
            aws.lambda(REGION).function(function).await.unwrap()
        ));
    }
    let mut names = vec![
        (pool_id.clone(), "POOL".to_owned()),
        (tenant.id.ulid(), "TENANT".to_owned()),
    ];
    for (index, app) in apps.iter().enumerate() {
        let client_id = rig.read_app(app).await.client_id.unwrap();
        let client = cognito.client(&pool_id, &client_id).await.unwrap().unwrap();
        let item = aws
            .dynamodb(REGION)
            .policy(&format!("{name}-policies"), &client_id)
            .await
            .unwrap()
            .unwrap();
        let mut item: serde_json::Value = serde_json::from_str(&item.document).unwrap();
        for grows in ["generation", "policy_version"] {
            item[grows] = serde_json::Value::Null;
        }
        item["registration"]["created_at"] = serde_json::Value::Null;
        parts.push(format!("{client:?} {item}"));
        names.push((client_id, format!("CLIENT{index}")));
        names.push((app.id.ulid(), format!("APP{index}")));
    }
    let mut settings = serde_json::to_value(settings_document(rig, tenant.id).await).unwrap();
    settings["generation"] = serde_json::Value::Null;
    settings["event_hash_key"] = serde_json::Value::Null;
    settings["provider"]["fetched_at_unix_s"] = serde_json::Value::Null;
    // Each has a name of its own, and its own time.
    settings["registration"]["name"] = serde_json::Value::Null;
    settings["registration"]["created_at"] = serde_json::Value::Null;
    parts.push(settings.to_string());
    let secrets: (String, String) = sqlx::query_as(
        "SELECT credentials_secret_arn, observed->>'settings_secret_arn' FROM tenants WHERE id = $1",
    )
    .bind(tenant.id.to_string())
    .fetch_one(&rig.owner)
    .await
    .unwrap();
    let manager = aws.secrets_manager(REGION);
    for (arn, what) in [(secrets.0, "CREDENTIALS"), (secrets.1, "SETTINGS")] {
        let versions = manager.versions(&arn).await.unwrap();
        parts.push(format!(
            "{what} {} {}",
            versions.current.is_some(),
            versions.pending.len()
        ));
        parts.push(format!("{:?}", manager.resource_policy(&arn).await.unwrap()));
        names.push((arn, what.to_owned()));
    }
    parts.push(format!("{:?} {:?}", tenant.state, tenant.pool));
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM operations WHERE tenant_id = $1 AND state NOT IN ('succeeded', 'cancelled')",
    )
    .bind(tenant.id.to_string())
    .fetch_one(&rig.owner)
    .await
    .unwrap();
    parts.push(format!("{open} operations are open"));
    names.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    let text = parts.join("\n");
    names
        .iter()
        .fold(text, |text, (from, to)| text.replace(from.as_str(), to))
}

/// What a purge leaves of a tenant, in the form of [`fingerprint`]: its row, its report and what became of its operations.
/// That AWS holds nothing of it is for [`assert_account_holds`] to say.
pub(crate) async fn remains(rig: &Rig, tenant: &Tenant, apps: &[App]) -> String {
    let pool_id = tenant.user_pool_id.clone();
    let now = rig.read(tenant.id).await;
    let TenantState::Deleted(deletion) = now.state else {
        panic!("not deleted: {:?}", now.state);
    };
    let mut report = serde_json::to_value(deletion.report.unwrap()).unwrap();
    assert!(
        report["user_pool_id"].is_string() && pool_id.is_none_or(|id| report["user_pool_id"] == id.as_str())
    );
    report["user_pool_id"] = serde_json::Value::Null;
    for secret in report["secrets"].as_array_mut().unwrap() {
        assert!(secret["restorable_until"].is_string(), "{secret}");
        secret["restorable_until"] = serde_json::Value::Null;
        // Each name ends in a random suffix.
        let name = secret["name"].as_str().unwrap().rsplit_once('-').unwrap().0;
        secret["name"] = name.into();
    }
    let rows: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM apps WHERE tenant_id = $1),
                (SELECT count(*) FROM policy_versions v WHERE v.app_id = ANY($2)),
                (SELECT octet_length(event_hash_key)::bigint FROM tenants WHERE id = $1)",
    )
    .bind(tenant.id.to_string())
    .bind(apps.iter().map(|app| app.id.to_string()).collect::<Vec<_>>())
    .fetch_one(&rig.owner)
    .await
    .unwrap();
    let operations: Vec<(String, String)> = sqlx::query_as(
        "SELECT kind, state FROM operations WHERE tenant_id = $1 ORDER BY target_generation, kind",
    )
    .bind(tenant.id.to_string())
    .fetch_all(&rig.owner)
    .await
    .unwrap();
    format!("{report}\n{rows:?}\n{operations:?}").replace(&tenant.id.ulid(), "TENANT")
}

/// What an account holds in all, counted: exactly what so many tenants are made of, and a cell.
pub(crate) async fn assert_account_holds(rig: &Rig, tenants: usize) {
    let sdk = rig.context.aws.region(REGION);
    let ours = |name: Option<&str>| name.is_some_and(|name| name.starts_with("stepgate"));

    let cloudformation = aws_sdk_cloudformation::Client::new(&sdk);
    let stacks: Vec<_> = cloudformation
        .describe_stacks()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        stacks.iter().filter(|stack| ours(stack.stack_name())).count(),
        tenants + 1,
        "stacks"
    );

    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
    let pools = cognito
        .list_user_pools()
        .max_results(60)
        .into_paginator()
        .items()
        .send();
    assert_eq!(pools.try_collect().await.unwrap().len(), tenants, "pools");

    assert_eq!(secret_names(&sdk).await.len(), tenants * 2, "secrets");

    let functions = aws_sdk_lambda::Client::new(&sdk);
    let functions = functions
        .list_functions()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(functions.len(), tenants * 2 + 1, "functions");

    let tables = aws_sdk_dynamodb::Client::new(&sdk);
    let tables = tables
        .list_tables()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(tables.len(), tenants * 2, "tables");
}

async fn secret_names(sdk: &aws_config::SdkConfig) -> Vec<String> {
    let client = aws_sdk_secretsmanager::Client::new(sdk);
    let mut pages = client.list_secrets().into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        names.extend(
            page.secret_list()
                .iter()
                .filter_map(|secret| secret.name().map(str::to_owned)),
        );
    }
    names
}
