//! Webhooks that go on failing are switched off, on the record.

use super::{
    deliver,
    receiver::{Answer, Receiver},
    send_test, webhook,
};
use crate::support::{TestApp, client::send};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_webhook_that_fails_for_days_is_switched_off() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    receiver.answer(vec![Answer::Status(500); 9]);
    for day in 0..5 {
        send_test(&acme, &path).await;
        deliver(&app).await;
        let told = acme.get(&path).await.expect(200);
        assert_eq!(
            (&told["enabled"], &told["failing_since"]),
            (&json!(true), &json!("2026-01-05T10:00:00Z")),
            "day {day}"
        );
        app.clock.advance(TimeDelta::days(1));
        sqlx::query("UPDATE webhook_deliveries SET state = 'dead', finished_at = created_at")
            .execute(&app.owner)
            .await
            .unwrap();
    }
    let last = send_test(&acme, &path).await;
    let other = send_test(&acme, &path).await;
    sqlx::query(
        "UPDATE webhook_deliveries SET next_attempt_at = next_attempt_at + interval '1 hour' WHERE id = $1",
    )
    .bind(other.rsplit('/').next().unwrap())
    .execute(&app.owner)
    .await
    .unwrap();
    deliver(&app).await;
    let told = acme.get(&path).await.expect(200);
    assert_eq!(
        (&told["enabled"], &told["disabled_reason"]),
        (&json!(false), &json!("nothing was accepted for 5 days"))
    );
    // Failures alone are nobody's change; to be switched off is one that its partner has to have seen.
    assert_eq!(told["revision"], 2);
    let unseen = acme.request(Method::PATCH, &path).header("if-match", "\"1\"");
    send(unseen.json(&json!({"description": "x"})))
        .await
        .problem(412, "precondition_failed");
    for delivery in [&last, &other] {
        assert_eq!(acme.get(delivery).await.expect(200)["state"], "dead");
    }
    let entry = acme.get("/v1/audit?action=webhook_disabled").await.expect(200)["items"][0].clone();
    assert_eq!(
        (&entry["actor"], &entry["reason"]),
        (&json!("worker"), &json!("nothing was accepted for 5 days"))
    );
    assert_eq!(
        path,
        format!("/v1/webhooks/{}", entry["resource_id"].as_str().unwrap())
    );

    acme.call(Method::POST, &format!("{path}:test"), None)
        .await
        .problem(409, "webhook_disabled");
    acme.call(Method::POST, &format!("{last}:replay"), None)
        .await
        .problem(409, "webhook_disabled");
    let on = acme.patch(&path, json!({"enabled": true})).await.expect(200);
    assert_eq!(
        (&on["disabled_reason"], &on["failing_since"]),
        (&json!(null), &json!(null))
    );
    acme.call(Method::POST, &format!("{last}:replay"), None)
        .await
        .expect(202);
    deliver(&app).await;
    assert_eq!(
        acme.get(&path).await.expect(200)["enabled"],
        true,
        "one failure is not five days"
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_believed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    receiver.answer([Answer::Status(410)]);
    send_test(&acme, &path).await;
    deliver(&app).await;
    let told = acme.get(&path).await.expect(200);
    assert_eq!(
        (&told["enabled"], &told["disabled_reason"]),
        (&json!(false), &json!("the receiver answered 410 Gone"))
    );
}

#[tokio::test]
async fn what_ended_long_ago_is_removed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let receiver = Receiver::start().await;
    let (path, _) = webhook(&acme, &receiver, json!(["tenant.ready"])).await;
    send_test(&acme, &path).await;
    deliver(&app).await;
    app.clock.advance(TimeDelta::days(29));
    let kept = send_test(&acme, &path).await;
    assert_eq!(
        stepgate::worker::jobs::deliver_webhooks::sweep(&app.context)
            .await
            .unwrap(),
        0
    );
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(
        stepgate::worker::jobs::deliver_webhooks::sweep(&app.context)
            .await
            .unwrap(),
        1
    );
    acme.get(&kept).await.expect(200);
    let messages: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_messages")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(messages, 1);
}
