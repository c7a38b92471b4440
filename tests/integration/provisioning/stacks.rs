//! Changes of stacks: what would lose users is refused whatever the change set says, and stuck stacks have a way out.

use super::rig::{REGION, Rig};
use stepgate::{
    aws::cloudformation::StackState,
    domain::{actor::OperatorScope, pool::PoolSettings},
    provisioning::{
        failure::{StepError, StepFailure},
        pass::Outcome,
        stacks::{EnsureError, Ensured, Stacks, Watcher},
        template::{self, Template, sha256_hex},
        wanted,
    },
    storage::reconcile,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Nobody;

impl Watcher for Nobody {
    async fn note(&mut self, _: String) -> Result<(), StepError> {
        Ok(())
    }
}

/// Brings the stack of the only tenant to another template.
async fn bring(rig: &Rig, id: stepgate::ids::TenantId, body: String) -> Result<Ensured, EnsureError> {
    let template = Template {
        digest: sha256_hex(&[&body]),
        body: Box::leak(body.into_boxed_str()),
    };
    let scope = OperatorScope::worker();
    let mut db = rig.context.db.begin(&scope).await.unwrap();
    let desired = reconcile::look(&mut db, &scope.into(), id).await.unwrap();
    let settings = desired.observed.settings_secret_arn.clone().unwrap();
    let wanted = wanted::stack(&desired, &template, &settings);
    let stacks = Stacks {
        client: rig.context.aws.cloudformation(REGION),
        ids: &rig.context.ids,
    };
    stacks.ensure(&wanted, &mut Nobody).await
}

fn refusal(outcome: Result<Ensured, EnsureError>) -> StepFailure {
    match outcome {
        Err(EnsureError::Step(StepError::Failed(failure))) => *failure,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_would_replace_the_pool_or_the_records_is_refused_whatever_the_change_set_says() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    let pool_id = rig.read(tenant.id).await.user_pool_id.unwrap();
    let body = template::tenant().body;
    // The emulator's change set calls the first no replacement; on AWS it makes the pool anew.
    for (from, to, lost) in [
        (
            "      AutoVerifiedAttributes: [email]\n",
            "      AutoVerifiedAttributes: [email]\n      AliasAttributes: [preferred_username]\n",
            "UserPool.AliasAttributes",
        ),
        (
            "CaseSensitive: false",
            "CaseSensitive: true",
            "UserPool.UsernameConfiguration",
        ),
        (
            "${TenantUlid}-records\"",
            "${TenantUlid}-links\"",
            "RecordsTable.TableName",
        ),
        ("\n  RecordsTable:", "\n  Records:", "RecordsTable"),
    ] {
        let edited = body.replace(from, to);
        assert_ne!(edited, body, "{from}");
        let failure = refusal(bring(&rig, tenant.id, edited).await);
        assert_eq!(failure.code, "change_loses_data");
        assert!(
            failure.message.contains(lost) && failure.hint.is_some(),
            "{failure:?}"
        );
    }
    let cloudformation = rig.context.aws.cloudformation(REGION);
    let name = format!("stepgate-{}", tenant.id.ulid());
    let stack = cloudformation.describe(&name).await.unwrap().unwrap();
    assert_eq!(stack.status, StackState::Complete);
    assert!(
        stack.termination_protection,
        "a stack is protected from the first moment"
    );
    assert!(
        cloudformation.delete(&name, "by-hand").await.is_err(),
        "and cannot be deleted by one call"
    );
    assert_eq!(rig.read(tenant.id).await.user_pool_id.unwrap(), pool_id);

    // What loses nothing goes through.
    let edited = body.replace("MemorySize: 512", "MemorySize: 640");
    let ensured = bring(&rig, tenant.id, edited).await.unwrap();
    assert_eq!(ensured.done, "changed");
}

/// AWS as it answers for a stack whose rollback failed; the emulator cannot be brought there.
async fn stuck_stack() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 65_536];
            let mut length = 0;
            // The action is in the body.
            while !String::from_utf8_lossy(&request[..length]).contains("Action=") {
                match stream.read(&mut request[length..]).await {
                    Ok(read) if read > 0 => length += read,
                    _ => break,
                }
            }
            let id = "arn:aws:cloudformation:eu-central-1:1:stack/stepgate-x/1";
            let body = if String::from_utf8_lossy(&request[..length]).contains("Action=DescribeStackEvents") {
                format!(
                    "<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents><member><StackId>{id}</StackId>\
                     <EventId>1</EventId><StackName>stepgate-x</StackName><LogicalResourceId>VerifyFunction</LogicalResourceId>\
                     <PhysicalResourceId>f</PhysicalResourceId><ResourceType>AWS::Lambda::Function</ResourceType>\
                     <ResourceStatus>UPDATE_FAILED</ResourceStatus><ResourceStatusReason>the role is gone</ResourceStatusReason>\
                     <Timestamp>2026-01-05T10:00:00Z</Timestamp></member></StackEvents></DescribeStackEventsResult>\
                     </DescribeStackEventsResponse>"
                )
            } else {
                format!(
                    "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>{id}</StackId>\
                     <StackName>stepgate-x</StackName><StackStatus>UPDATE_ROLLBACK_FAILED</StackStatus>\
                     <CreationTime>2026-01-05T10:00:00Z</CreationTime></member></Stacks></DescribeStacksResult>\
                     </DescribeStacksResponse>"
                )
            };
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_stack_is_left_alone_and_the_way_out_is_named() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    rig.run_worker().await;
    let mut rig = rig;
    rig.context.aws = std::sync::Arc::new(crate::support::aws_of(&stuck_stack().await, &rig.account).await);
    let failure = refusal(bring(&rig, tenant.id, template::tenant().body.to_owned()).await);
    assert_eq!(failure.code, "stack_stuck");
    assert!(!failure.passes_by_itself);
    assert!(
        failure.message.contains("UPDATE_ROLLBACK_FAILED")
            && failure.message.contains("VerifyFunction")
            && failure.message.contains("the role is gone"),
        "{}",
        failure.message
    );
    assert!(failure.hint.unwrap().contains("continue-update-rollback"));
}
