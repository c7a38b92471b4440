//! A running API on a database and an AWS account of its own.

use super::{client::Caller, database::TestDatabase, env, examples};
use aws_credential_types::Credentials;
use chrono::DateTime;
use serde_json::json;
use std::{net::TcpListener, ops::Deref, sync::Arc, time::Duration};
use stepgate::{
    Context, api,
    aws::{Aws, Patience},
    clock::SteppedClock,
    config::{Config, ConsoleConfig, DriftConfig, EventsConfig, GraceConfig, LogConfig, WorkerConfig},
    domain::{
        actor::OperatorScope,
        cell::{Architecture, Artifact, Artifacts, CallLimits, Cell, CellState, Quotas},
    },
    encryption::EncryptionKeys,
    ids::{CellId, IdSource},
    provisioning::pass::Outcome,
    storage,
    trust::Trust,
    usecases,
    worker::jobs::reconcile_tenants,
};

/// Region of test cells.
pub(crate) const REGION: &str = "eu-central-1";

/// The encryption key of tests, base64.
pub(crate) const ENCRYPTION_KEY: &str = "dGVzdHMtc2VhbC13aXRoLXRoaXMta2V5LTMyLWJ5dGU=";

/// A running API. Stops and cleans up when dropped.
pub(crate) struct TestApp {
    /// What the service holds: for use cases and jobs that are called directly.
    pub(crate) context: Context,
    /// Stands still until it is advanced.
    pub(crate) clock: Arc<SteppedClock>,
    /// The database as its owner sees it, past row-level security.
    pub(crate) owner: sqlx::PgPool,
    /// 12 digits that nobody else uses on the emulator.
    pub(crate) account_id: String,
    /// Whether the server is on its way out.
    pub(crate) draining: api::draining::Draining,
    anybody: Caller,
    operator: Caller,
    server: actix_web::dev::ServerHandle,
    _database: TestDatabase,
}

impl TestApp {
    /// Starts one, with an operator key and one ready cell.
    pub(crate) async fn start() -> Self {
        let app = Self::start_without_cell().await;
        app.add_cell("eu-central-1").await;
        app
    }

    /// Starts one with an operator key.
    pub(crate) async fn start_without_cell() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts one with an operator key, configured otherwise.
    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let account_id = fresh_account();
        let aws = aws_of(&env::required("STEPGATE_TEST_AWS_ENDPOINT_URL"), &account_id).await;
        Self::start_on(aws, account_id, adjust).await
    }

    /// Starts one with an operator key on this AWS.
    pub(crate) async fn start_on(aws: Aws, account_id: String, adjust: impl FnOnce(&mut Config)) -> Self {
        // An error means that another test of this process was first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let database = TestDatabase::create().await;
        let clock = Arc::new(SteppedClock::new(
            DateTime::from_timestamp(1_767_607_200, 0).unwrap(),
        ));
        let mut config = Config {
            database: database.config(),
            listen: ([127, 0, 0, 1], 0).into(),
            log: LogConfig::default(),
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::ZERO,
            worker: WorkerConfig {
                poll: Duration::from_millis(20),
                lease: Duration::from_mins(1),
                concurrency: 4,
            },
            events: EventsConfig { retention_days: 30 },
            drift: DriftConfig {
                interval: Duration::from_hours(1),
                checks_per_min: 1000,
            },
            grace: GraceConfig {
                tenant_days: 30,
                sandbox_days: 1,
            },
            worker_listen: None,
            metrics_listen: None,
            metrics_tenants: std::collections::BTreeSet::new(),
            rate_limit_per_min: 0,
            trusted_issuers: Vec::new(),
            dev_insecure_loopback: true,
            encryption_keys: Arc::new(EncryptionKeys::parse([ENCRYPTION_KEY]).unwrap()),
            allowed_webhook_networks: vec!["127.0.0.1/32".parse().unwrap()],
            console: ConsoleConfig::default(),
        };
        adjust(&mut config);
        let context = Context {
            db: storage::Database::connect(&config.database).await.unwrap(),
            aws: Arc::new(aws),
            clock: clock.clone(),
            ids: Arc::new(IdSource::seeded(1)),
            trust: Arc::new(Trust::new(config.trusted_issuers.clone(), true).unwrap()),
            config: Arc::new(config),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let draining = api::draining::Draining::default();
        let server = api::server::build(context.clone(), listener, draining.clone()).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let key = usecases::api_keys::bootstrap(&context).await.unwrap();
        let anybody = Caller::new(reqwest::Client::new(), base_url.clone(), None);
        let operator = anybody.with_key(Some(key.presented.reveal().to_owned()));
        Self {
            owner: database.owner().await,
            context,
            clock,
            account_id,
            draining,
            anybody,
            operator,
            server: handle,
            _database: database,
        }
    }

    /// Registers a cell in another region of the test's account.
    pub(crate) async fn add_cell(&self, region: &str) -> Cell {
        let now = stepgate::clock::Clock::now(&*self.clock);
        let artifact = |name: &str| Artifact {
            key: format!("triggers/0/{name}.zip"),
            sha256_base64: "AAAA".into(),
        };
        let cell = Cell {
            // By chance: metrics are the process's, and are told apart by it.
            id: CellId::generate(&IdSource::from_os(), now),
            account_id: self.account_id.clone(),
            region: region.into(),
            architecture: Architecture::X86_64,
            state: CellState::Ready,
            artifact_bucket: format!("stepgate-{}-{region}", self.account_id),
            log_group_name: "/stepgate/cell".into(),
            event_queue_url: None,
            artifacts: Artifacts {
                version: "0".into(),
                challenge: artifact("challenge"),
                verify: artifact("verify"),
                forwarder: None,
            },
            release_id: None,
            quotas: Quotas::default(),
            aws_call_limits: CallLimits::default(),
            access: None,
            allowed_provider_networks: vec!["127.0.0.1/32".parse().unwrap()],
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let mut db = self.owner.acquire().await.unwrap();
        storage::cells::upsert(&mut db, &OperatorScope::command_line(), &cell)
            .await
            .unwrap()
    }

    /// Somebody without a key.
    pub(crate) fn anybody(&self) -> &Caller {
        &self.anybody
    }

    /// The operator.
    pub(crate) fn operator(&self) -> &Caller {
        &self.operator
    }

    /// An auditor.
    pub(crate) async fn auditor(&self) -> Caller {
        let key = json!({"name": "auditor", "role": "auditor"});
        let key = self.operator.post("/v1/keys", key).await.expect(201);
        self.anybody
            .with_key(Some(key["key"].as_str().unwrap().to_owned()))
    }

    /// A new partner of this name, as its administrator.
    pub(crate) async fn partner(&self, name: &str) -> Partner {
        let partner = self
            .operator
            .post("/v1/partners", json!({"name": name}))
            .await
            .expect(201);
        let id = partner["id"].as_str().unwrap().to_owned();
        let admin = self.partner_key(&id, "partner_admin").await;
        Partner { id, admin }
    }

    /// Gives a partner another id, for tests in which the id must be known before the partner is.
    pub(crate) async fn rename_partner(&self, from: &str, to: &str) {
        let mut tx = self.owner.begin().await.unwrap();
        sqlx::query("INSERT INTO partners (id, name, created_at) SELECT $2, name || ' again', created_at FROM partners WHERE id = $1")
            .bind(from)
            .bind(to)
            .execute(&mut *tx)
            .await
            .unwrap();
        for table in [
            "api_keys",
            "tenants",
            "apps",
            "policy_versions",
            "operations",
            "webhooks",
            "webhook_messages",
            "webhook_deliveries",
            "blockid_pilots",
            "exemptions",
            "connection_changes",
        ] {
            let statement = format!("UPDATE {table} SET partner_id = $2 WHERE partner_id = $1");
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .bind(from)
                .bind(to)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// A new key of a partner.
    pub(crate) async fn partner_key(&self, partner_id: &str, role: &str) -> Caller {
        let path = format!("/v1/partners/{partner_id}/keys");
        let key = self
            .operator
            .post(&path, json!({"name": role, "role": role}))
            .await
            .expect(201);
        self.anybody
            .with_key(Some(key["key"].as_str().unwrap().to_owned()))
    }

    /// Takes every tenant that is due through a pass of the worker, in this process.
    pub(crate) async fn run_worker(&self) -> Vec<Outcome> {
        Box::pin(reconcile_tenants::run_until_idle(&self.context, "test-worker"))
            .await
            .unwrap()
    }

    /// The same service with AWS out of reach.
    pub(crate) async fn context_without_aws(&self) -> Context {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let aws = Arc::new(aws_of(&format!("http://{closed}"), &self.account_id).await);
        Context {
            aws,
            ..self.context.clone()
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // Sends the stop; the server's threads end by themselves.
        drop(self.server.stop(false));
    }
}

/// A partner, as its administrator.
#[derive(Clone)]
pub(crate) struct Partner {
    pub(crate) id: String,
    pub(crate) admin: Caller,
}

impl Deref for Partner {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.admin
    }
}

impl Partner {
    /// Creates a tenant and returns it.
    pub(crate) async fn tenant(&self, name: &str) -> serde_json::Value {
        self.post("/v1/tenants", examples::tenant(name)).await.expect(202)["tenant"].take()
    }

    /// Adds an app and returns it.
    pub(crate) async fn app(&self, tenant_id: &str, name: &str) -> serde_json::Value {
        let path = format!("/v1/tenants/{tenant_id}/apps");
        self.post(&path, json!({"name": name})).await.expect(202)["app"].take()
    }
}

/// AWS at this address, as an account of its own.
pub(crate) async fn aws_of(endpoint: &str, account_id: &str) -> Aws {
    let credentials = Credentials::new(account_id, "test", None, None, "test");
    aws_at(endpoint, credentials, &Patience::default()).await
}

/// AWS at an address, as somebody.
pub(crate) async fn aws_at(endpoint: &str, credentials: Credentials, patience: &Patience) -> Aws {
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(aws_config::Region::new(REGION))
        .credentials_provider(credentials);
    Aws::patient(loader, patience).await
}

/// 12 digits that nobody else uses on the emulator.
pub(crate) fn fresh_account() -> String {
    format!("7{}", digits(11))
}

/// Random digits: accounts must differ between processes that share an emulator.
fn digits(count: usize) -> String {
    let mut bytes = vec![0_u8; count];
    IdSource::from_os().fill(&mut bytes);
    bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}
