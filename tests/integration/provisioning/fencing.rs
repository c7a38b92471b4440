//! A worker that lost its claim writes nothing.

use super::rig::{REGION, Rig};
use chrono::TimeDelta;
use stepgate::{
    domain::{
        operation::{Failure, StepState},
        pool::PoolSettings,
        provisioning::{Claim, Observed, StepName},
    },
    provisioning::pass::{self, Outcome},
    storage::{
        app_clients,
        reconcile::{self, FailedPass},
        reconcile_steps::{self, StepRecord},
    },
};
use tokio_util::sync::CancellationToken;

async fn claim(rig: &Rig, owner: &str) -> Option<Claim> {
    let mut db = rig.owner.acquire().await.unwrap();
    let now = stepgate::clock::Clock::now(&*rig.clock);
    reconcile::claim_due(&mut db, owner, 10, TimeDelta::seconds(60), now)
        .await
        .unwrap()
        .pop()
}

async fn row(rig: &Rig) -> serde_json::Value {
    sqlx::query_scalar("SELECT to_jsonb(tenants) FROM tenants")
        .fetch_one(&rig.owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_exclusive_until_it_runs_out_and_then_its_writes_are_refused() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    let old = claim(&rig, "old").await.unwrap();
    assert_eq!(claim(&rig, "new").await, None, "the lease holds");
    rig.clock.advance(TimeDelta::seconds(61));
    let new = claim(&rig, "new").await.unwrap();
    assert_eq!(new.fencing_token, old.fencing_token + 1);

    let before = row(&rig).await;
    let now = stepgate::clock::Clock::now(&*rig.clock);
    let mut db = rig.owner.acquire().await.unwrap();
    let observed = Observed {
        user_pool_id: Some("pool-of-the-old-one".into()),
        ..Observed::default()
    };
    let record = StepRecord {
        step: StepName::TenantStack,
        state: StepState::Succeeded,
        detail: Some("by the old one"),
        error: None,
        aws_request_id: None,
    };
    let failure = Failure {
        code: "x".into(),
        message: "x".into(),
        hint: None,
        step: None,
        aws_request_id: None,
        at: now,
    };
    let failed = FailedPass {
        generation: 9,
        failure: &failure,
        gives_up: true,
        failed_passes: 9,
        next_attempt_at: now,
    };
    assert!(
        !reconcile::renew(&mut db, &old, now + TimeDelta::hours(1))
            .await
            .unwrap()
    );
    assert!(reconcile::load(&mut db, &old).await.unwrap().is_none());
    assert!(!reconcile_steps::open(&mut db, &old, 9, now).await.unwrap().new);
    assert!(
        !reconcile_steps::begin(&mut db, &old, 9, StepName::TenantStack, now, now)
            .await
            .unwrap()
    );
    assert!(
        !reconcile_steps::record(&mut db, &old, 9, record, &observed, now)
            .await
            .unwrap()
    );
    assert_eq!(
        app_clients::ask(&mut db, &old, app.id, now, now).await.unwrap(),
        None
    );
    assert!(!app_clients::refused(&mut db, &old, app.id).await.unwrap());
    assert!(
        !app_clients::store(&mut db, &old, app.id, "client-of-the-old-one", true)
            .await
            .unwrap()
    );
    assert_eq!(
        reconcile::next_item_generation(&mut db, &old, app.id, 0)
            .await
            .unwrap(),
        None
    );
    assert!(!reconcile::converged(&mut db, &old, 9, now).await.unwrap());
    assert!(!reconcile::failed(&mut db, &old, &failed, now).await.unwrap());
    reconcile::release(&mut db, &old).await.unwrap();
    drop(db);
    assert_eq!(row(&rig).await, before);
    assert_eq!(rig.read_app(&app).await.client_id, None);

    let mut db = rig.owner.acquire().await.unwrap();
    assert!(
        app_clients::store(&mut db, &new, app.id, "client-of-the-new-one", true)
            .await
            .unwrap()
    );
    assert_eq!(
        reconcile::next_item_generation(&mut db, &new, app.id, 6)
            .await
            .unwrap(),
        Some(7)
    );
    assert!(
        reconcile::renew(&mut db, &new, now + TimeDelta::hours(1))
            .await
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_lost_its_claim_touches_nothing_in_aws() {
    let rig = Rig::start().await;
    rig.tenant("Acme", PoolSettings::default()).await;
    let old = claim(&rig, "old").await.unwrap();
    rig.clock.advance(TimeDelta::seconds(61));
    claim(&rig, "new").await.unwrap();
    let outcome = Box::pin(pass::run(&rig.context, &old, CancellationToken::new()))
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::LeaseLost);
    let sdk = rig.context.aws.region(REGION);
    let stacks = aws_sdk_cloudformation::Client::new(&sdk)
        .describe_stacks()
        .send()
        .await
        .unwrap();
    let names: Vec<_> = stacks
        .stacks()
        .iter()
        .filter_map(|stack| stack.stack_name())
        .collect();
    assert_eq!(names, ["stepgate-cell-test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_worker_gives_its_tenant_back() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let held = claim(&rig, "stopping").await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let outcome = Box::pin(pass::run(&rig.context, &held, stop)).await.unwrap();
    assert_eq!(outcome, Outcome::Stopped);
    // No waiting for the lease.
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(rig.read(tenant.id).await.ready());
}
