//! The real worker, killed (SIGKILL) several times in the middle of a rollout and replaced, also while it is paused.

use super::{Fleet, count, plan, variant};
use crate::provisioning::{holdings::assert_nothing_doubled, rig::Process};
use serde_json::Value;
use std::time::{Duration, Instant};
use stepgate::{
    domain::rollout::{RolloutState, TenantStage},
    usecases::rollouts::{self, Progress},
};

/// Kills before the pause, and after it.
const KILLS: [u32; 2] = [6, 6];
/// How long a worker may take to do something that is seen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything by which it is seen that a worker did something for the rollout.
async fn traces(fleet: &Fleet) -> Value {
    sqlx::query_scalar(
        "SELECT jsonb_build_array(
             (SELECT jsonb_agg(jsonb_build_array(state, wave, soaking_since) ORDER BY id) FROM rollouts),
             (SELECT jsonb_agg(jsonb_build_array(tenant_id, stage, probes) ORDER BY tenant_id) FROM rollout_tenants),
             (SELECT jsonb_agg(jsonb_build_array(operation_id, position, s.state) ORDER BY operation_id, position)
              FROM operation_steps s JOIN operations o ON o.id = operation_id WHERE kind = 'change_release'))",
    )
    .fetch_one(&fleet.rig.owner)
    .await
    .unwrap()
}

/// Changes of releases that a worker is in the middle of, or was when it was killed.
async fn running(fleet: &Fleet) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM operations WHERE kind = 'change_release' AND state = 'running'")
        .fetch_one(&fleet.rig.owner)
        .await
        .unwrap()
}

/// Kills a worker. Its leases run out; waiting for that would be the same.
async fn kill(fleet: &Fleet, worker: Process) {
    drop(worker);
    fleet
        .rig
        .sql(
            "UPDATE tenants SET lease_expires_at = now() - interval '1 second' WHERE lease_owner IS NOT NULL;
             UPDATE rollouts SET lease_expires_at = now() - interval '1 second' WHERE lease_owner IS NOT NULL",
        )
        .await;
}

/// One worker after the other is killed: every second one as soon as a tenant is being changed, the others a little after
/// they did anything at all. Returns after how many of the kills a change was left in the middle.
async fn kill_again_and_again(fleet: &Fleet, begun: &Progress, kills: u32) -> u32 {
    let mut in_the_middle = 0;
    for number in 0..kills {
        let before = traces(fleet).await;
        let worker = fleet.rig.spawn_worker();
        let started = Instant::now();
        while traces(fleet).await == before || (number % 2 == 0 && running(fleet).await == 0) {
            assert!(started.elapsed() < PATIENCE, "the worker does nothing: {before}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if number % 2 == 1 {
            tokio::time::sleep(Duration::from_millis(u64::from(fleet.rig.random(120)))).await;
        }
        kill(fleet, worker).await;
        in_the_middle += u32::from(running(fleet).await > 0);
        let progress = fleet.progress(begun).await;
        assert!(
            !progress.rollout.state.has_ended(),
            "it ended before kill {number}: {progress:?}"
        );
    }
    in_the_middle
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_in_the_middle_of_a_rollout_are_replaced_and_every_tenant_is_changed_once() {
    let fleet = Fleet::of(&["One", "Two", "Three", "Four", "Five", "Six"]).await;
    let (release, new) = fleet.apply(&variant(&format!("two-{}", fleet.rig.account))).await;
    let begun = fleet.begin(&release, plan(&[40, 60])).await;
    let mut in_the_middle = kill_again_and_again(&fleet, &begun, KILLS[0]).await;

    // A worker dies, the rollout is paused, and two more die over it: nobody is taken up meanwhile.
    let (rig, id) = (&fleet.rig, begun.rollout.id);
    let paused = rollouts::pause(&rig.context, &fleet.operator, id, "lunch".to_owned()).await;
    let paused = paused.unwrap();
    assert_eq!(paused.rollout.state, RolloutState::Paused);
    let waiting = count(&paused, TenantStage::Pending);
    assert!(waiting > 0, "nobody is left to be taken up: {paused:?}");
    for _ in 0..2 {
        let worker = rig.spawn_worker();
        tokio::time::sleep(Duration::from_secs(3)).await;
        kill(&fleet, worker).await;
        let progress = fleet.progress(&begun).await;
        assert_eq!(
            (
                progress.rollout.state,
                progress.rollout.wave,
                count(&progress, TenantStage::Pending)
            ),
            (RolloutState::Paused, paused.rollout.wave, waiting),
            "{progress:?}"
        );
    }
    let resumed = rollouts::resume(&rig.context, &fleet.operator, id, "back".to_owned()).await;
    assert_eq!(resumed.unwrap().rollout.state, RolloutState::Running);

    in_the_middle += kill_again_and_again(&fleet, &begun, KILLS[1]).await;
    assert!(in_the_middle > 1, "no kill hit a change");
    let _last = rig.spawn_worker();
    let started = Instant::now();
    while !fleet.progress(&begun).await.rollout.state.has_ended() {
        assert!(
            started.elapsed() < 3 * PATIENCE,
            "{:?}",
            fleet.progress(&begun).await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let ended = fleet.progress(&begun).await;
    assert_eq!(
        (ended.rollout.state, count(&ended, TenantStage::Updated)),
        (RolloutState::Succeeded, 6),
        "{ended:?}"
    );
    assert!(ended.remarks.is_empty(), "{ended:?}");
    assert_eq!(fleet.all_running().await, vec![new; 6]);
    for tenant in &fleet.tenants {
        assert_nothing_doubled(rig, tenant, &[]).await;
        let now = rig.read(tenant.id).await;
        assert_eq!(
            (now.wanted_release.as_ref(), now.running_release.as_ref()),
            (Some(&release), Some(&release))
        );
        assert_eq!(fleet.release_changes(tenant).await, 1, "{}", tenant.name);
    }
    let told: Vec<(String, i64)> = sqlx::query_as(
        "SELECT action, count(*) FROM audit_log
         WHERE action LIKE 'rollout%' OR action = 'tenant_release_changed' GROUP BY action ORDER BY action",
    )
    .fetch_all(&rig.owner)
    .await
    .unwrap();
    let expected = [
        // Two more waves, and the end.
        ("rollout_advanced", 3),
        ("rollout_created", 1),
        ("rollout_paused", 1),
        ("rollout_resumed", 1),
        ("tenant_release_changed", 6),
    ];
    assert_eq!(told, expected.map(|(action, count)| (action.to_owned(), count)));
    println!(
        "{} kills, {in_the_middle} of them in the middle of a change",
        KILLS[0] + KILLS[1] + 2
    );
}
