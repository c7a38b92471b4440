//! The order of the audit log and its seals; changes that somebody planted.

use super::audit::{actions, enter, items, verify};
use crate::support::{TestApp, examples};
use chrono::TimeDelta;
use serde_json::{Value, json};
use stepgate::worker::jobs::seal_audit_log;

/// Runs a statement as somebody who owns the database and switched the guards off.
async fn tamper(app: &TestApp, statement: &str) {
    let whole = format!("BEGIN; SET LOCAL session_replication_role = replica; {statement}; COMMIT");
    sqlx::raw_sql(sqlx::AssertSqlSafe(whole))
        .execute(&app.owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn seals_follow_the_order_of_commits() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let begun = items(&acme, "").await.len();

    // The first transaction begins and writes first, and commits last.
    let mut first = app.owner.begin().await.unwrap();
    enter(&mut first, &acme.id, "aaa").await;
    let mut second = app.owner.begin().await.unwrap();
    enter(&mut second, &acme.id, "bbb").await;
    second.commit().await.unwrap();
    first.commit().await.unwrap();
    // And a transaction that a sealing finds still running.
    let mut third = app.owner.begin().await.unwrap();
    enter(&mut third, &acme.id, "ccc").await;
    acme.tenant("meanwhile").await;
    assert_eq!(seal_audit_log::seal_all(&app.context).await.unwrap(), 3);
    third.commit().await.unwrap();
    assert_eq!(seal_audit_log::seal_all(&app.context).await.unwrap(), 1);

    let sealed = items(&acme, "").await;
    let order: Vec<_> = sealed
        .iter()
        .rev()
        .skip(begun)
        .map(|item| &item["id"].as_str().unwrap()[27..])
        .collect();
    assert_eq!(
        (order[0], order[1], order[3]),
        ("bbb", "aaa", "ccc"),
        "the order of commits"
    );
    let sequences: Vec<_> = sealed
        .iter()
        .rev()
        .map(|item| item["seal"]["sequence"].as_i64().unwrap())
        .collect();
    let whole: Vec<i64> = (1..=i64::try_from(sealed.len()).unwrap()).collect();
    assert_eq!(sequences, whole, "without gaps");
    assert_eq!(verify(&acme, json!([])).await["sound"], true);
}

#[tokio::test]
async fn a_rolled_back_change_leaves_no_entry_and_no_gap() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut lost = app.owner.begin().await.unwrap();
    enter(&mut lost, &acme.id, "aaa").await;
    lost.rollback().await.unwrap();
    acme.tenant("customers").await;
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .problem(409, "name_taken");
    seal_audit_log::seal_all(&app.context).await.unwrap();
    assert_eq!(
        actions(&items(&acme, "").await),
        ["tenant_created", "key_created", "partner_created"]
    );
    assert_eq!(verify(&acme, json!([])).await["checked"], 3);
}

#[tokio::test]
async fn a_planted_change_is_found_by_row_and_chain() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    for name in ["one", "two", "three"] {
        acme.tenant(name).await;
    }
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let sound = verify(app.operator(), json!([])).await;
    assert_eq!((&sound["sound"], &sound["findings"]), (&json!(true), &json!([])));
    assert_eq!(
        sound["heads"].as_array().unwrap().len(),
        3,
        "two partners and the installation"
    );
    let heads = verify(&acme, json!([])).await["heads"].clone();
    assert_eq!(
        heads.as_array().unwrap().len(),
        1,
        "a partner checks its own chain"
    );
    assert_eq!(verify(&acme, heads.clone()).await["sound"], true);

    let target = items(&acme, "").await[1].clone();
    let id = target["id"].as_str().unwrap();
    let finding = |kind: &str, sequence: Value, entry: Value| json!([{"kind": kind, "chain": acme.id, "sequence": sequence, "entry_id": entry}]);
    let in_place = target["seal"]["sequence"].clone();
    for (column, value) in [
        ("actor", "'key_somebody_else'"),
        ("at", "at - interval '1 microsecond'"),
        ("detail", "jsonb_set(detail, '{name}', '\"another\"')"),
        ("outcome", "'denied'"),
        ("tenant_id", "NULL"),
        ("request_id", "'another'"),
    ] {
        tamper(&app, "CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM audit_log").await;
        tamper(
            &app,
            &format!("UPDATE audit_log SET {column} = {value} WHERE id = '{id}'"),
        )
        .await;
        for caller in [&acme.admin, app.operator()] {
            let found = verify(caller, json!([])).await;
            assert_eq!(
                found["findings"],
                finding("changed", in_place.clone(), json!(id)),
                "{column}"
            );
        }
        assert_eq!(
            verify(&other, json!([])).await["sound"],
            true,
            "another partner's chain is as it was"
        );
        let back = format!("UPDATE audit_log a SET {column} = k.{column} FROM kept k WHERE k.id = a.id");
        tamper(&app, &back).await;
        assert_eq!(
            verify(&acme, json!([])).await["sound"],
            true,
            "{column} was put back"
        );
    }

    // The seal itself, then the row, then the end of the chain with all its traces.
    let of_target = "position = (SELECT position FROM kept WHERE id = ";
    tamper(
        &app,
        &format!("UPDATE audit_seals SET hash = sha256('x') WHERE {of_target}'{id}')"),
    )
    .await;
    let kinds: Vec<_> = verify(&acme, json!([])).await["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["sequence"].clone())
        .collect();
    assert_eq!(kinds[0], in_place, "a wrong seal is told where it is");
    tamper(&app, &format!("DELETE FROM audit_seals WHERE {of_target}'{id}')")).await;
    app.clock.advance(TimeDelta::hours(1));
    let found = verify(&acme, json!([])).await["findings"].clone();
    let kinds: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["gap", "unsealed"]);
    tamper(&app, &format!("DELETE FROM audit_log WHERE id = '{id}'")).await;
    let found = verify(&acme, json!([])).await["findings"].clone();
    assert_eq!(found[0]["kind"], "gap");
    let cut = format!(
        "DELETE FROM audit_seals WHERE chain = '{0}' AND sequence >= {in_place}; DELETE FROM audit_log WHERE partner_id = '{0}' AND position >= (SELECT position FROM kept WHERE id = '{id}')",
        acme.id
    );
    tamper(&app, &cut).await;
    assert_eq!(
        verify(&acme, json!([])).await["sound"],
        true,
        "a chain that was cut is whole by itself"
    );
    let told = verify(&acme, heads).await;
    assert_eq!(
        told["findings"][0]["kind"], "head_differs",
        "and not against its known head"
    );
}

#[tokio::test]
async fn a_removed_entry_is_told() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    seal_audit_log::seal_all(&app.context).await.unwrap();
    tamper(
        &app,
        &format!(
            "DELETE FROM audit_log WHERE partner_id = '{}' AND action = 'key_created'",
            acme.id
        ),
    )
    .await;
    let found = verify(app.operator(), json!([])).await;
    assert_eq!(
        found["findings"],
        json!([{"kind": "removed", "chain": acme.id, "sequence": 2, "entry_id": null}])
    );
}

#[tokio::test]
async fn the_service_itself_can_only_add_to_the_log() {
    let app = TestApp::start().await;
    app.partner("acme").await;
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let scope = stepgate::domain::actor::OperatorScope::worker();
    for statement in [
        "UPDATE audit_log SET reason = 'none'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log CASCADE",
        "UPDATE audit_seals SET sequence = 9",
        "DELETE FROM audit_seals",
        "INSERT INTO audit_commits (commit_order, position) VALUES (99, 1)",
        "DELETE FROM audit_commits",
    ] {
        let mut tx = app.context.db.begin(&scope).await.unwrap();
        let error = sqlx::query(statement).execute(&mut *tx).await.unwrap_err();
        assert!(
            error.to_string().contains("permission denied"),
            "{statement}: {error}"
        );
        if !statement.starts_with("INSERT") {
            // Its owner is held off by triggers as long as it does not switch them off.
            let error = sqlx::query(statement).execute(&app.owner).await.unwrap_err();
            assert!(
                error.to_string().contains("only added to"),
                "{statement}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn the_worker_seals_within_five_seconds() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let (context, stopped) = (app.context.clone(), stop.clone());
    let job = tokio::spawn(async move { seal_audit_log::run(&context, stopped).await });
    acme.tenant("customers").await;
    let begun = std::time::Instant::now();
    while items(&acme, "").await.iter().any(|item| item["seal"].is_null()) {
        assert!(begun.elapsed().as_secs() < 5, "not sealed after 5 s");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    stop.cancel();
    job.await.unwrap();
}

#[tokio::test]
async fn two_workers_seal_one_chain() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for index in 0..5 {
        acme.tenant(&format!("tenant {index}")).await;
        let (one, two) = tokio::join!(
            seal_audit_log::seal_all(&app.context),
            seal_audit_log::seal_all(&app.context)
        );
        one.unwrap();
        two.unwrap();
    }
    seal_audit_log::seal_all(&app.context).await.unwrap();
    let found = verify(&acme, json!([])).await;
    assert_eq!((&found["sound"], &found["checked"]), (&json!(true), &json!(7)));
}
