//! Fields that are not acceptable, by endpoint: each gets a problem that names the field and the rule.

use super::bad_input::endpoints;
use crate::support::{TestApp, client::send, examples};
use serde_json::{Value, json};

/// Field, bad value, expected rule.
type Row = (&'static str, Value, &'static str);

fn long(characters: usize) -> Value {
    json!("x".repeat(characters))
}

#[expect(clippy::too_many_lines, reason = "one row a rule")]
fn rows(endpoint: &str) -> Vec<Row> {
    let name = || {
        vec![
            ("/name", json!(""), "empty"),
            ("/name", json!("  "), "empty"),
            ("/name", json!(" x"), "padded"),
            ("/name", json!("a\u{7}b"), "control_character"),
            ("/name", long(129), "too_long"),
            ("/name", json!(5), "wrong_type"),
            ("/name", json!(["x"]), "wrong_type"),
        ]
    };
    let mut rows = name();
    rows.extend(match endpoint {
        "POST partners" => vec![],
        "POST keys" => vec![
            ("/role", json!("root"), "unknown_value"),
            ("/role", json!("operator"), "not_a_partner_role"),
            ("/role", json!(1), "wrong_type"),
            ("/scopes", json!([]), "empty"),
            ("/scopes", json!("read"), "wrong_type"),
            ("/scopes", json!(["root"]), "unknown_value /0"),
            ("/expires_at", json!("2020-01-01T00:00:00Z"), "in_the_past"),
            ("/expires_at", json!("tomorrow"), "invalid"),
        ],
        "POST tenants" => vec![
            ("/external_id", json!(""), "empty"),
            ("/external_id", long(129), "too_long"),
            ("/external_id", json!(4), "wrong_type"),
            ("/labels", json!([]), "wrong_type"),
            ("/labels", json!({"a/b": "x"}), "bad_label_name /a~1b"),
            ("/labels/plan", json!("gold!"), "bad_label_value"),
            ("/labels/plan", long(64), "bad_label_value"),
            ("/labels/plan", json!(null), "wrong_type"),
            ("/cell_id", json!("x"), "invalid"),
            ("/cell_id", json!("tnt_01jd7v0p3h8s5k2m4n6q9r1t0w"), "invalid"),
            ("/blockid", json!(null), "wrong_type"),
            ("/blockid", json!([]), "wrong_type"),
            (
                "/blockid/tenant_dns",
                json!("https://acme.1kosmos.net"),
                "has_scheme",
            ),
            ("/blockid/tenant_dns", json!("acme.1kosmos.net/x"), "has_path"),
            ("/blockid/tenant_dns", json!("u@acme.1kosmos.net"), "has_userinfo"),
            ("/blockid/tenant_dns", json!("acme"), "single_label"),
            ("/blockid/tenant_dns", json!("acme..net"), "bad_label"),
            ("/blockid/tenant_dns", json!(""), "empty"),
            ("/blockid/tenant_dns", json!("a b.net"), "has_whitespace"),
            ("/blockid/tenant_dns", json!("127.1"), "disguised_ip"),
            (
                "/blockid/tenant_dns",
                json!(format!("{}.net", "a.".repeat(130))),
                "too_long",
            ),
            ("/blockid/tenant_dns", json!(1), "wrong_type"),
            ("/blockid/community", json!(""), "empty"),
            ("/blockid/community", json!("a/b"), "not_a_path_segment"),
            ("/blockid/community", json!(".."), "not_a_path_segment"),
            ("/blockid/community", long(129), "too_long"),
            ("/blockid/client_id", json!("a:b"), "invalid_character"),
            ("/blockid/client_id", long(257), "too_long"),
            ("/blockid/client_secret", json!(""), "empty"),
            ("/blockid/client_secret", json!("sécret"), "invalid_character"),
            ("/blockid/client_secret", long(1025), "too_long"),
            ("/blockid/client_secret", json!(4242), "wrong_type"),
            ("/blockid/no_such", json!(1), "unknown_field"),
            ("/sandbox", json!("yes"), "wrong_type"),
            ("/pool", json!([]), "wrong_type"),
            ("/pool/self_sign_up", json!("yes"), "wrong_type"),
            ("/pool/sign_in_with", json!("phone"), "unknown_value"),
            ("/pool/tier", json!("gold"), "unknown_value"),
            ("/pool/no_such", json!(1), "unknown_field"),
            ("/pool/attributes", json!({}), "wrong_type"),
            ("/pool/attributes/0/name", json!(""), "length"),
            ("/pool/attributes/0/name", long(21), "length"),
            ("/pool/attributes/0/name", json!("custom:x"), "invalid_character"),
            ("/pool/attributes/0/max_length", json!(0), "out_of_range"),
            ("/pool/attributes/0/max_length", json!(2049), "out_of_range"),
            ("/pool/attributes/0/max_length", json!(-1), "invalid"),
            ("/pool/attributes/0/mutable", json!(null), "wrong_type"),
            (
                "/pool/password",
                json!([12, true, true, true, true, 7]),
                "wrong_type",
            ),
            ("/pool/password/min_length", json!(5), "out_of_range"),
            ("/pool/password/min_length", json!(100), "out_of_range"),
            ("/pool/password/min_length", json!(1.5), "wrong_type"),
            (
                "/pool/password/temporary_validity_days",
                json!(366),
                "out_of_range",
            ),
            ("/pool/email/from", json!("nobody"), "not_an_address"),
            (
                "/pool/email/ses_identity_arn",
                json!("arn:aws:s3:::b"),
                "not_an_arn",
            ),
        ],
        "PATCH tenants" => vec![
            (
                "/pool/password",
                json!({"min_length": 3}),
                "out_of_range /min_length",
            ),
            (
                "/pool/email",
                json!({"from": "a@b.example"}),
                "missing /ses_identity_arn",
            ),
            ("/pool/tier", json!(1), "wrong_type"),
            ("/external_id", json!("-\u{0}"), "control_character"),
            ("/drift_mode", json!("ignore"), "unknown_value"),
            ("/drift_mode", json!(1), "wrong_type"),
            ("/labels", json!({"-": "x"}), "bad_label_name /-"),
            ("/blockid", json!({}), "unknown_field"),
            ("/cell_id", json!("x"), "unknown_field"),
            ("/sandbox", json!(true), "unknown_field"),
        ],
        "POST apps" => vec![
            ("/name", json!("a/b"), "invalid_character"),
            ("/id_token_validity_min", json!(4), "out_of_range"),
            ("/id_token_validity_min", json!(1441), "out_of_range"),
            ("/access_token_validity_min", json!("15"), "wrong_type"),
            ("/refresh_token_validity_min", json!(59), "out_of_range"),
            ("/refresh_token_validity_min", json!(525_601), "out_of_range"),
            ("/session_validity_min", json!(16), "out_of_range"),
            ("/session_validity_min", json!(2), "out_of_range"),
            ("/allowed_origins", json!("https://a.example"), "wrong_type"),
            (
                "/return_url",
                json!("https://elsewhere.example/"),
                "not_a_page_of_the_app",
            ),
            ("/allowed_origins/1", json!("http://a.example"), "not_an_origin"),
            (
                "/allowed_origins/1",
                json!("https://portal.acme.example"),
                "duplicate",
            ),
            ("/action_step_up", json!(1), "wrong_type"),
            ("/client_id", json!("x"), "unknown_field"),
        ],
        "PATCH apps" => vec![
            ("/name", json!("a/b"), "invalid_character"),
            ("/id_token_validity_min", json!(4), "out_of_range"),
            ("/access_token_validity_min", json!("15"), "wrong_type"),
            ("/refresh_token_validity_min", json!(14), "out_of_range"),
            ("/session_validity_min", json!(2), "out_of_range"),
            ("/allowed_origins/1", json!("http://a.example"), "not_an_origin"),
            ("/action_step_up", json!(1), "wrong_type"),
            ("/policy", examples::policy(), "unknown_field"),
            ("/client_id", json!("x"), "unknown_field"),
        ],
        other => panic!("no rows for {other}"),
    });
    rows
}

/// Puts `value` at `pointer`, which may be a new field.
fn set(body: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
}

#[tokio::test]
async fn fields_that_are_not_acceptable() {
    let app = TestApp::start().await;
    let endpoints = endpoints(&app).await;
    let names = [
        "POST partners",
        "POST keys",
        "POST tenants",
        "PATCH tenants",
        "POST apps",
        "PATCH apps",
    ];
    for (endpoint, name) in endpoints.iter().zip(names) {
        for (pointer, value, rule) in rows(name) {
            println!("{name}: {pointer} = {value}");
            let mut body = endpoint.body.clone();
            set(&mut body, pointer, value);
            let problem = send(endpoint.request().json(&body))
                .await
                .problem(422, "validation_failed");
            let (rule, below) = rule.split_once(' ').unwrap_or((rule, ""));
            problem.names(&format!("{pointer}{below}"), rule);
            assert!(
                !problem.body.to_string().contains("4242"),
                "a refused secret must not be repeated"
            );
        }
    }
}

#[tokio::test]
async fn fields_that_are_missing() {
    let app = TestApp::start().await;
    for endpoint in endpoints(&app).await {
        let required: &[&str] = match endpoint.name().as_str() {
            "POST /v1/partners" => &["/name"],
            "POST /v1/tenants" => &[
                "/name",
                "/blockid",
                "/blockid/tenant_dns",
                "/blockid/community",
                "/blockid/client_id",
                "/blockid/client_secret",
                "/pool/attributes/0/name",
                "/pool/email/from",
            ],
            name if name.ends_with("/keys") => &["/name", "/role"],
            name if name.ends_with("/apps") => &["/name"],
            _ => &[],
        };
        for pointer in required {
            let mut body = endpoint.body.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(field)
                .unwrap();
            let problem = send(endpoint.request().json(&body))
                .await
                .problem(422, "validation_failed");
            problem.names(pointer, "missing");
        }
    }
}

#[tokio::test]
async fn several_fields_at_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let mut body = examples::tenant("");
    body["blockid"]["tenant_dns"] = json!("localhost/x");
    body["blockid"]["client_secret"] = json!("");
    body["pool"]["password"]["min_length"] = json!(1);
    let problem = acme
        .post("/v1/tenants", body)
        .await
        .problem(422, "validation_failed");
    let pointers: Vec<_> = problem
        .fields()
        .into_iter()
        .map(|field| field.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/blockid/tenant_dns",
            "/blockid/client_secret",
            "/pool/password/min_length"
        ]
    );
}

#[tokio::test]
async fn query_parameters_that_are_not_acceptable() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant_id = acme.tenant("customers").await["id"].as_str().unwrap().to_owned();
    for path in [
        "/v1/tenants".to_owned(),
        "/v1/operations".to_owned(),
        format!("/v1/tenants/{tenant_id}/apps"),
        format!("/v1/tenants/{tenant_id}/users/f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071/links"),
    ] {
        for (query, pointer) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=x", "limit"),
            ("cursor=x", "cursor"),
            ("colour=red", "colour"),
        ] {
            let problem = acme
                .get(&format!("{path}?{query}"))
                .await
                .problem(400, "invalid_query");
            assert!(
                problem.fields()[0].starts_with(&format!("query:{pointer} ")),
                "{}",
                problem.body
            );
        }
    }
}
