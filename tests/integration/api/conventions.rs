//! What holds for all operations: quotas, traces, preferences, ETags, filters, problems, browsers of other sites.

use crate::support::{TestApp, client::send, examples};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

#[tokio::test]
async fn a_caller_has_so_many_requests_a_minute_and_is_told_how_many_are_left() {
    let app = TestApp::start_with(|config| config.rate_limit_per_min = 5).await;
    app.add_cell("eu-central-1").await;
    let acme = app.partner("acme").await;
    for left in (0..5).rev() {
        let answer = acme.get("/v1/tenants").await;
        assert_eq!(answer.header("ratelimit-policy"), "\"requests\";q=5;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"requests\";r={left};t=60"));
        answer.expect(200);
    }
    app.clock.advance(TimeDelta::seconds(18));
    let refused = acme.get("/v1/tenants").await;
    assert_eq!(refused.header("retry-after"), "42");
    assert_eq!(refused.header("ratelimit"), "\"requests\";r=0;t=42");
    refused.problem(429, "rate_limited");
    // It is the caller's own limit; what fails counts too and says so.
    let refused = app.operator().get("/v1/partners/nonsense").await;
    assert!(
        refused.header("ratelimit").starts_with("\"requests\";r="),
        "{refused:?}"
    );
    refused.problem(404, "not_found");
    app.clock.advance(TimeDelta::seconds(42));
    acme.get("/v1/tenants").await.expect(200);
    for open in ["/healthz", "/openapi.json", "/problems"] {
        let answer = app.anybody().get(open).await;
        assert!(!answer.headers.contains_key("ratelimit"), "{open}");
    }
}

#[tokio::test]
async fn an_operation_keeps_the_trace_of_the_request_that_opened_it() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let request = acme
        .request(Method::POST, "/v1/tenants")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .json(&examples::tenant("traced"));
    send(request).await.expect(202);
    acme.tenant("untraced").await;
    let kept: Vec<String> = sqlx::query_scalar("SELECT traceparent FROM operations ORDER BY id")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    let traced = kept
        .iter()
        .filter(|kept| kept.contains(TRACE))
        .collect::<Vec<_>>();
    assert_eq!((kept.len(), traced.len()), (2, 1), "{kept:?}");
    assert!(
        traced[0].starts_with(&format!("00-{TRACE}-")) && traced[0].ends_with("-01"),
        "{kept:?}"
    );
    assert!(
        !traced[0].contains("00f067aa0ba902b7"),
        "the span is ours: {kept:?}"
    );
}

#[tokio::test]
async fn a_preference_for_asynchronous_answers_is_followed_where_there_is_work() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for (prefer, applied) in [
        ("respond-async", true),
        ("wait=10, Respond-Async", true),
        ("return=minimal", false),
        ("respond-asynchronously", false),
    ] {
        let request = acme
            .request(Method::POST, "/v1/tenants")
            .header("prefer", prefer)
            .json(&examples::tenant(prefer));
        let answer = send(request).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let said = answer
            .headers
            .get("preference-applied")
            .map(|value| value.to_str().unwrap());
        assert_eq!(said, applied.then_some("respond-async"), "{prefer}");
        let reading = acme.request(Method::GET, "/v1/tenants").header("prefer", prefer);
        assert!(!send(reading).await.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn a_tenant_is_changed_only_as_it_was_read() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!(
        "/v1/tenants/{}",
        acme.tenant("customers").await["id"].as_str().unwrap()
    );
    let read = acme.get(&path).await;
    let etag = read.header("etag").to_owned();
    assert_eq!(etag, "\"1\"");
    let change = async |etag: Option<&str>, name: &str| {
        let request = acme.request(Method::PATCH, &path).json(&json!({"name": name}));
        send(match etag {
            Some(etag) => request.header("if-match", etag),
            None => request,
        })
        .await
    };
    change(None, "a")
        .await
        .problem(428, "precondition_required")
        .names("header:If-Match", "missing");
    for unreadable in ["1", "W/\"1\"", "*", "\"0\"", "\"1\", \"2\""] {
        change(Some(unreadable), "a").await.problem(400, "invalid_header");
    }
    change(Some("\"2\""), "a")
        .await
        .problem(412, "precondition_failed");
    change(Some(&etag), "first").await.expect(202);
    change(Some(&etag), "second")
        .await
        .problem(412, "precondition_failed");
    let now = acme.get(&path).await;
    assert_eq!(now.header("etag"), "\"2\"");
    assert_eq!(now.expect(200)["name"], "first");
}

#[tokio::test]
async fn tenants_are_found_by_what_their_partner_calls_them() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let make = async |partner: &crate::support::Partner, name: &str, external_id: &str, labels: Value| {
        let mut body = examples::tenant(name);
        body["external_id"] = json!(external_id);
        body["labels"] = labels;
        // Lists are in the order of creation.
        app.clock.advance(TimeDelta::seconds(1));
        partner.post("/v1/tenants", body).await
    };
    make(&acme, "North 1", "crm-1", json!({"plan": "gold", "region": "eu"}))
        .await
        .expect(202);
    make(&acme, "North 2", "crm-2", json!({"plan": "gold", "trial": ""}))
        .await
        .expect(202);
    make(&acme, "South_%", "crm-3", json!({})).await.expect(202);
    make(&other, "North 3", "crm-1", json!({"plan": "gold"}))
        .await
        .expect(202);
    make(&acme, "North 4", "crm-1", json!({}))
        .await
        .problem(409, "external_id_taken")
        .names("/external_id", "taken");
    let found = async |query: &str| {
        let page = acme.get(&format!("/v1/tenants?{query}")).await.expect(200);
        let items = page["items"].as_array().unwrap().clone();
        // Made at the same moment, they are listed in the order of their random ids.
        let mut names: Vec<_> = items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    for (query, names) in [
        ("name_prefix=North", &["North 1", "North 2"][..]),
        ("name_prefix=north", &[]),
        ("name_prefix=South_%25", &["South_%"]),
        ("name_prefix=%25", &[]),
        ("external_id=crm-2", &["North 2"]),
        ("external_id=crm-9", &[]),
        ("labels=plan%3Dgold", &["North 1", "North 2"]),
        ("labels=plan%3Dgold,region%3Deu", &["North 1"]),
        ("labels=trial%3D", &["North 2"]),
        ("labels=plan%3Dsilver", &[]),
        ("state=active", &["North 1", "North 2", "South_%"]),
        ("state=deleting", &[]),
        ("condition=Reconciling&name_prefix=South", &["South_%"]),
        ("condition=Drifted", &[]),
        (
            "state=active&labels=plan%3Dgold&name_prefix=North%202",
            &["North 2"],
        ),
    ] {
        assert_eq!(found(query).await, names, "{query}");
    }
    for (query, pointer) in [
        ("state=asleep", "query:state unknown_value"),
        ("condition=Asleep", "query:condition unknown_value"),
        ("labels=plan", "query:labels invalid"),
        ("labels=a%2Fb%3Dc", "query:labels invalid"),
        ("name_prefix=%00", "query:name_prefix invalid"),
        ("state=active&state=active", "query:state duplicate"),
    ] {
        let problem = acme
            .get(&format!("/v1/tenants?{query}"))
            .await
            .problem(400, "invalid_query");
        assert_eq!(problem.fields(), [pointer]);
    }
    // Pages keep the filter's order and its limits.
    let first = acme
        .get("/v1/tenants?labels=plan%3Dgold&limit=1")
        .await
        .expect(200);
    let next = first["next_cursor"].as_str().unwrap();
    let second = format!("/v1/tenants?labels=plan%3Dgold&limit=1&cursor={next}");
    let second = acme.get(&second).await.expect(200);
    let names: BTreeSet<_> = [&first, &second]
        .map(|page| page["items"][0]["name"].to_string())
        .into();
    assert_eq!((names.len(), &second["next_cursor"]), (2, &Value::Null));
}

#[tokio::test]
async fn labels_are_set_one_by_one_and_taken_away_by_null() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let path = format!(
        "/v1/tenants/{}",
        acme.tenant("customers").await["id"].as_str().unwrap()
    );
    let change = json!({"external_id": "crm-1", "labels": {"region": "eu", "plan": null, "absent": null}});
    let changed = acme.patch(&path, change).await.expect(202);
    assert_eq!(changed["tenant"]["labels"], json!({"region": "eu"}));
    assert_eq!(changed["tenant"]["external_id"], json!("crm-1"));
    let kept = acme.patch(&path, json!({"name": "clients"})).await.expect(202);
    assert_eq!(kept["tenant"]["external_id"], json!("crm-1"));
    let taken = acme
        .patch(&path, json!({"external_id": null, "labels": {}}))
        .await
        .expect(202);
    assert_eq!(taken["tenant"]["external_id"], Value::Null);
    assert_eq!(taken["tenant"]["labels"], json!({"region": "eu"}));
    let many: serde_json::Map<String, Value> = (0..32).map(|n| (format!("l{n}"), json!("x"))).collect();
    acme.patch(&path, json!({"labels": many}))
        .await
        .problem(422, "validation_failed")
        .names("/labels", "too_many");
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_explanation() {
    let app = TestApp::start().await;
    let problem = app
        .anybody()
        .get("/v1/tenants")
        .await
        .problem(401, "unauthenticated");
    let path = problem.body["type"].as_str().unwrap();
    let kind = app.anybody().get(path).await.expect(200);
    assert_eq!(
        (&kind["type"], &kind["code"], &kind["status"]),
        (&json!(path), &json!("unauthenticated"), &json!(401))
    );
    assert_eq!(kind["title"], problem.body["title"]);
    let page = app
        .anybody()
        .request(Method::GET, path)
        .header("accept", "text/html,*/*;q=0.8");
    let page = send(page).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(
        page.text.contains("<code>unauthenticated</code>"),
        "{}",
        page.text
    );
    for nothing in ["/problems/nonsense", "/problems/name_taken", "/problems/<script>"] {
        app.anybody().get(nothing).await.problem(404, "not_found");
    }
    let all = app.anybody().get("/problems").await.expect(200);
    let all = all["items"].as_array().unwrap();
    assert_eq!(all.len(), stepgate::error::Code::ALL.len());
    for kind in all {
        app.anybody()
            .get(kind["type"].as_str().unwrap())
            .await
            .expect(200);
    }
}

#[test]
fn the_page_of_problems_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/problems.md");
    assert!(
        std::fs::read_to_string(file).unwrap_or_default() == stepgate::api::problems::page(),
        "docs/problems.md is stale; run: cargo run -- problems > docs/problems.md"
    );
}

#[tokio::test]
async fn pages_of_other_sites_get_no_permission() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    for path in ["/v1/tenants", "/healthz", "/openapi.json", "/problems", "/docs/"] {
        let preflight = acme
            .request(Method::OPTIONS, path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        let simple = acme
            .request(Method::GET, path)
            .header("origin", "https://evil.example");
        for answer in [send(preflight).await, send(simple).await] {
            let cors = answer
                .headers
                .keys()
                .filter(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(cors.count(), 0, "{path}: {answer:?}");
            assert_eq!(
                answer.header("cross-origin-resource-policy"),
                "same-origin",
                "{path}"
            );
        }
    }
}
