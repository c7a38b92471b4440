//! `stepgate cell plan` and `stepgate cell apply`.

use super::rig::{REGION, Rig, cell_request, placeholder_artifacts};
use serde_json::Value;
use std::{
    io::{Read, Write},
    path::Path,
    process::Output,
};
use stepgate::{
    domain::{cell::CellAccess, pool::PoolSettings},
    provisioning::{
        cell::{
            CellRequest, apply,
            plan::{StackAction, plan},
        },
        pass::Outcome,
        template::{self, sha256_hex},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn applying_a_cell_again_changes_nothing_and_new_artifacts_are_added() {
    let rig = Rig::start().await;
    let mut told = Vec::new();
    let again = apply(&rig.context, &cell_request(&rig.artifacts), &mut |text| {
        told.push(text);
    })
    .await
    .unwrap();
    assert_eq!(again, rig.cell);
    let stack = rig
        .context
        .aws
        .cloudformation(REGION)
        .describe("stepgate-cell-test")
        .await;
    assert_eq!(
        again.dead_event_queue_url().as_ref(),
        stack.unwrap().unwrap().outputs.get("DeadEventQueueUrl")
    );
    assert_eq!(
        told.iter()
            .filter(|text| text.ends_with("is there already"))
            .count(),
        3,
        "{told:?}"
    );

    let newer = placeholder_artifacts(&format!("newer-{}", rig.account));
    let changed = apply(&rig.context, &cell_request(&newer), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(changed.id, rig.cell.id);
    assert_ne!(changed.artifacts.verify.key, rig.cell.artifacts.verify.key);
    let s3 = rig.context.aws.s3(REGION);
    for artifact in [&rig.cell.artifacts.verify, &changed.artifacts.verify] {
        // The older version stays: tenants run it until they are brought to the newer one.
        assert!(
            s3.has(&changed.artifact_bucket, &artifact.key, &artifact.sha256_base64)
                .await
                .unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_region_has_one_cell_whose_id_survives_a_lost_row() {
    let rig = Rig::start().await;
    let other = CellRequest {
        name: "other".into(),
        ..cell_request(&rig.artifacts)
    };
    let error = apply(&rig.context, &other, &mut |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("under another name"), "{error}");

    rig.sql("UPDATE cells SET release_id = NULL; DELETE FROM releases; DELETE FROM cells")
        .await;
    let found = apply(&rig.context, &cell_request(&rig.artifacts), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(found.id, rig.cell.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_apply_would_change_and_changes_nothing() {
    let rig = Rig::start().await;
    let same = plan(&rig.context, &cell_request(&rig.artifacts)).await.unwrap();
    assert!(!same.changes(), "{same:?}");
    assert_eq!(same.lines().last().unwrap(), "Nothing would change.");

    let newer = placeholder_artifacts(&format!("planned-{}", rig.account));
    let request = CellRequest {
        allowed_provider_networks: Vec::new(),
        ..cell_request(&newer)
    };
    let cloudformation = rig.context.aws.cloudformation(REGION);
    let before = cloudformation.describe("stepgate-cell-test").await.unwrap();
    let planned = plan(&rig.context, &request).await.unwrap();
    assert_eq!(planned.stack.action, StackAction::Change);
    assert_eq!(
        planned.stack.parameters.keys().collect::<Vec<_>>(),
        ["ForwarderArtifactKey"]
    );
    assert!(
        planned
            .stack
            .resources
            .iter()
            .any(|change| change.logical_id == "Forwarder" && change.action == "Modify"),
        "{planned:?}"
    );
    assert_eq!((planned.uploads.len(), &planned.stack.refused), (3, &None));
    // Nobody lives there: what is new is current at once.
    assert_eq!(planned.current_release.to, planned.new_release);
    assert_ne!(planned.current_release.from, planned.new_release);
    assert!(
        planned.registration["changes"]["/allowed_provider_networks"].is_object(),
        "{planned:?}"
    );
    let lines = planned.lines().join("\n");
    for part in [
        "~ stack stepgate-cell-test",
        "~ parameter ForwarderArtifactKey",
        "+ upload triggers/",
        "+ release planned-",
    ] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    assert_eq!(
        cloudformation.describe("stepgate-cell-test").await.unwrap(),
        before
    );
    assert_eq!(
        plan(&rig.context, &request).await.unwrap(),
        planned,
        "planned again, it is the same"
    );

    apply(&rig.context, &request, &mut |_| {}).await.unwrap();
    assert!(!plan(&rig.context, &request).await.unwrap().changes());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_a_cell_that_is_not_there_and_of_one_with_tenants() {
    let rig = Rig::start().await;
    let elsewhere = CellRequest {
        region: "us-east-1".into(),
        ..cell_request(&rig.artifacts)
    };
    let planned = plan(&rig.context, &elsewhere).await.unwrap();
    assert_eq!(
        (planned.stack.action, planned.uploads.len()),
        (StackAction::Create, 3)
    );
    assert!(planned.changes() && planned.cell_id.is_none() && planned.new_release.is_some());

    rig.tenant("Acme", PoolSettings::default()).await;
    let newer = placeholder_artifacts(&format!("later-{}", rig.account));
    let planned = plan(&rig.context, &cell_request(&newer)).await.unwrap();
    assert!(planned.new_release.is_some());
    assert_eq!(
        planned.current_release.from, planned.current_release.to,
        "tenants are brought to it by a rollout"
    );
    let applied = apply(&rig.context, &cell_request(&newer), &mut |_| {})
        .await
        .unwrap();
    assert_eq!(
        (applied.release_id, applied.artifacts),
        (rig.cell.release_id, rig.cell.artifacts.clone())
    );
    // The tenant comes up with what was current when it was made, whatever was applied since.
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let running: String = sqlx::query_scalar("SELECT observed #>> '{release,id}' FROM tenants")
        .fetch_one(&rig.owner)
        .await
        .unwrap();
    assert_eq!(Some(running), rig.cell.release_id.map(|id| id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_a_plan_tells_whether_anything_would_change() {
    let rig = Rig::start().await;
    let run = |artifacts: &Path, more: &[&str]| -> Output {
        let architecture = rig.cell.architecture.as_str();
        let artifacts = artifacts.to_str().unwrap();
        let mut arguments = vec![
            "cell",
            "plan",
            "--name",
            "test",
            "--region",
            REGION,
            "--architecture",
            architecture,
        ];
        arguments.extend([
            "--artifacts",
            artifacts,
            "--allowed-provider-network",
            "127.0.0.1/32",
        ]);
        arguments.extend(more);
        rig.stepgate(&arguments).output().unwrap()
    };
    let same = run(&rig.artifacts, &[]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    assert!(String::from_utf8_lossy(&same.stdout).contains("Nothing would change."));
    let newer = placeholder_artifacts(&format!("told-{}", rig.account));
    let changed = run(&newer, &["--json"]);
    assert_eq!(changed.status.code(), Some(2), "{changed:?}");
    let told: Value = serde_json::from_slice(&changed.stdout).unwrap();
    assert_eq!(
        (&told["stack"]["action"], &told["region"]),
        (&"change".into(), &REGION.into())
    );
    let failed = run(Path::new("/nowhere"), &[]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
}

fn role_in(account: &str) -> CellAccess {
    CellAccess {
        role_arn: format!("arn:aws:iam::{account}:role/stepgate-cell"),
        external_id: Some("only-we-know".into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_and_its_tenants_live_in_the_account_that_its_role_leads_to() {
    let other = |own: &str| format!("8{}", &own[1..]);
    let rig = Rig::start_through(|own| Some(role_in(&other(own)))).await;
    assert_eq!(rig.cell.account_id, other(&rig.account));
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let (app, _) = rig.app(tenant.id, "Portal").await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    assert!(rig.read_app(&app).await.client_id.is_some());
    let there = rig.context.aws.within(rig.cell.access.as_ref()).await;
    for stack in [
        format!("stepgate-{}", tenant.id.ulid()),
        "stepgate-cell-test".to_owned(),
    ] {
        assert!(
            there
                .cloudformation(REGION)
                .describe(&stack)
                .await
                .unwrap()
                .is_some(),
            "{stack}"
        );
        let here = rig
            .context
            .aws
            .cloudformation(REGION)
            .describe(&stack)
            .await
            .unwrap();
        assert!(here.is_none(), "{stack} is in the service's own account");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_taken_with_its_external_id() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut piece = [0_u8; 4096];
        while !String::from_utf8_lossy(&request).contains("ExternalId") {
            let length = stream.read(&mut piece).unwrap();
            assert!(
                length > 0,
                "the request ended: {}",
                String::from_utf8_lossy(&request)
            );
            request.extend_from_slice(&piece[..length]);
        }
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        String::from_utf8(request).unwrap()
    });
    drop(rustls::crypto::ring::default_provider().install_default());
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(format!("http://{address}"))
        .region(aws_config::Region::new(REGION))
        .credentials_provider(aws_credential_types::Credentials::new(
            "own", "test", None, None, "test",
        ));
    let aws = std::sync::Arc::new(stepgate::aws::Aws::from_loader(loader).await);
    let there = aws.within(Some(&role_in("123456789012"))).await;
    assert!(
        there.sts(REGION).account_id().await.is_err(),
        "the role was refused"
    );
    let heard = heard.join().unwrap();
    for part in [
        "Action=AssumeRole",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fstepgate-cell",
        "ExternalId=only-we-know",
        "RoleSessionName=stepgate",
        "Credential=own/",
    ] {
        assert!(heard.contains(part), "{part}: {heard}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_apply_would_refuse() {
    let rig = Rig::start().await;
    // As if this version named the queue another way. That the name is the same in the end, a text does not tell.
    let named = "QueueName: !Sub \"stepgate-${CellName}-events\"";
    let other = "QueueName: !Join [\"\", [stepgate-, !Ref CellName, -events]]";
    let body = template::cell().body.replacen(named, other, 1);
    assert!(body.contains(other));
    let cloudformation = rig.context.aws.cloudformation(REGION);
    let present = cloudformation
        .describe("stepgate-cell-test")
        .await
        .unwrap()
        .unwrap();
    let parameters = present.parameters.iter().map(|(key, value)| {
        let value = if key == "TemplateDigest" {
            sha256_hex(&[&body])
        } else {
            value.clone()
        };
        aws_sdk_cloudformation::types::Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    });
    let updated = aws_sdk_cloudformation::Client::new(&rig.context.aws.region(REGION))
        .update_stack()
        .stack_name("stepgate-cell-test")
        .set_parameters(Some(parameters.collect()))
        .template_body(&body)
        .capabilities(aws_sdk_cloudformation::types::Capability::CapabilityNamedIam)
        .send();
    updated.await.unwrap();
    loop {
        let stack = cloudformation
            .describe("stepgate-cell-test")
            .await
            .unwrap()
            .unwrap();
        if stack.status == stepgate::aws::cloudformation::StackState::Complete {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let planned = plan(&rig.context, &cell_request(&rig.artifacts)).await.unwrap();
    let refused = planned.stack.refused.clone().unwrap();
    assert!(refused.contains("EventQueue.QueueName"), "{refused}");
    assert!(planned.lines().contains(&format!("! refused: {refused}")));
    let applied = apply(&rig.context, &cell_request(&rig.artifacts), &mut |_| {}).await;
    let error = applied.unwrap_err().to_string();
    assert!(error.starts_with(&refused), "{error}");
}
