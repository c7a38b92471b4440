//! What is not acceptable gets a problem that names the field, whatever the endpoint.

use crate::support::{Caller, Partner, TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

/// An operation that takes a body, with one that is accepted.
pub(super) struct Endpoint {
    caller: Caller,
    method: Method,
    path: String,
    pub(super) body: Value,
    max_bytes: usize,
    /// Version that `If-Match` names.
    version: i64,
}

#[expect(clippy::too_many_lines, reason = "a table: one entry an endpoint")]
pub(super) async fn endpoints(app: &TestApp) -> Vec<Endpoint> {
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("existing").await["id"].as_str().unwrap().to_owned();
    let app_id = acme.app(&tenant_id, "existing").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let small = 64 * 1024;
    let endpoint = |caller: &Caller, method, path: String, body, max_bytes| Endpoint {
        caller: caller.clone(),
        method,
        path,
        body,
        max_bytes,
        version: 1,
    };
    let policy = format!("/v1/tenants/{tenant_id}/apps/{app_id}/policy");
    let second_id = acme.app(&tenant_id, "second").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let second = format!("/v1/tenants/{tenant_id}/apps/{second_id}/policy");
    acme.put(&second, 1, examples::policy()).await.expect(202);
    let changed_id = acme.tenant("changed").await["id"].as_str().unwrap().to_owned();
    changed_before(app, &changed_id).await;
    // Of their own: the changes of a tenant are under its generation, which every other one raises.
    let connected = acme.tenant("connected").await["id"].as_str().unwrap().to_owned();
    let equipped = acme.tenant("equipped").await["id"].as_str().unwrap().to_owned();
    let webhook = acme.post("/v1/webhooks", examples::webhook()).await.expect(201);
    let webhook = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    let rollback = Endpoint {
        version: 2,
        ..endpoint(
            &acme,
            Method::POST,
            format!("{second}:rollback"),
            json!({"version": 1}),
            small,
        )
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let newest = acme.get("/v1/operations?limit=1").await.expect(200);
    let new_key = async |path: &str, role: &str| {
        let body = json!({"name": "to be rotated", "role": role});
        let key = app.operator().post(path, body).await.expect(201);
        format!("{path}/{}:rotate", key["id"].as_str().unwrap())
    };
    let partner_keys = format!("/v1/partners/{}/keys", acme.id);
    let rotations = [
        new_key(&partner_keys, "partner_reader").await,
        new_key("/v1/keys", "auditor").await,
    ];
    let ask = json!({"app_id": app_id, "reason": "drill", "duration_min": 5});
    let asked = acme
        .post(&format!("/v1/tenants/{tenant_id}/exemptions"), ask)
        .await
        .expect(201);
    let exemption_id = asked["id"].as_str().unwrap().to_owned();
    let user = format!("/v1/tenants/{tenant_id}/users/f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071");
    super::pilots::provision(app, &tenant_id).await;
    let pilots = format!("/v1/tenants/{tenant_id}/blockid/pilots");
    let pilot = acme
        .post(&pilots, json!({"method": "otp", "username": "ann"}))
        .await
        .expect(201);
    let pilot_id = text(&pilot["pilot"]["id"]);
    // The tables of the fields begin with these, in this order: what is new comes behind.
    let mut endpoints = vec![
        endpoint(
            app.operator(),
            Method::POST,
            "/v1/partners".into(),
            json!({"name": "x"}),
            small,
        ),
        endpoint(
            app.operator(),
            Method::POST,
            format!("/v1/partners/{}/keys", acme.id),
            json!({"name": "x", "role": "partner_admin"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            "/v1/tenants".into(),
            examples::tenant("x"),
            small,
        ),
        Endpoint {
            // The two apps and the policy above were changes of it.
            version: 4,
            ..endpoint(
                &acme,
                Method::PATCH,
                format!("/v1/tenants/{tenant_id}"),
                json!({"name": "x", "pool": {}}),
                small,
            )
        },
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}/apps"),
            examples::app("x"),
            320 * 1024,
        ),
        endpoint(
            &acme,
            Method::PATCH,
            format!("/v1/tenants/{tenant_id}/apps/{second_id}"),
            json!({"name": "x", "allowed_origins": ["https://portal.acme.example", "http://localhost:3000"]}),
            small,
        ),
        endpoint(&acme, Method::PUT, policy.clone(), examples::policy(), 257 * 1024),
        endpoint(
            &acme,
            Method::POST,
            format!("{policy}:simulate"),
            json!({"attributes": {"email": "ann@acme.example"}, "document": examples::policy()}),
            320 * 1024,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("{policy}:validate"),
            json!({"document": examples::policy()}),
            257 * 1024,
        ),
        rollback,
        endpoint(
            &acme,
            Method::PUT,
            format!("/v1/tenants/{tenant_id}/alarms"),
            json!({
                "success_rate": {"below": 0.5, "minimum_sample": 5, "window_min": 15},
                "provider_errors": {"above": 5, "window_min": 15},
                "latency": {"p95_above_ms": 9000, "minimum_sample": 5, "window_min": 15},
            }),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}:suspend"),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}:resume"),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/operations/{}:cancel", text(&newest["items"][0]["id"])),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            "/v1/blockid:check".into(),
            examples::connection("other-secret"),
            small,
        ),
        endpoint(
            &acme,
            Method::PUT,
            format!("/v1/tenants/{connected}/blockid"),
            examples::connection("other-secret"),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{changed_id}/blockid:revert"),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            app.operator(),
            Method::PATCH,
            format!("/v1/partners/{}", acme.id),
            json!({"name": "x"}),
            small,
        ),
        endpoint(
            app.operator(),
            Method::POST,
            "/v1/keys".into(),
            json!({"name": "x", "role": "auditor"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}/exemptions"),
            json!({"app_id": app_id, "user_sub": null, "reason": "drill", "duration_min": 5}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}/exemptions/{exemption_id}:revoke"),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("/v1/tenants/{tenant_id}/users:find"),
            json!({"username": "ann"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("{user}:sign-out"),
            json!({"reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("{user}/links"),
            json!({"subject": "s", "reason": "drill"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("{user}/links/{}:unlink", "0".repeat(64)),
            json!({"reason": "drill"}),
            small,
        ),
    ];
    let deleted = |path: String, body| endpoint(&acme, Method::POST, path, body, small);
    endpoints.extend([
        deleted(
            format!("/v1/tenants/{}:restore", gone(app, &acme, "restored").await),
            json!({"reason": "drill"}),
        ),
        deleted(
            format!("/v1/tenants/{}:purge", gone(app, &acme, "purged").await),
            json!({"reason": "drill", "retain_user_pool": true}),
        ),
        deleted(
            format!("/v1/tenants/{tenant_id}/users:export"),
            json!({"reason": "drill", "format": "csv"}),
        ),
    ]);
    endpoints.push(endpoint(
        &acme,
        Method::POST,
        "/v1/audit:verify".into(),
        json!({"heads": []}),
        small,
    ));
    endpoints.push(endpoint(
        &acme,
        Method::POST,
        "/v1/webhooks".into(),
        examples::webhook(),
        small,
    ));
    endpoints.push(endpoint(
        &acme,
        Method::PATCH,
        webhook,
        json!({"description": "x"}),
        small,
    ));
    endpoints.extend([
        endpoint(
            &acme,
            Method::POST,
            pilots.clone(),
            json!({"method": "otp", "username": "ann"}),
            small,
        ),
        endpoint(
            &acme,
            Method::POST,
            format!("{pilots}/{pilot_id}:complete"),
            json!({"code": "c", "state": "s"}),
            small,
        ),
        endpoint(
            &acme,
            Method::PUT,
            format!("/v1/tenants/{equipped}/blockid/methods"),
            json!({"extra_methods": []}),
            small,
        ),
    ]);
    let cell: String = sqlx::query_scalar("SELECT id FROM cells")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    super::rollouts::register(app, &cell, super::rollouts::WALKED).await;
    endpoints.extend([
        endpoint(
            app.operator(),
            Method::PATCH,
            format!("/v1/cells/{cell}"),
            json!({"state": "ready", "quotas": {"roles": 5000}, "aws_call_limits": {"lambda:GetFunction": 50}}),
            small,
        ),
        endpoint(
            app.operator(),
            Method::POST,
            "/v1/rollouts".into(),
            json!({"release": super::rollouts::WALKED, "cell_ids": [cell], "plan": {"canary": 2}}),
            small,
        ),
    ]);
    // In a cell of their own, so that another can be begun.
    let other = app.add_cell("us-west-2").await.id.to_string();
    for (operation_id, verb, body) in [
        ("pauseRollout", "pause", json!({"reason": "drill"})),
        ("resumeRollout", "resume", json!({"reason": "drill"})),
        (
            "cancelRollout",
            "cancel",
            json!({"reason": "drill", "roll_back": true}),
        ),
    ] {
        let rollout = super::rollouts::standing(app, &other, operation_id).await;
        let path = format!("/v1/rollouts/{rollout}:{verb}");
        endpoints.push(endpoint(app.operator(), Method::POST, path, body, small));
    }
    for path in rotations {
        endpoints.push(endpoint(
            app.operator(),
            Method::POST,
            path,
            json!({"overlap_s": 0}),
            small,
        ));
    }
    endpoints
}

/// A tenant that is deleted; one called `purged` as if its purge had been confirmed.
async fn gone(app: &TestApp, acme: &Partner, name: &str) -> String {
    let id = acme.tenant(name).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/tenants/{id}");
    acme.call(Method::DELETE, &path, None).await.expect(202);
    let confirmed = r#"UPDATE tenants SET state = 'purging', deletion = deletion || '{"purge": {"since":
        "2026-01-05T10:00:00Z", "retain_user_pool": true, "without_export": false}}' WHERE id = $1 AND name = 'purged'"#;
    sqlx::query(confirmed)
        .bind(&id)
        .execute(&app.owner)
        .await
        .unwrap();
    id
}

/// As if the worker had changed the tenant's connection: from another list of CAs.
async fn changed_before(app: &TestApp, tenant_id: &str) {
    let done = "INSERT INTO connection_changes (id, tenant_id, partner_id, state, connection, previous, operation_id,
                    created_at, staged_at, finished_at)
                SELECT 'chg_01jd7v0p3h8s5k2m4n6q9r1t0w', t.id, t.partner_id, 'done', c, c, o.id, now(), now(), now()
                FROM tenants t JOIN operations o ON o.tenant_id = t.id, jsonb_build_object('tenant_dns',
                    blockid_tenant_dns, 'community', blockid_community, 'client_id', blockid_client_id) c
                WHERE t.id = $1";
    sqlx::query(done)
        .bind(tenant_id)
        .execute(&app.owner)
        .await
        .unwrap();
}

impl Endpoint {
    pub(super) fn request(&self) -> reqwest::RequestBuilder {
        self.caller
            .request(self.method.clone(), &self.path)
            .header("if-match", format!("\"{}\"", self.version))
    }

    fn raw(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.request()
            .header("content-type", "application/json")
            .body(body)
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_objects() {
    let app = TestApp::start().await;
    let endpoints = endpoints(&app).await;
    let document = app.anybody().get("/openapi.json").await.expect(200);
    let with_body = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values());
    let with_body = with_body
        .filter(|operation| operation["requestBody"].is_object())
        .count();
    assert_eq!(
        with_body,
        endpoints.len(),
        "an operation with a body is missing here: add it"
    );

    for endpoint in &endpoints {
        println!("{}", endpoint.name());
        for malformed in [
            "",
            "{",
            "{\"name\": }",
            "{} {}",
            "'name'",
            "{\"name\": \"\u{1}\"}",
        ] {
            send(endpoint.raw(malformed)).await.problem(400, "malformed_json");
        }
        send(endpoint.raw(vec![b'{', 0xff, b'}']))
            .await
            .problem(400, "malformed_json");
        for not_an_object in [
            "null",
            "5",
            "\"text\"",
            "true",
            "[]",
            "[\"x\", \"partner_admin\"]",
        ] {
            let problem = send(endpoint.raw(not_an_object))
                .await
                .problem(422, "validation_failed");
            assert!(
                problem.fields()[0].starts_with(' '),
                "{not_an_object}: the body as a whole is at fault: {}",
                problem.body
            );
        }
    }
}

#[tokio::test]
async fn bodies_of_another_type_or_size_and_unknown_fields() {
    let app = TestApp::start().await;
    for (index, endpoint) in endpoints(&app).await.iter().enumerate() {
        println!("{}", endpoint.name());
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonx",
            "",
        ] {
            let request = endpoint
                .request()
                .header("content-type", content_type)
                .body(endpoint.body.to_string());
            send(request)
                .await
                .problem(415, "unsupported_media_type")
                .names("header:Content-Type", "unsupported");
        }
        send(endpoint.request().body(endpoint.body.to_string()))
            .await
            .problem(415, "unsupported_media_type");
        let padded = format!("{}{}", endpoint.body, " ".repeat(endpoint.max_bytes));
        send(endpoint.raw(padded.clone()))
            .await
            .problem(413, "payload_too_large");
        let chunks = futures_util::stream::iter(
            padded
                .into_bytes()
                .chunks(8192)
                .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
                .collect::<Vec<_>>(),
        );
        send(endpoint.raw(reqwest::Body::wrap_stream(chunks)))
            .await
            .problem(413, "payload_too_large");

        let mut unknown = endpoint.body.clone();
        unknown["no_such_field"] = json!(1);
        let problem = send(endpoint.request().json(&unknown))
            .await
            .problem(422, "validation_failed");
        assert!(
            problem.body.to_string().contains("no_such_field"),
            "{}",
            problem.body
        );
        let mut fine = endpoint.body.clone();
        if let Some(name) = fine.get_mut("name") {
            *name = json!(format!("accepted {index}"));
        }
        let request = endpoint
            .request()
            .header("content-type", "application/json; charset=utf-8");
        let accepted = send(request.body(fine.to_string())).await;
        // No cell answers here, so nobody's users can be asked for: everything else was in order.
        let no_pool = endpoint.path.contains("/users") && accepted.text.contains("\"cell_unavailable\"");
        // No provider answers here: whoever completes a pilot hears about its `state`.
        let no_pilot = endpoint.path.ends_with(":complete") && accepted.text.contains("\"mismatch\"");
        assert!(
            accepted.status.is_success() || no_pool || no_pilot,
            "{}: {}",
            endpoint.name(),
            accepted.text
        );
    }
}
