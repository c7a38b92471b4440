//! An installation in an AWS that asks for every call whether the caller's policies allow it, with exactly the roles
//! that are shipped, and the life of a tenant in it, told through the API.

use crate::installation::{ACCOUNT, process::Child, start_emulator};
use crate::provisioning::rig::cell_request;
use crate::support::{Answer, Partner, REGION, TestApp, aws_at, env::required};
use attacks::aws::Aws as Signed;
use attacks::iam_stage::with_session_names;
use aws_credential_types::Credentials;
use blockid_sim::Simulator;
use fault_proxy::Proxy;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use stepgate::{
    Context,
    aws::{Aws, Patience},
    domain::cell::Cell,
    provisioning::{
        access::{BOUNDARY_NAME, Document, Place, policy},
        cell::apply,
    },
    worker::jobs::{ingest_events, reconcile_tenants},
};

const IAM: &str = "2010-05-08";

/// Where the policies hold here.
pub(super) fn place() -> Place {
    Place {
        partition: "aws".to_owned(),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    }
}

/// The installation. Its API acts as `stepgate-serve`.
pub(super) struct Guarded {
    pub(super) app: TestApp,
    /// The worker, as `stepgate-worker`.
    pub(super) worker: Context,
    /// The account, as its root.
    pub(super) root: Aws,
    pub(super) partner: Partner,
    provider: Simulator,
    signed: Signed,
    _proxy: Proxy,
    _emulator: Child,
}

/// What one life left behind.
pub(super) struct Lived {
    pub(super) tenant_id: String,
    pub(super) credentials_arn: String,
}

impl Lived {
    /// What its stack, functions and roles are named after.
    pub(super) fn ulid(&self) -> &str {
        self.tenant_id.trim_start_matches("tnt_")
    }
}

/// How a life went, or at what it ended.
pub(super) type Life<T> = Result<T, String>;

impl Guarded {
    pub(super) async fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guarded-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (url, emulator) = start_emulator(&folder, &[("AUTH", "true")]).await;
        // Speaks to the emulator as whatever ends TLS does: the bucket of a cell refuses anything else.
        let proxy = Proxy::start(&url).await.unwrap();
        let credentials = Credentials::new(ACCOUNT, "test", None, None, "root");
        let http = attacks::http::client().unwrap();
        let signed = Signed::new(
            http,
            Some(proxy.url().parse().unwrap()),
            REGION,
            credentials.clone(),
        );
        let root = aws_at(&proxy.url(), credentials, &Patience::default()).await;
        make_boundary(&signed).await;
        let serve = role(&signed, "stepgate-serve", &[Document::Serve]).await;
        let worker = role(
            &signed,
            "stepgate-worker",
            &[Document::WorkerStacks, Document::WorkerData],
        )
        .await;
        // The emulator asks for the name of the call, of which IAM knows nothing: there it is `sqs:DeleteMessage`.
        let batch = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sqs:DeleteMessageBatch", "Resource": "*"
        }]});
        put_policy(&signed, "stepgate-worker", "emulator", &batch).await;
        let serve = aws_at(&proxy.url(), serve, &Patience::default()).await;
        let app = TestApp::start_on(serve, ACCOUNT.to_owned(), |_| {}).await;
        let aws = Arc::new(aws_at(&proxy.url(), worker, &Patience::default()).await);
        let provider = Simulator::start(&blockid_sim::Options {
            config: blockid_sim::config::Config::seeded("simulated-secret"),
            http: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
        })
        .unwrap();
        let partner = app.partner("acme").await;
        let worker = Context {
            aws,
            ..app.context.clone()
        };
        Self {
            app,
            worker,
            root,
            partner,
            provider,
            signed,
            _proxy: proxy,
            _emulator: emulator,
        }
    }

    /// Lets a document of a role be this policy.
    pub(super) async fn set(&self, document: Document, policy: &Value) {
        let role = if document == Document::Serve {
            "stepgate-serve"
        } else {
            "stepgate-worker"
        };
        put_policy(&self.signed, role, document.name(), policy).await;
    }

    /// The whole life of a cell and a tenant; ends at the first thing that is not allowed.
    pub(super) async fn life(&self, name: &str) -> Life<()> {
        let lived = self.up(name).await?;
        self.later(&lived).await
    }

    /// The part of it after which the tenant is up and has been used.
    pub(super) async fn up(&self, name: &str) -> Life<Lived> {
        let artifacts = PathBuf::from(required("STEPGATE_TEST_ARTIFACTS_DIR"));
        let cell = apply(&self.worker, &cell_request(&artifacts), &mut |_| {}).await;
        let cell = cell.map_err(|error| format!("cell apply: {error:#}"))?;
        let tenant_id = self.onboard(name).await?;
        let path = format!("/v1/tenants/{tenant_id}");
        let credentials_arn = self.bound(&tenant_id).await;
        self.apps(&path).await?;
        self.connection(&path).await?;
        for what in ["suspend", "resume"] {
            let done = self
                .partner
                .post(&format!("{path}:{what}"), json!({ "reason": "drill" }))
                .await;
            given(what, 202, done)?;
            self.work(&path).await?;
        }
        let change = json!({ "pool": { "self_sign_up": true } });
        given("update", 202, self.partner.patch(&path, change).await)?;
        self.work(&path).await?;
        self.help(&path).await?;
        self.events(&cell).await?;
        Ok(Lived {
            tenant_id,
            credentials_arn,
        })
    }

    async fn onboard(&self, name: &str) -> Life<String> {
        let body = json!({ "name": name, "blockid": self.connection_body(), "pool": { "attributes": [{ "name": "unit" }] } });
        let made = given("onboard", 202, self.partner.post("/v1/tenants", body).await)?;
        let id = made["tenant"]["id"].as_str().unwrap().to_owned();
        self.work(&format!("/v1/tenants/{id}")).await?;
        Ok(id)
    }

    fn connection_body(&self) -> Value {
        json!({
            "tenant_dns": self.provider.http_address().unwrap().to_string(), "community": "default",
            "client_id": "demo-client", "client_secret": "simulated-secret",
        })
    }

    async fn apps(&self, path: &str) -> Life<()> {
        let first = given(
            "app",
            202,
            self.partner
                .post(&format!("{path}/apps"), json!({ "name": "Portal" }))
                .await,
        )?;
        given(
            "app",
            202,
            self.partner
                .post(&format!("{path}/apps"), json!({ "name": "Admin" }))
                .await,
        )?;
        self.work(path).await?;
        let app = format!("{path}/apps/{}", first["app"]["id"].as_str().unwrap());
        let policy = crate::support::examples::policy();
        given(
            "policy",
            202,
            self.partner.put(&format!("{app}/policy"), 1, policy).await,
        )?;
        self.work(path).await?;
        given(
            "delete app",
            202,
            self.partner.call(Method::DELETE, &app, None).await,
        )?;
        self.work(path).await
    }

    async fn connection(&self, path: &str) -> Life<()> {
        let mut rotation = self.connection_body();
        rotation["reason"] = json!("drill");
        let put = self
            .partner
            .change(Method::PUT, &format!("{path}/blockid"), rotation)
            .await;
        let put = given("rotation", 202, put)?;
        self.work(path).await?;
        let operation = format!("/v1/operations/{}", put["operation"]["id"].as_str().unwrap());
        let ended = given("operation", 200, self.partner.get(&operation).await)?;
        if ended["state"] != "succeeded" {
            return Err(format!("rotation: {ended}"));
        }
        let check = self
            .partner
            .call(Method::POST, &format!("{path}/blockid:check"), None)
            .await;
        let check = given("check", 200, check)?;
        let checks = check["checks"].as_array().into_iter().flatten();
        let mut secret = checks.filter(|one| one["name"] == "client_secret");
        if secret.any(|one| one["outcome"] == "passed") {
            Ok(())
        } else {
            Err(format!("check: {check}"))
        }
    }

    async fn help(&self, path: &str) -> Life<()> {
        let tenant = given("tenant", 200, self.partner.get(path).await)?;
        let pool_id = tenant["user_pool_id"].as_str().unwrap();
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&self.root.region(REGION));
        let made = cognito
            .admin_create_user()
            .user_pool_id(pool_id)
            .username("ada")
            .send()
            .await
            .unwrap();
        let attributes = made.user().unwrap().attributes().iter();
        let sub = attributes
            .filter(|one| one.name() == "sub")
            .find_map(|one| one.value())
            .unwrap();
        let find = self
            .partner
            .post(&format!("{path}/users:find"), json!({ "sub": sub }))
            .await;
        let found = given("find", 200, find)?;
        if found["items"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("find: {found}"));
        }
        let user = format!("{path}/users/{sub}");
        let link = json!({ "subject": "subject-1", "reason": "drill" });
        let link = given(
            "link",
            201,
            self.partner.post(&format!("{user}/links"), link).await,
        )?;
        let id = link["id"].as_str().unwrap();
        let reason = json!({ "reason": "drill" });
        let unlink = self
            .partner
            .post(&format!("{user}/links/{id}:unlink"), reason.clone())
            .await;
        given("unlink", 200, unlink)?;
        given(
            "sign out",
            204,
            self.partner.post(&format!("{user}:sign-out"), reason).await,
        )?;
        Ok(())
    }

    async fn events(&self, cell: &Cell) -> Life<()> {
        let queue = cell.event_queue_url.clone().unwrap();
        let sqs = aws_sdk_sqs::Client::new(&self.root.region(REGION));
        // The queue's own policy lets nobody but the forwarder send, not even root.
        sqs.set_queue_attributes()
            .queue_url(&queue)
            .attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, "")
            .send()
            .await
            .unwrap();
        sqs.send_message()
            .queue_url(&queue)
            .message_body("{}")
            .send()
            .await
            .unwrap();
        let taken = ingest_events::take_some(&self.worker, cell, &queue, 1).await;
        let taken = taken.map_err(|error| format!("events: {error:?}"))?;
        if taken.messages == 0 {
            return Err("events: none came".to_owned());
        }
        for queue in [Some(queue), cell.dead_event_queue_url()] {
            let left = self.worker.aws.sqs(REGION).waiting(&queue.unwrap()).await;
            left.map_err(|error| format!("events: {error}"))?;
        }
        Ok(())
    }

    /// Takes everything through a pass; fails unless the tenant is ready then.
    pub(super) async fn work(&self, path: &str) -> Life<()> {
        Box::pin(reconcile_tenants::run_until_idle(&self.worker, "worker"))
            .await
            .unwrap();
        let tenant = given("tenant", 200, self.partner.get(path).await)?;
        if tenant["ready"] == true {
            Ok(())
        } else {
            Err(format!("work: {}", tenant["last_error"]))
        }
    }

    /// Puts the functions' roles into their boundary, as CloudFormation does on AWS, and tells the emulator the name
    /// of *verify*'s session: it compares `aws:PrincipalArn` with that instead of with the role.
    async fn bound(&self, tenant_id: &str) -> String {
        let ulid = tenant_id.trim_start_matches("tnt_");
        let boundary = format!("arn:aws:iam::{ACCOUNT}:policy/stepgate/{BOUNDARY_NAME}");
        for function in ["challenge", "verify"] {
            let role = format!("stepgate-{ulid}-{function}");
            let put = [
                ("RoleName", role.as_str()),
                ("PermissionsBoundary", boundary.as_str()),
            ];
            iam(&self.signed, "PutRolePermissionsBoundary", &put).await;
        }
        let arn: String = sqlx::query_scalar("SELECT credentials_secret_arn FROM tenants WHERE id = $1")
            .bind(tenant_id)
            .fetch_one(&self.app.owner)
            .await
            .unwrap();
        let secrets = self.root.secrets_manager(REGION);
        let present = secrets.resource_policy(&arn).await.unwrap().unwrap();
        let named = with_session_names(&present, &format!("stepgate-{ulid}-verify")).unwrap();
        secrets
            .put_resource_policy(&arn, &named.to_string())
            .await
            .unwrap();
        arn
    }

    /// Inline policies of a role, by name.
    pub(super) async fn role_policies(&self, role: &str, names: &[&str]) -> Vec<Value> {
        let mut found = Vec::new();
        for name in names {
            let get = [("RoleName", role), ("PolicyName", *name)];
            let xml = iam(&self.signed, "GetRolePolicy", &get).await;
            let text = attacks::aws::xml_text(&xml, "PolicyDocument").unwrap();
            let text = percent_encoding::percent_decode_str(&text)
                .decode_utf8()
                .unwrap()
                .into_owned();
            found.push(serde_json::from_str(&text).unwrap());
        }
        found
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "nobody has another use for an answer"
)]
pub(super) fn given(what: &str, status: u16, answer: Answer) -> Life<Value> {
    if answer.status.as_u16() == status {
        Ok(serde_json::from_str(&answer.text).unwrap_or_default())
    } else {
        Err(format!("{what}: {} {}", answer.status, answer.text))
    }
}

async fn iam(signed: &Signed, action: &str, parameters: &[(&str, &str)]) -> String {
    let answer = signed.query("iam", IAM, action, parameters).await.unwrap();
    answer.unwrap_or_else(|error| panic!("iam {action}: {error}"))
}

async fn make_boundary(signed: &Signed) {
    let document = policy(Document::Boundary, &place()).to_string();
    let create = [
        ("PolicyName", BOUNDARY_NAME),
        ("Path", "/stepgate/"),
        ("PolicyDocument", document.as_str()),
    ];
    iam(signed, "CreatePolicy", &create).await;
}

/// The emulator leaves the path out of a role's ARN when it asks whether a role may be touched: where a policy is about
/// the roles under our path, this lets it be about the same roles by the ARNs that the emulator makes.
fn with_bare_roles(policy: &Value) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
        let resources = match statement["Resource"].take() {
            Value::Array(all) => all,
            one => vec![one],
        };
        let bare = resources.iter().filter_map(|arn| {
            let bare = arn.as_str()?.replace(":role/stepgate/*", ":role/stepgate-*");
            (*arn != bare).then(|| json!(bare))
        });
        let bare: Vec<_> = bare.collect();
        statement["Resource"] = resources.into_iter().chain(bare).collect();
    }
    policy
}

async fn put_policy(signed: &Signed, role: &str, name: &str, policy: &Value) {
    let document = with_bare_roles(policy).to_string();
    let put = [
        ("RoleName", role),
        ("PolicyName", name),
        ("PolicyDocument", document.as_str()),
    ];
    iam(signed, "PutRolePolicy", &put).await;
}

/// A role with these documents, and a session of it.
async fn role(signed: &Signed, name: &str, documents: &[Document]) -> Credentials {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "sts:AssumeRole"
    }]})
    .to_string();
    let create = [("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str())];
    iam(signed, "CreateRole", &create).await;
    for document in documents {
        put_policy(signed, name, document.name(), &policy(*document, &place())).await;
    }
    let session = signed
        .assume_role(&format!("arn:aws:iam::{ACCOUNT}:role/{name}"), "test")
        .await;
    session
        .unwrap()
        .unwrap_or_else(|error| panic!("the role {name}: {error}"))
}
