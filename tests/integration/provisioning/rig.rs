//! An installation for provisioning tests: a database and an AWS account of its own, a cell, a provider, a partner.
//!
//! The worker runs in the test's process ([`Rig::run_worker`]) or as the real binary ([`Rig::spawn_worker`]). The
//! clock of the former stands still until the test steps it, so that pauses cost nothing.

use crate::support::{TestApp, env::required};
use blockid_sim::Simulator;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};
use stepgate::{
    Context,
    clock::SteppedClock,
    domain::{
        actor::{Actor, Role},
        app::{App, AppSettings},
        blockid::BlockIdConnection,
        cell::{Architecture, Cell, CellAccess},
        operation::{Operation, Step},
        pool::PoolSettings,
        tenant::{Labels, Tenant},
    },
    ids::{IdSource, KeyId, TenantId},
    provisioning::{
        cell::{CellRequest, apply},
        pass::Outcome,
    },
    usecases::{self, Request, apps::NewApp, create_tenant::NewTenant, tenants::TenantChange},
};

pub(crate) use crate::support::REGION;

/// An installation for provisioning tests, on a [`TestApp`] of its own.
pub(crate) struct Rig {
    app: TestApp,
    pub(crate) context: Context,
    /// The database as its owner sees it.
    pub(crate) owner: sqlx::PgPool,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) account: String,
    pub(crate) cell: Cell,
    pub(crate) request: Request,
    pub(crate) artifacts: PathBuf,
    provider: Simulator,
    chance: IdSource,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::start_through(|_| None).await
    }

    /// Starts one whose cell is reached as `access` says, given the account that the service itself belongs to.
    pub(crate) async fn start_through(access: impl FnOnce(&str) -> Option<CellAccess>) -> Self {
        // Nothing here runs the functions.
        let artifacts = placeholder_artifacts(&IdSource::from_os().suffix(12));
        Self::reached(TestApp::start_without_cell().await, artifacts, access).await
    }

    /// One on an API that runs, with a cell of these artifacts.
    pub(crate) async fn on(app: TestApp, artifacts: PathBuf) -> Self {
        Self::reached(app, artifacts, |_| None).await
    }

    async fn reached(
        app: TestApp,
        artifacts: PathBuf,
        access: impl FnOnce(&str) -> Option<CellAccess>,
    ) -> Self {
        let request = CellRequest {
            access: access(&app.account_id),
            ..cell_request(&artifacts)
        };
        let cell = apply(&app.context, &request, &mut |_| {}).await.unwrap();
        let provider = Simulator::start(&blockid_sim::Options {
            config: blockid_sim::config::Config::seeded("simulated-secret"),
            http: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
        })
        .unwrap();
        Self {
            context: app.context.clone(),
            owner: app.owner.clone(),
            clock: Arc::clone(&app.clock),
            account: app.account_id.clone(),
            cell,
            request: partner(&app.context).await,
            artifacts,
            provider,
            chance: IdSource::from_os(),
            app,
        }
    }

    pub(crate) fn connection(&self) -> BlockIdConnection {
        BlockIdConnection {
            tenant_dns: self.provider.http_address().unwrap().to_string(),
            community: "default".to_owned(),
            client_id: "demo-client".to_owned(),
            extra_ca_pem: None,
        }
    }

    pub(crate) async fn tenant(&self, name: &str, pool: PoolSettings) -> (Tenant, Operation) {
        self.tenant_at(name, pool, self.connection()).await
    }

    pub(crate) async fn tenant_at(
        &self,
        name: &str,
        pool: PoolSettings,
        blockid: BlockIdConnection,
    ) -> (Tenant, Operation) {
        let client_secret = SecretString::from("simulated-secret");
        let new = NewTenant {
            name: name.to_owned(),
            cell_id: None,
            region: None,
            external_id: None,
            labels: Labels::new(),
            blockid,
            client_secret,
            pool,
            sandbox: false,
        };
        let created = usecases::create_tenant::create(&self.context, &self.request, new).await;
        let (tenant, (operation, _)) = created.unwrap();
        (tenant, operation)
    }

    pub(crate) async fn app(&self, tenant: TenantId, name: &str) -> (App, Operation) {
        let new = NewApp {
            name: name.to_owned(),
            settings: AppSettings::default(),
            policy: None,
        };
        let created = usecases::apps::create(&self.context, &self.request, tenant, new).await;
        let (app, (operation, _)) = created.unwrap();
        (app, operation)
    }

    /// Changes a tenant as it is now.
    pub(crate) async fn update(&self, id: TenantId, change: TenantChange) -> (Tenant, Operation) {
        let replaces = self.read(id).await.generation;
        let changed = usecases::tenants::update(&self.context, &self.request, id, replaces, change).await;
        let (tenant, (operation, _)) = changed.unwrap();
        (tenant, operation)
    }

    /// Takes everything that is due through a pass.
    pub(crate) async fn run_worker(&self) -> Vec<Outcome> {
        self.app.run_worker().await
    }

    /// Lets the pause after a failure pass, and takes what is due then.
    pub(crate) async fn run_worker_later(&self) -> Vec<Outcome> {
        self.clock.advance(TimeDelta::hours(2));
        self.run_worker().await
    }

    pub(crate) async fn read(&self, tenant: TenantId) -> Tenant {
        usecases::tenants::get(&self.context, &self.request, tenant)
            .await
            .unwrap()
    }

    pub(crate) async fn read_app(&self, app: &App) -> App {
        usecases::apps::get(&self.context, &self.request, app.tenant_id, app.id)
            .await
            .unwrap()
    }

    pub(crate) async fn operation(&self, operation: &Operation) -> (Operation, Vec<Step>) {
        usecases::operations::get(&self.context, &self.request, operation.id)
            .await
            .unwrap()
    }

    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.owner).await.unwrap();
    }

    /// The real worker, as a process of its own.
    pub(crate) fn spawn_worker(&self) -> Process {
        self.spawn_worker_at(&required("STEPGATE_TEST_AWS_ENDPOINT_URL"))
    }

    /// The same, with AWS at this address.
    pub(crate) fn spawn_worker_at(&self, aws: &str) -> Process {
        let child = self
            .stepgate(&["worker"])
            .env("AWS_ENDPOINT_URL", aws)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    /// The real binary, in this installation.
    pub(crate) fn stepgate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepgate"));
        command
            .args(arguments)
            .env_clear()
            .env(
                "STEPGATE_DATABASE_URL",
                self.context.config.database.url.expose_secret(),
            )
            .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
            .env("STEPGATE_WORKER_POLL_MS", "20")
            .env("STEPGATE_LOG", "warn")
            .env("AWS_ENDPOINT_URL", required("STEPGATE_TEST_AWS_ENDPOINT_URL"))
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &self.account)
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    pub(crate) fn random(&self, below: u8) -> u8 {
        let mut byte = [0_u8; 1];
        self.chance.fill(&mut byte);
        byte[0] % below
    }
}

/// A child that is killed (SIGKILL) when dropped.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn cell_request(artifacts: &Path) -> CellRequest {
    CellRequest {
        name: "test".to_owned(),
        region: REGION.to_owned(),
        architecture: architecture(),
        artifacts: artifacts.to_owned(),
        allowed_provider_networks: vec!["127.0.0.1/32".parse().unwrap()],
        access: None,
    }
}

fn architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86_64
    }
}

/// Artifacts of a version of their own: empty zips, told apart by their comments.
pub(crate) fn placeholder_artifacts(version: &str) -> PathBuf {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};
    let folder = std::env::temp_dir().join(format!("stepgate-placeholder-{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    let mut entries = serde_json::Map::new();
    for name in ["challenge", "verify", "forwarder"] {
        let comment = format!("{name} {version}");
        let mut zip = b"PK\x05\x06".to_vec();
        zip.extend([0_u8; 16]);
        zip.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
        zip.extend(comment.as_bytes());
        let file = format!("{name}.zip");
        std::fs::write(folder.join(&file), &zip).unwrap();
        let sha256_base64 = BASE64_STANDARD.encode(Sha256::digest(&zip));
        let entry =
            serde_json::json!({ "file": file, "sha256_base64": sha256_base64, "size_bytes": zip.len() });
        entries.insert(name.to_owned(), entry);
    }
    let manifest = serde_json::json!({ "version": version, "architecture": architecture().as_str(), "artifacts": entries });
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    folder
}

async fn partner(context: &Context) -> Request {
    let request = |role, partner_id| {
        let key_id = KeyId::generate(&context.ids, context.clock.now());
        Request::new(
            Actor::key(key_id, role, partner_id),
            format!("req-{}", context.ids.suffix(8)),
        )
    };
    let operator = request(Role::Operator, None);
    let partner = usecases::partners::create(context, &operator, "acme".to_owned())
        .await
        .unwrap();
    request(Role::PartnerAdmin, Some(partner.id))
}
