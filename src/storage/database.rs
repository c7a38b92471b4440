//! The connection pool, transactions and the schema's version.
//!
//! Every access is a transaction for a scope ([`Rows`]): the service connects as [`APP_ROLE`], for which row-level
//! security hides every row that the transaction did not say it is for. So the boundary between partners stands
//! twice, as a type in front of the SQL and as a policy behind it; migrations alone run as the schema's owner.

use crate::{Result, config::DatabaseConfig, domain::actor::Rows, observability::metrics::metrics};
use anyhow::{Context as _, bail};
use secrecy::ExposeSecret;
use sqlx::{
    AssertSqlSafe, Connection as _, PgPool, Postgres,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
    postgres::PgPoolOptions,
};
use std::{
    str::FromStr,
    time::{Duration, Instant},
};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// An open transaction; rolls back when dropped.
pub type Tx = sqlx::Transaction<'static, Postgres>;

/// The database role of serve and worker: owns nothing, cannot bypass row-level security.
pub(super) const APP_ROLE: &str = "stepgate_app";

/// A connection that was idle for longer is asked whether it is still there before it is used.
const ASKED_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Channel on which a worker is told that a tenant is due.
pub const WORK_CHANNEL: &str = "stepgate_work";

/// The control plane's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects as [`APP_ROLE`]; fails at once when the server cannot be reached or refuses.
    pub async fn connect(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let options = options(config)?.options([("role", APP_ROLE)]);
        let connected = Self::open(config, options).await;
        connected.map_err(|error| {
            // The role comes with the schema: without it there is none.
            if sql_state(&error).as_deref() == Some(INVALID_PARAMETER) {
                error.context(format!(
                    "the database has no role {APP_ROLE}, or the user of STEPGATE_DATABASE_URL is not granted it: run \
                     `stepgate migrate`, or grant it"
                ))
            } else {
                error
            }
        })
    }

    /// Connects as the user of the URL, who owns the schema: for migrations.
    pub async fn connect_as_owner(config: &DatabaseConfig) -> anyhow::Result<Self> {
        Self::open(config, options(config)?).await
    }

    async fn open(config: &DatabaseConfig, options: PgConnectOptions) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(Duration::from_secs(5))
            // A connection is asked whether it is still there when it is given back. To ask again a moment later would be a
            // round trip for nothing on every transaction of a busy service.
            .test_before_acquire(false)
            .before_acquire(|connection, before| {
                Box::pin(async move {
                    if before.idle_for > ASKED_AFTER_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options)
            .await
            .context("the database cannot be reached")?;
        Ok(Self { pool })
    }

    /// The pool itself, for listeners.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a transaction for the rows of a scope; the caller commits. What is only read may be dropped.
    pub async fn begin(&self, rows: &impl Rows) -> Result<Tx> {
        // Ids have no characters that need quoting; one message, so that a scope costs no round trip.
        let of = rows
            .partner_id()
            .map_or_else(|| "*".to_owned(), |id| id.to_string());
        let statement = format!("BEGIN; SET LOCAL stepgate.partner_id = '{of}'");
        let asked_at = Instant::now();
        let begun = self.pool.begin_with(AssertSqlSafe(statement)).await;
        let result = if begun.is_ok() { "ok" } else { "failed" };
        let duration = &metrics().database_begin_duration_seconds;
        duration.observe([result.into()], asked_at.elapsed());
        Ok(begun?)
    }

    /// Brings the schema to [`Self::expected_schema_version`].
    pub async fn migrate(&self) -> anyhow::Result<()> {
        // Migrations may rewrite tables; they get their own connection without the statement timeout.
        let mut connection = self.pool.acquire().await?;
        sqlx::raw_sql("SET statement_timeout = 0")
            .execute(&mut *connection)
            .await?;
        // The release before serves meanwhile. A migration that waited for a table while it holds another would have its
        // requests wait in turn, and PostgreSQL ends such a circle by failing one of them after a second. So the
        // migration gives way first, and is tried again: each is a transaction, of which nothing is left.
        let limit = format!("SET lock_timeout = {}", LOCK_TIMEOUT.as_millis());
        sqlx::raw_sql(AssertSqlSafe(limit))
            .execute(&mut *connection)
            .await?;
        // What a newer binary has added stays: neighbouring releases share a database.
        let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
        migrator.set_ignore_missing(true);
        let begun_at = Instant::now();
        let result = loop {
            match migrator.run(&mut *connection).await {
                Err(error) if gave_way(&error) && begun_at.elapsed() < LOCK_PATIENCE => {
                    tracing::info!(%error, "a table is in use; trying again");
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                result => break result.context("the schema cannot be migrated"),
            }
        };
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

    /// Versions of this binary's migrations that the database has not had, oldest first.
    pub async fn pending_migrations(&self) -> Result<Vec<i64>> {
        let done: Vec<i64> = if self.schema_version().await? == 0 {
            Vec::new()
        } else {
            // See `schema_version` for why this is not checked at compile time.
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.pool)
                .await?
        };
        let wanted = MIGRATOR.iter().map(|migration| migration.version);
        Ok(wanted.filter(|version| !done.contains(version)).collect())
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

/// How long a migration waits for a table: less than the second (`deadlock_timeout`) after which PostgreSQL fails a request.
const LOCK_TIMEOUT: Duration = Duration::from_millis(300);
/// Pause before it is tried again, in which requests go on.
const LOCK_PAUSE: Duration = Duration::from_millis(500);
/// How long that is tried. A transaction that is longer is ended by PostgreSQL, see [`options`].
const LOCK_PATIENCE: Duration = Duration::from_mins(5);

/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// SQLSTATE `deadlock_detected`, should the server's `deadlock_timeout` be shorter than usual.
const DEADLOCK_DETECTED: &str = "40P01";

/// Whether a migration was undone because a table was in use.
fn gave_way(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let state = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(state.as_deref(), Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED))
}

/// SQLSTATE `invalid_parameter_value`, the answer to a role that cannot be taken.
const INVALID_PARAMETER: &str = "22023";

fn sql_state(error: &anyhow::Error) -> Option<String> {
    let error = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<sqlx::Error>())?;
    Some(error.as_database_error()?.code()?.into_owned())
}

fn options(config: &DatabaseConfig) -> anyhow::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(config.url.expose_secret())
        .context("STEPGATE_DATABASE_URL cannot be read")?
        .application_name("stepgate")
        // A statement that hangs must not hold a connection for ever.
        .options([
            ("statement_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]))
}

/// Wakes a worker when the transaction commits.
pub async fn notify_work(tx: &mut sqlx::PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_notify($1, '')", WORK_CHANNEL)
        .fetch_one(tx)
        .await?;
    Ok(())
}
