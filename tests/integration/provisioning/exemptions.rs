//! Exemptions on their way to the triggers: into the policy item when approved, out of it when ended.

use super::rig::{REGION, Rig};
use chrono::TimeDelta;
use step_up::policy_item::{Exemption, PolicyItem};
use stepgate::{
    domain::{
        actor::{Identity, OperatorScope},
        app::App,
        operation::{OperationState, StepState},
    },
    ids::{KeyId, TenantId},
    provisioning::pass::Outcome,
    usecases::{
        Request,
        exemptions::{self, NewExemption},
    },
};

const SUB: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";

async fn item(rig: &Rig, tenant: TenantId, app: &App) -> PolicyItem {
    let observed = sqlx::query_scalar::<_, serde_json::Value>("SELECT observed FROM tenants WHERE id = $1")
        .bind(tenant.to_string())
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    let table = observed["stack"]["policies_table"].as_str().unwrap();
    let client_id = rig.read_app(app).await.client_id.unwrap();
    let stored = rig
        .context
        .aws
        .dynamodb(REGION)
        .policy(table, &client_id)
        .await
        .unwrap()
        .unwrap();
    serde_json::from_str(&stored.document).unwrap()
}

async fn ask(
    rig: &Rig,
    tenant: TenantId,
    app: &App,
    user_sub: Option<&str>,
) -> stepgate::domain::exemption::Exemption {
    let new = NewExemption {
        app_id: app.id,
        user_sub: user_sub.map(|sub| sub.parse().unwrap()),
        reason: "drill".to_owned(),
        duration_min: 60,
    };
    exemptions::ask(&rig.context, &rig.request, tenant, new)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_exemption_is_in_its_apps_item_until_it_ends() {
    let rig = Rig::start().await;
    let (tenant, _) = rig
        .tenant("Acme", stepgate::domain::pool::PoolSettings::default())
        .await;
    let (portal, _) = rig.app(tenant.id, "Portal").await;
    let (admin, _) = rig.app(tenant.id, "Admin").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let mut second = Request::clone(&rig.request);
    second.actor.identity = Identity::Key(KeyId::generate(&rig.context.ids, rig.context.clock.now()));

    let one = ask(&rig, tenant.id, &portal, Some(SUB)).await;
    let all = ask(&rig, tenant.id, &portal, None).await;
    assert_eq!(rig.run_worker().await, [], "a request opens nothing");
    assert_eq!(item(&rig, tenant.id, &portal).await.exemptions, []);

    let (one, (operation, _)) = exemptions::approve(&rig.context, &second, tenant.id, one.id)
        .await
        .unwrap();
    rig.clock.advance(TimeDelta::minutes(1));
    let (all, _) = exemptions::approve(&rig.context, &second, tenant.id, all.id)
        .await
        .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let (operation, steps) = rig.operation(&operation).await;
    assert!(
        matches!(operation.state, OperationState::Succeeded { .. }),
        "{operation:?}"
    );
    assert!(
        matches!(steps.as_slice(), [step] if step.state == StepState::Succeeded),
        "{steps:?}"
    );
    let entry = |exemption: &stepgate::domain::exemption::Exemption, user_sub: Option<&str>| Exemption {
        id: exemption.id.to_string(),
        user_sub: user_sub.map(str::to_owned),
        expires_at_unix_s: exemption.state.approval().unwrap().expires_at.timestamp(),
    };
    let before = item(&rig, tenant.id, &portal).await;
    let mut both = [entry(&one, Some(SUB)), entry(&all, None)];
    both.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(before.exemptions, both);
    assert_eq!(
        item(&rig, tenant.id, &admin).await.exemptions,
        [],
        "another app's users step up"
    );

    let revoked = exemptions::revoke(&rig.context, &rig.request, tenant.id, one.id, "found".to_owned()).await;
    revoked.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let after = item(&rig, tenant.id, &portal).await;
    assert_eq!(after.exemptions, [entry(&all, None)]);
    assert!(after.generation > before.generation);

    rig.clock.advance(TimeDelta::minutes(60));
    let scope = OperatorScope::worker();
    assert_eq!(
        exemptions::expire_overdue(&rig.context, &scope, 100)
            .await
            .unwrap(),
        1
    );
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert_eq!(item(&rig, tenant.id, &portal).await.exemptions, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_approval_nor_end_waits_for_a_provider_that_is_down() {
    let rig = Rig::start().await;
    let (tenant, _) = rig
        .tenant("Acme", stepgate::domain::pool::PoolSettings::default())
        .await;
    let (portal, _) = rig.app(tenant.id, "Portal").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let mut second = Request::clone(&rig.request);
    second.actor.identity = Identity::Key(KeyId::generate(&rig.context.ids, rig.context.clock.now()));

    // A change of the tenant that cannot come about: its provider does not answer.
    rig.sql(
        "UPDATE tenants SET blockid_tenant_dns = '127.0.0.1:9', generation = generation + 1,
                observed = observed - 'provider'",
    )
    .await;
    let asked = ask(&rig, tenant.id, &portal, Some(SUB)).await;
    let (approved, _) = exemptions::approve(&rig.context, &second, tenant.id, asked.id)
        .await
        .unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    let present = item(&rig, tenant.id, &portal).await;
    assert_eq!(present.exemptions.len(), 1);
    assert_eq!(present.exemptions[0].id, approved.id.to_string());
    let revoked = exemptions::revoke(
        &rig.context,
        &rig.request,
        tenant.id,
        asked.id,
        "found".to_owned(),
    )
    .await;
    revoked.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    assert_eq!(item(&rig, tenant.id, &portal).await.exemptions, []);
}
