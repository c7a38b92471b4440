//! Every call of the worker fails once, before and after it took effect; what comes of it in the end is the same.
//!
//! A [`Flow`] is something a partner asks for. It is run once without a fault for the state that it leaves, and then
//! again and again, with the first, the second, … call failing, until there is no further call. The SDK does not
//! try again here, so that each fault reaches the reconciler. To add a flow: a variant, and what it asks for in
//! [`Stage::ask`]. The [`Stage`] is in `stage.rs`.

use super::{
    holdings::{assert_account_holds, assert_nothing_doubled, fingerprint, remains},
    stage::{Stage, impatient},
};
use crate::support::{env::required, examples};
use chrono::TimeDelta;
use fault_proxy::{Fault, Plan};
use secrecy::SecretString;
use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    time::Duration,
};
use stepgate::{
    aws::Patience,
    domain::{
        app::{App, AppChange},
        pool::PoolChange,
        tenant::Tenant,
    },
    provisioning::pass::Outcome,
    usecases::{self, connections::Wanted, deletions, policies::Content, tenants::TenantChange},
    worker::jobs::remove_surplus_clients::look_through,
};

/// Something that a partner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// A tenant with two apps.
    Onboarding,
    /// Pool, app and policy are changed, there and back.
    Update,
    /// The client secret is rotated.
    Rotation,
    /// An app is deleted.
    AppDeletion,
    /// A tenant is deleted, and purged with its users when it cannot be restored any more.
    Offboarding,
}

impl Flow {
    /// Whether each round has a tenant of its own.
    const fn begins_anew(self) -> bool {
        matches!(self, Self::Onboarding | Self::Offboarding)
    }
}

impl Stage {
    async fn of(flow: Flow, patience: &Patience) -> Self {
        // Only a rotation runs a function.
        if flow == Flow::Rotation {
            Self::set_with(patience, PathBuf::from(required("STEPGATE_TEST_ARTIFACTS_DIR"))).await
        } else {
            Self::set(patience).await
        }
    }

    /// Asks for what the flow is about; rounds alternate between two states.
    async fn ask(
        &mut self,
        flow: Flow,
        present: Option<(Tenant, Vec<App>)>,
        round: usize,
    ) -> (Tenant, Vec<App>) {
        let (tenant, apps) = match present {
            Some(present) => present,
            None => self.onboard().await,
        };
        let rig = &self.rig;
        match flow {
            Flow::Onboarding => {}
            Flow::Offboarding => {
                self.to_the_end(&tenant, "a tenant to delete").await;
                deletions::delete(&rig.context, &rig.request, tenant.id)
                    .await
                    .unwrap();
            }
            Flow::Update => {
                let pool = PoolChange {
                    self_sign_up: Some(round.is_multiple_of(2)),
                    ..PoolChange::default()
                };
                rig.update(
                    tenant.id,
                    TenantChange {
                        pool: Some(pool),
                        ..TenantChange::default()
                    },
                )
                .await;
                let app = rig.read_app(&apps[0]).await;
                let minutes = if round.is_multiple_of(2) { 7 } else { 9 };
                let change = AppChange {
                    session_validity_min: Some(minutes),
                    ..AppChange::default()
                };
                let id = (tenant.id, app.id);
                let changed =
                    usecases::apps::update(&rig.context, &rig.request, id, app.revision, change).await;
                changed.unwrap();
                let mut policy = examples::policy();
                policy["default"]["attempts"] = (2 + round % 2).into();
                let says = Content::Document(&policy);
                let put =
                    usecases::policies::put(&rig.context, &rig.request, id, app.policy_version, says).await;
                put.unwrap();
            }
            Flow::Rotation => {
                let now = usecases::tenants::get(&rig.context, &rig.request, tenant.id)
                    .await
                    .unwrap();
                let wanted = Wanted {
                    blockid: rig.connection(),
                    client_secret: Some(SecretString::from("simulated-secret")),
                    issuer: None,
                    confirm: None,
                    reason: None,
                };
                usecases::connections::put(&rig.context, &rig.request, tenant.id, now.generation, wanted)
                    .await
                    .unwrap();
            }
            Flow::AppDeletion => {
                let brief = rig.app(tenant.id, "Brief").await.0;
                self.to_the_end(&tenant, "an app to delete").await;
                let id = (tenant.id, brief.id);
                usecases::apps::delete(&rig.context, &rig.request, id)
                    .await
                    .unwrap();
            }
        }
        (tenant, apps)
    }

    /// What the flow left.
    async fn left(&self, flow: Flow, (tenant, apps): &(Tenant, Vec<App>)) -> String {
        match flow {
            Flow::Offboarding => remains(&self.rig, tenant, apps).await,
            _ => fingerprint(&self.rig, tenant.id, apps).await,
        }
    }
}

/// Fails each call in turn with each of `faults`.
async fn every_call_fails_once(flow: Flow, faults: &[Fault]) {
    let mut stage = Stage::of(flow, &impatient()).await;
    // Without a fault: a tenant, and the states that the rounds leave.
    let mut present = stage.onboard().await;
    stage.to_the_end(&present.0, "set-up").await;
    let mut left = Vec::new();
    for round in 0..2 {
        let begun = (!flow.begins_anew()).then_some(present);
        present = stage.ask(flow, begun, round).await;
        stage.to_the_end(&present.0, "without a fault").await;
        left.push(stage.left(flow, &present).await);
    }
    let mut round = 2;
    for fault in faults {
        let mut call = 0;
        loop {
            let begun = (!flow.begins_anew()).then_some(present);
            present = stage.ask(flow, begun, round).await;
            let what = format!("{flow:?}, {fault:?} at call {call}");
            stage.proxy.follow(Plan::Nth(call, *fault));
            stage.to_the_end(&present.0, &what).await;
            let seen = stage.proxy.seen();
            stage.proxy.follow(Plan::Nothing);
            let struck = seen
                .iter()
                .find(|seen| seen.fault.is_some())
                .map(|seen| seen.operation.clone());
            let now = stage.left(flow, &present).await;
            assert_eq!(now, left[round % 2], "{what} ({struck:?})");
            if flow != Flow::Offboarding {
                assert_nothing_doubled(&stage.rig, &present.0, &present.1).await;
            }
            round += 1;
            if struck.is_none() {
                break;
            }
            call += 1;
        }
        println!("{flow:?}: {call} calls failed by {fault:?}");
        assert!(call > 5, "{flow:?} makes {call} calls only");
    }
    // Of those that were deleted nothing is left but the one of the set-up.
    let tenants = if flow == Flow::Offboarding {
        1
    } else {
        stage.tenants
    };
    assert_account_holds(&stage.rig, tenants).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_onboarding_fails_before_it_took_effect() {
    every_call_fails_once(Flow::Onboarding, &[Fault::Throttle]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_onboarding_loses_its_answer() {
    every_call_fails_once(Flow::Onboarding, &[Fault::CutAfter]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_an_update_fails_before_and_after() {
    every_call_fails_once(Flow::Update, &[Fault::ServerError, Fault::CutAfter]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_a_rotation_fails_before_and_after() {
    every_call_fails_once(Flow::Rotation, &[Fault::CutBefore, Fault::CutAfter]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_deletion_of_an_app_fails_before_and_after() {
    every_call_fails_once(Flow::AppDeletion, &[Fault::Throttle, Fault::CutAfter]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_an_offboarding_fails_before_and_after() {
    every_call_fails_once(Flow::Offboarding, &[Fault::Throttle, Fault::CutAfter]).await;
}

/// Old answers, slow stacks, calls that are never answered, calls that take effect when all is done, and everything else at
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn old_answers_slow_stacks_and_silence_change_nothing_in_the_end() {
    let patience = Patience {
        attempt: Duration::from_secs(2),
        ..impatient()
    };
    let mut stage = Stage::set(&patience).await;
    let (tenant, apps) = stage.onboard().await;
    stage.to_the_end(&tenant, "without a fault").await;
    let wanted = fingerprint(&stage.rig, tenant.id, &apps).await;
    let mut faults = 0;
    for (per_mille, kinds) in [
        // More than this, and old answers alone have a pass fail four times in a row: then it is given up for a while.
        (250, vec![Fault::Stale]),
        (30, vec![Fault::Silence]),
        (
            // A pass makes some forty calls, and each is tried once.
            30,
            vec![
                Fault::Throttle,
                Fault::ServerError,
                Fault::CutBefore,
                Fault::CutAfter,
                Fault::Late,
                Fault::Stale,
            ],
        ),
    ] {
        for seed in 1..4 {
            let (tenant, apps) = stage.onboard().await;
            stage.proxy.slow_stacks(3);
            stage.proxy.follow(Plan::Share {
                seed,
                per_mille,
                faults: kinds.clone(),
            });
            let what = format!("{kinds:?}, seed {seed}");
            stage.to_the_end(&tenant, &what).await;
            faults += stage
                .proxy
                .seen()
                .iter()
                .filter(|seen| seen.fault.is_some())
                .count();
            stage.proxy.follow(Plan::Nothing);
            stage.proxy.slow_stacks(0);
            stage.proxy.deliver_late().await;
            for _ in 0..3 {
                stage.rig.clock.advance(TimeDelta::minutes(10));
                look_through(&stage.rig.context).await.unwrap();
            }
            assert_eq!(fingerprint(&stage.rig, tenant.id, &apps).await, wanted, "{what}");
            assert_nothing_doubled(&stage.rig, &tenant, &apps).await;
        }
    }
    assert!(faults > 9, "{faults} faults only");
    println!("{faults} faults");
    assert_account_holds(&stage.rig, stage.tenants).await;
}

/// Looks at a stack at work that AWS refuses as too many end no pass: the next one would only look at another stack.
#[tokio::test(flavor = "multi_thread")]
async fn refused_looks_at_a_stack_at_work_end_no_pass() {
    let mut stage = Stage::set(&impatient()).await;
    stage.onboard().await;
    stage.proxy.slow_stacks(4);
    // The first look is at what is not there yet.
    let refused = Some(Fault::Throttle);
    let looks = VecDeque::from([None, refused, refused, None, refused, None, refused]);
    stage.proxy.follow(Plan::Script(HashMap::from([(
        "cloudformation:DescribeStacks",
        looks,
    )])));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Converged]);
    let seen = stage.proxy.seen();
    let refusals = seen.iter().filter(|seen| seen.fault.is_some()).count();
    assert_eq!(refusals, 4);
}

/// Nor do such looks at a change that is being computed or carried out.
#[tokio::test(flavor = "multi_thread")]
async fn refused_looks_at_a_change_end_no_pass() {
    let mut stage = Stage::set(&impatient()).await;
    let present = stage.onboard().await;
    assert_eq!(stage.rig.run_worker().await, [Outcome::Converged]);
    stage.ask(Flow::Update, Some(present), 0).await;
    stage.proxy.slow_stacks(2);
    let refused = Some(Fault::Throttle);
    // Three looks show the stack as the creation left it, the last of them as complete; the others are at the change.
    stage.proxy.follow(Plan::Script(HashMap::from([
        (
            "cloudformation:DescribeChangeSet",
            VecDeque::from([refused, refused]),
        ),
        (
            "cloudformation:DescribeStacks",
            VecDeque::from([None, None, None, refused, None, refused]),
        ),
    ])));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Converged]);
    let seen = stage.proxy.seen();
    let refusals = seen.iter().filter(|seen| seen.fault.is_some());
    assert_eq!(refusals.count(), 4);
}
