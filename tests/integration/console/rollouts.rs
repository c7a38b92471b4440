//! Rollouts as they are shown, held and ended on pages: by operators, as through the API.

use super::Stage;
use crate::api::rollouts::register;
use serde_json::{Value, json};

/// A rollout of release `1-new` to three tenants, running; its id.
async fn begin(stage: &Stage) -> String {
    for name in ["a1", "a2", "a3"] {
        stage.acme.tenant(name).await;
    }
    let cell: String = sqlx::query_scalar("SELECT id FROM cells")
        .fetch_one(&stage.app.owner)
        .await
        .unwrap();
    register(&stage.app, &cell, "1-new").await;
    let plan = json!({"canary": 1, "wave_percents": [50, 50], "soak_s": 0});
    let body = json!({"release": "1-new", "plan": plan});
    let made = stage.app.operator().post("/v1/rollouts", body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn told(stage: &Stage, id: &str) -> Value {
    stage
        .app
        .operator()
        .get(&format!("/v1/rollouts/{id}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn rollouts_are_for_auditors_to_look_at_and_no_concern_of_partners() {
    let stage = Stage::set().await;
    let mut auditor = stage.staff_browser("look").await;
    let list = "/console/rollouts";
    let empty = auditor.open(list).await.expect(200);
    assert!(empty.contains("There was no rollout yet"), "{empty}");
    let id = begin(&stage).await;
    let page = format!("{list}/{id}");
    let [pause, resume, cancel] = ["pause", "resume", "cancel"].map(|verb| format!("{page}/{verb}"));
    let reason = ("reason", "drill 7");

    for word in ["read", "write"] {
        let mut partner = stage.acme_browser(word).await;
        let overview = partner.open("/console").await.expect(200);
        assert!(!overview.contains(list), "rollouts are the installation's");
        for path in [list, &page] {
            partner.open(path).await.expect(403);
        }
        for form in [&pause, &resume, &cancel] {
            let fields = [reason, ("tenants", "stay")];
            partner.submit("/console", form, &fields).await.expect(403);
        }
    }
    let shown = auditor.open(list).await.expect(200);
    assert!(shown.contains(&page) && shown.contains("1-new"), "{shown}");
    assert!(
        shown.contains("1 of 3") && shown.contains("0 of 3"),
        "wave and tenants: {shown}"
    );
    let shown = auditor.open(&page).await.expect(200);
    for part in [
        "Canary",
        "Wave 3",
        "1 pending",
        "every tenant of the cells",
        "50 %, 50 %",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("data-live") && !shown.contains(&pause) && !shown.contains(&cancel));
    for form in [&pause, &cancel] {
        let fields = [reason, ("tenants", "stay")];
        auditor.submit("/console", form, &fields).await.expect(403);
    }
    assert_eq!(told(&stage, &id).await["state"], "running");
}

#[tokio::test]
async fn an_operator_pauses_resumes_and_ends_a_rollout() {
    let stage = Stage::set().await;
    let id = begin(&stage).await;
    let page = format!("/console/rollouts/{id}");
    let [pause, resume, cancel] = ["pause", "resume", "cancel"].map(|verb| format!("{page}/{verb}"));
    let reason = ("reason", "drill 7");
    let mut operator = stage.staff_browser("ops").await;
    for (form, other, becomes) in [(&pause, &resume, "paused"), (&resume, &pause, "running")] {
        let shown = operator.open(&page).await.expect(200);
        assert!(
            shown.contains(form.as_str()) && !shown.contains(other.as_str()),
            "{shown}"
        );
        let refused = operator.submit(&page, form, &[("reason", "")]).await.expect(422);
        assert!(refused.contains("/reason"), "{refused}");
        operator
            .submit(&page, form, &[reason])
            .await
            .expect_redirect(&page);
        assert_eq!(told(&stage, &id).await["state"], becomes);
    }
    // What becomes of the tenants is said, not guessed.
    for tenants in ["", "whatever"] {
        let fields = [reason, ("tenants", tenants)];
        let refused = operator.submit(&page, &cancel, &fields).await.expect(422);
        assert!(refused.contains("/tenants"), "{refused}");
    }
    assert_eq!(told(&stage, &id).await["state"], "running");
    let fields = [reason, ("tenants", "return")];
    operator
        .submit(&page, &cancel, &fields)
        .await
        .expect_redirect(&page);
    let rollout = told(&stage, &id).await;
    assert_eq!(
        (&rollout["state"], &rollout["stopped"]["code"]),
        (&json!("rolling_back"), &json!("asked"))
    );
    let shown = operator.open(&page).await.expect(200);
    assert!(
        shown.contains("Taken back: somebody asked for it") && shown.contains("drill 7"),
        "{shown}"
    );
    assert!(!shown.contains(&cancel), "nothing is left to be asked for");
    let again = operator.submit("/console", &cancel, &fields).await.expect(409);
    assert!(again.contains("rolling_back"), "{again}");
    let audit = operator
        .open("/console/audit?action=rollout_cancelled")
        .await
        .expect(200);
    assert!(audit.contains(&id) && audit.contains("drill 7"), "{audit}");
}

#[tokio::test]
async fn a_rollout_that_leaves_tenants_as_they_are_is_over_at_once() {
    let stage = Stage::set().await;
    let id = begin(&stage).await;
    let page = format!("/console/rollouts/{id}");
    let mut operator = stage.staff_browser("ops").await;
    let fields = [("reason", "drill"), ("tenants", "stay")];
    operator
        .submit(&page, &format!("{page}/cancel"), &fields)
        .await
        .expect_redirect(&page);
    let shown = operator.open(&page).await.expect(200);
    assert!(
        shown.contains("cancelled") && !shown.contains("data-live"),
        "{shown}"
    );
    assert_eq!(told(&stage, &id).await["state"], "cancelled");
    operator
        .open("/console/rollouts/rlt_01jd7v0p3h8s5k2m4n6q9r1t0z")
        .await
        .expect(404);
    operator.open("/console/rollouts/nothing").await.expect(404);
}

#[tokio::test]
async fn why_a_rollout_stopped_is_told_and_what_others_wrote_is_text() {
    let stage = Stage::set().await;
    let id = begin(&stage).await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    sqlx::query(
        "UPDATE rollouts SET state = 'rolling_back', release_name = $1, created_by = $1, stopped = $2",
    )
    .bind(evil)
    .bind(json!({"code": "tenants_failed", "detail": evil, "at": "2026-01-05T10:00:00Z"}))
    .execute(&stage.app.owner)
    .await
    .unwrap();
    let failed = "UPDATE rollout_tenants SET stage = 'failed', detail = $1 WHERE wave = 0";
    sqlx::query(failed)
        .bind(evil)
        .execute(&stage.app.owner)
        .await
        .unwrap();
    let mut browser = stage.staff_browser("look").await;
    for page in ["/console/rollouts".to_owned(), format!("/console/rollouts/{id}")] {
        let shown = browser.open(&page).await.expect(200);
        assert!(
            shown.contains("&lt;script&gt;alert(1)"),
            "it is there, as text: {shown}"
        );
        for raw in ["<script>alert", "<img src=x"] {
            assert!(!shown.contains(raw), "{page}: {shown}");
        }
        assert!(
            shown.contains("2 of 3"),
            "those that were not taken up need nothing: {shown}"
        );
    }
    let shown = browser.open(&format!("/console/rollouts/{id}")).await.expect(200);
    for part in ["Taken back: tenants failed", "1 failed", "/console/tenants/tnt_"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
