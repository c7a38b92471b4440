//! A whole installation for the end-to-end tests: database, AWS, provider, API, worker, a cell.
//!
//! Everything is real and runs as it does for an operator: the `stepgate` binary as processes of its own, the
//! trigger binaries inside the emulator, the tenants onboarded through the API. The emulator is one of our own:
//! clients call it without credentials, and only its default account hears such calls. One installation serves
//! all tests of the process; each test makes users, and where it matters apps, of its own.
//!
//! To use it: `installation::run(|installation| async move { … })` in a `#[test]`.

pub(crate) mod process;
mod tenant;
pub(crate) mod way;

pub(crate) use tenant::Tenant;

use crate::observability::receiver::Receiver;
use crate::support::{ENCRYPTION_KEY, env::required as given};
use attacks::stepgate::Stepgate;
use process::{Child, Program, free_port};
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use url::Url;

/// Region everything is in.
pub(crate) const REGION: &str = "eu-central-1";
/// The emulator's default account: calls without credentials, as clients make them, land there.
pub(crate) const ACCOUNT: &str = "000000000000";
const READY_LOOKS: u32 = 900;
const READY_PAUSE: Duration = Duration::from_millis(100);
/// Databases and folders of earlier runs that are older than this are removed.
const OLD: Duration = Duration::from_hours(1);

/// Everything that runs.
pub(crate) struct Installation {
    /// Emulator of AWS.
    pub(crate) aws_url: Url,
    /// BlockID simulator.
    pub(crate) provider: blockid_sim::Simulator,
    /// Client secret at the simulator: it must be found nowhere but in Secrets Manager.
    pub(crate) client_secret: String,
    /// Collector of the traces of `serve` and `worker`.
    pub(crate) traces: Receiver,
    /// Where `serve` and `worker` serve their metrics.
    pub(crate) metrics: [Url; 2],
    /// API as the operator calls it.
    pub(crate) operator: Stepgate,
    /// API as the partner calls it.
    pub(crate) partner: Stepgate,
    api_url: Url,
    partner_key: String,
    other_partner_key: String,
    operator_key: String,
    database_url: String,
    folder: PathBuf,
    /// Tenant of the sign-in tests; its apps and policies change.
    sign_in_tenant: OnceCell<Tenant>,
    /// Tenant of the attacks.
    attacked_tenant: OnceCell<Tenant>,
    worker: Option<Child>,
    _children: Vec<Child>,
}

/// Runs an end-to-end test on the runtime that all of them share: connections outlive a single test.
pub(crate) fn run<F>(test: impl FnOnce(&'static Installation) -> F)
where
    F: Future<Output = ()>,
{
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static INSTALLATION: OnceCell<Installation> = OnceCell::const_new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    });
    runtime.block_on(async {
        let start = || Installation::start("shared");
        test(INSTALLATION.get_or_init(start).await).await;
    });
}

impl Installation {
    /// One for a test that harms it. Its logs go where `name` says.
    pub(crate) async fn start(name: &str) -> Self {
        let secret_part = attacks::bench::random_letters(32);
        let client_secret = format!("canary-{secret_part}");
        let folder = make_folder(name);
        let provider = blockid_sim::Simulator::start(&blockid_sim::Options {
            config: blockid_sim::config::Config::seeded(&client_secret),
            http: Some(([127, 0, 0, 1], 0).into()),
            tls: None,
        })
        .expect("the simulator starts");
        let (aws_url, emulator) = start_emulator(&folder, &[]).await;
        let database_url = make_database().await;

        let service = |arguments: &[&str]| program(&database_url, &aws_url, arguments);
        service(&["migrate"]).finish();
        service(&cell_apply(&given("STEPGATE_TEST_ARTIFACTS_DIR"))).finish();
        let bootstrap = service(&["keys", "bootstrap"]).finish();
        let bootstrap: Value = serde_json::from_str(&bootstrap).expect("the operator key as JSON");
        let port = free_port();
        let api_url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
        let listen = format!("127.0.0.1:{port}");
        let traces = Receiver::start();
        let metrics = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let observed = |arguments: &[&str], metrics: &str| {
            service(arguments)
                .variable("STEPGATE_METRICS_LISTEN", metrics)
                .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &traces.url)
                .variable("OTEL_BSP_SCHEDULE_DELAY", "200")
        };
        let serve = observed(&["serve"], &metrics[0])
            .variable("STEPGATE_LISTEN", &listen)
            .start(&folder.join("serve.log"));
        let worker = observed(&["worker"], &metrics[1]).start(&folder.join("worker.log"));
        wait_for(api_url.join("/readyz").expect("a URL")).await;

        let http = attacks::http::client().expect("a client");
        let operator_key = bootstrap["key"].as_str().expect("a key").to_owned();
        let operator = Stepgate::new(http.clone(), api_url.clone(), operator_key.clone());
        let partner_key = make_partner(&operator, "e2e").await;
        let other_partner_key = make_partner(&operator, "other").await;
        Self {
            aws_url,
            provider,
            client_secret,
            traces,
            metrics: metrics.map(|address| Url::parse(&format!("http://{address}")).expect("a URL")),
            operator,
            partner: Stepgate::new(http, api_url.clone(), partner_key.clone()),
            api_url,
            partner_key,
            other_partner_key,
            operator_key,
            database_url,
            folder,
            sign_in_tenant: OnceCell::new(),
            attacked_tenant: OnceCell::new(),
            worker: Some(worker),
            _children: vec![emulator, serve],
        }
    }

    /// Tenant of the sign-in tests.
    pub(crate) async fn tenant(&self) -> &Tenant {
        self.sign_in_tenant.get_or_init(|| self.onboard("Sign-in")).await
    }

    /// Tenant of the attacks.
    pub(crate) async fn attacked(&self) -> &Tenant {
        self.attacked_tenant
            .get_or_init(|| self.onboard("Attacked"))
            .await
    }

    /// Address of the API.
    pub(crate) fn api_url(&self) -> &Url {
        &self.api_url
    }

    /// The partner's key.
    pub(crate) fn partner_key(&self) -> &str {
        &self.partner_key
    }

    /// The operator's key.
    pub(crate) fn operator_key(&self) -> &str {
        &self.operator_key
    }

    /// Address of the simulator, as tenants name it.
    pub(crate) fn tenant_dns(&self) -> String {
        self.provider.http_address().expect("an address").to_string()
    }

    /// What `serve` and `worker` have written so far.
    pub(crate) fn service_logs(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).expect("a log");
        read("serve.log") + &read("worker.log")
    }

    /// A further worker, to be killed: claims of it run out after a second.
    pub(crate) fn spawn_worker(&self) -> std::process::Child {
        spawn_worker(&self.database_url, self.aws_url.as_str().trim_end_matches('/'))
    }

    /// Ends the worker that came with it.
    pub(crate) async fn end_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            let ended = tokio::task::spawn_blocking(move || worker.stop()).await;
            assert_eq!(ended.expect("it was waited for"), 0, "it ends in order");
        }
    }

    /// One more process of the service, on another database where one is given.
    pub(crate) fn service(&self, database_url: Option<&str>, arguments: &[&str]) -> Program {
        program(
            database_url.unwrap_or(&self.database_url),
            &self.aws_url,
            arguments,
        )
    }

    /// The same partner, at another copy of the API.
    pub(crate) fn partner_at(&self, api_url: &Url) -> Stepgate {
        let http = attacks::http::client().expect("a client");
        Stepgate::new(http, api_url.clone(), self.partner_key.clone())
    }

    /// Where logs of this run go.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// URL of the control plane's database, with its password.
    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// URL of another database, with nothing in it.
    pub(crate) async fn empty_database(&self) -> String {
        make_database().await
    }

    /// A connection to the control plane's database.
    pub(crate) async fn database(&self) -> sqlx::PgConnection {
        sqlx::PgConnection::connect(&self.database_url)
            .await
            .expect("the database")
    }
}

/// A worker on any way to the database and to AWS, to be killed: claims of it run out after a second.
pub(crate) fn spawn_worker(database_url: &str, aws_url: &str) -> std::process::Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_stepgate"))
        .arg("worker")
        .env_clear()
        .env("STEPGATE_DATABASE_URL", database_url)
        .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
        .env("STEPGATE_WORKER_POLL_MS", "20")
        .env("STEPGATE_WORKER_LEASE_S", "1")
        .env("STEPGATE_LOG", "warn")
        .env("AWS_ENDPOINT_URL", aws_url)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a worker")
}

/// What puts the cell up.
pub(crate) fn cell_apply(artifacts: &str) -> [&str; 12] {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    [
        "cell",
        "apply",
        "--name",
        "e2e",
        "--region",
        REGION,
        "--architecture",
        architecture,
        "--artifacts",
        artifacts,
        "--allowed-provider-network",
        "127.0.0.1/32",
    ]
}

/// The service, with everything it is configured by.
fn program(database_url: &str, aws_url: &Url, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_stepgate"))
        .arguments(arguments)
        .variable("STEPGATE_DATABASE_URL", database_url)
        .variable("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
        .variable("STEPGATE_WORKER_POLL_MS", "200")
        .variable("STEPGATE_ENCRYPTION_KEY", ENCRYPTION_KEY)
        .variable("STEPGATE_ALLOWED_WEBHOOK_NETWORKS", "127.0.0.1/32")
        .variable("STEPGATE_LOG", "info,stepgate=debug")
        .variable("STEPGATE_RATE_LIMIT_PER_MIN", "0")
        .variable("STEPGATE_DRIFT_CHECKS_PER_MIN", "1000")
        .variable("AWS_ENDPOINT_URL", aws_url.as_str().trim_end_matches('/'))
        .variable("AWS_REGION", REGION)
        .variable("AWS_ACCESS_KEY_ID", ACCOUNT)
        .variable("AWS_SECRET_ACCESS_KEY", "test")
}

/// A new partner; the key of its administrator.
pub(crate) async fn make_partner(operator: &Stepgate, name: &str) -> String {
    let made = operator
        .post("/v1/partners", &json!({ "name": name }))
        .await
        .expect("a partner");
    let keys = format!("/v1/partners/{}/keys", made["id"].as_str().expect("an id"));
    let key = json!({ "name": "tests", "role": "partner_admin" });
    let key = operator.post(&keys, &key).await.expect("a key");
    key["key"].as_str().expect("a key").to_owned()
}

/// A folder for logs inside the build folder; those that earlier runs left behind go.
fn make_folder(name: &str) -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
    let folder = all.join(format!("{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for logs");
    for earlier in std::fs::read_dir(&all).expect("the folder").flatten() {
        let changed = earlier.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = changed
            .and_then(|changed| changed.elapsed().ok())
            .unwrap_or_default();
        if age > OLD {
            // Another run may be doing the same.
            let _ = std::fs::remove_dir_all(earlier.path());
        }
    }
    folder
}

/// An emulator of AWS of its own, with further variables.
pub(crate) async fn start_emulator(folder: &Path, further: &[(&str, &str)]) -> (Url, Child) {
    let port = free_port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
    let temporary = folder.join("emulator");
    std::fs::create_dir_all(&temporary).expect("a folder");
    let python = PathBuf::from(given("STEPGATE_TEST_PYTHON"));
    let ministack = python.with_file_name("ministack");
    let mut program = Program::new(ministack.to_str().expect("a path"))
        .variable("GATEWAY_PORT", &port.to_string())
        .variable("BIND_HOST", "127.0.0.1")
        .variable("AWS_ENDPOINT_URL", url.as_str().trim_end_matches('/'))
        .variable("TMPDIR", temporary.to_str().expect("a path"))
        .variable("IOT_MTLS_ENABLED", "0")
        .variable("MINISTACK_COGNITO_PRETOKEN_STRICT", "1")
        .variable("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
        // Its log streams do not name the function that wrote them.
        .variable("STEPGATE_DEV_TENANT_FROM_LINE", "1");
    for (name, value) in further {
        program = program.variable(name, value);
    }
    let child = program.start(&folder.join("emulator.log"));
    wait_for(url.join("/_ministack/health").expect("a URL")).await;
    (url, child)
}

/// Waits until `url` answers with a success.
pub(crate) async fn wait_for(url: Url) {
    let http = attacks::http::client().expect("a client");
    for _ in 0..READY_LOOKS {
        if http
            .get(url.clone())
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            return;
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    panic!("{url} does not answer");
}

/// A database of our own; those that earlier runs left behind go.
async fn make_database() -> String {
    let maintenance = given("STEPGATE_TEST_DATABASE_URL");
    let mut connection = sqlx::PgConnection::connect(&maintenance)
        .await
        .expect("the test database server");
    let now_s = attacks::bench::now_ms() / 1000;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'stepgate\\_e2e\\_%'")
            .fetch_all(&mut connection)
            .await
            .expect("the databases");
    for name in names {
        let made_s = name
            .split('_')
            .nth(2)
            .and_then(|made| made.parse().ok())
            .unwrap_or(now_s);
        if u64::try_from(now_s - made_s).is_ok_and(|age_s| age_s > OLD.as_secs()) {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            sqlx::query(sqlx::AssertSqlSafe(drop))
                .execute(&mut connection)
                .await
                .expect("dropped");
        }
    }
    let name = format!("stepgate_e2e_{now_s}_{}", attacks::bench::random_letters(8));
    let create = format!("CREATE DATABASE {name}");
    sqlx::query(sqlx::AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .expect("a database");
    let mut url = Url::parse(&maintenance).expect("a URL");
    url.set_path(&name);
    url.to_string()
}
