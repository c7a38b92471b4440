//! The database is lost: another one, with nothing but its schema, is filled from AWS, and nothing in AWS changes.

use super::{
    holdings::settings_document,
    rig::{REGION, Rig, cell_request, placeholder_artifacts},
};
use crate::support::{TestDatabase, examples};
use std::collections::BTreeMap;
use stepgate::{
    Context,
    domain::{
        actor::OperatorScope,
        app::App,
        cell::Release,
        pool::{Attribute, PoolSettings},
        tenant::Tenant,
    },
    ids::ReleaseId,
    provisioning::{
        cell::apply,
        pass::Outcome,
        rebuild::{RebuildOutcome, RebuildRequest, rebuild},
        template::{self, sha256_hex},
    },
    storage::{self, Database, PageRequest},
    usecases::{self, policies::Content, tenants::TenantChange},
    worker::jobs::reconcile_tenants,
};

fn request(apply: bool) -> RebuildRequest {
    RebuildRequest {
        region: REGION.to_owned(),
        tenant_id: None,
        apply,
    }
}

/// Everything that a tenant has in AWS, with what says when it was changed last.
async fn in_aws(rig: &Rig, tenant: &Tenant, apps: &[App]) -> Vec<String> {
    let sdk = rig.context.aws.region(REGION);
    let name = format!("stepgate-{}", tenant.id.ulid());
    let cloudformation = aws_sdk_cloudformation::Client::new(&sdk);
    let stack = cloudformation
        .describe_stacks()
        .stack_name(&name)
        .send()
        .await
        .unwrap();
    let stack = &stack.stacks()[0];
    let mut found = vec![format!("{:?} {:?}", stack.stack_id(), stack.last_updated_time())];
    let (settings, credentials): (String, String) =
        sqlx::query_as("SELECT settings_secret_name, credentials_secret_name FROM tenants WHERE id = $1")
            .bind(tenant.id.to_string())
            .fetch_one(&rig.owner)
            .await
            .unwrap();
    for secret in [settings, credentials] {
        found.push(format!(
            "{:?}",
            rig.context
                .aws
                .secrets_manager(REGION)
                .versions(&secret)
                .await
                .unwrap()
        ));
    }
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let items = dynamodb
        .scan()
        .table_name(format!("{name}-policies"))
        .send()
        .await
        .unwrap();
    let items = items.items().iter().map(|item| {
        let sorted: BTreeMap<_, _> = item.iter().collect();
        format!("{sorted:?}")
    });
    let mut items: Vec<_> = items.collect();
    items.sort();
    found.extend(items);
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
    let pool_id = tenant.user_pool_id.as_ref().unwrap();
    let pool = cognito
        .describe_user_pool()
        .user_pool_id(pool_id)
        .send()
        .await
        .unwrap();
    found.push(format!("{:?}", pool.user_pool().unwrap().last_modified_date()));
    for app in apps {
        let client = cognito
            .describe_user_pool_client()
            .user_pool_id(pool_id)
            .client_id(app.client_id.as_ref().unwrap())
            .send()
            .await
            .unwrap();
        found.push(format!("{:?}", client.user_pool_client().unwrap()));
    }
    found
}

/// Two tenants: one with everything that can be asked of one, and one that is suspended.
async fn populate(rig: &Rig) -> Vec<(Tenant, Vec<App>)> {
    let pool = PoolSettings {
        attributes: vec![Attribute {
            name: "unit".to_owned(),
            mutable: true,
            max_length: Some(64),
        }],
        self_sign_up: true,
        ..PoolSettings::default()
    };
    let (rich, _) = rig.tenant("Acme & daughters", pool).await;
    let labels = BTreeMap::from([("plan".to_owned(), Some("gold".to_owned()))]);
    let change = TenantChange {
        external_id: Some(Some("crm-4711".to_owned())),
        labels,
        ..TenantChange::default()
    };
    rig.update(rich.id, change).await;
    let mut apps = Vec::new();
    for name in ["Portal", "Admin", "Gone"] {
        apps.push(rig.app(rich.id, name).await.0);
    }
    rig.run_worker().await;
    let (context, request) = (&rig.context, &rig.request);
    let ids = (rich.id, apps[0].id);
    usecases::policies::put(context, request, ids, 1, Content::Document(&examples::policy()))
        .await
        .unwrap();
    let gone = apps.pop().unwrap();
    usecases::apps::delete(context, request, (rich.id, gone.id))
        .await
        .unwrap();
    let (shut, _) = rig.tenant("Shut", PoolSettings::default()).await;
    usecases::suspensions::suspend(context, request, shut.id, "an incident".to_owned())
        .await
        .unwrap();
    while !rig.run_worker().await.is_empty() {}
    let mut all = Vec::new();
    for (tenant, apps) in [(rich, apps), (shut, Vec::new())] {
        let mut read = Vec::new();
        for app in &apps {
            read.push(rig.read_app(app).await);
        }
        all.push((rig.read(tenant.id).await, read));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_lost_database_are_had_back_and_nothing_in_aws_changes() {
    let rig = Rig::start().await;
    let tenants = populate(&rig).await;
    let mut before = Vec::new();
    for (tenant, apps) in &tenants {
        before.push(in_aws(&rig, tenant, apps).await);
    }
    assert!(settings_document(&rig, tenants[1].0.id).await.suspended);

    let database = TestDatabase::create().await;
    let context = Context {
        db: Database::connect(&database.config()).await.unwrap(),
        ..rig.context.clone()
    };
    let unregistered = rebuild(&context, &request(false)).await.unwrap_err();
    assert!(
        unregistered.to_string().contains("stepgate cell apply"),
        "{unregistered}"
    );
    let cell = apply(&context, &cell_request(&rig.artifacts), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(cell.id, rig.cell.id, "the cell has its id back");

    // It only tells, until it is told to write; and what is there it leaves alone.
    for (asked, expected) in [
        (false, RebuildOutcome::Missing),
        (false, RebuildOutcome::Missing),
        (true, RebuildOutcome::Rebuilt),
        (true, RebuildOutcome::Present),
    ] {
        let told = rebuild(&context, &request(asked)).await.unwrap();
        assert_eq!(told.tenants.len(), 2, "{told:?}");
        assert!(told.tenants.iter().all(|one| one.outcome == expected), "{told:?}");
        assert!(!told.lost.is_empty());
        if expected == RebuildOutcome::Missing {
            let rich = told
                .tenants
                .iter()
                .find(|one| one.tenant_id == tenants[0].0.id)
                .unwrap();
            assert_eq!((rich.name.as_deref(), rich.apps), (Some("Acme & daughters"), 2));
        }
    }
    let outcomes = reconcile_tenants::run_until_idle(&context, "rebuilder")
        .await
        .unwrap();
    assert_eq!(outcomes, [Outcome::Converged, Outcome::Converged]);
    for ((tenant, apps), before) in tenants.iter().zip(&before) {
        assert_eq!(
            &in_aws(&rig, tenant, apps).await,
            before,
            "a pass changed something"
        );
        assert_is_back(&context, &rig, tenant, apps).await;
    }
}

async fn assert_is_back(context: &Context, rig: &Rig, tenant: &Tenant, apps: &[App]) {
    let found = usecases::tenants::get(context, &rig.request, tenant.id)
        .await
        .unwrap();
    assert!(found.ready());
    let told = |tenant: &Tenant| {
        format!(
            "{:?}",
            (
                (
                    &tenant.name,
                    &tenant.external_id,
                    &tenant.labels,
                    tenant.created_at
                ),
                (&tenant.blockid, &tenant.pool, &tenant.methods, tenant.sandbox),
                (&tenant.state, &tenant.user_pool_id, tenant.suspension.is_some()),
            )
        )
    };
    assert_eq!(told(&found), told(tenant));
    for app in apps {
        let back = usecases::apps::get(context, &rig.request, tenant.id, app.id)
            .await
            .unwrap();
        assert_eq!(
            (&back.name, &back.settings, &back.client_id, back.policy_version),
            (&app.name, &app.settings, &app.client_id, app.policy_version)
        );
        let policy = async |context| {
            let policy = usecases::policies::get(context, &rig.request, tenant.id, app.id).await;
            let policy = policy.unwrap();
            (policy.version, policy.document, policy.in_force)
        };
        assert_eq!(policy(context).await, policy(&rig.context).await);
    }
    let listed = usecases::apps::list(context, &rig.request, tenant.id, &PageRequest::default()).await;
    assert_eq!(listed.unwrap().items.len(), apps.len(), "a deleted app came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_cannot_be_read_does_not_keep_the_others() {
    let rig = Rig::start().await;
    let (good, _) = rig.tenant("Good", PoolSettings::default()).await;
    let (older, _) = rig.tenant("Older", PoolSettings::default()).await;
    rig.run_worker().await;
    // As a version of before would have written it.
    let mut settings = settings_document(&rig, older.id).await;
    settings.registration = None;
    settings.generation += 1;
    let name: String = sqlx::query_scalar("SELECT settings_secret_name FROM tenants WHERE id = $1")
        .bind(older.id.to_string())
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    let document = serde_json::to_string(&settings).unwrap();
    let token = "0123456789abcdef0123456789abcdef";
    rig.context
        .aws
        .secrets_manager(REGION)
        .put_value(&name, &document, token)
        .await
        .unwrap();

    let database = TestDatabase::create().await;
    let context = Context {
        db: Database::connect(&database.config()).await.unwrap(),
        ..rig.context.clone()
    };
    apply(&context, &cell_request(&rig.artifacts), &mut |_| {})
        .await
        .unwrap();
    let told = rebuild(&context, &request(true)).await.unwrap();
    let of = |id| told.tenants.iter().find(|one| one.tenant_id == id).unwrap();
    assert_eq!(of(good.id).outcome, RebuildOutcome::Rebuilt);
    assert_eq!(of(older.id).outcome, RebuildOutcome::Unreadable);
    assert!(
        of(older.id)
            .problem
            .as_ref()
            .unwrap()
            .contains("version of Stepgate")
    );
}

/// A release with the cell's artifacts and another template, which new tenants get from now on.
async fn another_release(rig: &Rig) -> Release {
    let body = template::tenant()
        .body
        .replace("fails or refuses tokens often", "fails often");
    let release = Release {
        id: ReleaseId::generate(&rig.context.ids, rig.context.clock.now()),
        cell_id: rig.cell.id,
        name: "of-another-day".to_owned(),
        artifacts: rig.cell.artifacts.clone(),
        template_sha256: sha256_hex(&[&body]),
        created_at: rig.context.clock.now(),
    };
    let release = Release {
        name: stepgate::domain::cell::release_name(&release.artifacts, &release.template_sha256),
        ..release
    };
    let scope = OperatorScope::command_line();
    let mut tx = rig.context.db.begin(&scope).await.unwrap();
    storage::releases::register(&mut tx, &scope, &release, &body)
        .await
        .unwrap();
    storage::releases::make_current(&mut tx, &scope, &release, release.created_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    release
}

async fn running(context: &Context, rig: &Rig, tenant: &Tenant) -> String {
    let found = usecases::tenants::get(context, &rig.request, tenant.id)
        .await
        .unwrap();
    assert_eq!(found.wanted_release, found.running_release, "{}", tenant.name);
    found.running_release.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_stays_on_the_release_that_it_ran() {
    let rig = Rig::start().await;
    let mut tenants = vec![rig.tenant("First", PoolSettings::default()).await.0];
    rig.run_worker().await;
    let newer = another_release(&rig).await;
    for name in ["Second", "Third"] {
        tenants.push(rig.tenant(name, PoolSettings::default()).await.0);
    }
    rig.run_worker().await;
    let mut before = Vec::new();
    for tenant in &mut tenants {
        *tenant = rig.read(tenant.id).await;
        let release = running(&rig.context, &rig, tenant).await;
        before.push((release, in_aws(&rig, tenant, &[]).await));
    }
    assert_eq!(before[1].0, newer.name);
    assert_ne!(before[0].0, newer.name);

    // The database is lost, and the cell is applied with artifacts that no tenant runs.
    let database = TestDatabase::create().await;
    let context = Context {
        db: Database::connect(&database.config()).await.unwrap(),
        ..rig.context.clone()
    };
    let later = placeholder_artifacts(&format!("later-{}", rig.account));
    apply(&context, &cell_request(&later), &mut |_| {}).await.unwrap();
    let told = rebuild(&context, &request(true)).await.unwrap();
    assert!(
        told.tenants
            .iter()
            .all(|one| one.outcome == RebuildOutcome::Rebuilt),
        "{told:?}"
    );
    reconcile_tenants::run_until_idle(&context, "rebuilder")
        .await
        .unwrap();
    for (tenant, (release, in_aws_before)) in tenants.iter().zip(&before) {
        assert_eq!(&running(&context, &rig, tenant).await, release);
        assert_eq!(&in_aws(&rig, tenant, &[]).await, in_aws_before, "{}", tenant.name);
    }
}
