//! The two walls between partners. The first is a type, which the compiler keeps; here the second is tried as if the first
//! had fallen: by every query of the service under a foreign partner's scope, and by a connection that forgot to have one.

use super::stored_queries::{fill, queries};
use crate::support::{TestApp, examples};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row as _, ValueRef as _};
use std::collections::{BTreeMap, BTreeSet};

/// Tables whose rows are only read and added.
const APPEND_ONLY: &[&str] = &["audit_log", "audit_seals"];
/// Tables that everybody may read: they say nothing about a partner.
const READ_BY_ALL: &[&str] = &["cells", "releases", "templates"];
/// Functions that run with their owner's rights, past row-level security. Each is a hole that was thought about.
const PAST_THE_WALL: &[&str] = &[
    "busiest_minute_of_cell",
    "drop_event_partitions",
    "make_event_partitions",
    "note_audit_commit",
    "record_idempotent_answer",
    "tenants_in_cell",
];

/// Two partners; the first has something in every table that the API can fill.
struct Stage {
    app: TestApp,
    /// Whose rows are reached for.
    victim: String,
    /// Who reaches for them.
    attacker: String,
    /// Column, or `table.column`, and the victim's value.
    values: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn set() -> Self {
        let app = TestApp::start().await;
        let (victim, attacker) = (app.partner("victim").await, app.partner("attacker").await);
        let key = "0f7b1c9e-6f43-4a57-9a0e-5f2f6d2f1b7a";
        let made = victim
            .post_once("/v1/tenants", key, &examples::tenant("customers"))
            .await
            .expect(202);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let tenant = text(&made["tenant"]["id"]);
        let made_app = text(&victim.app(&tenant, "Portal").await["id"]);
        let suspend = format!("/v1/tenants/{tenant}:suspend");
        victim
            .post(&suspend, json!({"reason": "drill"}))
            .await
            .expect(202);
        let exemption = json!({"app_id": made_app, "reason": "drill", "duration_min": 5});
        let exemption = victim
            .post(&format!("/v1/tenants/{tenant}/exemptions"), exemption)
            .await
            .expect(201);
        let keys = victim
            .get(&format!("/v1/partners/{}/keys", victim.id))
            .await
            .expect(200);
        // As if a worker were at it: what the worker writes names the holder.
        sqlx::raw_sql(
            "UPDATE tenants SET lease_owner = 'x';
             INSERT INTO drift_findings (tenant_id, path, partner_id, severity, wanted, observed, healable, found_at)
             SELECT id, 'pool/native_mfa', partner_id, 'critical', '\"OFF\"', '\"ON\"', true, now() FROM tenants",
        )
        .execute(&app.owner)
        .await
        .unwrap();
        let alarms = format!("/v1/tenants/{tenant}/alarms");
        victim.put(&alarms, 1, json!({})).await.expect(200);
        let webhook = victim.post("/v1/webhooks", examples::webhook()).await.expect(201);
        let webhook = text(&webhook["id"]);
        let trial = format!("/v1/webhooks/{webhook}:test");
        let delivery = victim.call(reqwest::Method::POST, &trial, None).await.expect(202);
        stepgate::worker::jobs::seal_audit_log::seal_all(&app.context)
            .await
            .unwrap();
        let values = BTreeMap::from([
            ("webhooks.id", webhook.clone()),
            ("webhook_id", webhook),
            ("webhook_deliveries.id", text(&delivery["id"])),
            ("delivery_id", text(&delivery["id"])),
            ("message_id", text(&delivery["message_id"])),
            ("chain", victim.id.clone()),
            ("partner_id", victim.id.clone()),
            ("partners.id", victim.id.clone()),
            ("tenant_id", tenant.clone()),
            ("tenants.id", tenant),
            ("app_id", made_app.clone()),
            ("apps.id", made_app.clone()),
            ("resource_id", made_app),
            ("operation_id", text(&made["operation"]["id"])),
            ("operations.id", text(&made["operation"]["id"])),
            ("exemptions.id", text(&exemption["id"])),
            ("api_keys.id", text(&keys["items"][0]["id"])),
            ("prefix", text(&keys["items"][0]["prefix"])),
            ("cells.id", text(&made["tenant"]["cell_id"])),
            ("cell_id", text(&made["tenant"]["cell_id"])),
            ("name", "customers".to_owned()),
        ]);
        Self {
            app,
            victim: victim.id.clone(),
            attacker: attacker.id.clone(),
            values,
        }
    }

    /// A connection as the service has it.
    async fn connection(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.app.context.db.pool().acquire().await.unwrap()
    }

    /// Every row of every table.
    async fn everything(&self) -> BTreeSet<String> {
        let mut rows = BTreeSet::new();
        for table in granted(&self.app.owner).await.keys() {
            let statement = format!("SELECT '{table} ' || to_jsonb(t)::text FROM {table} t");
            let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement))
                .fetch_all(&self.app.owner)
                .await
                .unwrap();
            rows.extend(found);
        }
        rows
    }
}

/// Tables that the service's role has rights on, with the rights.
async fn granted(owner: &sqlx::PgPool) -> BTreeMap<String, BTreeSet<String>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, privilege_type::text FROM information_schema.role_table_grants
         WHERE table_schema = 'public' AND grantee = 'stepgate_app' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, privilege) in rows {
        tables.entry(table).or_default().insert(privilege);
    }
    tables
}

#[tokio::test]
async fn every_table_is_behind_the_wall_and_the_role_cannot_climb_it() {
    let app = TestApp::start().await;
    let tables = granted(&app.owner).await;
    let all: Vec<(String, bool, i64)> = sqlx::query_as(
        "SELECT c.relname::text, c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
           AND c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(all.len() >= 10, "{all:?}");
    for (table, secured, policies) in &all {
        // A table that the role has no rights on at all needs no policy.
        if let Some(rights) = tables.get(table) {
            assert!(
                *secured && *policies > 0,
                "{table} has no row-level security or no policy"
            );
            let may: &[&str] = if APPEND_ONLY.contains(&table.as_str()) {
                &["SELECT", "INSERT"]
            } else {
                &["SELECT", "INSERT", "UPDATE", "DELETE"]
            };
            for right in rights {
                assert!(
                    may.contains(&right.as_str()),
                    "stepgate_app has {right} on {table}"
                );
            }
        }
    }
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT table_name::text FROM information_schema.role_table_grants WHERE table_schema = 'public' AND grantee = 'PUBLIC'",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(open.is_empty(), "everybody has rights on {open:?}");
    let views: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
           AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(views.is_empty(), "{views:?} read with their owner's rights");
    let (powerful, owns): (bool, i64) = sqlx::query_as(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
                (SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid)
         FROM pg_roles WHERE rolname = 'stepgate_app'",
    )
    .fetch_one(&app.owner)
    .await
    .unwrap();
    assert_eq!((powerful, owns), (false, 0));
    let functions: Vec<String> = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(functions, PAST_THE_WALL);
}

#[tokio::test]
async fn a_connection_that_forgets_its_scope_sees_and_changes_nothing() {
    let stage = Stage::set().await;
    let before = stage.everything().await;
    let mut connection = stage.connection().await;
    let role: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(role, "stepgate_app");
    let mut filled = 0;
    for (table, rights) in granted(&stage.app.owner).await {
        if READ_BY_ALL.contains(&table.as_str()) {
            continue;
        }
        let count = format!("SELECT count(*) FROM {table}");
        let there: i64 = sqlx::query_scalar(AssertSqlSafe(count.clone()))
            .fetch_one(&stage.app.owner)
            .await
            .unwrap();
        filled += usize::from(there > 0);
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(seen, 0, "{seen} of {there} rows of {table}");
        if rights.contains("DELETE") {
            let done = connection
                .execute(AssertSqlSafe(format!("DELETE FROM {table}")))
                .await
                .unwrap();
            assert_eq!(done.rows_affected(), 0, "{table}");
        }
    }
    assert!(
        filled >= 9,
        "only {filled} tables have rows: the test shows too little"
    );
    assert_eq!(stage.everything().await, before);
}

/// What a query came to: rows or changes, and everything that it showed.
async fn run(connection: &mut PgConnection, query: &str) -> Result<(u64, String), sqlx::Error> {
    use futures_util::TryStreamExt;
    let (mut touched, mut shown) = (0, String::new());
    let mut stream = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(query.to_owned())));
    while let Some(step) = stream.try_next().await? {
        match step {
            sqlx::Either::Left(done) => touched += done.rows_affected(),
            sqlx::Either::Right(row) => {
                for column in 0..row.len() {
                    let value = row.try_get_raw(column)?;
                    if !value.is_null() {
                        shown.push_str(value.as_str().unwrap_or_default());
                        shown.push('\n');
                    }
                }
            }
        }
    }
    Ok((touched, shown))
}

#[tokio::test]
async fn every_query_of_the_service_sees_nothing_of_a_foreign_partner() {
    let stage = Stage::set().await;
    let queries = queries();
    assert!(queries.len() > 50, "only {} queries were found", queries.len());
    let before = stage.everything().await;
    let hidden: Vec<&String> = stage
        .values
        .iter()
        .filter(|(column, _)| !matches!(**column, "cells.id" | "cell_id" | "name"))
        .map(|(_, value)| value)
        .collect();
    let mut connection = stage.connection().await;
    let mut reached = 0;
    for (query, types) in &queries {
        let filled = fill(query, types, &stage.values);
        // As the owner of the rows: that the arguments lead anywhere at all. Nothing of it stays.
        let scoped = |partner: &str| format!("BEGIN; SET LOCAL stepgate.partner_id = '{partner}'");
        connection
            .execute(AssertSqlSafe(scoped(&stage.victim)))
            .await
            .unwrap();
        let own = run(&mut connection, &filled).await;
        connection.execute("ROLLBACK").await.unwrap();
        if let Ok((_, shown)) = &own {
            reached += usize::from(
                hidden.iter().any(|value| shown.contains(value.as_str()))
                    || own.as_ref().is_ok_and(|(touched, _)| *touched > 0),
            );
        }
        // As a foreigner, with the very same arguments, for good.
        connection
            .execute(AssertSqlSafe(scoped(&stage.attacker)))
            .await
            .unwrap();
        let foreign = run(&mut connection, &filled).await;
        let end = if foreign.is_ok() { "COMMIT" } else { "ROLLBACK" };
        connection.execute(end).await.unwrap();
        if let Ok((_, shown)) = foreign {
            for value in &hidden {
                // Arguments come back where a query returns them; rows do not.
                let echoed = filled.matches(&format!("SELECT '{value}'")).count() > 0;
                assert!(
                    !shown.contains(value.as_str()) || echoed,
                    "{value} was shown by: {filled}"
                );
            }
        }
    }
    let after = stage.everything().await;
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "a foreigner changed {changed:#?}");
    println!(
        "{} queries, {reached} of them reach rows of their own partner",
        queries.len()
    );
    // The others are of tables that no partner has rows in: cells, releases, rollouts, budgets, sessions.
    assert!(
        reached * 5 > queries.len() * 2,
        "only {reached} of {} queries led anywhere",
        queries.len()
    );
}
