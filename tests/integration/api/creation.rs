//! Creation of a tenant: the secret's way, and what a failure or a crash in between leaves.

use crate::support::{REGION, TestApp, examples};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::{Value, json};
use stepgate::{
    clock::Clock,
    domain::{
        actor::{Actor, OperatorScope, Role},
        blockid::BlockIdConnection,
        pool::PoolSettings,
        tenant::Labels,
    },
    error::Code,
    ids::{KeyId, PartnerId},
    storage::reservations,
    usecases::{self, create_tenant},
};

fn secrets(app: &TestApp) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&app.context.aws.region(REGION))
}

async fn stored(app: &TestApp) -> Vec<(String, Value)> {
    let client = secrets(app);
    let listed = client.list_secrets().send().await.unwrap();
    let mut found = Vec::new();
    for entry in listed.secret_list() {
        let name = entry.name().unwrap().to_owned();
        let value = client.get_secret_value().secret_id(&name).send().await.unwrap();
        found.push((
            name,
            serde_json::from_str(value.secret_string().unwrap()).unwrap(),
        ));
    }
    found
}

fn request(app: &TestApp, partner_id: &str, id: &str) -> usecases::Request {
    let key_id = KeyId::generate(&app.context.ids, app.clock.now());
    let partner_id: PartnerId = partner_id.parse().unwrap();
    usecases::Request::new(Actor::key(key_id, Role::PartnerAdmin, Some(partner_id)), id)
}

fn new_tenant(name: &str, client_secret: &str) -> create_tenant::NewTenant {
    create_tenant::NewTenant {
        name: name.into(),
        cell_id: None,
        region: None,
        external_id: None,
        labels: Labels::new(),
        blockid: BlockIdConnection {
            tenant_dns: "127.0.0.1:9".into(),
            community: "default".into(),
            client_id: "demo-client".into(),
            extra_ca_pem: None,
        },
        client_secret: SecretString::from(client_secret),
        pool: PoolSettings::default(),
        sandbox: false,
    }
}

#[tokio::test]
async fn the_client_secret_is_in_the_cell_and_nowhere_else() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let answer = acme.post("/v1/tenants", examples::tenant("customers")).await;
    assert!(!answer.text.contains(examples::CLIENT_SECRET));
    let id = answer.expect(202)["tenant"]["id"].as_str().unwrap().to_owned();
    let found = stored(&app).await;
    let [(name, value)] = found.as_slice() else {
        panic!("expected one secret: {found:?}")
    };
    assert!(name.starts_with(&format!("stepgate/{id}/credentials-")), "{name}");
    assert_eq!(
        *value,
        json!({
            "client_id": "demo-client", "client_secret": examples::CLIENT_SECRET,
            "issued_by": {"tenant_dns": "127.0.0.1:9", "community": "default"},
        })
    );
    let tags = secrets(&app)
        .describe_secret()
        .secret_id(name)
        .send()
        .await
        .unwrap();
    let tags: Vec<_> = tags
        .tags()
        .iter()
        .map(|tag| (tag.key().unwrap(), tag.value().unwrap()))
        .collect();
    assert!(
        tags.contains(&("stepgate:tenant", id.as_str()))
            && tags.contains(&("stepgate:partner", acme.id.as_str())),
        "{tags:?}"
    );

    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(tables.len() > 5);
    for table in tables {
        let hits: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM \"{table}\" t WHERE t::text LIKE '%{}%'",
            examples::CLIENT_SECRET
        )))
        .fetch_one(&app.owner)
        .await
        .unwrap();
        assert_eq!(hits, 0, "the secret is in table {table}");
    }
    for path in ["/v1/tenants".to_owned(), format!("/v1/tenants/{id}")] {
        assert!(!acme.get(&path).await.text.contains(examples::CLIENT_SECRET));
    }
}

#[tokio::test]
async fn a_repeat_completes_what_a_failure_of_aws_interrupted() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let broken = app.context_without_aws().await;
    let failed = create_tenant::create(
        &broken,
        &request(&app, &acme.id, "r1"),
        new_tenant("customers", "wrong"),
    )
    .await;
    let error = failed.unwrap_err();
    assert_eq!(error.code(), Code::CellUnavailable);
    assert!(error.cause().is_some(), "the log must have the reason");
    let waiting = acme.get("/v1/tenants").await.expect(200)["items"][0].take();
    assert_eq!(waiting["state"], json!("awaiting_secret"));
    assert_eq!(waiting["ready"], json!(false));
    // The caller corrects its input while repeating.
    let done = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    assert_eq!(done["tenant"]["id"], waiting["id"]);
    assert_eq!(done["tenant"]["state"], json!("active"));
    assert_eq!(done["tenant"]["pool"], examples::tenant("")["pool"]);
    let found = stored(&app).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1["client_secret"], json!(examples::CLIENT_SECRET));
    assert_eq!(
        acme.get("/v1/tenants").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// The first transaction of a creation, as a process leaves it that dies right after.
async fn reserve_and_die(app: &TestApp, partner_id: &str) -> reservations::Taken {
    let now = app.clock.now();
    let scope = request(app, partner_id, "dead").actor.partner_admin().unwrap();
    let mut tx = app.owner.begin().await.unwrap();
    let cell = stepgate::storage::cells::open_for_placement(&mut tx, now)
        .await
        .unwrap()
        .remove(0);
    let new = new_tenant("customers", "");
    let taken = reservations::reserve(
        &mut tx,
        &scope,
        reservations::NewTenant {
            reservation: stepgate::domain::tenant::Reservation::new(&app.context.ids, now),
            cell_id: cell.cell.id,
            name: &new.name,
            external_id: None,
            labels: &new.labels,
            blockid: &new.blockid,
            pool: &new.pool,
            sandbox: false,
            lease_owner: "dead",
            lease_expires_at: now + TimeDelta::seconds(60),
            now,
        },
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    taken
}

#[tokio::test]
async fn a_repeat_after_a_crash_waits_for_the_lease_and_then_completes() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let taken = reserve_and_die(&app, &acme.id).await;
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .problem(409, "name_taken");
    app.clock.advance(TimeDelta::seconds(61));
    let done = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    assert_eq!(done["tenant"]["id"], json!(taken.reservation.id.to_string()));
    assert_eq!(stored(&app).await.len(), 1);
    // The dead one comes back after all: it has lost.
    let scope = request(&app, &acme.id, "dead").actor.partner_admin().unwrap();
    let mut tx = app.owner.begin().await.unwrap();
    let late = reservations::activate(
        &mut tx,
        &scope,
        taken.reservation.id,
        "dead",
        "arn:late",
        app.clock.now(),
    )
    .await;
    assert_eq!(late.unwrap_err().code(), Code::NameTaken);
}

#[tokio::test]
async fn repeats_after_the_secret_was_written_write_it_once() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let first = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    let mut counts = Vec::new();
    for _ in 0..2 {
        // As if the process had died between the secret and the second transaction.
        let statements = "DELETE FROM operation_steps; DELETE FROM operations;
            UPDATE tenants SET state = 'awaiting_secret', credentials_secret_arn = NULL";
        sqlx::raw_sql(statements).execute(&app.owner).await.unwrap();
        let again = acme
            .post("/v1/tenants", examples::tenant("customers"))
            .await
            .expect(202);
        assert_eq!(again["tenant"]["id"], first["tenant"]["id"]);
        let found = stored(&app).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1["client_secret"], json!(examples::CLIENT_SECRET));
        let versions = secrets(&app)
            .list_secret_version_ids()
            .secret_id(&found[0].0)
            .send()
            .await
            .unwrap();
        counts.push(versions.versions().len());
    }
    // The emulator forgets the token under which a secret was created, so the first repeat adds a version there.
    assert!(
        counts[1] <= counts[0],
        "the same value under the same token is no new version: {counts:?}"
    );
}

#[tokio::test]
async fn what_nobody_completes_is_found_once_and_removed() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let id = reserve_and_die(&app, &acme.id).await.reservation.id;
    let worker = OperatorScope::worker();
    let mut db = app.owner.acquire().await.unwrap();
    app.clock.advance(TimeDelta::hours(1));
    let now = app.clock.now();
    let (hour_ago, lease_end) = (now - TimeDelta::minutes(59), now + TimeDelta::minutes(5));
    let young = reservations::stale(
        &mut db,
        &worker,
        now - TimeDelta::hours(2),
        "sweep",
        now,
        lease_end,
    )
    .await
    .unwrap();
    assert!(young.is_empty());
    let stale = reservations::stale(&mut db, &worker, hour_ago, "sweep", now, lease_end)
        .await
        .unwrap();
    assert_eq!(
        (stale.len(), stale[0].id, stale[0].region.as_str()),
        (1, id, REGION)
    );
    let again = reservations::stale(&mut db, &worker, hour_ago, "other", now, lease_end)
        .await
        .unwrap();
    assert!(again.is_empty(), "a swept reservation is leased");
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .problem(409, "name_taken");
    assert!(!reservations::delete(&mut db, &worker, id, "other").await.unwrap());
    assert!(reservations::delete(&mut db, &worker, id, "sweep").await.unwrap());
    acme.post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
}
