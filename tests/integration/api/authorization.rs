//! Every operation of the document has an authorization case: no key, each role, another partner.

use crate::support::{Answer, Caller, Partner, TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

/// Who may call an operation: operator, auditor, partner admin, partner reader.
type Roles = [bool; 4];
const OPERATOR: Roles = [true, false, false, false];
const INSTALLATION: Roles = [true, true, false, false];
const EVERYBODY: Roles = [true, true, true, true];
const ADMINISTRATORS: Roles = [true, false, true, false];
const PARTNER_ADMIN: Roles = [false, false, true, false];

/// The case of an operation: who may call it, and an acceptable body.
fn case(operation_id: &str, unique: &str) -> Option<(Roles, Option<Value>)> {
    Some(match operation_id {
        "createPartner" => (OPERATOR, Some(json!({"name": unique}))),
        "createPartnerKey" => (OPERATOR, Some(json!({"name": unique, "role": "partner_reader"}))),
        "listCells" | "getCell" => (INSTALLATION, None),
        "listTenants"
        | "getTenant"
        | "listApps"
        | "getApp"
        | "getPolicy"
        | "getOperation"
        | "listOperations"
        | "watchOperation"
        | "getAppIntegration"
        | "getTenantTemplate"
        | "getStandaloneTemplate"
        | "getPolicySchema"
        | "listPolicyVersions"
        | "getPolicyVersion"
        | "diffPolicyVersions" => (EVERYBODY, None),
        "simulatePolicy" => (
            EVERYBODY,
            Some(json!({"attributes": {"email": "ann@acme.example"}})),
        ),
        "validatePolicy" => (EVERYBODY, Some(json!({"document": examples::policy()}))),
        "suspendTenant" | "resumeTenant" | "cancelOperation" => {
            (ADMINISTRATORS, Some(json!({"reason": "drill"})))
        }
        // The walk has put a second version before it comes to this.
        "rollbackPolicy" => (PARTNER_ADMIN, Some(json!({"version": 1}))),
        "createTenant" => (PARTNER_ADMIN, Some(examples::tenant(unique))),
        "updateTenant" => (PARTNER_ADMIN, Some(json!({"pool": {"self_sign_up": true}}))),
        "updateApp" => (PARTNER_ADMIN, Some(json!({"session_validity_min": 4}))),
        // Each caller that may gets an app of its own to delete.
        "deleteApp" => (PARTNER_ADMIN, None),
        "createApp" => (PARTNER_ADMIN, Some(examples::app(unique))),
        "putPolicy" => (PARTNER_ADMIN, Some(examples::policy())),
        _ => return None,
    })
}

#[derive(Clone)]
struct Ids {
    partner: String,
    cell: String,
    tenant: String,
    app: String,
    operation: String,
}

impl Ids {
    fn fill(&self, template: &str) -> String {
        let path = [
            ("{partner_id}", &self.partner),
            ("{cell_id}", &self.cell),
            ("{tenant_id}", &self.tenant),
            ("{app_id}", &self.app),
            ("{operation_id}", &self.operation),
            ("{version}", &"1".to_owned()),
            ("{against}", &"1".to_owned()),
        ]
        .into_iter()
        .fold(template.to_owned(), |path, (name, id)| path.replace(name, id));
        assert!(
            !path.contains('{'),
            "{template} has a parameter that the test does not know"
        );
        path
    }
}

/// Ids for one call of an operation: what a call uses up is made anew for each.
async fn fresh(acme: &Partner, ids: &Ids, operation_id: &str) -> Ids {
    if !matches!(operation_id, "deleteApp" | "cancelOperation" | "watchOperation") {
        return ids.clone();
    }
    let path = format!("/v1/tenants/{}/apps", ids.tenant);
    let count = acme.get(&format!("{path}?limit=200")).await.expect(200)["items"]
        .as_array()
        .unwrap()
        .len();
    let made = acme
        .post(&path, json!({"name": format!("{operation_id} {count}")}))
        .await
        .expect(202);
    let operation = made["operation"]["id"].as_str().unwrap().to_owned();
    if operation_id == "watchOperation" {
        // A stream of one that goes on would have no end.
        acme.post(
            &format!("/v1/operations/{operation}:cancel"),
            json!({"reason": "walk"}),
        )
        .await
        .expect(200);
    }
    Ids {
        app: made["app"]["id"].as_str().unwrap().to_owned(),
        operation,
        ..ids.clone()
    }
}

async fn call(caller: &Caller, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request = caller.request(method.clone(), path);
    let read = path.trim_end_matches(":rollback");
    let has_versions = read.ends_with("/policy") && (*method == Method::PUT || read != path);
    if has_versions || (read.contains("/apps/") && *method == Method::PATCH) {
        let current = caller.get(read).await.headers.get("etag").cloned();
        request = request.header("if-match", current.unwrap_or_else(|| "\"1\"".parse().unwrap()));
    }
    send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn every_operation_refuses_who_may_not_call_it() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let tenant = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tenant_id = text(&tenant["tenant"]["id"]);
    let ids = Ids {
        partner: acme.id.clone(),
        cell: text(&tenant["tenant"]["cell_id"]),
        app: text(&acme.app(&tenant_id, "Portal").await["id"]),
        operation: text(&tenant["operation"]["id"]),
        tenant: tenant_id,
    };
    let reader = app.partner_key(&acme.id, "partner_reader").await;
    let callers = [
        app.operator().clone(),
        app.auditor().await,
        acme.admin.clone(),
        reader,
    ];
    let stranger = app
        .anybody()
        .with_key(Some(format!("sgk_{}_{}", "a".repeat(12), "b".repeat(43))));

    let document = app.anybody().get("/openapi.json").await.expect(200);
    let mut walked = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !template.starts_with("/v1/") {
                continue;
            }
            let operation_id = operation["operationId"].as_str().unwrap();
            let (roles, _) = case(operation_id, "")
                .unwrap_or_else(|| panic!("{operation_id} has no authorization case: add one"));
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = fresh(&acme, &ids, operation_id).await.fill(template);
            let body = |unique: &str| case(operation_id, unique).unwrap().1;

            for nobody in [app.anybody(), &stranger] {
                call(nobody, &method, &path, body("nobody").as_ref())
                    .await
                    .problem(401, "unauthenticated");
            }
            for (index, (caller, allowed)) in callers.iter().zip(roles).enumerate() {
                let path = fresh(&acme, &ids, operation_id).await.fill(template);
                let answer = call(
                    caller,
                    &method,
                    &path,
                    body(&format!("{operation_id} {index}")).as_ref(),
                )
                .await;
                if allowed {
                    assert!(
                        answer.status.is_success(),
                        "{operation_id} as caller {index}: {}",
                        answer.text
                    );
                } else {
                    answer.problem(403, "forbidden");
                    // The role is judged before the body: a refused caller learns nothing about it.
                    let broken = caller
                        .request(method.clone(), &path)
                        .header("content-type", "application/json")
                        .body("{");
                    send(broken).await.problem(403, "forbidden");
                }
            }
            let answer = call(&other, &method, &path, body("other").as_ref()).await;
            match operation_id {
                _ if !roles[2] => drop(answer.problem(403, "forbidden")),
                "getPolicySchema" | "getStandaloneTemplate" => {
                    assert!(answer.status.is_success(), "{}", answer.text);
                }
                "listTenants" | "listOperations" => assert_eq!(answer.expect(200)["items"], json!([])),
                "createTenant" => assert_eq!(answer.expect(202)["tenant"]["partner_id"], json!(other.id)),
                _ => drop(answer.problem(404, "not_found")),
            }
            forget(&app, &other.id).await;
            walked += 1;
        }
    }
    assert!(walked >= 14, "only {walked} operations were walked");
}

/// So that the other partner's list stays empty for later operations of the walk.
async fn forget(app: &TestApp, partner_id: &str) {
    for statement in [
        "DELETE FROM operation_steps USING operations o WHERE o.id = operation_id AND o.partner_id = $1",
        "DELETE FROM operations WHERE partner_id = $1",
        "DELETE FROM tenants WHERE partner_id = $1",
    ] {
        sqlx::query(statement)
            .bind(partner_id)
            .execute(&app.owner)
            .await
            .unwrap();
    }
}
