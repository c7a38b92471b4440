//! The two walls between partners. The first is a type, which the compiler keeps; here the second is tried as if the first
//! had fallen: by every query of the service under a foreign partner's scope, and by a connection that forgot to have one.

use crate::support::{TestApp, examples};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row as _, ValueRef as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Tables whose rows are only read and added.
const APPEND_ONLY: &[&str] = &["audit_log"];
/// Tables that everybody may read: they say nothing about a partner.
const READ_BY_ALL: &[&str] = &["cells"];
/// Functions that run with their owner's rights, past row-level security. Each is a hole that was thought about.
const PAST_THE_WALL: &[&str] = &["record_idempotent_answer", "tenants_in_cell"];

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
        let keys = victim
            .get(&format!("/v1/partners/{}/keys", victim.id))
            .await
            .expect(200);
        let values = BTreeMap::from([
            ("partner_id", victim.id.clone()),
            ("partners.id", victim.id.clone()),
            ("tenant_id", tenant.clone()),
            ("tenants.id", tenant),
            ("app_id", made_app.clone()),
            ("apps.id", made_app.clone()),
            ("resource_id", made_app),
            ("operation_id", text(&made["operation"]["id"])),
            ("operations.id", text(&made["operation"]["id"])),
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
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
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
        let scoped =
            |partner: &str| format!("BEGIN; SELECT set_config('stepgate.partner_id', '{partner}', true)");
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
    assert!(
        reached * 2 > queries.len(),
        "only {reached} of {} queries led anywhere",
        queries.len()
    );
}

/// Every query that was compiled into the service, with the types of its parameters.
fn queries() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let query: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let types = query["describe"]["parameters"]["Left"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let types = types
                .iter()
                .map(|kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned));
            (query["query"].as_str().unwrap().to_owned(), types.collect())
        })
        .collect()
}

/// The query with arguments that lead to the victim's rows, as far as its text tells which column one is compared with.
fn fill(query: &str, types: &[String], values: &BTreeMap<&'static str, String>) -> String {
    let mut filled = query.to_owned();
    for (index, kind) in types.iter().enumerate().rev() {
        let parameter = format!("${}", index + 1);
        let value = argument(query, &parameter, kind, values);
        filled = filled.replace(&parameter, &value);
    }
    filled
}

fn argument(query: &str, parameter: &str, kind: &str, values: &BTreeMap<&'static str, String>) -> String {
    let column = column_of(query, parameter);
    let table = ["FROM ", "UPDATE ", "INTO "]
        .iter()
        .filter_map(|word| Some((query.find(word)?, word.len())))
        .min()
        .map(|(at, length)| {
            query[at + length..]
                .split([' ', '\n', '('])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .unwrap_or_default();
    let own = column.as_ref().and_then(|column| {
        let plain = column.rsplit('.').next().unwrap_or_default();
        // `t.id` of a query that begins at `tenants`, `a.id` of one that joins `apps`.
        let owner = match column.split_once('.').map(|(alias, _)| alias) {
            Some("t") => "tenants",
            Some("a") => "apps",
            Some("o") => "operations",
            Some("c") => "cells",
            _ => table.as_str(),
        };
        values
            .get(format!("{owner}.{plain}").as_str())
            .or_else(|| values.get(plain))
    });
    let optional = query.contains(&format!("{parameter}::timestamptz IS NULL"))
        || (query.contains(&format!("{parameter}::text IS NULL")) && own.is_none());
    match kind {
        _ if optional => "NULL".to_owned(),
        "Text" | "Varchar" => own.map_or_else(|| "'x'".to_owned(), |value| format!("'{value}'")),
        "Int2" | "Int4" | "Int8"
            if column
                .as_deref()
                .is_some_and(|column| column.ends_with("fencing_token")) =>
        {
            "0".to_owned()
        }
        "Int2" | "Int4" | "Int8" => "1".to_owned(),
        "Timestamptz" => "'2099-01-01Z'::timestamptz".to_owned(),
        "Bool" => "true".to_owned(),
        "Jsonb" | "Json" => "'{}'::jsonb".to_owned(),
        "Bytea" => "'\\x00'::bytea".to_owned(),
        "TextArray" => "'{x}'::text[]".to_owned(),
        _ => "NULL".to_owned(),
    }
}

/// The column that a parameter is compared with or set as.
fn column_of(query: &str, parameter: &str) -> Option<String> {
    let bytes = query.as_bytes();
    query.match_indices(parameter).find_map(|(at, _)| {
        if bytes.get(at + parameter.len()).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let before = query[..at].trim_end();
        let before = before
            .strip_suffix('=')
            .or_else(|| before.strip_suffix("IS NOT DISTINCT FROM"))?;
        let name = before
            .trim_end()
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .next()?;
        (!name.is_empty()).then(|| name.to_owned())
    })
}
