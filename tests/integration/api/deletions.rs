//! Deleting, restoring and purging tenants, as callers see it.

use crate::support::{Answer, Caller, TestApp, examples};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn delete(caller: &Caller, id: &str) -> Value {
    let path = format!("/v1/tenants/{id}");
    caller.call(Method::DELETE, &path, None).await.expect(202)
}

async fn purge(caller: &Caller, id: &str, body: Value) -> Answer {
    caller.post(&format!("/v1/tenants/{id}:purge"), body).await
}

#[tokio::test]
async fn a_deletion_says_until_when_it_can_be_taken_back() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut sandbox = examples::tenant("sandbox");
    sandbox["sandbox"] = json!(true);
    let sandbox = acme.post("/v1/tenants", sandbox).await.expect(202)["tenant"].take();
    let tenant = acme.tenant("customers").await;
    assert!(tenant["deletion"].is_null());
    for (tenant, purge_from) in [
        (&tenant, "2026-02-04T10:00:00Z"),
        (&sandbox, "2026-01-06T10:00:00Z"),
    ] {
        let id = tenant["id"].as_str().unwrap();
        let answer = delete(&acme, id).await;
        assert_eq!(answer["tenant"]["state"], "deleting");
        assert_eq!(answer["operation"]["kind"], "delete_tenant");
        assert_eq!(answer["tenant"]["deletion"]["since"], "2026-01-05T10:00:00Z");
        assert_eq!(answer["tenant"]["deletion"]["purge_from"], purge_from);
    }
    // Said again later, it is deleted since the first time.
    let id = tenant["id"].as_str().unwrap();
    app.clock.advance(TimeDelta::days(3));
    let again = delete(&acme, id).await;
    assert_eq!(again["tenant"]["deletion"]["since"], "2026-01-05T10:00:00Z");
    let listed = acme.get("/v1/tenants?state=deleting").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));

    // Nothing may be asked of it, and its name is taken.
    let apps = format!("/v1/tenants/{id}/apps");
    acme.post(&apps, json!({"name": "Portal"}))
        .await
        .problem(409, "tenant_state");
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .problem(409, "name_taken");
    let restore = format!("/v1/tenants/{id}:restore");
    acme.post(&restore, json!({}))
        .await
        .problem(422, "validation_failed")
        .names("/reason", "missing");
    let restored = acme
        .post(&restore, json!({"reason": "a mistake"}))
        .await
        .expect(202);
    assert_eq!(restored["tenant"]["state"], "active");
    assert!(restored["tenant"]["deletion"].is_null());
    acme.post(&restore, json!({"reason": "again"}))
        .await
        .problem(409, "tenant_state");
    acme.post(&apps, json!({"name": "Portal"})).await.expect(202);
}

#[tokio::test]
async fn a_purge_waits_for_its_time_and_is_asked_for_twice() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let webhook = json!({"url": "https://127.0.0.1:9/", "events": ["tenant.deleted", "tenant.purged"]});
    acme.post("/v1/webhooks", webhook).await.expect(201);
    let mut body = examples::tenant("customers");
    body["external_id"] = json!("crm-1");
    let tenant = acme.post("/v1/tenants", body.clone()).await.expect(202)["tenant"].take();
    let other = acme.tenant("others").await;
    let (id, other) = (tenant["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let asked = json!({"reason": "the contract ended"});
    purge(&acme, id, asked.clone()).await.problem(409, "tenant_state");
    delete(&acme, id).await;
    delete(&acme, other).await;
    let early = purge(&acme, id, asked.clone()).await.problem(409, "tenant_state");
    assert!(
        early.body["detail"]
            .as_str()
            .unwrap()
            .contains("2026-02-04T10:00:00Z"),
        "{}",
        early.body
    );
    // Only an operator may have it earlier, and is asked twice, too.
    let now = json!({"reason": "a court says so", "before_its_time": true});
    purge(&acme, id, now.clone()).await.problem(403, "forbidden");
    purge(app.operator(), id, now)
        .await
        .problem(409, "confirmation_required");

    app.clock.advance(TimeDelta::days(30));
    let told = purge(&acme, id, asked.clone())
        .await
        .problem(409, "confirmation_required");
    told.names("/confirm", "missing");
    let confirm = told.body["confirmation"]["confirm"].clone();
    let confirmed = json!({"reason": "the contract ended", "confirm": confirm});
    // It confirms that purge and no other.
    purge(&acme, other, confirmed.clone())
        .await
        .problem(409, "confirmation_required")
        .names("/confirm", "not_this_purge");
    let mut with_users = confirmed.clone();
    with_users["retain_user_pool"] = json!(false);
    purge(&acme, id, with_users)
        .await
        .problem(409, "confirmation_required");
    let accepted = purge(&acme, id, confirmed.clone()).await.expect(202);
    assert_eq!(accepted["tenant"]["state"], "purging");
    assert_eq!(accepted["operation"]["kind"], "purge_tenant");
    let restore = format!("/v1/tenants/{id}:restore");
    acme.post(&restore, json!({"reason": "too late"}))
        .await
        .problem(409, "tenant_state");
    // Asked again, it goes on; nothing has to be confirmed a third time.
    let again = purge(&acme, id, asked).await.expect(202);
    app.run_worker().await;
    for operation in [&accepted["operation"]["id"], &again["operation"]["id"]] {
        let path = format!("/v1/operations/{}", operation.as_str().unwrap());
        let operation = acme.get(&path).await.expect(200);
        assert_eq!(operation["state"], "succeeded", "{operation}");
        assert_eq!(operation["report"]["user_pool"], "absent", "{operation}");
    }
    let gone = acme.get(&format!("/v1/tenants/{id}")).await.expect(200);
    assert_eq!(gone["state"], "deleted");
    purge(&acme, id, confirmed).await.problem(409, "tenant_state");
    acme.call(Method::DELETE, &format!("/v1/tenants/{id}"), None)
        .await
        .problem(409, "tenant_state");
    // Name and external id are free.
    acme.post("/v1/tenants", body).await.expect(202);
    let told: Vec<String> =
        sqlx::query_scalar("SELECT type FROM webhook_messages WHERE tenant_id = $1 ORDER BY created_at, id")
            .bind(id)
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(told, ["tenant.purged"], "the worker never came to shut it");
}

/// Tables with rows of a tenant or an app that stay when it is purged. Every other one has its place in
/// `storage::deletions::purged`.
const STAY: [&str; 2] = ["audit_log", "operations"];

#[tokio::test]
async fn every_table_with_rows_of_a_tenant_is_emptied_or_stays_on_purpose() {
    let app = TestApp::start().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
         WHERE contype = 'f' AND confrelid IN ('tenants'::regclass, 'apps'::regclass)",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let source = include_str!("../../../src/storage/deletions.rs");
    let kept: BTreeSet<_> = tables
        .iter()
        .filter(|table| !source.contains(&format!("DELETE FROM {table} ")))
        .map(String::as_str)
        .collect();
    assert_eq!(
        kept,
        BTreeSet::from(STAY),
        "a purge must delete the rows of these tables, or fails: see storage::deletions"
    );
}
