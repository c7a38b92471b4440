//! The service itself: health, unknown paths and methods, headers, documentation.

use crate::support::{TestApp, client::send};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn health_and_readiness() {
    let app = TestApp::start().await;
    assert_eq!(
        app.anybody().get("/healthz").await.expect(200),
        json!({"status": "ok"})
    );
    let ready = app.anybody().get("/readyz").await.expect(200);
    assert_eq!(
        ready["schema_version"],
        json!(stepgate::storage::Database::expected_schema_version())
    );
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version > 1")
        .execute(&app.owner)
        .await
        .unwrap();
    app.anybody().get("/readyz").await.problem(503, "unavailable");
    app.context.db.pool().close().await;
    app.anybody().get("/readyz").await.problem(503, "unavailable");
    app.anybody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let app = TestApp::start().await;
    let operator = app.operator();
    for path in [
        "/",
        "/v1/nope",
        "/v1/tenants/",
        "//v1/tenants",
        "/v1/../healthz/x",
        "/v1/tenants/a/b/c",
    ] {
        operator.get(path).await.problem(404, "route_not_found");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/v1/tenants", "GET, POST"),
        (Method::PUT, "/v1/partners", "GET, POST"),
        (Method::POST, "/v1/tenants/tnt_x/apps/app_y/policy", "GET, PUT"),
        (Method::PATCH, "/healthz", "GET"),
        (Method::POST, "/openapi.json", "GET"),
        (Method::OPTIONS, "/v1/cells", "GET"),
        (Method::OPTIONS, "/v1/audit:verify", "POST"),
        (
            Method::OPTIONS,
            "/v1/keys/key_01jd7v0p3h8s5k2m4n6q9r1t0w:revoke",
            "POST",
        ),
        (Method::OPTIONS, "/v1/keys/key_01jd7v0p3h8s5k2m4n6q9r1t0w", "GET"),
    ] {
        let answer = send(operator.request(method, path)).await;
        assert_eq!(answer.header("allow"), allow);
        answer.problem(405, "method_not_allowed");
    }
    app.anybody()
        .get("/v1/nope")
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn request_ids_are_taken_over_when_usable_and_always_given_back() {
    let app = TestApp::start().await;
    let ask = |id: &'static str| {
        send(
            app.operator()
                .request(Method::GET, "/v1/cells")
                .header("x-request-id", id),
        )
    };
    assert_eq!(ask("trace-1.2_3:4").await.header("x-request-id"), "trace-1.2_3:4");
    let long: &'static str = "a".repeat(129).leak();
    for unusable in ["with space", "semi;colon", "", long] {
        assert!(
            ask(unusable).await.header("x-request-id").starts_with("req_"),
            "{unusable}"
        );
    }
    let problem = send(
        app.anybody()
            .request(Method::GET, "/v1/cells")
            .header("x-request-id", "mine"),
    )
    .await;
    assert_eq!(
        problem.problem(401, "unauthenticated").body["request_id"],
        json!("mine")
    );
}

#[tokio::test]
async fn answers_carry_security_headers() {
    let app = TestApp::start().await;
    for (path, cached) in [("/v1/cells", false), ("/healthz", true), ("/nope", true)] {
        let answer = app.operator().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(answer.headers.contains_key("cache-control"), !cached, "{path}");
        assert!(
            !answer.headers.contains_key("server")
                && !answer.headers.contains_key("access-control-allow-origin")
        );
    }
    let refused = app.anybody().get("/v1/cells").await;
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn the_documentation_is_served_from_the_binary_alone() {
    let app = TestApp::start().await;
    let page = app.anybody().get("/docs").await;
    assert_eq!(page.status, 200, "redirected to the page");
    let csp = page.header("content-security-policy").to_owned();
    assert!(
        csp.contains("script-src 'self'") && !csp.contains("unsafe"),
        "{csp}"
    );
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://"),
        "{}",
        page.text
    );
    assert!(
        !page.text.contains("<script>"),
        "inline scripts would be blocked: {}",
        page.text
    );
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert!(page.text.contains(file));
        assert_eq!(
            app.anybody().get(&format!("/docs/{file}")).await.status,
            200,
            "{file}"
        );
    }
    let initializer = app.anybody().get("/docs/swagger-initializer.js").await.text;
    assert!(initializer.contains("/openapi.json"), "{initializer}");
}

#[tokio::test]
async fn several_key_spellings_are_refused_alike() {
    let app = TestApp::start().await;
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer sgk_",
        "sgk_aaaaaaaaaaaa_b",
        "Bearer x\u{e9}",
    ] {
        let request = app
            .anybody()
            .request(Method::GET, "/v1/tenants")
            .header("authorization", value);
        send(request).await.problem(401, "unauthenticated");
    }
    // A path that only decodes to a protected one is protected too.
    for path in ["/%761/tenants", "/v%31/tenants"] {
        let status = app.anybody().get(path).await.status.as_u16();
        assert!(matches!(status, 401 | 404), "{path}: {status}");
    }
}
