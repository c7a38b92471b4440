//! A tenant's end: shut and restored; purged with its users kept or deleted, also when workers die on the way.

use super::{
    holdings::{assert_nothing_doubled, settings_document},
    kills::{let_leases_run_out, reached},
    rig::{REGION, Rig},
};
use chrono::TimeDelta;
use std::time::Duration;
use stepgate::{
    domain::{
        blockid::BlockIdConnection,
        deletion::{PoolFate, PurgeReport},
        operation::{Operation, OperationState, StepState},
        pool::PoolSettings,
        provisioning::StepName,
        tenant::{Tenant, TenantFilter, TenantState},
    },
    error::Code,
    ids::TenantId,
    provisioning::pass::Outcome,
    storage::PageRequest,
    usecases::{
        self,
        deletions::{self, Wanted},
        tenants::TenantChange,
    },
};

/// A tenant with two apps and two users.
async fn populated(rig: &Rig, name: &str) -> (Tenant, Vec<stepgate::domain::app::App>) {
    let (tenant, _) = rig.tenant(name, PoolSettings::default()).await;
    let apps = vec![
        rig.app(tenant.id, "Portal").await.0,
        rig.app(tenant.id, "Admin").await.0,
    ];
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let tenant = rig.read(tenant.id).await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&rig.context.aws.region(REGION));
    for username in ["ada", "bob"] {
        cognito
            .admin_create_user()
            .user_pool_id(tenant.user_pool_id.as_ref().unwrap())
            .username(username)
            .send()
            .await
            .unwrap();
    }
    (tenant, apps)
}

async fn delete(rig: &Rig, id: TenantId) -> Operation {
    let (tenant, (operation, _)) = deletions::delete(&rig.context, &rig.request, id).await.unwrap();
    assert_eq!(tenant.state.as_str(), "deleting");
    operation
}

fn wanted(retain_user_pool: bool, confirm: Option<String>) -> Wanted {
    Wanted {
        retain_user_pool,
        without_export: !retain_user_pool,
        before_its_time: false,
        confirm,
        reason: "the contract ended".to_owned(),
    }
}

/// Asks twice, as has to be; returns what the first answer said is lost, too.
async fn purge(rig: &Rig, id: TenantId, retain_user_pool: bool) -> (Operation, String) {
    let ask = async |confirm| {
        deletions::purge(&rig.context, &rig.request, id, wanted(retain_user_pool, confirm)).await
    };
    let refused = ask(None).await.unwrap_err();
    assert_eq!(refused.code(), Code::ConfirmationRequired, "{refused}");
    let confirmation = refused.confirmation().unwrap().clone();
    let (tenant, (operation, _)) = ask(Some(confirmation.confirm)).await.unwrap();
    assert_eq!(tenant.state.as_str(), "purging");
    (operation, confirmation.loses)
}

/// What AWS still has of a tenant: stacks, app clients, tables, secrets that are not deleted.
async fn left(rig: &Rig, tenant: &Tenant) -> Vec<String> {
    let sdk = rig.context.aws.region(REGION);
    let name = format!("stepgate-{}", tenant.id.ulid());
    let mut left = Vec::new();
    let cloudformation = rig.context.aws.cloudformation(REGION);
    left.extend(
        cloudformation
            .describe(&name)
            .await
            .unwrap()
            .map(|stack| stack.status_text),
    );
    let tables = aws_sdk_dynamodb::Client::new(&sdk)
        .list_tables()
        .send()
        .await
        .unwrap();
    left.extend(
        tables
            .table_names()
            .iter()
            .filter(|table| table.contains(&name))
            .cloned(),
    );
    let functions = aws_sdk_lambda::Client::new(&sdk)
        .list_functions()
        .send()
        .await
        .unwrap();
    left.extend(functions.functions().iter().filter_map(|function| {
        let function = function.function_name()?;
        function.contains(&name).then(|| function.to_owned())
    }));
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
    let pools = cognito.list_user_pools().max_results(60).send().await.unwrap();
    for pool in pools
        .user_pools()
        .iter()
        .filter(|pool| pool.name() == Some(&name))
    {
        left.push(format!("pool {name}"));
        let clients = rig.context.aws.cognito(REGION).clients(pool.id().unwrap()).await;
        left.extend(clients.unwrap().into_iter().map(|client| client.name));
    }
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk)
        .list_secrets()
        .max_results(100)
        .send()
        .await
        .unwrap();
    let own = secrets.secret_list().iter().filter(|secret| {
        let own = secret
            .name()
            .is_some_and(|name| name.contains(&tenant.id.to_string()));
        own && secret.deleted_date().is_none()
    });
    left.extend(own.filter_map(|secret| secret.name().map(str::to_owned)));
    left.sort();
    left
}

async fn assert_gone(rig: &Rig, tenant: &Tenant, operation: &Operation, fate: PoolFate) -> PurgeReport {
    let name = format!("stepgate-{}", tenant.id.ulid());
    let kept = match fate {
        PoolFate::Retained => vec![format!("pool {name}"), format!("{name}-records")],
        _ => Vec::new(),
    };
    assert_eq!(left(rig, tenant).await, kept);
    let (operation, steps) = rig.operation(operation).await;
    assert!(
        matches!(operation.state, OperationState::Succeeded { .. }),
        "{operation:?}"
    );
    let names: Vec<_> = steps.iter().map(|step| step.name.clone()).collect();
    assert_eq!(names, StepName::REMOVAL.map(|step| step.to_string()));
    let report = operation.report.unwrap();
    assert_eq!((report.user_pool, report.users), (Some(fate), Some(2)));
    assert_eq!(report.user_pool_id, tenant.user_pool_id);
    assert_eq!(
        (report.app_clients, report.stack.as_ref()),
        (Some(2), Some(&name))
    );
    assert_eq!(report.secrets.len(), 2, "{report:?}");
    let rows = report.rows.unwrap();
    assert_eq!((rows.apps, rows.policy_versions), (2, 2));

    let TenantState::Deleted(deletion) = rig.read(tenant.id).await.state else {
        panic!("not deleted");
    };
    assert_eq!(deletion.report.as_ref(), Some(&report));
    let (rows, key): (i64, Vec<u8>) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM apps WHERE tenant_id = t.id), event_hash_key FROM tenants t WHERE id = $1",
    )
    .bind(tenant.id.to_string())
    .fetch_one(&rig.owner)
    .await
    .unwrap();
    assert_eq!((rows, key), (0, Vec::new()));
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_is_shut_and_restored_as_it_was() {
    let rig = Rig::start().await;
    let (tenant, apps) = populated(&rig, "Acme").await;
    let before = rig.read_app(&apps[0]).await.client_id;
    let (_, update) = rig
        .update(
            tenant.id,
            TenantChange {
                name: Some("Acme, renamed".to_owned()),
                ..TenantChange::default()
            },
        )
        .await;

    let deletion = delete(&rig, tenant.id).await;
    assert!(matches!(
        rig.operation(&update).await.0.state,
        OperationState::Cancelled { .. }
    ));
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(settings_document(&rig, tenant.id).await.suspended);
    let (operation, steps) = rig.operation(&deletion).await;
    assert!(matches!(operation.state, OperationState::Succeeded { .. }));
    assert_eq!(steps[0].state, StepState::Succeeded);

    // Nothing else is done to it, and its name is not to be had.
    let (read, change) = (rig.read(tenant.id).await, TenantChange::default());
    assert!(!read.ready());
    let refused =
        usecases::tenants::update(&rig.context, &rig.request, tenant.id, read.generation, change).await;
    assert_eq!(refused.unwrap_err().code(), Code::TenantState);
    let repeated = delete(&rig, tenant.id).await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(matches!(
        rig.operation(&repeated).await.0.state,
        OperationState::Succeeded { .. }
    ));
    let early = deletions::purge(&rig.context, &rig.request, tenant.id, wanted(true, None)).await;
    assert_eq!(
        early.unwrap_err().code(),
        Code::TenantState,
        "it can still be restored"
    );

    let restored = deletions::restore(&rig.context, &rig.request, tenant.id, "a mistake".to_owned()).await;
    let (_, (restoration, _)) = restored.unwrap();
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let read = rig.read(tenant.id).await;
    assert!(read.ready() && read.name == "Acme, renamed");
    assert!(!settings_document(&rig, tenant.id).await.suspended);
    assert_eq!(read.user_pool_id, tenant.user_pool_id);
    assert_eq!(rig.read_app(&apps[0]).await.client_id, before);
    assert_nothing_doubled(&rig, &tenant, &apps).await;
    assert!(matches!(
        rig.operation(&restoration).await.0.state,
        OperationState::Succeeded { .. }
    ));
    let again = deletions::restore(&rig.context, &rig.request, tenant.id, "twice".to_owned()).await;
    assert_eq!(again.unwrap_err().code(), Code::TenantState);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_keeps_the_users_unless_it_is_told_twice_that_they_go() {
    let rig = Rig::start().await;
    for (name, retain, fate) in [
        ("Kept", true, PoolFate::Retained),
        ("Lost", false, PoolFate::Deleted),
    ] {
        let (tenant, _) = populated(&rig, name).await;
        delete(&rig, tenant.id).await;
        rig.run_worker().await;
        rig.clock.advance(TimeDelta::days(30));
        if !retain {
            let unexported = Wanted {
                without_export: false,
                ..wanted(false, None)
            };
            let refused = deletions::purge(&rig.context, &rig.request, tenant.id, unexported).await;
            assert_eq!(refused.unwrap_err().code(), Code::ExportRequired);
        }
        let (operation, loses) = purge(&rig, tenant.id, retain).await;
        assert!(loses.contains("2 apps") && loses.contains("2 users"), "{loses}");
        let late = deletions::restore(&rig.context, &rig.request, tenant.id, "too late".to_owned()).await;
        assert_eq!(late.unwrap_err().code(), Code::TenantState);
        // What was refused may hold the tenant for a moment longer: its transaction ends behind its back.
        let mut outcomes = rig.run_worker().await;
        for _ in 0..100 {
            if outcomes.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                outcomes = rig.run_worker().await;
            }
        }
        assert_eq!(outcomes, [Outcome::Converged]);
        assert_gone(&rig, &tenant, &operation, fate).await;
        assert!(rig.run_worker().await.is_empty(), "there is nothing left to do");

        // It is in no list, and its name is free; its id is never used again.
        let (filter, page) = (TenantFilter::default(), PageRequest::default());
        let listed = usecases::tenants::list(&rig.context, &rig.request, &filter, &page).await;
        assert!(listed.unwrap().items.iter().all(|one| one.id != tenant.id));
        let (again, _) = rig.tenant(name, PoolSettings::default()).await;
        assert_ne!(again.id, tenant.id);
        rig.run_worker().await;
        let actions: Vec<String> =
            sqlx::query_scalar("SELECT action FROM audit_log WHERE tenant_id = $1 ORDER BY position")
                .bind(tenant.id.to_string())
                .fetch_all(&rig.owner)
                .await
                .unwrap();
        assert!(
            actions.ends_with(&["tenant_deleted", "tenant_purge_asked", "tenant_purged"].map(str::to_owned)),
            "{actions:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_never_came_up_is_deleted_and_purged_all_the_same() {
    let rig = Rig::start().await;
    let nowhere = BlockIdConnection {
        tenant_dns: "127.0.0.1:9".to_owned(),
        ..rig.connection()
    };
    let (tenant, creation) = rig.tenant_at("Acme", PoolSettings::default(), nowhere).await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    delete(&rig, tenant.id).await;
    assert!(matches!(
        rig.operation(&creation).await.0.state,
        OperationState::Cancelled { .. }
    ));
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    rig.clock.advance(TimeDelta::days(30));
    let (operation, _) = purge(&rig, tenant.id, true).await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert_eq!(left(&rig, &tenant).await, Vec::<String>::new());
    let report = rig.operation(&operation).await.0.report.unwrap();
    assert_eq!(
        (report.user_pool, report.stack, report.secrets.len()),
        (Some(PoolFate::Absent), None, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_at_every_step_of_a_purge_end_in_the_same_state() {
    let rig = Rig::start().await;
    for (name, retain, fate) in [
        ("Kept", true, PoolFate::Retained),
        ("Lost", false, PoolFate::Deleted),
    ] {
        let (tenant, _) = populated(&rig, name).await;
        delete(&rig, tenant.id).await;
        rig.run_worker().await;
        rig.clock.advance(TimeDelta::days(30));
        let (operation, _) = purge(&rig, tenant.id, retain).await;
        for step in StepName::REMOVAL {
            let worker = rig.spawn_worker();
            while !reached(&rig, tenant.id, step).await && !is_gone(&rig, tenant.id).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(u64::from(rig.random(40)))).await;
            drop(worker);
            let_leases_run_out(&rig).await;
        }
        let last = rig.spawn_worker();
        while !is_gone(&rig, tenant.id).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(last);
        assert_gone(&rig, &tenant, &operation, fate).await;
    }
}

async fn is_gone(rig: &Rig, id: TenantId) -> bool {
    matches!(rig.read(id).await.state, TenantState::Deleted(_))
}
