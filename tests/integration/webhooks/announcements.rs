//! What is told: exactly what was committed, to those who asked.

use super::receiver::Receiver;
use crate::provisioning::rig::Rig;
use serde_json::{Value, json};
use stepgate::{
    domain::{
        pool::PoolSettings,
        webhook::{Announcement, EventType},
    },
    provisioning::pass::Outcome,
    storage::webhook_outbox,
    usecases::{self, idempotency::Once, policies::Content, webhooks::NewWebhook},
    worker::jobs::{deliver_webhooks, find_drift},
};

async fn webhook(rig: &Rig, receiver: &Receiver, events: &[EventType]) {
    let new = NewWebhook {
        url: receiver.url("127.0.0.1"),
        description: String::new(),
        events: events.to_vec(),
    };
    usecases::webhooks::create(&rig.context, &rig.request, new, &Once::never())
        .await
        .unwrap();
}

async fn told(rig: &Rig, receiver: &Receiver) -> Vec<Value> {
    while deliver_webhooks::deliver_due(&rig.context).await.unwrap() > 0 {}
    receiver
        .received()
        .iter()
        .map(super::receiver::Received::event)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_ready_and_a_policy_in_force_are_told() {
    let rig = Rig::start().await;
    let (receiver, narrow) = (Receiver::start().await, Receiver::start().await);
    webhook(
        &rig,
        &receiver,
        &[EventType::TenantReady, EventType::PolicyChanged],
    )
    .await;
    webhook(&rig, &narrow, &[EventType::PolicyChanged]).await;
    let (tenant, creation) = rig.tenant("Acme", PoolSettings::default()).await;
    assert!(told(&rig, &receiver).await.is_empty(), "accepted is not ready");
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let events = told(&rig, &receiver).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["type"], "dev.stepgate.tenant.ready");
    assert_eq!(events[0]["subject"], json!(tenant.id));
    assert_eq!(
        events[0]["data"]["user_pool_id"],
        json!(rig.read(tenant.id).await.user_pool_id)
    );
    assert_eq!(
        events[0]["data"]["operations"][0],
        json!({"id": creation.id, "kind": "create_tenant", "resource_id": tenant.id})
    );

    let (app, _) = rig.app(tenant.id, "Portal").await;
    rig.run_worker().await;
    let document = crate::support::examples::policy();
    let ids = (tenant.id, app.id);
    let written = usecases::policies::put(&rig.context, &rig.request, ids, 1, Content::Document(&document))
        .await
        .unwrap();
    rig.run_worker().await;
    let events = told(&rig, &narrow).await;
    assert_eq!(events.len(), 1, "only what was asked for: {events:?}");
    assert_eq!(events[0]["type"], "dev.stepgate.policy.changed");
    assert_eq!(events[0]["subject"], json!(app.id));
    assert_eq!(
        (
            &events[0]["data"]["policy_version"],
            &events[0]["data"]["operation_id"]
        ),
        (&json!(2), &json!(written.operation.0.id))
    );
    assert_eq!(
        told(&rig, &receiver).await.len(),
        4,
        "ready three times, and the policy"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_given_up_is_told_once_with_the_reason() {
    let rig = Rig::start().await;
    let receiver = Receiver::start().await;
    webhook(
        &rig,
        &receiver,
        &[EventType::TenantFailed, EventType::TenantReady],
    )
    .await;
    // Nobody finds the artifacts there: a lasting failure.
    sqlx::query("UPDATE cells SET artifact_bucket = 'stepgate-nobody-has-this-bucket'")
        .execute(&rig.owner)
        .await
        .unwrap();
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let mut passes = 0;
    while told(&rig, &receiver).await.is_empty() {
        assert!(
            passes < 8,
            "never given up: {:?}",
            rig.read(tenant.id).await.last_error
        );
        assert_eq!(rig.run_worker_later().await, [Outcome::Failed]);
        passes += 1;
    }
    rig.run_worker_later().await;
    let events = told(&rig, &receiver).await;
    assert_eq!(events.len(), 1, "once: {events:?}");
    assert_eq!(events[0]["type"], "dev.stepgate.tenant.failed");
    let error = rig.read(tenant.id).await.last_error.unwrap();
    assert_eq!(events[0]["data"]["failure"]["code"], json!(error.code));
    assert_eq!(events[0]["data"]["failure"]["step"], json!(error.step));
    assert!(
        events[0]["data"]["failure"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_told_once_and_again_only_when_something_else_differs() {
    let rig = Rig::start().await;
    let receiver = Receiver::start().await;
    webhook(&rig, &receiver, &[EventType::TenantDrifted]).await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    rig.run_worker().await;
    let check = async || {
        usecases::drift::ask(&rig.context, &rig.request, tenant.id)
            .await
            .unwrap();
        find_drift::check_due(&rig.context).await.unwrap();
        told(&rig, &receiver).await
    };
    assert!(check().await.is_empty(), "nothing differs");
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    let cognito = rig.context.aws.cognito(crate::support::REGION);
    let by_hand = stepgate::aws::cognito::ClientSettings::closed("made-by-hand".into());
    let foreign = cognito.create_client(&pool_id, &by_hand).await.unwrap().value;
    let path = format!("app_clients/{foreign}");
    let events = check().await;
    assert_eq!(events.len(), 1, "{events:?}");
    let data = &events[0]["data"];
    assert_eq!(events[0]["type"], "dev.stepgate.tenant.drifted");
    assert_eq!(
        (&data["mode"], &data["appeared"]),
        (&json!("report"), &json!([path]))
    );
    assert_eq!(data["findings"][0]["severity"], "critical");
    assert_eq!(data["findings"][0]["observed"], json!({"name": "made-by-hand"}));
    assert_eq!(check().await.len(), 1, "the same is not told again");

    let second = cognito.create_client(&pool_id, &by_hand).await.unwrap().value;
    let events = check().await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1]["data"]["appeared"],
        json!([format!("app_clients/{second}")])
    );
    assert_eq!(events[1]["data"]["findings_total"], 2);
    for client in [&foreign, &second] {
        cognito.delete_client(&pool_id, client).await.unwrap();
    }
    assert_eq!(check().await.len(), 2, "what is gone is not told");
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let rig = Rig::start().await;
    let receiver = Receiver::start().await;
    webhook(&rig, &receiver, &[EventType::TenantReady]).await;
    let scope = stepgate::domain::actor::OperatorScope::worker();
    let partner_id = rig.request.actor.partner_id.unwrap();
    let announcement = |subject: &str| Announcement {
        kind: EventType::TenantReady.as_str(),
        tenant_id: None,
        subject: subject.to_owned(),
        data: json!({}),
    };
    let now = stepgate::clock::Clock::now(&*rig.clock);
    for (subject, commits) in [("kept", true), ("lost", false)] {
        let mut tx = rig.context.db.begin(&scope).await.unwrap();
        webhook_outbox::announce(&mut tx, partner_id, &announcement(subject), &rig.context.ids, now)
            .await
            .unwrap();
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let events = told(&rig, &receiver).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["subject"], "kept");
}
