//! What is watched of tenants: conditions, drift, alarms, releases and deletion, each to whoever may see the tenant.

use super::Stage;
use reqwest::Method;
use serde_json::{Value, json};
use stepgate::{clock::Clock, ids::AlarmId};

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

/// A tenant of acme's; its id.
async fn tenant(stage: &Stage, name: &str) -> String {
    let made = stage.acme.tenant(name).await;
    made["id"].as_str().unwrap().to_owned()
}

/// As if a comparison had found a critical difference in a tenant.
async fn drifts(stage: &Stage, tenant: &str) {
    let now = "2026-01-05T09:00:00Z";
    let summary = json!({"checked_at": now, "generation": 1, "findings": 1, "worst": "critical", "not_checked": [EVIL]});
    let conditions = json!({"Drifted": {"status": "True", "since": now}});
    sqlx::query("UPDATE tenants SET drift = $2, conditions = conditions || $3 WHERE id = $1")
        .bind(tenant)
        .bind(summary)
        .bind(conditions)
        .execute(&stage.app.owner)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO drift_findings (tenant_id, path, partner_id, severity, wanted, observed, healable, found_at)
         SELECT id, 'user_pool/mfa', partner_id, 'critical', '\"ON\"'::jsonb, $2, true, $3::timestamptz FROM tenants WHERE id = $1",
    )
    .bind(tenant)
    .bind(json!(EVIL))
    .bind(now.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
    .execute(&stage.app.owner)
    .await
    .unwrap();
}

/// Raises an alarm of a tenant; its id.
async fn alarm(stage: &Stage, tenant: &str) -> String {
    let now = stage.app.clock.now();
    let id = AlarmId::generate(&stage.app.context.ids, now).to_string();
    sqlx::query(
        "INSERT INTO alarms (id, partner_id, tenant_id, kind, threshold, window_min, value, sample, raised_at, last_breach_at)
         SELECT $1, partner_id, id, 'success_rate', 0.7, 15, 0.425, 40, $3, $3 FROM tenants WHERE id = $2",
    )
    .bind(&id)
    .bind(tenant)
    .bind(now)
    .execute(&stage.app.owner)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn a_tenants_page_tells_its_conditions_drift_alarms_and_releases() {
    let stage = Stage::set().await;
    let id = tenant(&stage, "customers").await;
    let page = format!("/console/tenants/{id}");
    let mut browser = stage.acme_browser("read").await;
    let fresh = browser.open(&page).await.expect(200);
    for part in [
        "data-condition=\"Ready\"",
        "It was not compared with AWS yet",
        "None was raised yet",
        "a success rate below 70.0 % within 15 min",
        "runs none yet",
    ] {
        assert!(fresh.contains(part), "{part}: {fresh}");
    }
    drifts(&stage, &id).await;
    let raised = alarm(&stage, &id).await;
    let observed = json!({"release": {"id": "rel_01jd7v0p3h8s5k2m4n6q9r1t0w", "name": "0-old"}});
    sqlx::query("UPDATE tenants SET observed = coalesce(observed, '{}') || $1")
        .bind(observed)
        .execute(&stage.app.owner)
        .await
        .unwrap();
    let shown = browser.open(&page).await.expect(200);
    for part in [
        "data-finding=\"user_pool/mfa\"",
        "critical",
        "is reported, and stays until",
        "not tried",
        &format!("data-alarm=\"{raised}\""),
        "42.5 %",
        "0-old",
        "&lt;script&gt;alert(1)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for raw in ["<script>alert", "<img src=x"] {
        assert!(!shown.contains(raw), "{shown}");
    }
    // Conditions are the API's, word for word.
    let told = stage.acme.get(&format!("/v1/tenants/{id}")).await.expect(200);
    let conditions = told["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 6);
    for condition in conditions {
        let (kind, reason) = (
            condition["type"].as_str().unwrap(),
            condition["reason"].as_str().unwrap(),
        );
        let (_, row) = shown
            .split_once(&format!("data-condition=\"{kind}\""))
            .unwrap_or_else(|| panic!("{kind}: {shown}"));
        let row = row.split("</tr>").next().unwrap();
        assert!(row.contains(&format!("<code>{reason}</code>")), "{kind}: {row}");
        assert!(
            row.contains(condition["status"].as_str().unwrap()),
            "{kind}: {row}"
        );
    }
}

#[tokio::test]
async fn administrators_have_a_tenant_compared_now_and_readers_do_not() {
    let stage = Stage::set().await;
    let id = tenant(&stage, "customers").await;
    let other = stage.app.partner("other").await;
    let foreign = other.tenant("other customers").await;
    let foreign = format!("/console/tenants/{}/drift/check", foreign["id"].as_str().unwrap());
    let (page, check) = (
        format!("/console/tenants/{id}"),
        format!("/console/tenants/{id}/drift/check"),
    );
    let due = async || {
        let report = stage
            .acme
            .get(&format!("/v1/tenants/{id}/drift"))
            .await
            .expect(200);
        report["next_check_at"].clone()
    };
    let later = "UPDATE tenants SET drift_due_at = '2027-01-01T00:00:00Z'";
    sqlx::raw_sql(later).execute(&stage.app.owner).await.unwrap();
    let before = due().await;
    assert_ne!(before, Value::Null);
    for mut browser in [
        stage.acme_browser("read").await,
        stage.staff_browser("look").await,
    ] {
        assert!(!browser.open(&page).await.expect(200).contains(&check));
        browser.submit("/console", &check, &[]).await.expect(403);
    }
    assert_eq!(due().await, before);
    let mut administrator = stage.acme_browser("write").await;
    administrator.submit(&page, &foreign, &[]).await.expect(404);
    for mut browser in [administrator, stage.staff_browser("ops").await] {
        sqlx::raw_sql(later).execute(&stage.app.owner).await.unwrap();
        assert!(browser.open(&page).await.expect(200).contains(&check));
        let sent = browser.submit(&page, &check, &[]).await;
        sent.expect_redirect(&format!("{page}#drift"));
        assert_ne!(due().await, before);
    }
    let audit = stage
        .acme
        .get("/v1/audit?action=drift_check_asked")
        .await
        .expect(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2, "{audit}");
}

#[tokio::test]
async fn the_overview_names_drifted_tenants_raised_alarms_and_room_to_whom_they_belong() {
    let stage = Stage::set().await;
    let id = tenant(&stage, "acme customers").await;
    tenant(&stage, "acme staff").await;
    drifts(&stage, &id).await;
    let raised = alarm(&stage, &id).await;
    let other = stage.app.partner("other").await;
    let foreign = other.tenant("other customers").await;
    let foreign = foreign["id"].as_str().unwrap();
    drifts(&stage, foreign).await;
    let hidden = alarm(&stage, foreign).await;
    let row = |alarm: &str| format!("data-alarm=\"{alarm}\"");
    let drifted = |tenant: &str| format!("data-drifted=\"{tenant}\"");

    for (mut browser, count, installation) in [
        (stage.acme_browser("read").await, "1", false),
        (stage.staff_browser("look").await, "2", true),
    ] {
        let page = browser.open("/console").await;
        assert_eq!(page.figure("tenants-drifted").as_deref(), Some(count));
        assert_eq!(page.figure("alarms-raised").as_deref(), Some(count));
        let text = page.expect(200);
        assert!(
            text.contains(&row(&raised)) && text.contains(&drifted(&id)),
            "{text}"
        );
        assert_eq!(text.contains(&row(&hidden)), installation);
        assert_eq!(text.contains(&drifted(foreign)), installation);
        assert_eq!(text.contains("Room in the cells"), installation);
        assert_eq!(text.contains("/console/rollouts"), installation);
        if installation {
            let cells = stage.app.operator().get("/v1/cells").await.expect(200);
            let room = &cells["items"][0]["head_room"];
            let free = format!("<data value=\"{}\">", room["free_tenants"]);
            let (_, card) = text.split_once("id=\"room\"").unwrap();
            assert!(
                card.contains(&free) && card.contains("User pools"),
                "{room}: {card}"
            );
        }
        let list = browser
            .open("/console/tenants?condition=Drifted")
            .await
            .expect(200);
        assert!(
            list.contains("acme customers") && !list.contains("acme staff"),
            "{list}"
        );
        // What is no condition narrows nothing.
        let all = browser
            .open("/console/tenants?condition=Nothing")
            .await
            .expect(200);
        assert!(all.contains("acme staff"), "{all}");
    }
}

#[tokio::test]
async fn a_deleted_tenant_says_until_when_it_can_be_restored_and_takes_no_forms() {
    let stage = Stage::set().await;
    let id = tenant(&stage, "customers").await;
    let page = format!("/console/tenants/{id}");
    let mut browser = stage.acme_browser("write").await;
    let forms = [format!("{page}/drift/check"), format!("{page}/suspend")];
    let before = browser.open(&page).await.expect(200);
    assert!(!before.contains("data-deletion"), "{before}");
    for form in &forms {
        assert!(before.contains(form.as_str()), "{form}");
    }
    let path = format!("/v1/tenants/{id}");
    stage.acme.call(Method::DELETE, &path, None).await.expect(202);
    let told = stage.acme.get(&path).await.expect(200);
    let shown = browser.open(&page).await.expect(200);
    assert!(
        shown.contains("data-deletion=\"deleting\"") && shown.contains("were not exported since"),
        "{shown}"
    );
    let purge_from = told["deletion"]["purge_from"].as_str().unwrap();
    assert!(
        shown.contains(&purge_from[..19]),
        "{purge_from}: the time is there for programs: {shown}"
    );
    for form in &forms {
        assert!(!shown.contains(form.as_str()), "{form}: {shown}");
        let fields = [("reason", "drill")];
        browser.submit("/console", form, &fields).await.expect(409);
    }
}
