//! From log group to queue: who may put events there, and what the forwarder makes of lines that claim too much.

use crate::bench::{Bench, random_letters};
use crate::functions::Trigger;
use crate::iam_stage::{Stage, inline_policy, policy_of};
use crate::outcome::Trials;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;

/// More than the forwarder carries of one event, bytes.
const TOO_LARGE_BYTES: usize = 17 * 1024;

/// The shared way of the cell's events.
struct EventPath {
    account: String,
    log_group: String,
    forwarder: String,
    queue_url: String,
}

impl EventPath {
    async fn of(bench: &Bench) -> anyhow::Result<Self> {
        let log_group = bench.log_group().await?;
        let cell = log_group
            .strip_prefix("/stepgate/")
            .and_then(|rest| rest.strip_suffix("/triggers"))
            .with_context(|| format!("{log_group} is no log group of a cell"))?;
        let forwarder = format!("stepgate-{cell}-forwarder");
        let path = format!("/2015-03-31/functions/{forwarder}/configuration");
        let configuration = bench.aws()?.lambda_get(&path).await?;
        let configuration = configuration.map_err(|error| anyhow::anyhow!("{forwarder}: {error}"))?;
        let queue_url = configuration["Environment"]["Variables"]["STEPGATE_EVENT_QUEUE_URL"].as_str();
        Ok(Self {
            account: bench.aws()?.account_id().await?,
            queue_url: queue_url.context("the forwarder knows no queue")?.to_owned(),
            forwarder,
            log_group,
        })
    }
}

/// The part of A32 that is about events: written under another tenant's name, or past the forwarder.
pub(super) async fn forged_events(bench: &Bench, trials: &mut Trials) -> anyhow::Result<()> {
    let path = EventPath::of(bench).await?;
    let stage = Stage::set(bench).await?;
    streams(bench, &stage, &path, trials).await?;
    queue(bench, &stage, &path, trials).await?;
    lines(bench, &path, trials).await
}

/// A tenant of nobody, under whose name or against whom is written.
fn other_ulid() -> String {
    "0".repeat(26)
}

fn stream_of(ulid: &str, function: &str) -> String {
    format!("2026/01/05/stepgate-{ulid}-{function}[$LATEST]0123456789abcdef")
}

/// The functions' roles, and the streams of the shared log group: the policies are those really provisioned.
async fn streams(bench: &Bench, stage: &Stage, path: &EventPath, trials: &mut Trials) -> anyhow::Result<()> {
    let group = format!(
        "arn:aws:logs:{}:{}:log-group:{}:log-stream",
        bench.target.aws_region, path.account, path.log_group
    );
    for (trigger, function) in [(Trigger::Define, "challenge"), (Trigger::Verify, "verify")] {
        let policy = policy_of(bench, trigger).await?;
        let may_write = async |stream: &str| {
            stage
                .allows(&policy, "logs:PutLogEvents", &format!("{group}:{stream}"))
                .await
        };
        let own = stream_of(bench.target.ulid(), function);
        anyhow::ensure!(may_write(&own).await?, "{function} may not write to {own}");
        let other = other_ulid();
        for stream in [
            stream_of(&other, "challenge"),
            stream_of(&other, "verify"),
            stream_of(bench.target.ulid(), "other"),
            "2026/01/05/[$LATEST]0123456789abcdef".to_owned(),
        ] {
            let refused = !may_write(&stream).await?;
            trials.holds(
                &format!("{function} writes to {stream}"),
                refused,
                "only its own log streams",
            );
        }
    }
    Ok(())
}

/// Messages past the forwarder, straight into the queue.
async fn queue(bench: &Bench, stage: &Stage, path: &EventPath, trials: &mut Trials) -> anyhow::Result<()> {
    let asked = json!({ "QueueUrl": path.queue_url, "AttributeNames": ["Policy"] });
    let found = bench.aws()?.must("sqs", "GetQueueAttributes", &asked).await?;
    let policy = found["Attributes"]["Policy"]
        .as_str()
        .context("the queue has no policy")?;
    let name = path
        .queue_url
        .rsplit('/')
        .next()
        .context("a queue without name")?;
    let url = stage.queue(name, policy, &path.account, &path.forwarder).await?;
    let here = |policy: String| policy.replace(&path.account, "000000000000");
    let forwarder_policy = here(inline_policy(bench, &path.forwarder, "forwarder").await?);

    let message = json!({ "QueueUrl": url, "MessageBody": "{}" });
    let forwarder = stage.role(&path.forwarder, &forwarder_policy).await?;
    forwarder.must("sqs", "SendMessage", &message).await?;

    let everything = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sqs:*", "Resource": "*"
    }]});
    let twin = format!("{}-twin", path.forwarder);
    for (who, role, policy) in [
        ("third role with an Allow", "third", everything.to_string()),
        (
            "the forwarder's policy on another role",
            twin.as_str(),
            forwarder_policy.clone(),
        ),
        (
            "challenge",
            &bench.function_name(Trigger::Define),
            stage.challenge_policy.clone(),
        ),
        (
            "verify",
            &bench.function_name(Trigger::Verify),
            stage.verify_policy.clone(),
        ),
    ] {
        let sender = stage.role(role, &policy).await?;
        let batch = json!({ "QueueUrl": url, "Entries": [{ "Id": "1", "MessageBody": "{}" }] });
        for (operation, body) in [("SendMessage", &message), ("SendMessageBatch", &batch)] {
            let answer = sender.json("sqs", operation, body).await?;
            let refused = answer.is_err_and(|error| error.is_access_denied());
            trials.holds(&format!("{who}: {operation}"), refused, "AccessDenied");
        }
    }
    if bench.target.aws_endpoint_url.is_none() {
        // On AWS the policy is enforced where the queue is: not even the account's administrator sends.
        let message = json!({ "QueueUrl": path.queue_url, "MessageBody": "{}" });
        let answer = bench.aws()?.json("sqs", "SendMessage", &message).await?;
        let refused = answer.is_err_and(|error| error.is_access_denied());
        trials.holds(
            "the account's administrator: SendMessage",
            refused,
            "AccessDenied",
        );
    }
    Ok(())
}

/// A delivery in the form of CloudWatch Logs.
fn delivery(path: &EventPath, stream: &str, messages: &[String]) -> anyhow::Result<Value> {
    let events: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| json!({ "id": index.to_string(), "timestamp": 1, "message": message }))
        .collect();
    let delivery = json!({
        "messageType": "DATA_MESSAGE", "owner": path.account, "logGroup": path.log_group, "logStream": stream,
        "subscriptionFilters": ["stepgate-events"], "logEvents": events,
    });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(delivery.to_string().as_bytes())?;
    Ok(json!({ "awslogs": { "data": STANDARD.encode(encoder.finish()?) } }))
}

/// Lines that claim to be events of the tenant under attack, and what the forwarder counts them as.
async fn lines(bench: &Bench, path: &EventPath, trials: &mut Trials) -> anyhow::Result<()> {
    let (own, other) = (bench.target.ulid(), other_ulid());
    let marker = random_letters(32);
    let event = json!({
        "stepgate_event": 1, "event_id": format!("evt_{marker}"), "at_unix_ms": crate::bench::now_ms(),
        "type": "failed", "tenant_id": bench.target.tenant_id, "app_id": null, "journey_id": null, "round": null,
        "user_hash": marker, "reason": "internal", "method": null, "fallback": null, "acr": null, "amr": [], "aal": null,
        "ial": null, "policy_version": null, "rule": null, "policy_stale": false, "action": null, "source": null,
        "cold_start": false, "duration_ms": 1, "hops_ms": {}, "trigger_version": "0"
    });
    let with = |key: &str, value: Value| {
        let mut event = event.clone();
        event[key] = value;
        event.to_string()
    };
    let plain = event.to_string();
    let anothers = format!("2026/01/05/stepgate-{other}-verify[/stepgate-{own}-verify[$LATEST]0");
    for (what, stream, line, counted) in [
        (
            "another tenant's function",
            stream_of(&other, "verify"),
            plain.clone(),
            "other_tenant",
        ),
        (
            "a stream that another tenant's role made",
            anothers,
            plain.clone(),
            "foreign_stream",
        ),
        (
            "a function of nobody",
            "2026/01/05/somebody[$LATEST]0".to_owned(),
            plain.clone(),
            "foreign_stream",
        ),
        (
            "text of a user",
            stream_of(own, "verify"),
            format!("user said: {plain}"),
            "other_lines",
        ),
        (
            "text inside JSON",
            stream_of(own, "verify"),
            json!({ "stepgate_note": 1, "message": plain }).to_string(),
            "other_lines",
        ),
        (
            "an event with a tail",
            stream_of(own, "verify"),
            format!("{plain}}} {plain}"),
            "malformed",
        ),
        (
            "an unknown type",
            stream_of(own, "verify"),
            with("type", json!("tokens_for_all")),
            "malformed",
        ),
        (
            "an event too large",
            stream_of(own, "verify"),
            with("rule", json!("x".repeat(TOO_LARGE_BYTES))),
            "malformed",
        ),
        (
            "version 0",
            stream_of(own, "verify"),
            with("stepgate_event", json!(0)),
            "malformed",
        ),
    ] {
        let payload = delivery(path, &stream, &[line])?;
        let invoked = bench.aws()?.invoke(&path.forwarder, &payload).await?;
        let summary = invoked
            .map_err(|error| anyhow::anyhow!("the forwarder cannot be invoked: {error}"))?
            .payload;
        let dropped = summary["forwarded"] == 0 && summary[counted] == 1;
        trials.holds(&format!("{what}: {summary}"), dropped, "dropped and counted");
    }
    if let Ok(api) = bench.api() {
        let events = api.get(&format!("/v1/events?user_hash={marker}")).await?;
        let none = events["items"].as_array().is_some_and(Vec::is_empty);
        trials.holds("forged events in the reports", none, "nothing in lists");
    }
    Ok(())
}
