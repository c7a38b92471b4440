//! A database per test, cloned from a migrated template, dropped with the test.

use super::env;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};
use stepgate::{config::DatabaseConfig, storage::Database};

/// Held while the template is made and stale databases are swept, by every test process.
const LOCK: i64 = 0x5354_4550_4741_5445;

/// A database that is dropped with this value.
pub(crate) struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// Makes one with the present schema.
    pub(crate) async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "stepgate_test_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let template = template().await;
        run(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { name }
    }

    /// Connections of its owner, who sees every row.
    pub(crate) async fn owner(&self) -> sqlx::PgPool {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(2);
        options.connect(url(&self.name).as_str()).await.unwrap()
    }

    /// How the service connects to it.
    pub(crate) fn config(&self) -> DatabaseConfig {
        config(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A drop cannot wait for the test's own runtime; what is left after a crash is swept by the next run.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(run(&statement)))
        });
        drop(dropped.join());
    }
}

fn url(database: &str) -> url::Url {
    let mut url = url::Url::parse(&env::required("STEPGATE_TEST_DATABASE_URL"))
        .expect("STEPGATE_TEST_DATABASE_URL is not a URL");
    url.set_path(database);
    url
}

fn config(database: &str) -> DatabaseConfig {
    DatabaseConfig {
        url: SecretString::from(url(database).to_string()),
        max_connections: 4,
    }
}

async fn maintenance() -> PgConnection {
    let url = env::required("STEPGATE_TEST_DATABASE_URL");
    PgConnection::connect(&url)
        .await
        .expect("the test database server cannot be reached")
}

async fn run(statement: &str) {
    let mut connection = maintenance().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .expect("statement failed");
}

/// Name of the template for the present migrations, made by whoever comes first.
async fn template() -> &'static str {
    static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("stepgate_template_{}", fingerprint());
            let mut connection = maintenance().await;
            sqlx::query("SELECT pg_advisory_lock($1)")
                .bind(LOCK)
                .execute(&mut connection)
                .await
                .unwrap();
            sweep(&mut connection).await;
            let exists: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
                    .bind(&name)
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
            if !exists {
                build(&mut connection, &name).await;
            }
            connection.close().await.unwrap();
            name
        })
        .await
}

async fn build(connection: &mut PgConnection, name: &str) {
    // Under another name until it is complete: a killed test run must not leave half a template.
    let unfinished = format!("{name}_unfinished");
    for statement in [
        format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
        format!("CREATE DATABASE {unfinished}"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let db = Database::connect_as_owner(&config(&unfinished)).await.unwrap();
    db.migrate().await.unwrap();
    db.pool().close().await;
    let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(rename))
        .execute(connection)
        .await
        .unwrap();
}

/// Drops databases of test processes that are gone.
async fn sweep(connection: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'stepgate\\_test\\_%'")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    for name in names {
        let owner = name.split('_').nth(2).unwrap_or_default();
        if Path::new("/proc").exists() && !Path::new("/proc").join(owner).exists() {
            let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            drop(
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                    .execute(&mut *connection)
                    .await,
            );
        }
    }
}

fn fingerprint() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.file_name().unwrap().as_encoded_bytes());
        hash.update(std::fs::read(&file).unwrap());
    }
    hex::encode(&hash.finalize()[..8])
}
