//! What AWS holds of a tenant.

use super::rig::{REGION, Rig};
use stepgate::{
    domain::{app::App, tenant::Tenant},
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
    let pools = cognito.list_user_pools().max_results(60).send().await.unwrap();
    assert_eq!(
        pools
            .user_pools()
            .iter()
            .filter(|pool| pool.name() == Some(&name))
            .count(),
        1,
        "pools of {name}"
    );

    let secrets = aws_sdk_secretsmanager::Client::new(&sdk)
        .list_secrets()
        .max_results(100)
        .send()
        .await
        .unwrap();
    let prefix = format!("stepgate/{}/", tenant.id);
    let names: Vec<_> = secrets
        .secret_list()
        .iter()
        .filter_map(|secret| secret.name())
        .collect();
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
