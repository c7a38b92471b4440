//! Users whom nobody has exported outlive a purge: nobody signs up while the tenant is deleted, and whoever came all the
//! same is seen before the pool goes.

use super::rig::{REGION, Rig};
use chrono::TimeDelta;
use stepgate::{
    domain::{
        operation::OperationState,
        pool::PoolSettings,
        tenant::{Tenant, TenantState},
    },
    error::Code,
    ids::TenantId,
    provisioning::pass::Outcome,
    usecases::{
        deletions::{self, Wanted},
        user_exports::Export,
    },
};

fn cognito(rig: &Rig) -> aws_sdk_cognitoidentityprovider::Client {
    aws_sdk_cognitoidentityprovider::Client::new(&rig.context.aws.region(REGION))
}

/// A tenant whose users sign up by themselves, with these users.
async fn open_to_all(rig: &Rig, users: &[&str]) -> Tenant {
    let pool = PoolSettings {
        self_sign_up: true,
        ..PoolSettings::default()
    };
    let (tenant, _) = rig.tenant("Acme", pool).await;
    rig.app(tenant.id, "Portal").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let tenant = rig.read(tenant.id).await;
    for name in users {
        add_user(rig, &tenant, name).await;
    }
    tenant
}

async fn add_user(rig: &Rig, tenant: &Tenant, name: &str) {
    let create = cognito(rig).admin_create_user().username(name);
    let create = create.user_pool_id(tenant.user_pool_id.as_ref().unwrap());
    create.send().await.unwrap();
}

/// Who may make users, as the pool says.
async fn only_administrators(rig: &Rig, tenant: &Tenant) -> bool {
    let pool_id = tenant.user_pool_id.as_ref().unwrap();
    let pool = rig.context.aws.cognito(REGION).pool(pool_id).await.unwrap();
    pool.unwrap().settings.admin_creates_users
}

async fn export(rig: &Rig, id: TenantId) -> usize {
    let begun = Export::begin(&rig.context, &rig.request, id, "they leave".to_owned()).await;
    let mut export = begun.unwrap();
    let mut users = 0;
    while let Some(some) = export.next().await.unwrap() {
        users += some.len();
    }
    users
}

fn with_users(confirm: Option<String>) -> Wanted {
    Wanted {
        retain_user_pool: false,
        without_export: false,
        before_its_time: false,
        confirm,
        reason: "the contract ended".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_up_to_a_deleted_tenant_until_it_is_restored() {
    let rig = Rig::start().await;
    let tenant = open_to_all(&rig, &[]).await;
    let (context, request) = (&rig.context, &rig.request);
    let pool_id = tenant.user_pool_id.as_ref().unwrap();
    let before = context.aws.cognito(REGION).pool(pool_id).await.unwrap().unwrap();
    assert!(!before.settings.admin_creates_users);

    deletions::delete(context, request, tenant.id).await.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(only_administrators(&rig, &tenant).await);
    // Deleted again, after somebody opened it by hand: it is closed again.
    let opened = context.aws.cognito(REGION);
    opened.restore_pool(pool_id, &before.settings).await.unwrap();
    let (_, (deletion, _)) = deletions::delete(context, request, tenant.id).await.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(only_administrators(&rig, &tenant).await);
    let (_, steps) = rig.operation(&deletion).await;
    let detail = steps[0].detail.as_ref().unwrap();
    assert!(detail.contains("sign-up is closed"), "{detail}");

    deletions::restore(context, request, tenant.id, "a mistake".to_owned())
        .await
        .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let after = context.aws.cognito(REGION).pool(pool_id).await.unwrap().unwrap();
    assert_eq!(
        after.settings, before.settings,
        "it is as it was, and nothing of it else"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_waits_for_whoever_came_after_the_export() {
    let rig = Rig::start().await;
    let tenant = open_to_all(&rig, &["ada", "bob"]).await;
    let id = tenant.id;
    deletions::delete(&rig.context, &rig.request, id).await.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert_eq!(export(&rig, id).await, 2);
    rig.clock.advance(TimeDelta::days(30));
    let ask = async |confirm| deletions::purge(&rig.context, &rig.request, id, with_users(confirm)).await;

    // An administrator's own tool goes on making users: there are more than were exported.
    add_user(&rig, &tenant, "carol").await;
    let refused = ask(None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ExportRequired, "{refused}");
    assert!(refused.detail().contains("about 3 users"), "{refused}");

    // As many as were exported, but others: only who reads them all sees it.
    let delete = cognito(&rig).admin_delete_user().username("bob");
    let delete = delete.user_pool_id(tenant.user_pool_id.as_ref().unwrap());
    delete.send().await.unwrap();
    let confirm = ask(None)
        .await
        .unwrap_err()
        .confirmation()
        .unwrap()
        .confirm
        .clone();
    let (_, (operation, _)) = ask(Some(confirm)).await.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    let error = rig.read(id).await.last_error.unwrap();
    assert_eq!(error.code, "users_not_exported", "{error:?}");
    assert!(
        only_administrators(&rig, &tenant).await,
        "the pool is still there"
    );

    assert_eq!(export(&rig, id).await, 2);
    assert_eq!(rig.run_worker_later().await, [Outcome::Converged]);
    let (operation, _) = rig.operation(&operation).await;
    assert!(
        matches!(operation.state, OperationState::Succeeded { .. }),
        "{operation:?}"
    );
    assert!(matches!(rig.read(id).await.state, TenantState::Deleted(_)));
    let pool_id = tenant.user_pool_id.as_ref().unwrap();
    assert!(
        rig.context
            .aws
            .cognito(REGION)
            .pool(pool_id)
            .await
            .unwrap()
            .is_none()
    );
}
