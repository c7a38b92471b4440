//! The real worker, killed (SIGKILL) in the middle and replaced; several workers at once.

use super::{
    holdings::assert_nothing_doubled,
    rig::{REGION, Rig},
};
use std::time::Duration;
use stepgate::{
    domain::{
        operation::{Operation, OperationState},
        pool::{PoolChange, PoolSettings},
        provisioning::StepName,
    },
    ids::TenantId,
    usecases::tenants::TenantChange,
};

/// The lease of a killed worker runs out. Waiting for it would be the same.
pub(super) async fn let_leases_run_out(rig: &Rig) {
    rig.sql(
        "UPDATE tenants SET lease_expires_at = now() - interval '1 second' WHERE lease_owner IS NOT NULL",
    )
    .await;
}

pub(super) async fn reached(rig: &Rig, tenant: TenantId, step: StepName) -> bool {
    let begun: bool = sqlx::query_scalar(
        "SELECT count(*) > 0 FROM operation_steps JOIN operations ON operation_id = operations.id
         WHERE tenant_id = $1 AND name = $2 AND operation_steps.state <> 'pending'",
    )
    .bind(tenant.to_string())
    .bind(step.as_str())
    .fetch_one(&rig.owner)
    .await
    .unwrap();
    begun || rig.read(tenant).await.ready()
}

async fn operation_begun(rig: &Rig, operation: &Operation) -> bool {
    !matches!(rig.operation(operation).await.0.state, OperationState::Pending)
}

async fn until_ready(rig: &Rig, tenant: TenantId) {
    while !rig.read(tenant).await.ready() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_every_step_is_replaced_and_nothing_is_doubled() {
    let rig = Rig::start().await;
    let (tenant, creation) = rig.tenant("Acme", PoolSettings::default()).await;
    let apps = [
        rig.app(tenant.id, "Portal").await.0,
        rig.app(tenant.id, "Admin").await.0,
    ];
    for step in StepName::ALL {
        let worker = rig.spawn_worker();
        while !reached(&rig, tenant.id, step).await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(worker);
        let_leases_run_out(&rig).await;
    }
    let _last = rig.spawn_worker();
    until_ready(&rig, tenant.id).await;
    assert_nothing_doubled(&rig, &tenant, &apps).await;
    let (operation, steps) = rig.operation(&creation).await;
    assert!(matches!(operation.state, OperationState::Succeeded { .. }));
    assert!(
        steps.iter().any(|step| step.attempts > 1),
        "no kill hit: {steps:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_at_random_leave_nothing_doubled() {
    let rig = Rig::start().await;
    for name in ["One", "Two", "Three"] {
        let (tenant, _) = rig.tenant(name, PoolSettings::default()).await;
        let apps = [
            rig.app(tenant.id, "Portal").await.0,
            rig.app(tenant.id, "Admin").await.0,
        ];
        for _ in 0..6 {
            let worker = rig.spawn_worker();
            while !reached(&rig, tenant.id, StepName::ProviderDiscovery).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(u64::from(rig.random(250)))).await;
            drop(worker);
            let_leases_run_out(&rig).await;
        }
        let _last = rig.spawn_worker();
        until_ready(&rig, tenant.id).await;
        assert_nothing_doubled(&rig, &tenant, &apps).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_while_a_stack_changes_bring_it_to_the_last_word() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let app = rig.app(tenant.id, "Portal").await.0;
    rig.run_worker().await;
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    for self_sign_up in [true, false, true, false, true] {
        let pool = PoolChange {
            self_sign_up: Some(self_sign_up),
            ..PoolChange::default()
        };
        let change = TenantChange {
            pool: Some(pool),
            ..TenantChange::default()
        };
        let (_, update) = rig.update(tenant.id, change).await;
        while !operation_begun(&rig, &update).await {
            let worker = rig.spawn_worker();
            while !operation_begun(&rig, &update).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(u64::from(rig.random(120)))).await;
            drop(worker);
            let_leases_run_out(&rig).await;
        }
        let _last = rig.spawn_worker();
        until_ready(&rig, tenant.id).await;
        let pool = rig
            .context
            .aws
            .cognito(REGION)
            .pool(&pool_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(pool.settings.admin_creates_users, !self_sign_up);
        assert_nothing_doubled(&rig, &tenant, std::slice::from_ref(&app)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_at_the_same_time_share_and_never_double() {
    let rig = Rig::start().await;
    let mut tenants = Vec::new();
    for name in ["One", "Two", "Three", "Four", "Five"] {
        let (tenant, _) = rig.tenant(name, PoolSettings::default()).await;
        let app = rig.app(tenant.id, "Portal").await.0;
        tenants.push((tenant, app));
    }
    let _workers = [rig.spawn_worker(), rig.spawn_worker(), rig.spawn_worker()];
    for (tenant, app) in &tenants {
        until_ready(&rig, tenant.id).await;
        assert_nothing_doubled(&rig, tenant, std::slice::from_ref(app)).await;
    }
    let claims: Vec<i64> = sqlx::query_scalar("SELECT fencing_token FROM tenants")
        .fetch_all(&rig.owner)
        .await
        .unwrap();
    assert_eq!(claims, [1; 5], "each tenant was claimed once");
}
