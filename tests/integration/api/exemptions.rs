//! Exemptions: two persons, a day at most, written down.

use crate::support::{Caller, Partner, TestApp, client::send};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use stepgate::{domain::actor::OperatorScope, usecases::exemptions};

const SUB: &str = "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071";

struct Scene {
    acme: Partner,
    second: Caller,
    tenant_id: String,
    app_id: String,
    path: String,
}

async fn scene(app: &TestApp) -> Scene {
    let acme = app.partner("acme").await;
    let second = app.partner_key(&acme.id, "partner_admin").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    let app_id = acme.app(&tenant_id, "Portal").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    Scene {
        path: format!("/v1/tenants/{tenant_id}/exemptions"),
        acme,
        second,
        tenant_id,
        app_id,
    }
}

impl Scene {
    fn body(&self) -> Value {
        json!({"app_id": self.app_id, "user_sub": SUB, "reason": "phone lost", "duration_min": 90})
    }

    async fn ask(&self) -> Value {
        self.acme.post(&self.path, self.body()).await.expect(201)
    }

    fn of(&self, exemption: &Value, verb: &str) -> String {
        format!("{}/{}{verb}", self.path, exemption["id"].as_str().unwrap())
    }

    async fn approve(&self, caller: &Caller, exemption: &Value) -> crate::support::Answer {
        caller
            .call(Method::POST, &self.of(exemption, ":approve"), None)
            .await
    }
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Actions, actors and reasons of the audit log about a resource, oldest first.
async fn logged(app: &TestApp, exemption: &Value) -> Vec<(String, String, String)> {
    sqlx::query_as("SELECT action, actor, reason FROM audit_log WHERE resource_id = $1 ORDER BY position")
        .bind(exemption["id"].as_str().unwrap())
        .fetch_all(&app.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn it_takes_a_second_person_and_the_time_counts_from_the_approval() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let asked = scene.ask().await;
    assert_eq!(
        (&asked["state"], &asked["user_sub"]),
        (&json!("pending"), &json!(SUB))
    );
    assert!(asked["expires_at"].is_null() && asked["approved_by"].is_null());
    scene
        .approve(&scene.acme, &asked)
        .await
        .problem(403, "second_person_required");
    let reader = app.partner_key(&scene.acme.id, "partner_reader").await;
    scene.approve(&reader, &asked).await.problem(403, "forbidden");
    let other = app.partner("other").await;
    scene.approve(&other, &asked).await.problem(404, "not_found");
    assert_eq!(
        scene.acme.get(&scene.of(&asked, "")).await.expect(200),
        asked,
        "nothing has changed"
    );

    app.clock.advance(TimeDelta::hours(3));
    let answer = scene.approve(&scene.second, &asked).await;
    let location = answer.header("location").to_owned();
    let approved = answer.expect(202);
    let exemption = &approved["exemption"];
    assert_eq!(exemption["state"], "approved");
    assert_ne!(exemption["approved_by"], exemption["asked_by"]);
    let (approved_at, created_at) = (time(&exemption["approved_at"]), time(&exemption["created_at"]));
    assert_eq!(approved_at - created_at, TimeDelta::hours(3));
    assert_eq!(
        time(&exemption["expires_at"]) - approved_at,
        TimeDelta::minutes(90)
    );
    assert_eq!(
        &scene.acme.get(&scene.of(&asked, "")).await.expect(200),
        exemption,
        "as stored"
    );
    let operation = scene.acme.get(&location).await.expect(200);
    assert_eq!(operation["kind"], "approve_exemption");
    let steps: Vec<&str> = operation["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["exemptions"]);
    scene
        .approve(app.operator(), &asked)
        .await
        .problem(409, "exemption_state");

    let log = logged(&app, &asked).await;
    let told: Vec<(&str, &str)> = log
        .iter()
        .map(|(action, _, reason)| (action.as_str(), reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("exemption_asked", "phone lost"),
            ("exemption_approved", "phone lost")
        ]
    );
    assert_eq!(log[0].1, asked["asked_by"]);
    assert_eq!(log[1].1, exemption["approved_by"]);
    assert_ne!(log[0].1, log[1].1);
}

#[tokio::test]
async fn an_operator_approves_what_a_partner_asks_and_not_what_operators_ask_themselves() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let asked = scene.ask().await;
    scene.approve(app.operator(), &asked).await.expect(202);
    let own = app.operator().post(&scene.path, scene.body()).await.expect(201);
    scene
        .approve(app.operator(), &own)
        .await
        .problem(403, "second_person_required");
    scene.approve(&scene.acme, &own).await.expect(202);
}

#[tokio::test]
async fn the_database_refuses_one_person_and_more_than_a_day() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let asked = scene.ask().await;
    for set in [
        "approved_at = now(), approved_by = asked_by, expires_at = now() + interval '1 hour'",
        "approved_at = now(), approved_by = 'key_other', expires_at = now() + interval '25 hours'",
        "approved_at = now(), approved_by = 'key_other'",
        "approved_at = NULL",
    ] {
        let statement = format!("UPDATE exemptions SET state = 'approved', {set} WHERE id = $1");
        let error = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(asked["id"].as_str().unwrap())
            .execute(&app.owner)
            .await
            .expect_err(set);
        let constraint = error
            .into_database_error()
            .unwrap()
            .constraint()
            .unwrap_or_default()
            .to_owned();
        assert!(constraint.starts_with("exemptions_check"), "{set}: {constraint}");
    }
}

#[tokio::test]
async fn anybody_who_may_ask_may_end_it_and_what_has_ended_stays_so() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let reason = json!({"reason": "phone found"});
    let withdrawn = scene.ask().await;
    let answer = scene
        .acme
        .post(&scene.of(&withdrawn, ":revoke"), reason.clone())
        .await
        .expect(202);
    assert_eq!(answer["exemption"]["state"], "revoked");
    assert_eq!(answer["operation"]["kind"], "end_exemption");
    scene
        .approve(&scene.second, &withdrawn)
        .await
        .problem(409, "exemption_state");

    let used = scene.ask().await;
    scene.approve(&scene.second, &used).await.expect(202);
    let reader = app.partner_key(&scene.acme.id, "partner_reader").await;
    reader
        .post(&scene.of(&used, ":revoke"), reason.clone())
        .await
        .problem(403, "forbidden");
    let empty = json!({"reason": " "});
    scene
        .acme
        .post(&scene.of(&used, ":revoke"), empty)
        .await
        .problem(422, "validation_failed")
        .names("/reason", "empty");
    let ended = scene
        .second
        .post(&scene.of(&used, ":revoke"), reason.clone())
        .await
        .expect(202);
    assert!(ended["exemption"]["ended_at"].is_string() && ended["exemption"]["approved_by"].is_string());
    scene
        .acme
        .post(&scene.of(&used, ":revoke"), reason)
        .await
        .problem(409, "exemption_state");
    let log = logged(&app, &used).await;
    assert_eq!(
        (log[2].0.as_str(), log[2].2.as_str()),
        ("exemption_revoked", "phone found")
    );
    assert_eq!(log.len(), 3, "what was refused is not told as done: {log:?}");
}

#[tokio::test]
async fn time_ends_them_once_and_tells_the_triggers() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let (in_force, forgotten) = (scene.ask().await, scene.ask().await);
    scene.approve(&scene.second, &in_force).await.expect(202);
    let expire = async || {
        exemptions::expire_overdue(&app.context, &OperatorScope::worker(), 100)
            .await
            .unwrap()
    };
    app.clock.advance(TimeDelta::minutes(89));
    assert_eq!(expire().await, 0);
    let generation = async || {
        scene
            .acme
            .get(&format!("/v1/tenants/{}", scene.tenant_id))
            .await
            .expect(200)["generation"]
            .as_i64()
            .unwrap()
    };
    let before = generation().await;
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!((expire().await, expire().await), (1, 0));
    assert_eq!(generation().await, before + 1, "the policy item is written again");
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM operations WHERE resource_id = $1 ORDER BY created_at, id")
            .bind(in_force["id"].as_str().unwrap())
            .fetch_all(&app.owner)
            .await
            .unwrap();
    assert_eq!(kinds, ["approve_exemption", "end_exemption"]);
    app.clock.advance(TimeDelta::hours(23));
    scene
        .approve(&scene.second, &forgotten)
        .await
        .problem(409, "exemption_state");
    assert_eq!(expire().await, 1);
    assert_eq!(generation().await, before + 1, "the triggers never heard of it");

    let item = |exemption: &Value| scene.of(exemption, "");
    assert_eq!(
        scene.acme.get(&item(&in_force)).await.expect(200)["state"],
        "expired"
    );
    let forgotten_now = scene.acme.get(&item(&forgotten)).await.expect(200);
    assert_eq!(
        (&forgotten_now["state"], &forgotten_now["approved_by"]),
        (&json!("expired"), &Value::Null)
    );
    let log = logged(&app, &in_force).await;
    assert_eq!(
        (log[2].0.as_str(), log[2].1.as_str()),
        ("exemption_expired", "worker")
    );
    assert_eq!(log.len(), 3, "{log:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_for() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let foreign_tenant = scene.acme.tenant("others").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let foreign_app = scene.acme.app(&foreign_tenant, "Elsewhere").await["id"].clone();
    for (pointer, value, code) in [
        ("/app_id", json!("app_01jd7v0p3h8s5k2m4n6q9r1t0w"), "unknown"),
        ("/app_id", foreign_app, "unknown"),
        ("/app_id", json!("portal"), "invalid"),
        ("/user_sub", json!("ada"), "invalid"),
        ("/user_sub", json!(SUB.to_uppercase()), "invalid"),
        ("/user_sub", json!(5), "wrong_type"),
        ("/reason", json!(""), "empty"),
        ("/reason", json!("x".repeat(501)), "too_long"),
        ("/reason", json!(null), "wrong_type"),
        ("/duration_min", json!(0), "out_of_range"),
        ("/duration_min", json!(1_441), "out_of_range"),
        ("/duration_min", json!(-5), "invalid"),
        ("/duration_min", json!("90"), "wrong_type"),
        ("/expires_at", json!("2030-01-01T00:00:00Z"), "unknown_field"),
    ] {
        let mut body = scene.body();
        body[pointer.trim_start_matches('/')] = value.clone();
        println!("{pointer} = {value}");
        let problem = scene
            .acme
            .post(&scene.path, body)
            .await
            .problem(422, "validation_failed");
        problem.names(pointer, code);
    }
    let everybody = json!({"app_id": scene.app_id, "reason": "outage", "duration_min": 1_440});
    assert!(scene.acme.post(&scene.path, everybody).await.expect(201)["user_sub"].is_null());
    sqlx::query(
        "INSERT INTO exemptions (id, partner_id, tenant_id, app_id, reason, duration_min, state, asked_by, created_at)
         SELECT 'exm_' || n, partner_id, tenant_id, app_id, reason, duration_min, state, asked_by, created_at
         FROM exemptions, generate_series(1, 99) n",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    let problem = scene
        .acme
        .post(&scene.path, scene.body())
        .await
        .problem(422, "validation_failed");
    problem.names("/app_id", "too_many");
}

#[tokio::test]
async fn lists_are_narrowed_by_state_and_hold_nothing_foreign() {
    let app = TestApp::start().await;
    let scene = scene(&app).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        app.clock.advance(TimeDelta::seconds(1));
        all.push(scene.ask().await);
    }
    scene.approve(&scene.second, &all[1]).await.expect(202);
    let ids = async |caller: &Caller, query: &str| -> Vec<String> {
        let list = caller.get(&format!("{}{query}", scene.path)).await.expect(200);
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let id = |index: usize| all[index]["id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&scene.acme, "").await, [id(0), id(1), id(2)]);
    assert_eq!(ids(app.operator(), "?state=approved").await, [id(1)]);
    let first = scene
        .acme
        .get(&format!("{}?state=pending&limit=1", scene.path))
        .await
        .expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        ids(&scene.acme, &format!("?state=pending&limit=1&cursor={cursor}")).await,
        [id(2)]
    );
    assert_eq!(ids(&scene.acme, "?state=revoked").await, Vec::<String>::new());
    for (query, code) in [
        ("?state=open", "query:state unknown_value"),
        ("?state=pending&state=approved", "query:state duplicate"),
        ("?stage=pending", "query:stage unknown_parameter"),
    ] {
        let answer = scene.acme.get(&format!("{}{query}", scene.path)).await;
        assert_eq!(answer.problem(400, "invalid_query").fields(), [code]);
    }
    let other = app.partner("other").await;
    other.get(&scene.path).await.problem(404, "not_found");
    other.get(&scene.of(&all[0], "")).await.problem(404, "not_found");
    let foreign = other.request(Method::POST, &scene.path).json(&scene.body());
    send(foreign).await.problem(404, "not_found");
}
