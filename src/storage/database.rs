//! The connection pool, transactions and the schema's version.

use crate::{Result, config::DatabaseConfig};
use anyhow::{Context as _, bail};
use secrecy::ExposeSecret;
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgConnectOptions, postgres::PgPoolOptions};
use std::{str::FromStr, time::Duration};

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// An open transaction; rolls back when dropped.
pub type Tx = sqlx::Transaction<'static, Postgres>;

/// Channel on which a worker is told that a tenant is due.
pub const WORK_CHANNEL: &str = "stepgate_work";

/// The control plane's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects; fails at once when the server cannot be reached or refuses.
    pub async fn connect(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(config.url.expose_secret())
            .context("STEPGATE_DATABASE_URL cannot be read")?
            .application_name("stepgate")
            // A statement that hangs must not hold a connection for ever.
            .options([
                ("statement_timeout", "15s"),
                ("idle_in_transaction_session_timeout", "30s"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await
            .context("the database cannot be reached")?;
        Ok(Self { pool })
    }

    /// The pool itself, for listeners.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection for reads that need no transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.pool.acquire().await?)
    }

    /// Begins a transaction; the caller commits.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(self.pool.begin().await?)
    }

    /// Brings the schema to [`Self::expected_schema_version`].
    pub async fn migrate(&self) -> anyhow::Result<()> {
        // Migrations may rewrite tables; they get their own connection without the statement timeout.
        let mut connection = self.pool.acquire().await?;
        sqlx::raw_sql("SET statement_timeout = 0")
            .execute(&mut *connection)
            .await?;
        let result = MIGRATOR
            .run(&mut *connection)
            .await
            .context("the schema cannot be migrated");
        connection.close().await?;
        result
    }

    /// The schema version this binary was built for.
    pub fn expected_schema_version() -> i64 {
        MIGRATOR
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or_default()
    }

    /// The schema version the database has; 0 when it was never migrated.
    pub async fn schema_version(&self) -> Result<i64> {
        // The table is the migrator's own and absent before the first run, so this one query cannot be checked at compile time.
        let present: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&self.pool)
            .await?;
        if !present {
            return Ok(0);
        }
        Ok(
            sqlx::query_scalar("SELECT COALESCE(max(version), 0) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.pool)
                .await?,
        )
    }

    /// Refuses to go on with a schema older than this binary's. A newer one is accepted: migrations first
    /// expand, so that old and new binaries run side by side during a rollout.
    pub async fn check_schema(&self) -> anyhow::Result<()> {
        let (have, want) = (self.schema_version().await?, Self::expected_schema_version());
        if have < want {
            bail!(
                "the database schema is at version {have}, this binary needs {want}: run `stepgate migrate`"
            );
        }
        Ok(())
    }
}

/// Wakes a worker when the transaction commits.
pub async fn notify_work(tx: &mut sqlx::PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_notify($1, '')", WORK_CHANNEL)
        .fetch_one(tx)
        .await?;
    Ok(())
}
