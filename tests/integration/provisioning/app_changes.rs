//! Apps that are changed and deleted, in AWS.

use super::{
    holdings::assert_nothing_doubled,
    rig::{REGION, Rig},
};
use secrecy::SecretString;
use stepgate::{
    domain::{
        app::AppChange,
        operation::OperationState,
        pool::PoolSettings,
        tenant::{Labels, Tenant},
    },
    provisioning::pass::Outcome,
    usecases::{self, create_tenant::NewTenant},
};

async fn item(rig: &Rig, tenant: &Tenant, client_id: &str) -> Option<step_up::policy_item::PolicyItem> {
    let table = format!("stepgate-{}-policies", tenant.id.ulid());
    let stored = rig
        .context
        .aws
        .dynamodb(REGION)
        .policy(&table, client_id)
        .await
        .unwrap();
    stored.map(|stored| serde_json::from_str(&stored.document).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_app_keeps_its_client_and_the_triggers_hear_of_it() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let client_id = rig.read_app(&app).await.client_id.unwrap();
    let change = AppChange {
        session_validity_min: Some(9),
        access_token_validity_min: Some(5),
        ..AppChange::default()
    };
    let (_, (operation, _)) =
        usecases::apps::update(&rig.context, &rig.request, (tenant.id, app.id), 1, change)
            .await
            .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let (operation, steps) = rig.operation(&operation).await;
    assert!(matches!(operation.state, OperationState::Succeeded { .. }));
    assert_eq!(steps.len(), 3, "an app needs no look at the stack");
    let tenant = rig.read(tenant.id).await;
    let pool_id = tenant.user_pool_id.clone().unwrap();
    let cognito = rig.context.aws.cognito(REGION);
    let client = cognito.client(&pool_id, &client_id).await.unwrap().unwrap();
    assert_eq!(
        (client.session_validity_min, client.access_token_validity_min),
        (9, 5)
    );
    assert_eq!(
        item(&rig, &tenant, &client_id).await.unwrap().session_validity_s,
        540
    );
    assert_nothing_doubled(&rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_app_leaves_nothing_in_aws_and_others_stay() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (gone, _) = rig.app(tenant.id, "Gone").await;
    let (stays, _) = rig.app(tenant.id, "Stays").await;
    rig.run_worker().await;
    let tenant = rig.read(tenant.id).await;
    let pool_id = tenant.user_pool_id.clone().unwrap();
    let gone_client = rig.read_app(&gone).await.client_id.unwrap();
    let stays_client = rig.read_app(&stays).await.client_id.unwrap();
    let (_, (operation, _)) = usecases::apps::delete(&rig.context, &rig.request, (tenant.id, gone.id))
        .await
        .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(matches!(
        rig.operation(&operation).await.0.state,
        OperationState::Succeeded { .. }
    ));
    let cognito = rig.context.aws.cognito(REGION);
    assert!(cognito.client(&pool_id, &gone_client).await.unwrap().is_none());
    assert!(item(&rig, &tenant, &gone_client).await.is_none());
    assert!(item(&rig, &tenant, &stays_client).await.is_some());
    assert_nothing_doubled(&rig, &tenant, &[stays]).await;
    let removed: bool = sqlx::query_scalar("SELECT removed_at IS NOT NULL FROM apps WHERE id = $1")
        .bind(gone.id.to_string())
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    assert!(removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_id_was_lost_goes_with_its_app() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    rig.sql("UPDATE apps SET client_id = NULL").await;
    usecases::apps::delete(&rig.context, &rig.request, (tenant.id, app.id))
        .await
        .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    let left = rig.context.aws.cognito(REGION).clients(&pool_id).await.unwrap();
    assert_eq!(left.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_not_protected_and_anything_else_is() {
    let rig = Rig::start().await;
    let new = NewTenant {
        name: "Sandbox".to_owned(),
        cell_id: None,
        region: None,
        blockid: rig.connection(),
        client_secret: SecretString::from("simulated-secret"),
        pool: PoolSettings::default(),
        sandbox: true,
        external_id: None,
        labels: Labels::new(),
    };
    let (sandbox, _) = usecases::create_tenant::create(&rig.context, &rig.request, new)
        .await
        .unwrap();
    let (kept, _) = rig.tenant("Kept", PoolSettings::default()).await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged, Outcome::Converged]);
    for (tenant, protection) in [(sandbox, "INACTIVE"), (kept, "ACTIVE")] {
        let tenant = rig.read(tenant.id).await;
        let pool_id = tenant.user_pool_id.unwrap();
        let pool = rig
            .context
            .aws
            .cognito(REGION)
            .pool(&pool_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pool.settings.deletion_protection, protection);
        let stack = format!("stepgate-{}", tenant.id.ulid());
        let stack = rig
            .context
            .aws
            .cloudformation(REGION)
            .describe(&stack)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stack.tags.contains_key("stepgate:sandbox"), tenant.sandbox);
    }
}
