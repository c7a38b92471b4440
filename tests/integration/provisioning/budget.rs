//! The budget of AWS calls: all workers together stay within it, less is called while AWS throttles, and accounts do not
//! take each other's.

use super::rig::{REGION, Rig, cell_request};
use crate::support::env::required;
use fault_proxy::{Fault, Plan, Proxy, Seen};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use stepgate::{
    aws::{Aws, AwsErrorKind, Tokens as _},
    domain::{
        actor::{Actor, OperatorScope, Role},
        cell::{CallGroup, CallScope, CellAccess},
        pool::PoolSettings,
    },
    ids::KeyId,
    provisioning::cell::{CellRequest, apply},
    storage::aws_call_budgets::{self, Budget},
    usecases::{
        Request,
        cells::{self, CellChange},
    },
    worker::call_budget::SharedBudget,
};

/// What `cloudformation:DescribeStacks` counts against.
const DESCRIBE: &str = "cloudformation:Describe";

async fn proxy() -> Proxy {
    let upstream = required("STEPGATE_TEST_AWS_ENDPOINT_URL").parse().unwrap();
    Proxy::start(&upstream).await.unwrap()
}

/// Gives the cell a limit of its own, as an operator does.
async fn limit(rig: &Rig, per_s: f64) {
    let key = KeyId::generate(&rig.context.ids, rig.context.clock.now());
    let operator = Request::new(Actor::key(key, Role::Operator, None), "req-operator");
    let limits = serde_json::json!({ DESCRIBE: per_s });
    let change = CellChange {
        aws_call_limits: Some(serde_json::from_value(limits).unwrap()),
        ..CellChange::default()
    };
    let cell = cells::get(&rig.context, &operator, rig.cell.id)
        .await
        .unwrap()
        .cell;
    cells::update(&rig.context, &operator, cell.id, cell.revision, change)
        .await
        .unwrap();
}

async fn budget_at(rig: &Rig, at: &CallScope) -> Budget {
    let scope = OperatorScope::worker();
    let mut tx = rig.context.db.begin(&scope).await.unwrap();
    let all = aws_call_budgets::list(&mut tx, &scope, at).await.unwrap();
    all.into_iter()
        .find(|budget| budget.operation == DESCRIBE)
        .unwrap()
}

async fn budget(rig: &Rig) -> Budget {
    budget_at(rig, &rig.cell.call_scope()).await
}

/// AWS through the proxy, within the budget, as a worker has it.
async fn budgeted(rig: &Rig, proxy: &Proxy) -> Aws {
    let credentials = aws_credential_types::Credentials::new(&rig.account, "test", None, None, "test");
    let aws = crate::support::aws_at(&proxy.url(), credentials, &stepgate::aws::Patience::default()).await;
    aws.budgeted(Arc::new(SharedBudget(rig.context.db.clone())))
}

fn describes(seen: &[Seen]) -> Vec<Instant> {
    let of_bucket = seen
        .iter()
        .filter(|seen| seen.operation.starts_with("cloudformation:Describe"));
    of_bucket.map(|seen| seen.at).collect()
}

/// The most calls in any second.
fn most_in_a_second(calls: &[Instant]) -> usize {
    let within = |from: &Instant| {
        calls
            .iter()
            .filter(|at| **at >= *from && at.duration_since(*from) < Duration::from_secs(1))
            .count()
    };
    calls.iter().map(within).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_together_never_call_more_often_than_the_budget_allows() {
    const ALLOWED: usize = 20;
    let rig = Rig::start().await;
    limit(&rig, 20.0).await;
    let proxy = proxy().await;
    let mut tenants = Vec::new();
    for number in 0..10 {
        tenants.push(
            rig.tenant(&format!("Tenant {number}"), PoolSettings::default())
                .await
                .0,
        );
    }
    // Stacks that take their time are looked at again and again.
    proxy.slow_stacks(8);
    let workers: Vec<_> = (0..4).map(|_| rig.spawn_worker_at(&proxy.url())).collect();
    for tenant in &tenants {
        while !rig.read(tenant.id).await.ready() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    drop(workers);
    let calls = describes(&proxy.seen());
    let most = most_in_a_second(&calls);
    assert!(
        most <= ALLOWED,
        "{most} calls in a second of {} in all",
        calls.len()
    );
    assert!(
        calls.len() > 60 && most > ALLOWED / 3,
        "the budget was never near: {most} of {}",
        calls.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_calls_are_made_while_aws_throttles_and_more_again_afterwards() {
    let rig = Rig::start().await;
    limit(&rig, 60.0).await;
    let proxy = proxy().await;
    let aws = budgeted(&rig, &proxy).await.cloudformation(REGION);
    let call_for = async |time: Duration| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            // Throttled calls are what this is about.
            let _ = aws.describe("stepgate-nothing").await;
        }
    };
    call_for(Duration::from_secs(1)).await;
    let before = budget(&rig).await;
    assert!((before.rate_per_s - 60.0).abs() < 0.1, "{before:?}");

    let operation = "cloudformation:DescribeStacks".to_owned();
    proxy.follow(Plan::Above {
        operation,
        per_second: 4,
    });
    call_for(Duration::from_secs(4)).await;
    let throttled = budget(&rig).await;
    // Halved at least once, and grown again a little since the last refusal.
    assert!(throttled.rate_per_s < before.rate_per_s * 0.9, "{throttled:?}");
    let refused = proxy
        .seen()
        .iter()
        .filter(|seen| seen.fault == Some(Fault::Throttle))
        .count();
    assert!(
        refused > 0 && refused < proxy.seen().len(),
        "{refused} of {}",
        proxy.seen().len()
    );

    proxy.follow(Plan::Nothing);
    call_for(Duration::from_secs(1)).await;
    let recovering = budget(&rig).await;
    assert!(
        recovering.rate_per_s > throttled.rate_per_s,
        "{recovering:?} after {throttled:?}"
    );
    // A twentieth of the limit a second: half a minute is enough for all of it.
    rig.sql("UPDATE aws_call_budgets SET refilled_at = refilled_at - interval '30 seconds'")
        .await;
    // Tokens that were taken before are still good for a moment.
    tokio::time::sleep(Duration::from_millis(300)).await;
    aws.describe("stepgate-nothing").await.unwrap();
    assert!(
        (budget(&rig).await.rate_per_s - 60.0).abs() < 0.1,
        "{:?}",
        budget(&rig).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_gets_no_token_in_time_is_put_back() {
    let rig = Rig::start().await;
    // Less than an operator may give: a token in two minutes.
    rig.sql("UPDATE cells SET aws_call_limits = '{\"cloudformation:Describe\": 0.01}'")
        .await;
    let proxy = proxy().await;
    let aws = budgeted(&rig, &proxy).await.cloudformation(REGION);
    let error = aws.describe("stepgate-nothing").await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind()),
        ("BudgetUsedUp", AwsErrorKind::Throttled),
        "{error:?}"
    );
    assert!(error.kind().passes_by_itself());
    assert!(proxy.seen().is_empty(), "AWS was asked all the same");
}

fn role_in(account: &str) -> CellAccess {
    CellAccess {
        role_arn: format!("arn:aws:iam::{account}:role/stepgate-cell"),
        external_id: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_one_region_have_budgets_of_their_own_and_every_way_into_an_account_takes_from_its_one() {
    let rig = Rig::start().await;
    let there = role_in(&format!("8{}", &rig.account[1..]));
    let request = CellRequest {
        access: Some(there.clone()),
        ..cell_request(&rig.artifacts)
    };
    let second = apply(&rig.context, &request, &mut |_| {}).await.unwrap();
    assert_eq!(
        (&*second.region, second.account_id == rig.cell.account_id),
        (REGION, false)
    );

    // One call in each account, and none for long after it.
    sqlx::query(
        "INSERT INTO aws_call_budgets (scope, operation, limit_per_s, rate_per_s, tokens, refilled_at)
         SELECT account_id || '/' || region, $1, 0.01, 0.01, 1, clock_timestamp() FROM cells",
    )
    .bind(DESCRIBE)
    .execute(&rig.owner)
    .await
    .unwrap();
    rig.sql("UPDATE cells SET aws_call_limits = '{\"cloudformation:Describe\": 0.01}'")
        .await;
    let proxy = proxy().await;
    let aws = Arc::new(budgeted(&rig, &proxy).await);
    let ask = async |access: Option<&CellAccess>| {
        let aws = aws.within(access).await;
        aws.cloudformation(REGION).describe("stepgate-nothing").await
    };
    ask(None).await.unwrap();
    // The service's own credentials lead to the same account as this role: AWS counts the calls of both together.
    let error = ask(Some(&role_in(&rig.account))).await.unwrap_err();
    assert_eq!(error.code, "BudgetUsedUp", "{error:?}");
    ask(Some(&there)).await.unwrap();
    assert_eq!(describes(&proxy.seen()).len(), 2);

    // What one account refuses makes calls fewer there and nowhere else.
    limit(&rig, 60.0).await;
    let shared = SharedBudget(rig.context.db.clone());
    let own = CallScope {
        account_id: None,
        region: REGION.to_owned(),
    };
    rig.sql("UPDATE aws_call_budgets SET limit_per_s = 60, rate_per_s = 60")
        .await;
    shared.throttled(&own, CallGroup::StackDescribe).await;
    let rates = (
        budget(&rig).await.rate_per_s,
        budget_at(&rig, &second.call_scope()).await.rate_per_s,
    );
    assert!(
        (rates.0 - 30.0).abs() < 0.1 && (rates.1 - 60.0).abs() < 0.1,
        "{rates:?}"
    );
}
