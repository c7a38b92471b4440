//! What fails is told with its reason and a hint, cleaned away, tried again, and given up in the end.

use super::{
    holdings::assert_nothing_doubled,
    rig::{REGION, Rig},
};
use stepgate::{
    domain::{
        blockid::BlockIdConnection,
        operation::{OperationState, StepState},
        pool::PoolSettings,
    },
    provisioning::pass::Outcome,
};

/// Functions cannot be made from a bucket of another region: the stack fails on them after its tables and roles.
async fn break_the_artifacts(rig: &Rig) {
    let sdk = rig.context.aws.region("us-west-2");
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let constraint = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::UsWest2)
        .build();
    let bucket = format!("elsewhere-{}", rig.account);
    s3.create_bucket()
        .bucket(&bucket)
        .create_bucket_configuration(constraint)
        .send()
        .await
        .unwrap();
    sqlx::query("UPDATE cells SET artifact_bucket = $1")
        .bind(bucket)
        .execute(&rig.owner)
        .await
        .unwrap();
}

async fn mend_the_artifacts(rig: &Rig) {
    sqlx::query("UPDATE cells SET artifact_bucket = $1")
        .bind(&rig.cell.artifact_bucket)
        .execute(&rig.owner)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_fails_is_cleaned_away_and_made_once_the_cause_is_gone() {
    let rig = Rig::start().await;
    break_the_artifacts(&rig).await;
    let (tenant, creation) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);

    let error = rig.read(tenant.id).await.last_error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("bad_artifact", Some("tenant_stack")),
        "{error:?}"
    );
    assert!(
        error.message.contains("Function"),
        "the root cause names the resource: {}",
        error.message
    );
    assert!(error.hint.unwrap().contains("stepgate cell apply"));
    let (operation, steps) = rig.operation(&creation).await;
    assert!(
        matches!(operation.state, OperationState::Running { .. }),
        "one failure is not the end"
    );
    let stack = steps.iter().find(|step| step.name == "tenant_stack").unwrap();
    assert!(stack.state == StepState::Running && stack.error.is_some());
    let name = format!("stepgate-{}", tenant.id.ulid());
    assert_eq!(
        rig.context
            .aws
            .cloudformation(REGION)
            .describe(&name)
            .await
            .unwrap(),
        None,
        "cleaned away"
    );

    mend_the_artifacts(&rig).await;
    assert_eq!(rig.run_worker_later().await, [Outcome::Converged]);
    assert!(rig.read(tenant.id).await.last_error.is_none());
    let (operation, steps) = rig.operation(&creation).await;
    assert!(matches!(operation.state, OperationState::Succeeded { .. }));
    let stack = steps.iter().find(|step| step.name == "tenant_stack").unwrap();
    let [failed, done] = stack.tries.as_slice() else {
        panic!("two tries: {stack:?}")
    };
    assert!(failed.error.is_some() && failed.finished_at.is_some());
    assert!(done.error.is_none() && done.aws_request_id == stack.aws_request_id);
    assert_nothing_doubled(&rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_failure_ends_the_operation_with_a_hint_and_the_tenant_is_still_tried() {
    let rig = Rig::start().await;
    let nobody = BlockIdConnection {
        community: "nobody-is-here".into(),
        ..rig.connection()
    };
    let (tenant, creation) = rig.tenant_at("Acme", PoolSettings::default(), nobody).await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    for _ in 0..2 {
        assert_eq!(rig.run_worker_later().await, [Outcome::Failed]);
        assert!(matches!(
            rig.operation(&creation).await.0.state,
            OperationState::Running { .. }
        ));
    }
    assert_eq!(rig.run_worker_later().await, [Outcome::Failed]);
    let (operation, steps) = rig.operation(&creation).await;
    let OperationState::Failed { error, .. } = operation.state else {
        panic!("not given up: {operation:?}")
    };
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("provider_unusable", Some("provider_discovery"))
    );
    assert!(error.hint.unwrap().contains("blockid.community"));
    // Nothing to suspend, to exempt from or to change yet.
    let (before, rest) = steps.split_at(3);
    assert!(
        before.iter().all(|step| step.state == StepState::Skipped),
        "{before:?}"
    );
    assert_eq!((rest[0].state, rest[0].attempts), (StepState::Failed, 4));
    assert_eq!(rest[1].state, StepState::Pending);

    // Somebody makes the community: the tenant comes up although nobody asked again.
    rig.sql("UPDATE tenants SET blockid_community = 'default'").await;
    assert_eq!(rig.run_worker_later().await, [Outcome::Converged]);
    assert!(rig.read(tenant.id).await.ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_by_itself_is_never_given_up() {
    let rig = Rig::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let away = BlockIdConnection {
        tenant_dns: closed.to_string(),
        ..rig.connection()
    };
    let (tenant, creation) = rig.tenant_at("Acme", PoolSettings::default(), away).await;
    rig.run_worker().await;
    for _ in 0..22 {
        assert_eq!(rig.run_worker_later().await, [Outcome::Failed]);
    }
    assert_eq!(
        rig.read(tenant.id).await.last_error.unwrap().code,
        "provider_unavailable"
    );
    let (operation, steps) = rig.operation(&creation).await;
    assert!(matches!(operation.state, OperationState::Running { .. }));
    // Each try is told of by itself; of many the latest.
    let asked = steps
        .iter()
        .find(|step| step.name == "provider_discovery")
        .unwrap();
    let numbers: Vec<_> = asked.tries.iter().map(|one| one.number).collect();
    assert_eq!((asked.attempts, numbers), (23, (4..=23).collect()));
    assert!(
        asked
            .tries
            .iter()
            .all(|one| one.error.is_some() && one.duration_ms.is_some()),
        "{asked:?}"
    );
    assert!(
        asked
            .tries
            .is_sorted_by(|one, next| one.finished_at < Some(next.started_at)),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_runs_other_code_than_was_uploaded_is_noticed() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    rig.sql("UPDATE releases SET artifacts = jsonb_set(artifacts, '{verify,sha256_base64}', '\"AAAA\"')")
        .await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    let error = rig.read(tenant.id).await.last_error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.step.as_deref()),
        ("read_back_differs", Some("read_back"))
    );
    assert!(error.message.contains("code_sha256"), "{}", error.message);
}
