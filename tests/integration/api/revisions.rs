//! Partners, cells, webhooks, methods and connections are changed only as they were read.

use crate::support::{Caller, TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

/// By whom, how and where something is changed; two changes of it, and the status of a success.
type Changeable = (Caller, Method, String, [Value; 2], u16);

/// What can be changed beside tenants, apps, policies and alarms, which have tests of their own.
async fn changeable(app: &TestApp) -> Vec<Changeable> {
    let acme = app.partner("acme").await;
    let tenant = acme.tenant("customers").await;
    let tenant = format!("/v1/tenants/{}", tenant["id"].as_str().unwrap());
    let webhook = acme.post("/v1/webhooks", examples::webhook()).await.expect(201);
    let cells = app.operator().get("/v1/cells").await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named = |name: &str| json!({"name": name});
    let stacks = |stacks: u32| json!({"quotas": {"stacks": stacks}});
    let described = |text: &str| json!({"description": text});
    let method = |acr: &str| json!({"extra_methods": [{"acr": acr, "label": "Passkey", "max_aal": 3}]});
    let partner: Caller = (*acme).clone();
    vec![
        (
            app.operator().clone(),
            Method::PATCH,
            format!("/v1/partners/{}", acme.id),
            [named("first"), named("second")],
            200,
        ),
        (
            app.operator().clone(),
            Method::PATCH,
            format!("/v1/cells/{}", text(&cells["items"][0]["id"])),
            [stacks(2500), stacks(2600)],
            200,
        ),
        (
            partner.clone(),
            Method::PATCH,
            format!("/v1/webhooks/{}", text(&webhook["id"])),
            [described("first"), described("second")],
            200,
        ),
        (
            partner.clone(),
            Method::PUT,
            format!("{tenant}/blockid/methods"),
            [method("fido2"), method("passkey")],
            202,
        ),
        (
            partner,
            Method::PUT,
            format!("{tenant}/blockid"),
            [examples::connection("first"), examples::connection("second")],
            202,
        ),
    ]
}

#[tokio::test]
async fn whatever_can_be_changed_is_changed_only_as_it_was_read() {
    let app = TestApp::start().await;
    for (caller, method, path, changes, success) in changeable(&app).await {
        println!("{method} {path}");
        let etag = caller.get(&path).await.header("etag").to_owned();
        let change = |etag: Option<&str>, body: &Value| {
            let request = caller.request(method.clone(), &path).json(body);
            send(match etag {
                Some(etag) => request.header("if-match", etag),
                None => request,
            })
        };
        change(None, &changes[0])
            .await
            .problem(428, "precondition_required")
            .names("header:If-Match", "missing");
        for unreadable in ["1", "W/\"1\"", "*"] {
            let refused = change(Some(unreadable), &changes[0]).await;
            refused.problem(400, "invalid_header");
        }
        change(Some("\"999\""), &changes[0])
            .await
            .problem(412, "precondition_failed");
        assert_eq!(
            caller.get(&path).await.header("etag"),
            etag,
            "nothing was changed"
        );

        // Of two who read the same one is let through, also when they come at once.
        let both = [change(Some(&etag), &changes[0]), change(Some(&etag), &changes[1])];
        let answers = futures_util::future::join_all(both).await;
        let (done, mut refused): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| answer.status.as_u16() == success);
        assert_eq!((done.len(), refused.len()), (1, 1), "{refused:?}");
        let refused = refused.remove(0);
        // While the secret of one is on its way to the cell, that is what the other is told.
        if refused.status != 409 || !path.ends_with("/blockid") {
            refused.problem(412, "precondition_failed");
        }
        assert_ne!(caller.get(&path).await.header("etag"), etag);
        change(Some(&etag), &changes[1])
            .await
            .problem(412, "precondition_failed");
    }
}
