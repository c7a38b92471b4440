//! Rollouts as operators begin, watch, pause and end them. That they carry tenants along is in `rollouts`, end to end.

use crate::support::{Answer, TestApp, examples};
use serde_json::{Value, json};

/// A release that the walks roll out.
pub(super) const WALKED: &str = "0-walk";

/// Registers a release in a cell, as `stepgate cell apply` does. Returns its id.
pub(crate) async fn register(app: &TestApp, cell: &str, name: &str) -> String {
    let ulid = stepgate::ids::ReleaseId::generate(&app.context.ids, stepgate::clock::Clock::now(&*app.clock));
    let template = stepgate::provisioning::template::tenant();
    sqlx::query("INSERT INTO templates VALUES ($1, $2, now()) ON CONFLICT DO NOTHING")
        .bind(&template.digest)
        .bind(&*template.body)
        .execute(&app.owner)
        .await
        .unwrap();
    sqlx::query_scalar(
        "INSERT INTO releases (id, cell_id, name, artifacts, template_digest, created_at)
         SELECT $1, id, $3, jsonb_set(artifacts, '{version}', to_jsonb($3)), $4, now() FROM cells WHERE id = $2
         ON CONFLICT (cell_id, name) DO UPDATE SET name = excluded.name RETURNING id",
    )
    .bind(ulid.to_string())
    .bind(cell)
    .bind(name)
    .bind(&template.digest)
    .fetch_one(&app.owner)
    .await
    .unwrap()
}

/// A rollout in a state in which `operation_id` can be called; every other one is over.
pub(super) async fn walked(app: &TestApp, cell: &str, operation_id: &str) -> String {
    let over = "UPDATE rollouts SET state = 'cancelled', finished_at = now() WHERE finished_at IS NULL";
    sqlx::raw_sql(over).execute(&app.owner).await.unwrap();
    standing(app, cell, operation_id).await
}

/// A rollout in a state in which `operation_id` can be called.
pub(super) async fn standing(app: &TestApp, cell: &str, operation_id: &str) -> String {
    let release = register(app, cell, WALKED).await;
    let now = stepgate::clock::Clock::now(&*app.clock);
    let id = stepgate::ids::RolloutId::generate(&app.context.ids, now).to_string();
    let state = match operation_id {
        "createRollout" => "cancelled",
        "resumeRollout" => "paused",
        _ => "running",
    };
    sqlx::query(
        "INSERT INTO rollouts (id, release_name, plan, state, waves, created_by, created_at, updated_at, finished_at)
         VALUES ($1, $2, '{}', $3, 0, 'walk', $4, $4, CASE WHEN $3 = 'cancelled' THEN $4 END)",
    )
    .bind(&id)
    .bind(WALKED)
    .bind(state)
    .bind(now)
    .execute(&app.owner)
    .await
    .unwrap();
    sqlx::query("INSERT INTO rollout_cells VALUES ($1, $2, $3)")
        .bind(&id)
        .bind(cell)
        .bind(release)
        .execute(&app.owner)
        .await
        .unwrap();
    id
}

struct Fleet {
    app: TestApp,
    cell: String,
}

impl Fleet {
    /// A cell with tenants of these names, labelled by their first letters; none of them was ever provisioned.
    async fn of(names: &[&str]) -> Self {
        let app = TestApp::start_without_cell().await;
        let cell = app.add_cell("eu-central-1").await.id.to_string();
        let acme = app.partner("acme").await;
        for name in names {
            let mut tenant = examples::tenant(name);
            tenant["labels"] = json!({"group": &name[..1]});
            tenant["sandbox"] = json!(name.ends_with("-sandbox"));
            acme.post("/v1/tenants", tenant).await.expect(202);
            app.clock.advance(chrono::TimeDelta::seconds(1));
        }
        Self { app, cell }
    }

    async fn begin(&self, body: Value) -> Answer {
        self.app.operator().post("/v1/rollouts", body).await
    }
}

#[tokio::test]
async fn a_rollout_shares_tenants_out_to_a_canary_and_waves_sandboxes_first() {
    let fleet = Fleet::of(&["a1", "a2", "a3", "a4-sandbox", "b1"]).await;
    register(&fleet.app, &fleet.cell, "1-new").await;
    let plan = json!({"labels": {"group": "a"}, "canary": 1, "wave_percents": [50, 50], "soak_s": 0});
    let made = fleet
        .begin(json!({"release": "1-new", "plan": plan}))
        .await
        .expect(201);
    assert_eq!((&made["state"], &made["wave"]), (&json!("running"), &json!(0)));
    assert_eq!(made["cell_ids"], json!([fleet.cell]));
    let sizes: Vec<_> = made["waves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wave| &wave["tenants"])
        .collect();
    assert_eq!(sizes, [&json!(1), &json!(2), &json!(1)]);
    assert_eq!(
        made["plan"]["gate"]["max_failed_tenants"], 0,
        "defaults are shown"
    );
    let canary: String = sqlx::query_scalar(
        "SELECT name FROM tenants t JOIN rollout_tenants rt ON rt.tenant_id = t.id WHERE wave = 0",
    )
    .fetch_one(&fleet.app.owner)
    .await
    .unwrap();
    assert_eq!(canary, "a4-sandbox");
    let id = made["id"].as_str().unwrap();
    for caller in [fleet.app.operator().clone(), fleet.app.auditor().await] {
        assert_eq!(caller.get(&format!("/v1/rollouts/{id}")).await.expect(200), made);
        assert_eq!(
            caller.get("/v1/rollouts").await.expect(200)["items"],
            json!([made])
        );
    }
    let releases = format!("/v1/cells/{}/releases", fleet.cell);
    let releases = fleet.app.operator().get(&releases).await.expect(200);
    assert_eq!(releases["items"][0]["name"], "1-new");
    assert_eq!(releases["next_cursor"], Value::Null);
}

#[tokio::test]
async fn releases_are_listed_in_pages_newest_first() {
    let fleet = Fleet::of(&[]).await;
    for name in ["1-first", "2-second", "3-third"] {
        register(&fleet.app, &fleet.cell, name).await;
    }
    let path = format!("/v1/cells/{}/releases?limit=2", fleet.cell);
    let first = fleet.app.operator().get(&path).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = fleet.app.operator().get(&format!("{path}&cursor={cursor}")).await;
    let rest = rest.expect(200);
    let names = |page: &Value| -> Vec<Value> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|release| release["name"].clone()).collect()
    };
    assert_eq!(names(&first), ["3-third", "2-second"]);
    assert_eq!(
        (names(&rest), &rest["next_cursor"]),
        (vec![json!("1-first")], &Value::Null)
    );
}

#[tokio::test]
async fn a_cell_has_one_rollout_at_a_time_and_what_is_unknown_is_refused() {
    let fleet = Fleet::of(&["a1"]).await;
    let other = fleet.app.add_cell("us-east-1").await.id.to_string();
    fleet
        .begin(json!({"release": "1-new"}))
        .await
        .problem(422, "validation_failed")
        .names("/release", "unknown");
    register(&fleet.app, &fleet.cell, "1-new").await;
    fleet
        .begin(json!({"release": "1-new", "cell_ids": [fleet.cell, other]}))
        .await
        .problem(422, "validation_failed")
        .names("/cell_ids/1", "no_such_release");
    fleet
        .begin(json!({"release": "1-new", "plan": {"wave_percents": [50, 60]}}))
        .await
        .problem(422, "validation_failed")
        .names("/plan/wave_percents", "wrong_sum");
    let first = fleet.begin(json!({"release": "1-new"})).await.expect(201);
    let refused = fleet
        .begin(json!({"release": "1-new"}))
        .await
        .problem(409, "rollout_state");
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains(first["id"].as_str().unwrap())
    );
    // Another cell is another matter.
    register(&fleet.app, &other, "1-new").await;
    let elsewhere = json!({"release": "1-new", "cell_ids": [other]});
    fleet.begin(elsewhere).await.expect(201);
}

#[tokio::test]
async fn a_rollout_is_paused_resumed_and_ended_only_from_where_that_makes_sense() {
    let fleet = Fleet::of(&["a1", "a2"]).await;
    register(&fleet.app, &fleet.cell, "1-new").await;
    let made = fleet.begin(json!({"release": "1-new"})).await.expect(201);
    let path = format!("/v1/rollouts/{}", made["id"].as_str().unwrap());
    let operator = fleet.app.operator();
    let reason = || json!({"reason": "drill"});
    let call = async |verb: &str, body: Value| operator.post(&format!("{path}:{verb}"), body).await;
    call("resume", reason()).await.problem(409, "rollout_state");
    assert_eq!(call("pause", reason()).await.expect(200)["state"], "paused");
    call("pause", reason()).await.problem(409, "rollout_state");
    assert_eq!(call("resume", reason()).await.expect(200)["state"], "running");
    let back = json!({"reason": "drill", "roll_back": true});
    let cancelled = call("cancel", back.clone()).await.expect(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["stopped"]["code"]),
        (&json!("rolling_back"), &json!("asked"))
    );
    call("cancel", back).await.problem(409, "rollout_state");
    // Nobody was taken up: the worker finds everybody as they were.
    for _ in 0..20 {
        stepgate::worker::jobs::advance_rollouts::look_at_all(&fleet.app.context, "test")
            .await
            .unwrap();
    }
    let over = operator.get(&path).await.expect(200);
    assert_eq!(over["state"], "rolled_back");
    assert!(over["finished_at"].is_string());
    let left = json!({"reason": "drill", "roll_back": false});
    let second = fleet.begin(json!({"release": "1-new"})).await.expect(201);
    let second = format!("/v1/rollouts/{}:cancel", second["id"].as_str().unwrap());
    assert_eq!(
        operator.post(&second, left).await.expect(200)["state"],
        "cancelled"
    );
}

#[tokio::test]
async fn tenants_without_a_stack_come_up_with_the_release_and_new_ones_get_it_from_then_on() {
    let fleet = Fleet::of(&["a1"]).await;
    let release = register(&fleet.app, &fleet.cell, "1-new").await;
    let plan = json!({"soak_s": 0});
    let made = fleet
        .begin(json!({"release": "1-new", "plan": plan}))
        .await
        .expect(201);
    let acme = fleet.app.partner("late").await;
    // Made while the rollout is under way: it is taken in before the end.
    let late = acme.tenant("late").await;
    assert_eq!(late["wanted_release"], Value::Null);
    for _ in 0..20 {
        stepgate::worker::jobs::advance_rollouts::look_at_all(&fleet.app.context, "test")
            .await
            .unwrap();
    }
    let path = format!("/v1/rollouts/{}", made["id"].as_str().unwrap());
    let over = fleet.app.operator().get(&path).await.expect(200);
    assert_eq!(over["state"], "succeeded", "{over}");
    assert_eq!(over["waves"].as_array().unwrap().len(), 2, "{over}");
    assert!(
        over["remarks"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("no stack yet"),
        "{over}"
    );
    let wanted: Vec<String> = sqlx::query_scalar("SELECT release_id FROM tenants")
        .fetch_all(&fleet.app.owner)
        .await
        .unwrap();
    assert_eq!(wanted, [release.clone(), release.clone()]);
    let cell = format!("/v1/cells/{}", fleet.cell);
    let cell = fleet.app.operator().get(&cell).await.expect(200);
    assert_eq!(
        (&cell["release_id"], &cell["artifacts"]["version"]),
        (&json!(release), &json!("1-new"))
    );
    let next = acme.tenant("next").await;
    assert_eq!(
        (&next["wanted_release"], &next["running_release"]),
        (&json!("1-new"), &Value::Null)
    );
}

#[tokio::test]
async fn a_rollout_for_some_labels_does_not_change_what_new_tenants_get() {
    let fleet = Fleet::of(&["a1", "b1"]).await;
    register(&fleet.app, &fleet.cell, "1-new").await;
    let plan = json!({"labels": {"group": "a"}, "soak_s": 0});
    fleet
        .begin(json!({"release": "1-new", "plan": plan}))
        .await
        .expect(201);
    for _ in 0..20 {
        stepgate::worker::jobs::advance_rollouts::look_at_all(&fleet.app.context, "test")
            .await
            .unwrap();
    }
    let wanted: Vec<(String, bool)> =
        sqlx::query_as("SELECT name, release_id IS NOT NULL FROM tenants ORDER BY name")
            .fetch_all(&fleet.app.owner)
            .await
            .unwrap();
    assert_eq!(wanted, [("a1".to_owned(), true), ("b1".to_owned(), false)]);
    let cell = format!("/v1/cells/{}", fleet.cell);
    assert_eq!(
        fleet.app.operator().get(&cell).await.expect(200)["release_id"],
        Value::Null
    );
}
