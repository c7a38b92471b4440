//! Rollouts, on stacks and real trigger binaries: a good release reaches everybody in waves, one that crashes stops at the
//! canary and is taken back, one with which steps-up fail is taken back, and a worker that dies is followed by another.

mod kills;

use crate::{
    installation::Installation,
    provisioning::rig::{REGION, Rig, cell_request, placeholder_artifacts},
    support::env::required,
};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use stepgate::{
    domain::{
        actor::{Actor, Role},
        cell::{Artifacts, release_name},
        pool::PoolSettings,
        provisioning::Observed,
        rollout::{Plan, RolloutState, StopCode, TenantStage},
        tenant::Tenant,
    },
    ids::KeyId,
    provisioning::{cell::apply, template},
    usecases::{
        Request,
        idempotency::Once,
        rollouts::{self, NewRollout, Progress},
    },
    worker::jobs::advance_rollouts::look_at_all,
};

/// The trigger artifacts of this build as a release of their own: the same programs, told apart by the zips' comments.
fn variant(comment: &str) -> PathBuf {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let built = PathBuf::from(required("STEPGATE_TEST_ARTIFACTS_DIR"));
    let folder = std::env::temp_dir().join(format!("stepgate-release-{comment}"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(built.join("manifest.json")).unwrap()).unwrap();
    for name in ["challenge", "verify", "forwarder"] {
        let mut zip = std::fs::read(built.join(format!("{name}.zip"))).unwrap();
        if name != "forwarder" {
            // The end of the central directory ends with the length of the comment, and the comment.
            let length = zip.len();
            assert_eq!(
                zip[length - 22..length - 18],
                *b"PK\x05\x06",
                "a comment is there already"
            );
            zip.truncate(length - 2);
            zip.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
            zip.extend(comment.as_bytes());
        }
        std::fs::write(folder.join(format!("{name}.zip")), &zip).unwrap();
        manifest["artifacts"][name]["sha256_base64"] = BASE64_STANDARD.encode(Sha256::digest(&zip)).into();
    }
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    folder
}

/// A cell whose tenants run the triggers of this build.
struct Fleet {
    rig: Rig,
    operator: Request,
    tenants: Vec<Tenant>,
    current: Artifacts,
}

impl Fleet {
    async fn of(names: &[&str]) -> Self {
        let rig = Rig::start().await;
        let key = KeyId::generate(&rig.context.ids, chrono::DateTime::UNIX_EPOCH);
        let operator = Request::new(Actor::key(key, Role::Operator, None), "req-operator");
        // Nobody lives there yet: what is applied is current at once.
        let folder = variant(&format!("one-{}", rig.account));
        let cell = apply(&rig.context, &cell_request(&folder), &mut |_| {})
            .await
            .unwrap();
        let mut tenants = Vec::new();
        for name in names {
            tenants.push(rig.tenant(name, PoolSettings::default()).await.0);
            rig.clock.advance(TimeDelta::seconds(1));
        }
        rig.run_worker().await;
        let fleet = Self {
            current: cell.artifacts,
            rig,
            operator,
            tenants,
        };
        for tenant in &fleet.tenants {
            assert!(fleet.rig.read(tenant.id).await.ready());
            assert_eq!(fleet.running(tenant).await, fleet.current.challenge.sha256_base64);
        }
        fleet
    }

    /// Registers a release and returns its name and the digest of its `challenge`.
    async fn apply(&self, folder: &std::path::Path) -> (String, String) {
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let digest = |name: &str| {
            manifest["artifacts"][name]["sha256_base64"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let cell = apply(&self.rig.context, &cell_request(folder), &mut |_| {})
            .await
            .unwrap();
        assert_eq!(
            cell.artifacts, self.current,
            "a release is no reason for new tenants to run it"
        );
        let mut artifacts = self.current.clone();
        manifest["version"]
            .as_str()
            .unwrap()
            .clone_into(&mut artifacts.version);
        artifacts.challenge.sha256_base64 = digest("challenge");
        artifacts.verify.sha256_base64 = digest("verify");
        (
            release_name(&artifacts, &template::tenant().digest),
            digest("challenge"),
        )
    }

    async fn begin(&self, release: &str, plan: Plan) -> Progress {
        let new = NewRollout {
            release: release.to_owned(),
            cell_ids: None,
            plan,
        };
        rollouts::create(&self.rig.context, &self.operator, new, &Once::never())
            .await
            .unwrap()
    }

    async fn progress(&self, begun: &Progress) -> Progress {
        rollouts::get(&self.rig.context, &self.operator, begun.rollout.id)
            .await
            .unwrap()
    }

    /// One look of a worker at rollouts, and whatever passes that makes due.
    async fn look(&self, owner: &str) {
        look_at_all(&self.rig.context, owner).await.unwrap();
        self.rig.run_worker().await;
        self.rig.clock.advance(TimeDelta::seconds(1));
    }

    /// Looks until the rollout is as `is`.
    async fn until(&self, owner: &str, begun: &Progress, is: impl Fn(&Progress) -> bool) -> Progress {
        for _ in 0..200 {
            let progress = self.progress(begun).await;
            if is(&progress) {
                return progress;
            }
            self.look(owner).await;
        }
        panic!("it never came to that: {:?}", self.progress(begun).await);
    }

    /// Looks until the rollout has ended.
    async fn ended(&self, owner: &str, begun: &Progress) -> Progress {
        self.until(owner, begun, |progress| progress.rollout.state.has_ended())
            .await
    }

    /// Digest of the code that `challenge` of a tenant runs in AWS.
    async fn running(&self, tenant: &Tenant) -> String {
        let observed: sqlx::types::Json<Observed> =
            sqlx::query_scalar("SELECT observed FROM tenants WHERE id = $1")
                .bind(tenant.id.to_string())
                .fetch_one(&self.rig.owner)
                .await
                .unwrap();
        let arn = observed.0.stack.unwrap().challenge_function_arn;
        self.rig
            .context
            .aws
            .lambda(REGION)
            .function(&arn)
            .await
            .unwrap()
            .code_sha256
    }

    async fn all_running(&self) -> Vec<String> {
        let mut running = Vec::new();
        for tenant in &self.tenants {
            running.push(self.running(tenant).await);
        }
        running
    }

    /// Operations that changed the release of a tenant.
    async fn release_changes(&self, tenant: &Tenant) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM operations WHERE kind = 'change_release' AND tenant_id = $1")
            .bind(tenant.id.to_string())
            .fetch_one(&self.rig.owner)
            .await
            .unwrap()
    }
}

fn plan(wave_percents: &[u32]) -> Plan {
    Plan {
        canary: 1,
        wave_percents: wave_percents.to_vec(),
        soak_s: 0,
        ..Plan::default()
    }
}

fn count(progress: &Progress, stage: TenantStage) -> u32 {
    let counts = progress.stages.iter().filter(|(_, at, _)| *at == stage);
    counts.map(|(_, _, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_release_reaches_every_tenant_wave_by_wave_and_new_ones_get_it() {
    let fleet = Fleet::of(&["One", "Two", "Three"]).await;
    let old = fleet.current.challenge.sha256_base64.clone();
    let (release, new) = fleet.apply(&variant(&format!("two-{}", fleet.rig.account))).await;
    let begun = fleet.begin(&release, plan(&[50, 50])).await;
    let after_canary = fleet
        .until("a", &begun, |progress| progress.rollout.wave == 1)
        .await;
    assert_eq!(count(&after_canary, TenantStage::Updated), 1);
    assert_eq!(
        fleet.all_running().await,
        [new.clone(), old.clone(), old],
        "the canary alone"
    );
    assert!(fleet.rig.read(fleet.tenants[0].id).await.ready());

    let ended = fleet.ended("a", &begun).await;
    assert_eq!(
        (ended.rollout.state, ended.rollout.wave),
        (RolloutState::Succeeded, 2),
        "{ended:?}"
    );
    assert!(ended.remarks.is_empty(), "{ended:?}");
    assert_eq!(fleet.all_running().await, [new.clone(), new.clone(), new]);
    for tenant in &fleet.tenants {
        let tenant = fleet.rig.read(tenant.id).await;
        assert!(tenant.ready());
        assert_eq!(
            (tenant.wanted_release.as_ref(), tenant.running_release.as_ref()),
            (Some(&release), Some(&release))
        );
    }
    let (late, _) = fleet.rig.tenant("Late", PoolSettings::default()).await;
    assert_eq!(fleet.rig.read(late.id).await.wanted_release, Some(release));
    let told: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM audit_log WHERE action LIKE 'rollout%' OR action = 'tenant_release_changed' ORDER BY position",
    )
    .fetch_all(&fleet.rig.owner)
    .await
    .unwrap();
    let told_of = |action: &str| told.iter().filter(|one| *one == action).count();
    assert_eq!(
        (told_of("rollout_created"), told_of("tenant_release_changed")),
        (1, 3)
    );
    assert_eq!(
        told_of("rollout_advanced"),
        3,
        "two more waves, and the end: {told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_crashes_stops_at_the_canary_is_taken_back_and_touches_nobody_else() {
    let fleet = Fleet::of(&["One", "Two", "Three"]).await;
    let old = fleet.current.challenge.sha256_base64.clone();
    let before = fleet.rig.read(fleet.tenants[1].id).await;
    // There is no program in it.
    let (release, broken) = fleet
        .apply(&placeholder_artifacts(&format!("broken-{}", fleet.rig.account)))
        .await;
    let begun = fleet.begin(&release, plan(&[100])).await;
    let stopped = fleet
        .until("a", &begun, |progress| {
            progress.rollout.state == RolloutState::RollingBack
        })
        .await;
    assert_eq!(
        stopped.rollout.stopped.as_ref().unwrap().code,
        StopCode::TenantsFailed
    );
    assert_eq!(fleet.all_running().await, [broken, old.clone(), old.clone()]);

    let ended = fleet.ended("a", &begun).await;
    assert_eq!(ended.rollout.state, RolloutState::RolledBack);
    assert_eq!(
        (
            count(&ended, TenantStage::Returned),
            count(&ended, TenantStage::Skipped)
        ),
        (1, 2),
        "{ended:?}"
    );
    assert!(
        ended.remarks[0].detail.contains("fails since the update"),
        "{ended:?}"
    );
    assert_eq!(fleet.all_running().await, [old.clone(), old.clone(), old]);
    assert!(fleet.rig.read(fleet.tenants[0].id).await.ready());
    let after = fleet.rig.read(fleet.tenants[1].id).await;
    assert_eq!(
        (after.generation, after.wanted_release),
        (before.generation, before.wanted_release)
    );
    assert_eq!(fleet.release_changes(&fleet.tenants[0]).await, 2);
    assert_eq!(fleet.release_changes(&fleet.tenants[1]).await, 0);
    let (late, _) = fleet.rig.tenant("Late", PoolSettings::default()).await;
    assert_ne!(fleet.rig.read(late.id).await.wanted_release, Some(release));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_with_which_fewer_steps_up_succeed_is_taken_back_also_while_it_is_paused() {
    let fleet = Fleet::of(&["One", "Two"]).await;
    let (release, new) = fleet.apply(&variant(&format!("two-{}", fleet.rig.account))).await;
    let steps_up = async |minutes: i64, outcome: &str, events: i64| {
        let slice = stepgate::clock::Clock::now(&*fleet.rig.clock) + TimeDelta::minutes(minutes);
        sqlx::query("SELECT make_event_partitions($1::date - 2, $1::date + 2)")
            .bind(slice)
            .execute(&fleet.rig.owner)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO step_up_minutes (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version,
                                          partner_id, events, cold_starts, fallbacks)
             SELECT id, date_trunc('minute', $2::timestamptz), '', '', $3, '', 1, '', partner_id, $4, 0, 0 FROM tenants WHERE id = $1",
        )
        .bind(fleet.tenants[0].id.to_string())
        .bind(slice)
        .bind(outcome)
        .bind(events)
        .execute(&fleet.rig.owner)
        .await
        .unwrap();
    };
    // Of a hundred journeys 95 succeed, three are refused and two are not answered.
    steps_up(-60, "started", 100).await;
    steps_up(-60, "ended", 98).await;
    steps_up(-60, "succeeded", 95).await;
    steps_up(-60, "failed", 3).await;
    let watched = Plan {
        soak_s: 900,
        ..plan(&[100])
    };
    let begun = fleet.begin(&release, watched).await;
    fleet
        .until("a", &begun, |progress| progress.rollout.soaking_since.is_some())
        .await;
    assert_eq!(fleet.running(&fleet.tenants[0]).await, new);

    // As good as before: nothing happens. The soak is not over, so nobody else is taken up either.
    fleet.rig.clock.advance(TimeDelta::minutes(2));
    steps_up(0, "started", 30).await;
    steps_up(0, "ended", 30).await;
    steps_up(0, "succeeded", 30).await;
    fleet.look("a").await;
    let fine = fleet.progress(&begun).await;
    assert_eq!(
        (fine.rollout.state, fine.rollout.wave),
        (RolloutState::Running, 0)
    );
    let health = fine.rollout.health.unwrap();
    assert_eq!(
        (
            health.before.succeeded,
            health.before.failed,
            health.after.succeeded
        ),
        (95, 5, 30)
    );

    let paused = rollouts::pause(
        &fleet.rig.context,
        &fleet.operator,
        begun.rollout.id,
        "lunch".to_owned(),
    )
    .await;
    assert_eq!(paused.unwrap().rollout.state, RolloutState::Paused);
    fleet.rig.clock.advance(TimeDelta::hours(1));
    fleet.look("a").await;
    let paused = fleet.progress(&begun).await;
    assert_eq!(
        (paused.rollout.state, paused.rollout.wave),
        (RolloutState::Paused, 0),
        "nobody is taken up"
    );
    // Users come and cannot answer: nothing is refused. That says nothing until their sessions are over.
    steps_up(0, "started", 20).await;
    fleet.look("a").await;
    let open = fleet.progress(&begun).await.rollout;
    assert_eq!(
        (open.state, open.health.unwrap().after.failed),
        (RolloutState::Paused, 0)
    );
    fleet.rig.clock.advance(TimeDelta::minutes(16));
    let ended = fleet.ended("a", &begun).await;
    assert_eq!(ended.rollout.state, RolloutState::RolledBack);
    let stopped = ended.rollout.stopped.unwrap();
    assert_eq!(stopped.code, StopCode::StepUpsFail);
    assert!(
        stopped.detail.contains("60 % of 50") && stopped.detail.contains("95 % of 100"),
        "{}",
        stopped.detail
    );
    assert_eq!(
        fleet.running(&fleet.tenants[0]).await,
        fleet.current.challenge.sha256_base64
    );
    assert_eq!(fleet.release_changes(&fleet.tenants[1]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_die_anywhere_are_followed_by_others_and_nobody_is_changed_twice() {
    let fleet = Fleet::of(&["One", "Two"]).await;
    let (release, new) = fleet.apply(&variant(&format!("two-{}", fleet.rig.account))).await;
    let begun = fleet.begin(&release, plan(&[100])).await;
    let mut died = 0;
    for index in 0_u64..400 {
        if fleet.progress(&begun).await.rollout.state.has_ended() {
            break;
        }
        let owner = format!("worker-{index}");
        // Dropped wherever it is by then; what it has not committed never happened.
        // Some live long enough to hear what functions answer.
        let patience_ms = if index % 4 == 3 {
            20_000
        } else {
            u64::from(fleet.rig.random(200))
        };
        let patience = std::time::Duration::from_millis(patience_ms);
        let look = look_at_all(&fleet.rig.context, &owner);
        died += u32::from(tokio::time::timeout(patience, look).await.is_err());
        fleet.rig.run_worker().await;
        // Its lease is over, and another takes the rollout.
        fleet.rig.clock.advance(TimeDelta::minutes(2));
    }
    let ended = fleet.progress(&begun).await;
    assert_eq!(ended.rollout.state, RolloutState::Succeeded, "{ended:?}");
    assert_eq!(fleet.all_running().await, [new.clone(), new]);
    for tenant in &fleet.tenants {
        assert_eq!(fleet.release_changes(tenant).await, 1);
    }
    println!("{died} workers died");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    let fleet = Fleet::of(&["One"]).await;
    let (release, _) = fleet.apply(&variant(&format!("two-{}", fleet.rig.account))).await;
    let begun = fleet.begin(&release, plan(&[100])).await;
    assert!(
        look_at_all(&fleet.rig.context, "a").await.unwrap(),
        "it is taken up"
    );
    let seen = fleet.progress(&begun).await.stages;
    // `a` holds it: `b` finds nothing to do, and `a` nothing once `b` has it.
    assert!(!look_at_all(&fleet.rig.context, "b").await.unwrap());
    assert_eq!(fleet.progress(&begun).await.stages, seen);
    fleet.rig.clock.advance(TimeDelta::minutes(2));
    assert!(look_at_all(&fleet.rig.context, "b").await.unwrap());
    let seen = fleet.progress(&begun).await.stages;
    assert!(!look_at_all(&fleet.rig.context, "a").await.unwrap());
    assert_eq!(fleet.progress(&begun).await.stages, seen);
    assert_eq!(
        fleet.ended("b", &begun).await.rollout.state,
        RolloutState::Succeeded
    );
}

/// A release without programs. Its forwarder, which the cell shares, is in order.
fn broken(comment: &str) -> PathBuf {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let folder = variant(comment);
    let empty = placeholder_artifacts(comment);
    let path = folder.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for name in ["challenge", "verify"] {
        let zip = std::fs::read(empty.join(format!("{name}.zip"))).unwrap();
        std::fs::write(folder.join(format!("{name}.zip")), &zip).unwrap();
        manifest["artifacts"][name]["sha256_base64"] = BASE64_STANDARD.encode(Sha256::digest(&zip)).into();
    }
    std::fs::write(path, manifest.to_string()).unwrap();
    folder
}

/// Registers a release in the installation's cell, as an operator does, and returns its name.
async fn apply_by_hand(installation: &Installation, folder: &std::path::Path, cell: &str) -> String {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let arguments = [
        "cell",
        "apply",
        "--name",
        "e2e",
        "--region",
        REGION,
        "--architecture",
        architecture,
    ];
    let more = [
        "--artifacts",
        folder.to_str().unwrap(),
        "--allowed-provider-network",
        "127.0.0.1/32",
    ];
    installation
        .service(None, &[&arguments[..], &more[..]].concat())
        .finish();
    let releases = installation
        .operator
        .get(&format!("/v1/cells/{cell}/releases"))
        .await
        .unwrap();
    releases["items"][0]["name"].as_str().unwrap().to_owned()
}

/// Begins a rollout for the tenants of this test and waits for its end.
async fn roll_out(installation: &Installation, release: &str) -> serde_json::Value {
    let plan =
        serde_json::json!({"labels": {"fleet": "rolled"}, "canary": 1, "wave_percents": [100], "soak_s": 0});
    let body = serde_json::json!({ "release": release, "plan": plan });
    let begun = installation.operator.post("/v1/rollouts", &body).await.unwrap();
    let path = format!("/v1/rollouts/{}", begun["id"].as_str().unwrap());
    for _ in 0..600 {
        let rollout = installation.operator.get(&path).await.unwrap();
        if !rollout["finished_at"].is_null() {
            return rollout;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!(
        "the rollout has no end: {:?}",
        installation.operator.get(&path).await
    );
}

#[test]
fn users_sign_in_by_a_good_release_and_a_broken_one_hurts_nobody_but_the_canary_for_a_moment() {
    crate::installation::run(|installation| async move {
        let canary = installation.onboard("Rolled first").await;
        let other = installation.onboard("Rolled second").await;
        for tenant in [&canary, &other] {
            sqlx::query("UPDATE tenants SET labels = '{\"fleet\": \"rolled\"}' WHERE id = $1")
                .bind(&tenant.id)
                .execute(&mut installation.database().await)
                .await
                .unwrap();
        }
        let cell = canary.made["tenant"]["cell_id"].as_str().unwrap();
        let unique = attacks::bench::random_letters(8);
        let (user, other_user) = (
            canary.bench.user().await.unwrap(),
            other.bench.user().await.unwrap(),
        );

        let good = apply_by_hand(installation, &variant(&format!("good-{unique}")), cell).await;
        let rolled = roll_out(installation, &good).await;
        assert_eq!(rolled["state"], "succeeded", "{rolled}");
        for (tenant, user) in [(&canary, &user), (&other, &other_user)] {
            tenant.bench.sign_in(&tenant.app(), user).await.unwrap();
            let now = installation
                .partner
                .get(&format!("/v1/tenants/{}", tenant.id))
                .await
                .unwrap();
            assert_eq!(
                (&now["running_release"], &now["ready"]),
                (&good.as_str().into(), &true.into()),
                "{now}"
            );
        }

        let bad = apply_by_hand(installation, &broken(&format!("broken-{unique}")), cell).await;
        let over = tokio_util::sync::CancellationToken::new();
        let sign_ins = async {
            let mut signed_in = 0;
            while !over.is_cancelled() || signed_in == 0 {
                other
                    .bench
                    .sign_in(&other.app(), &other_user)
                    .await
                    .expect("nobody touches this tenant");
                signed_in += 1;
            }
            signed_in
        };
        let rollout = async {
            let rolled = roll_out(installation, &bad).await;
            over.cancel();
            rolled
        };
        let (signed_in, rolled) = tokio::join!(sign_ins, rollout);
        assert_eq!(
            (&rolled["state"], &rolled["stopped"]["code"]),
            (&"rolled_back".into(), &"tenants_failed".into()),
            "{rolled}"
        );
        let now = installation
            .partner
            .get(&format!("/v1/tenants/{}", canary.id))
            .await
            .unwrap();
        assert_eq!(
            (&now["running_release"], &now["ready"]),
            (&good.as_str().into(), &true.into()),
            "{now}"
        );
        canary
            .bench
            .sign_in(&canary.app(), &user)
            .await
            .expect("the canary is back");
        println!("{signed_in} sign-ins beside a broken release");
    });
}
