//! Every operation of the document has an authorization case: no key, each role, another partner; by key and by token.

use super::tokens::Issuer;
use crate::support::{Answer, Caller, TestApp, client::send, examples};
use reqwest::Method;
use serde_json::{Value, json};

/// Who may call an operation: operator, auditor, partner admin, partner reader.
pub(super) type Roles = [bool; 4];
const OPERATOR: Roles = [true, false, false, false];
const INSTALLATION: Roles = [true, true, false, false];
const EVERYBODY: Roles = [true, true, true, true];
const ADMINISTRATORS: Roles = [true, false, true, false];
const PARTNER_ADMIN: Roles = [false, false, true, false];

/// The case of an operation: who may call it, and an acceptable body.
#[expect(
    clippy::match_same_arms,
    reason = "operations of a resource stand together, whoever may call them"
)]
pub(super) fn case(operation_id: &str, unique: &str) -> Option<(Roles, Option<Value>)> {
    Some(match operation_id {
        "createPartner" => (OPERATOR, Some(json!({"name": unique}))),
        "updatePartner" => (OPERATOR, Some(json!({}))),
        "createPartnerKey" => (
            ADMINISTRATORS,
            Some(json!({"name": unique, "role": "partner_reader"})),
        ),
        "rotatePartnerKey" => (ADMINISTRATORS, Some(json!({"overlap_s": 60}))),
        "revokePartnerKey" => (ADMINISTRATORS, None),
        "createKey" => (OPERATOR, Some(json!({"name": unique, "role": "auditor"}))),
        "rotateKey" => (OPERATOR, Some(json!({}))),
        "revokeKey" => (OPERATOR, None),
        "updateCell" => (OPERATOR, Some(json!({"quotas": {"stacks": 2500}}))),
        "listReleases" | "listRollouts" | "getRollout" => (INSTALLATION, None),
        "createRollout" => (OPERATOR, Some(json!({"release": super::rollouts::WALKED}))),
        "pauseRollout" | "resumeRollout" => (OPERATOR, Some(json!({"reason": "drill"}))),
        "cancelRollout" => (OPERATOR, Some(json!({"reason": "drill", "roll_back": false}))),
        "listCells" | "getCell" | "listPartners" | "listKeys" | "getKey" => (INSTALLATION, None),
        "getPartner" | "listPartnerKeys" | "getPartnerKey" | "listTenants" | "getTenant" | "listApps"
        | "getApp" | "getPolicy" | "getOperation" | "getPolicySchema" | "listPolicyVersions"
        | "getPolicyVersion" | "diffPolicyVersions" | "listExemptions" | "getExemption" | "getUser"
        | "listLinks" => (EVERYBODY, None),
        "findUsers" => (EVERYBODY, Some(json!({"username": "ann"}))),
        "createExemption" => (
            ADMINISTRATORS,
            // The walk fills its app in.
            Some(json!({"app_id": "{app_id}", "reason": "drill", "duration_min": 5})),
        ),
        "approveExemption" => (ADMINISTRATORS, None),
        "revokeExemption" | "signOutUser" | "unlinkUser" => {
            (ADMINISTRATORS, Some(json!({"reason": "drill"})))
        }
        "createLink" => (ADMINISTRATORS, Some(json!({"subject": "s", "reason": "drill"}))),
        "listAudit" | "exportAudit" => (EVERYBODY, None),
        "verifyAudit" => (EVERYBODY, Some(json!({}))),
        "listWebhooks" | "getWebhook" | "listWebhookDeliveries" | "getWebhookDelivery" => (EVERYBODY, None),
        "createWebhook" => (PARTNER_ADMIN, Some(examples::webhook())),
        "updateWebhook" => (PARTNER_ADMIN, Some(json!({"description": unique}))),
        "deleteWebhook" | "testWebhook" | "replayWebhookDelivery" => (PARTNER_ADMIN, None),
        "listEvents" | "getStepUpMetrics" | "getTenantStepUpMetrics" => (EVERYBODY, None),
        "getTenantAlarms" | "listAlarms" => (EVERYBODY, None),
        "putTenantAlarms" => (
            PARTNER_ADMIN,
            Some(json!({"provider_errors": {"above": 5, "window_min": 10}})),
        ),
        "listOperations"
        | "watchOperation"
        | "getAppIntegration"
        | "getTenantDrift"
        | "getTenantTemplate"
        | "getStandaloneTemplate" => (EVERYBODY, None),
        "simulatePolicy" => (
            EVERYBODY,
            Some(json!({"attributes": {"email": "ann@acme.example"}})),
        ),
        "validatePolicy" => (EVERYBODY, Some(json!({"document": examples::policy()}))),
        "suspendTenant" | "resumeTenant" | "cancelOperation" => {
            (ADMINISTRATORS, Some(json!({"reason": "drill"})))
        }
        "deleteTenant" => (ADMINISTRATORS, None),
        "restoreTenant" | "purgeTenant" | "exportUsers" => (ADMINISTRATORS, Some(json!({"reason": "drill"}))),
        "getConnection" => (EVERYBODY, None),
        "checkConnection" => (PARTNER_ADMIN, Some(examples::connection("other-secret"))),
        "checkTenantConnection" | "checkTenantDrift" => (ADMINISTRATORS, None),
        "putConnection" => (PARTNER_ADMIN, Some(examples::connection("other-secret"))),
        // No change was ever made.
        "revertConnection" => (PARTNER_ADMIN, Some(json!({}))),
        // The walk has put a second version before it comes to this.
        "rollbackPolicy" => (PARTNER_ADMIN, Some(json!({"version": 1}))),
        "createTenant" => (PARTNER_ADMIN, Some(examples::tenant(unique))),
        "updateTenant" => (PARTNER_ADMIN, Some(json!({"pool": {"self_sign_up": true}}))),
        "createPilot" => (PARTNER_ADMIN, Some(json!({"method": "otp", "username": "ann"}))),
        "getPilot" | "getMethods" => (EVERYBODY, None),
        "completePilot" => (
            PARTNER_ADMIN,
            Some(json!({"code": "c", "state": "of another pilot"})),
        ),
        "putMethods" => (PARTNER_ADMIN, Some(json!({"extra_methods": []}))),
        "updateApp" => (PARTNER_ADMIN, Some(json!({"session_validity_min": 4}))),
        // Each caller that may gets an app of its own to delete.
        "deleteApp" => (PARTNER_ADMIN, None),
        "createApp" => (PARTNER_ADMIN, Some(examples::app(unique))),
        "putPolicy" => (PARTNER_ADMIN, Some(examples::policy())),
        _ => return None,
    })
}

/// Operations that ask the tenant's pool, which a tenant without a worker does not have.
const NEED_A_POOL: [&str; 7] = [
    "findUsers",
    "exportUsers",
    "getUser",
    "signOutUser",
    "listLinks",
    "createLink",
    "unlinkUser",
];

#[derive(Clone)]
pub(super) struct Ids {
    pub(super) exemption: String,
    pub(super) partner: String,
    pub(super) cell: String,
    tenant: String,
    pub(super) app: String,
    operation: String,
    /// A key of the partner's, and one of the installation's.
    pub(super) keys: [String; 2],
    pilot: String,
    pub(super) rollout: String,
    webhook: String,
    /// A webhook that nothing else needs: for the operation that removes it.
    spare_webhook: String,
    delivery: String,
}

impl Ids {
    pub(super) fn fill(&self, operation_id: &str, template: &str) -> String {
        let webhook = if operation_id == "deleteWebhook" {
            &self.spare_webhook
        } else {
            &self.webhook
        };
        let key = &self.keys[usize::from(template.starts_with("/v1/keys"))];
        let path = [
            ("{key_id}", key),
            ("{webhook_id}", webhook),
            ("{delivery_id}", &self.delivery),
            ("{partner_id}", &self.partner),
            ("{cell_id}", &self.cell),
            ("{rollout_id}", &self.rollout),
            ("{tenant_id}", &self.tenant),
            ("{app_id}", &self.app),
            ("{operation_id}", &self.operation),
            ("{exemption_id}", &self.exemption),
            ("{user_sub}", &"f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071".to_owned()),
            ("{link_id}", &"0".repeat(64)),
            ("{pilot_id}", &self.pilot),
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

/// Operations after which what they were called with is no more.
const USED_UP: [&str; 6] = [
    "deleteApp",
    "cancelOperation",
    "watchOperation",
    "deleteTenant",
    "restoreTenant",
    "purgeTenant",
];

/// Ids for one call of an operation: what a call uses up is made anew for each.
pub(super) async fn fresh(acme: &Caller, ids: &Ids, operation_id: &str) -> Ids {
    if !USED_UP.contains(&operation_id) {
        return ids.clone();
    }
    if operation_id.ends_with("Tenant") {
        return Ids {
            tenant: tenant_for(acme, operation_id).await,
            ..ids.clone()
        };
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

/// A tenant that is at the end of its life, as the operation needs it.
async fn tenant_for(acme: &Caller, operation_id: &str) -> String {
    let tenants = acme.get("/v1/tenants?limit=200").await.expect(200);
    let name = format!("{operation_id} {}", tenants["items"].as_array().unwrap().len());
    let made = acme
        .post("/v1/tenants", examples::tenant(&name))
        .await
        .expect(202);
    let id = made["tenant"]["id"].as_str().unwrap().to_owned();
    if operation_id != "deleteTenant" {
        let path = format!("/v1/tenants/{id}");
        acme.call(Method::DELETE, &path, None).await.expect(202);
    }
    id
}

pub(super) async fn call(caller: &Caller, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request = caller.request(method.clone(), path);
    let read = path.trim_end_matches(":rollback");
    if matches!(*method, Method::PATCH | Method::PUT) || read != path {
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
    walk(false).await;
}

#[tokio::test]
async fn every_operation_refuses_whose_token_does_not_open_it() {
    walk(true).await;
}

/// What is called, and by whom.
pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) ids: Ids,
    /// Operator, auditor, partner admin, partner reader.
    pub(super) callers: [Caller; 4],
    /// Administrator who is none of them.
    pub(super) asker: Caller,
    /// Administrator of another partner.
    other: Caller,
    other_id: String,
    /// Somebody with a credential of the right form that is nobody's.
    stranger: Caller,
    /// Their tokens come from here.
    _issuers: [Issuer; 3],
}

/// Callers by API key, or by the token of an issuer that hands out the same roles.
pub(super) async fn set(by_token: bool) -> Stage {
    let issuers = ["own", "acme", "strange"].map(Issuer::start);
    let [own, of_partner, strange] = &issuers;
    // Which partner an issuer is bound to is known before there is one: its id is chosen here.
    let partner_id = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";
    let app = TestApp::start_with(|config| {
        config.trusted_issuers = vec![own.installation(), of_partner.bound_to(partner_id)];
    })
    .await;
    app.add_cell("eu-central-1").await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let tenant = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tenant_id = text(&tenant["tenant"]["id"]);
    super::pilots::provision(&app, &tenant_id).await;
    let pilot = json!({"method": "otp", "username": "ann"});
    let pilots = format!("/v1/tenants/{tenant_id}/blockid/pilots");
    let webhook = acme.post("/v1/webhooks", examples::webhook()).await.expect(201);
    let spare = acme.post("/v1/webhooks", examples::webhook()).await.expect(201);
    let trial = format!("/v1/webhooks/{}:test", webhook["id"].as_str().unwrap());
    let delivery = acme.call(Method::POST, &trial, None).await.expect(202);
    let mut ids = Ids {
        pilot: text(&acme.post(&pilots, pilot).await.expect(201)["pilot"]["id"]),
        webhook: text(&webhook["id"]),
        spare_webhook: text(&spare["id"]),
        delivery: text(&delivery["id"]),
        keys: new_keys(&app, &acme.id).await,
        partner: acme.id.clone(),
        rollout: super::rollouts::walked(&app, &text(&tenant["tenant"]["cell_id"]), "getRollout").await,
        cell: text(&tenant["tenant"]["cell_id"]),
        exemption: String::new(),
        app: text(&acme.app(&tenant_id, "Portal").await["id"]),
        operation: text(&tenant["operation"]["id"]),
        tenant: tenant_id,
    };
    let reader = app.partner_key(&acme.id, "partner_reader").await;
    // Asks for exemptions and calls nothing else, so that whoever may approve can.
    let asker = app.partner_key(&acme.id, "partner_admin").await;
    let as_token = |issuer: &Issuer, scope: &str| app.anybody().with_key(Some(issuer.token(&app, scope)));
    let (callers, stranger) = if by_token {
        app.rename_partner(&acme.id, partner_id).await;
        ids.partner = partner_id.to_owned();
        let callers = [
            as_token(own, "ops"),
            as_token(own, "look"),
            as_token(of_partner, "write"),
            as_token(of_partner, "read"),
        ];
        (callers, as_token(strange, "ops write"))
    } else {
        let callers = [
            app.operator().clone(),
            app.auditor().await,
            acme.admin.clone(),
            reader,
        ];
        let stranger = format!("sgk_{}_{}", "a".repeat(12), "b".repeat(43));
        (callers, app.anybody().with_key(Some(stranger)))
    };
    Stage {
        ids,
        callers,
        asker,
        other: other.admin.clone(),
        other_id: other.id.clone(),
        stranger,
        app,
        _issuers: issuers,
    }
}

/// A key of a partner's, and one of the installation's.
pub(super) async fn new_keys(app: &TestApp, partner_id: &str) -> [String; 2] {
    let key = async |path: &str, role: &str| {
        let body = json!({"name": "walked", "role": role});
        let made = app.operator().post(path, body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    };
    let partner_keys = format!("/v1/partners/{partner_id}/keys");
    [
        key(&partner_keys, "partner_reader").await,
        key("/v1/keys", "auditor").await,
    ]
}

/// An exemption that waits for somebody else.
pub(super) async fn ask(asker: &Caller, ids: &Ids) -> String {
    let body = json!({"app_id": ids.app, "reason": "drill", "duration_min": 5});
    let path = format!("/v1/tenants/{}/exemptions", ids.tenant);
    let exemption = asker.post(&path, body).await.expect(201);
    exemption["id"].as_str().unwrap().to_owned()
}

#[expect(clippy::too_many_lines, reason = "one walk over everything")]
async fn walk(by_token: bool) {
    let mut stage = set(by_token).await;
    let (app, ids, other) = (&stage.app, &mut stage.ids, &stage.other);
    ids.exemption = ask(&stage.asker, ids).await;
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
            if operation_id.ends_with("Rollout") {
                ids.rollout = super::rollouts::walked(app, &ids.cell, operation_id).await;
            }
            let mut path = fresh(&stage.asker, ids, operation_id)
                .await
                .fill(operation_id, template);
            let app_id = ids.app.clone();
            let body = |unique: &str| {
                let body = case(operation_id, unique).unwrap().1?;
                Some(serde_json::from_str::<Value>(&body.to_string().replace("{app_id}", &app_id)).unwrap())
            };

            for nobody in [app.anybody(), &stage.stranger] {
                call(nobody, &method, &path, body("nobody").as_ref())
                    .await
                    .problem(401, "unauthenticated");
            }
            for (index, (caller, allowed)) in stage.callers.iter().zip(roles).enumerate() {
                if operation_id.starts_with("rotate") {
                    // A key is rotated once.
                    ids.keys = new_keys(app, &ids.partner).await;
                    path = ids.fill(operation_id, template);
                }
                if template.contains("{exemption_id}:") {
                    ids.exemption = ask(&stage.asker, ids).await;
                    path = ids.fill(operation_id, template);
                }
                if USED_UP.contains(&operation_id) {
                    path = fresh(&stage.asker, ids, operation_id)
                        .await
                        .fill(operation_id, template);
                }
                let answer = call(
                    caller,
                    &method,
                    &path,
                    body(&format!("{operation_id} {index}")).as_ref(),
                )
                .await;
                if allowed && operation_id == "revertConnection" {
                    answer.problem(409, "nothing_to_revert");
                } else if allowed && operation_id == "purgeTenant" {
                    // It was deleted a moment ago.
                    answer.problem(409, "tenant_state");
                } else if allowed && NEED_A_POOL.contains(&operation_id) {
                    // There is no such pool: it was asked for, so the caller was let in.
                    assert!(
                        !matches!(answer.status.as_u16(), 401 | 403),
                        "{operation_id}: {}",
                        answer.text
                    );
                } else if allowed {
                    // No provider answers here: whoever may complete a pilot hears about its `state`.
                    let heard = operation_id == "completePilot" && answer.status == 422;
                    assert!(
                        heard || answer.status.is_success(),
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
            let answer = call(other, &method, &path, body("other").as_ref()).await;
            match operation_id {
                _ if !roles[2] => drop(answer.problem(403, "forbidden")),
                "checkConnection"
                | "getPolicySchema"
                | "getStandaloneTemplate"
                | "listAudit"
                | "exportAudit"
                | "verifyAudit"
                | "getStepUpMetrics" => {
                    assert!(answer.status.is_success(), "{}", answer.text);
                }
                "createWebhook" => assert_eq!(answer.expect(201)["partner_id"], json!(stage.other_id)),
                "listTenants" | "listOperations" | "listWebhooks" | "listEvents" | "listAlarms" => {
                    assert_eq!(answer.expect(200)["items"], json!([]));
                }
                "createTenant" => {
                    assert_eq!(answer.expect(202)["tenant"]["partner_id"], json!(stage.other_id));
                }
                _ => drop(answer.problem(404, "not_found")),
            }
            forget(app, &stage.other_id).await;
            walked += 1;
        }
    }
    assert!(walked >= 35, "only {walked} operations were walked");
}

/// So that the other partner's list stays empty for later operations of the walk.
async fn forget(app: &TestApp, partner_id: &str) {
    for statement in [
        "DELETE FROM webhooks WHERE partner_id = $1",
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
