//! The schema and the releases around it: what is pending is told, rows of earlier schemas survive, an older binary works on
//! a newer schema, and two database users divide the rights.

use super::{
    scratch::{Scratch, run},
    start_api, status,
};
use crate::installation::{self, Installation};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, migrate::Migrator};
use std::path::Path;

/// Runs `stepgate migrate --check`: whether it is content, and what it prints.
fn check(installation: &Installation, url: &str) -> (bool, Value) {
    let output = installation.service(Some(url), &["migrate", "--check"]).output();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON, but: {told}"));
    (output.status.success(), printed)
}

async fn migrations() -> Vec<sqlx::migrate::Migration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let all = Migrator::new(folder.as_path()).await.expect("the migrations");
    all.iter().cloned().collect()
}

#[test]
fn what_is_pending_is_told_and_nothing_is_changed() {
    installation::run(|installation| async move {
        let scratch = Scratch::make(installation, "pending").await;
        let all = migrations().await.len();
        let (content, printed) = check(installation, scratch.url.as_str());
        assert!(!content);
        assert_eq!(printed["schema_version"], 0);
        assert_eq!(printed["pending"].as_array().map(Vec::len), Some(all));
        let (content, again) = check(installation, scratch.url.as_str());
        assert!(!content && again == printed, "looking changes nothing");

        installation
            .service(Some(scratch.url.as_str()), &["migrate"])
            .finish();
        let (content, printed) = check(installation, scratch.url.as_str());
        assert!(content, "{printed}");
        assert_eq!(printed["schema_version"], printed["wanted_schema_version"]);
        scratch.drop().await;
    });
}

#[test]
fn an_older_binary_works_on_a_newer_schema() {
    installation::run(|installation| async move {
        let scratch = Scratch::make(installation, "newer").await;
        installation
            .service(Some(scratch.url.as_str()), &["migrate"])
            .finish();
        let mut connection = scratch.connect().await;
        // What the next release would leave behind.
        let newer = "CREATE TABLE of_the_next_release (id text PRIMARY KEY);
            INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (999999, 'of the next release', true, '\\x00', 1)";
        run(&mut connection, newer).await.expect("a newer schema");

        installation
            .service(Some(scratch.url.as_str()), &["migrate"])
            .finish();
        assert!(check(installation, scratch.url.as_str()).0);
        let (api, url) = start_api(installation, Some(scratch.url.as_str()), "newer", &[]).await;
        assert_eq!(status(&url, "/readyz").await, 200);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM of_the_next_release")
            .fetch_one(&mut connection)
            .await
            .expect("the newer table is still there");
        assert_eq!(left, 0);
        drop(api);
        scratch.drop().await;
    });
}

#[test]
fn a_migration_gives_way_to_requests_of_the_release_before() {
    installation::run(|installation| async move {
        let scratch = Scratch::make(installation, "gives_way").await;
        let mut connection = scratch.connect().await;
        // The next one changes cells and then tenants.
        let earlier: Vec<_> = migrations()
            .await
            .into_iter()
            .filter(|one| one.version < 90)
            .collect();
        let migrated = Migrator::with_migrations(earlier).run(&mut connection).await;
        migrated.expect("the earlier schema");

        // A request that has read tenants, and reads cells when the migration has them.
        run(&mut connection, "BEGIN; SELECT count(*) FROM tenants")
            .await
            .expect("a request");
        let service = installation.service(Some(scratch.url.as_str()), &["migrate"]);
        let migrating = tokio::task::spawn_blocking(move || service.output());
        let mut watching = scratch.connect().await;
        let waits = "SELECT count(*) FROM pg_locks JOIN pg_class c ON c.oid = relation \
                     WHERE c.relname = 'tenants' AND mode = 'AccessExclusiveLock' AND NOT granted";
        let mut seen: i64 = 0;
        for _ in 0..2_000 {
            seen = sqlx::query_scalar(waits)
                .fetch_one(&mut watching)
                .await
                .expect("the locks");
            if seen > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(seen > 0, "the migration never waited for tenants");
        run(&mut connection, "SELECT count(*) FROM cells; COMMIT")
            .await
            .expect("the request is answered");
        let output = migrating.await.expect("the migration");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        assert!(told.contains("a table is in use"), "{told}");
        assert!(check(installation, scratch.url.as_str()).0);
        scratch.drop().await;
    });
}

/// Rows of every table, each under the migration that made it.
const ROWS: &str = include_str!("rows.sql");

/// The rows that a schema up to `version` takes.
fn rows_until(version: i64) -> impl Iterator<Item = &'static str> {
    ROWS.split("\n-- since ").skip(1).filter_map(move |section| {
        let (since, statements) = section.split_once('\n').expect("statements");
        let since: i64 = since.parse().expect("the number of a migration");
        (since <= version).then_some(statements)
    })
}

/// Every table, without partitions, which are read through what they are parts of.
async fn tables(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
             AND NOT relispartition AND relname <> '_sqlx_migrations' ORDER BY relname",
    )
    .fetch_all(connection)
    .await
    .expect("the tables")
}

async fn rows(connection: &mut PgConnection, tables: &[String]) -> Vec<Value> {
    let mut found = Vec::new();
    for table in tables {
        let statement = format!("SELECT to_jsonb(found) FROM {table} AS found");
        let row: Option<Value> = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_optional(&mut *connection)
            .await
            .expect(table);
        found.push(row.unwrap_or_else(|| panic!("rows.sql has no row of {table}")));
    }
    found
}

#[test]
fn rows_of_every_table_and_every_earlier_schema_survive_the_migrations() {
    installation::run(|installation| async move {
        let all = migrations().await;
        for have in 1..=all.len() {
            let scratch = Scratch::make(installation, &format!("rows{have}")).await;
            let mut connection = scratch.connect().await;
            let earlier = Migrator::with_migrations(all.iter().take(have).cloned().collect());
            earlier.run(&mut connection).await.expect("an earlier schema");
            // Each in a transaction of its own: what one commits triggers rows that the next refers to.
            for statements in rows_until(all[have - 1].version) {
                run(&mut connection, statements).await.expect(statements);
            }
            let tables = tables(&mut connection).await;
            let before = rows(&mut connection, &tables).await;

            installation
                .service(Some(scratch.url.as_str()), &["migrate"])
                .finish();
            for (before, after) in before.iter().zip(rows(&mut connection, &tables).await) {
                for (column, value) in before.as_object().expect("a row") {
                    assert_eq!(
                        &after[column], value,
                        "after {have} migrations: {column} of {before}"
                    );
                }
            }
            let (api, url) = start_api(installation, Some(scratch.url.as_str()), "earlier", &[]).await;
            assert_eq!(status(&url, "/readyz").await, 200);
            drop(api);
            scratch.drop().await;
        }
    });
}

#[test]
fn the_user_of_the_service_needs_no_rights_over_the_schema() {
    installation::run(|installation| async move {
        let scratch = Scratch::make(installation, "roles").await;
        let (owner, service) = (format!("{}_o", scratch.name), format!("{}_s", scratch.name));
        scratch
            .administrate(&format!(
                "CREATE ROLE {owner} LOGIN PASSWORD 'o'; CREATE ROLE {service} LOGIN PASSWORD 's';
                 GRANT stepgate_app TO {owner}, {service}; ALTER DATABASE {} OWNER TO {owner}",
                scratch.name
            ))
            .await;
        let (owner_url, service_url) = (scratch.url_of(&owner, "o"), scratch.url_of(&service, "s"));
        installation.service(Some(&owner_url), &["migrate"]).finish();
        assert!(
            check(installation, &service_url).0,
            "looking takes no more than serving"
        );
        let refused = installation.service(Some(&service_url), &["migrate"]).output();
        assert!(!refused.status.success(), "migrating does");

        let (api, url) = start_api(installation, Some(&service_url), "roles", &[]).await;
        let bootstrap = installation
            .service(Some(&service_url), &["keys", "bootstrap"])
            .finish();
        assert!(bootstrap.contains("\"key\""));
        assert_eq!(status(&url, "/readyz").await, 200);
        drop(api);
        let mut connection = PgConnection::connect(&service_url).await.expect("the database");
        for statement in [
            "CREATE TABLE mine (id text)",
            "DROP TABLE partners",
            "ALTER TABLE partners DISABLE ROW LEVEL SECURITY",
            "DROP TRIGGER audit_log_stays ON audit_log",
            "TRUNCATE audit_log",
            "DELETE FROM _sqlx_migrations",
        ] {
            for role in ["", "SET ROLE stepgate_app; "] {
                let outcome = run(&mut connection, &format!("{role}{statement}")).await;
                let error = outcome.expect_err(statement).to_string();
                assert!(
                    error.contains("permission denied") || error.contains("must be owner"),
                    "{statement}: {error}"
                );
            }
        }
        connection.close().await.expect("closed");
        let (name, admin) = (scratch.name.clone(), scratch.admin.clone());
        scratch.drop().await;
        let mut connection = PgConnection::connect(admin.as_str()).await.expect("the server");
        run(
            &mut connection,
            &format!("DROP ROLE {name}_o; DROP ROLE {name}_s"),
        )
        .await
        .expect("dropped");
    });
}

/// Version of the migration by which budgets of calls hold for accounts.
const BUDGETS_BY_ACCOUNT: i64 = 110;

#[test]
fn what_budgets_learned_goes_on_by_account_and_the_release_before_goes_on_with_its_own_rows() {
    installation::run(|installation| async move {
        let scratch = Scratch::make(installation, "budgets").await;
        let mut connection = scratch.connect().await;
        let all = migrations().await;
        let earlier = all.iter().filter(|one| one.version < BUDGETS_BY_ACCOUNT);
        Migrator::with_migrations(earlier.cloned().collect())
            .run(&mut connection)
            .await
            .expect("the schema before");
        // Two accounts in a region, and a budget that AWS throttled a moment ago.
        let before = "INSERT INTO cells (id, account_id, region, architecture, state, artifact_bucket, log_group_name, artifacts,
                created_at, updated_at, role_arn)
            SELECT 'cel_' || account, account, 'eu-central-1', 'arm64', 'ready', 'b', 'g', '{}', '2026-01-01', '2026-01-01', role
            FROM (VALUES ('111111111111', NULL), ('222222222222', 'arn:aws:iam::222222222222:role/r')) AS made (account, role);
            INSERT INTO aws_call_budgets VALUES ('eu-central-1', 'cloudformation:Describe', 10, 2.5, 1, '2026-01-01', '2026-01-01')";
        run(&mut connection, before).await.expect("rows");
        installation
            .service(Some(scratch.url.as_str()), &["migrate"])
            .finish();
        let rates: Vec<(String, f64)> =
            sqlx::query_as("SELECT scope, rate_per_s FROM aws_call_budgets ORDER BY scope")
                .fetch_all(&mut connection)
                .await
                .expect("budgets");
        let expected = [
            "111111111111/eu-central-1",
            "222222222222/eu-central-1",
            "eu-central-1",
        ];
        assert_eq!(rates, expected.map(|scope| (scope.to_owned(), 2.5)));
        // Own credentials lead to the cell without a role.
        let own: String = sqlx::query_scalar("SELECT aws_call_scope(NULL, 'eu-central-1')")
            .fetch_one(&mut connection)
            .await
            .expect("a scope");
        assert_eq!(own, expected[0]);

        // As the release before takes tokens and is throttled.
        let release_before = "INSERT INTO aws_call_budgets (scope, operation, limit_per_s, rate_per_s, tokens, refilled_at)
                VALUES ('eu-central-1', 'cloudformation:Change', 5, 1e9, 0, clock_timestamp()) ON CONFLICT DO NOTHING;
            UPDATE aws_call_budgets SET limit_per_s = 5, rate_per_s = 5, tokens = 0, refilled_at = clock_timestamp()
                WHERE scope = 'eu-central-1' AND operation = 'cloudformation:Change';
            UPDATE aws_call_budgets SET rate_per_s = 1.25, throttled_at = clock_timestamp()
                WHERE scope = 'eu-central-1' AND operation = 'cloudformation:Describe'";
        run(&mut connection, release_before)
            .await
            .expect("the release before goes on");
        let throttled: Vec<f64> = sqlx::query_scalar(
            "SELECT rate_per_s FROM aws_call_budgets WHERE operation = 'cloudformation:Describe' ORDER BY scope",
        )
        .fetch_all(&mut connection)
        .await
        .expect("budgets");
        assert_eq!(throttled, [2.5, 2.5, 1.25], "each release has its own");
        scratch.drop().await;
    });
}
