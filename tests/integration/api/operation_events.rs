//! Watching an operation: a stream of server-sent events.

use crate::support::{Caller, Partner, TestApp, client::send, examples};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// An event as it came.
#[derive(Debug)]
struct Event {
    id: i64,
    name: String,
    data: Value,
}

fn parse(text: &str) -> Vec<Event> {
    let blocks = text.split("\n\n").filter(|block| block.contains("event: "));
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}in {block}")).to_owned()
    };
    blocks
        .map(|block| Event {
            id: field(block, "id: ").parse().unwrap(),
            name: field(block, "event: "),
            data: serde_json::from_str(&field(block, "data: ")).unwrap(),
        })
        .collect()
}

async fn watch(caller: &Caller, operation: &str, last_event_id: Option<i64>) -> reqwest::Response {
    let request = caller.request(Method::GET, &format!("/v1/operations/{operation}/events"));
    let request = match last_event_id {
        Some(id) => request.header("last-event-id", id.to_string()),
        None => request,
    };
    request.send().await.unwrap()
}

/// A stream under way.
struct Watching {
    chunks: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Watching {
    async fn begin(caller: &Caller, operation: &str, last_event_id: Option<i64>) -> Self {
        let response = watch(caller, operation, last_event_id).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            chunks: Box::pin(response.bytes_stream()),
            text: String::new(),
        }
    }

    /// Whether more came.
    async fn read(&mut self) -> bool {
        let next = tokio::time::timeout(Duration::from_secs(30), self.chunks.next());
        let chunk = next
            .await
            .unwrap_or_else(|_| panic!("nothing more came after {}", self.text));
        match chunk {
            Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap()),
            None => return false,
        }
        true
    }

    /// What came so far, once `done` holds of it.
    async fn until(&mut self, done: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        loop {
            let events = parse(self.text.rsplit_once("\n\n").map_or("", |(whole, _)| whole));
            if done(&events) {
                return events;
            }
            assert!(self.read().await, "the stream ended after {}", self.text);
        }
    }

    /// Everything, once the stream has ended by itself.
    async fn end(mut self) -> Vec<Event> {
        while self.read().await {}
        parse(&self.text)
    }
}

/// Every step and the operation itself.
fn whole(events: &[Event]) -> bool {
    events.len() == stepgate::domain::provisioning::StepName::ALL.len() + 1
}

async fn made(acme: &Partner) -> String {
    let made = acme
        .post("/v1/tenants", examples::tenant("customers"))
        .await
        .expect(202);
    made["operation"]["id"].as_str().unwrap().to_owned()
}

async fn run(app: &TestApp, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&app.owner).await.unwrap();
}

#[tokio::test]
async fn a_watcher_sees_steps_as_they_change_and_the_end() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let operation = made(&acme).await;
    let mut watching = Watching::begin(&acme, &operation, None).await;
    watching.until(whole).await;
    run(
        &app,
        "UPDATE operations SET state = 'running', started_at = '2026-01-05T10:00:00Z';
         UPDATE operation_steps SET state = 'running', attempts = 1, detail = 'line one
line two' WHERE name = 'suspension'",
    )
    .await;
    watching
        .until(|events| {
            events
                .last()
                .is_some_and(|event| event.data["state"] == "running")
        })
        .await;
    run(
        &app,
        "UPDATE operation_steps SET state = 'succeeded';
         UPDATE operations SET state = 'succeeded', finished_at = '2026-01-05T10:00:09Z'",
    )
    .await;
    let events = watching.end().await;
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:#?}");
    let running = events
        .iter()
        .find(|event| event.name == "step" && event.data["state"] == "running")
        .expect("the step was seen running");
    assert_eq!(running.data["detail"], json!("line one\nline two"));
    let states: Vec<_> = events
        .iter()
        .filter(|event| event.name == "operation")
        .map(|event| event.data["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["pending", "running", "succeeded"]);
    let last = events.last().unwrap();
    assert_eq!(
        last.data,
        acme.get(&format!("/v1/operations/{operation}")).await.expect(200)
    );
}

#[tokio::test]
async fn a_watcher_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let operation = made(&acme).await;
    let mut watching = Watching::begin(&acme, &operation, None).await;
    let first = watching.until(whole).await;
    drop(watching);
    let seen = first.last().unwrap().id;
    // While nobody watches.
    run(
        &app,
        "UPDATE operation_steps SET state = 'running', attempts = 1 WHERE name = 'tenant_stack'",
    )
    .await;
    let mut watching = Watching::begin(&acme, &operation, Some(seen)).await;
    let second = watching.until(|events| !events.is_empty()).await;
    drop(watching);
    assert_eq!(second.len(), 1, "{second:#?}");
    assert_eq!(
        (second[0].name.as_str(), &second[0].data["name"]),
        ("step", &json!("tenant_stack"))
    );
    // The same once more is no change.
    run(
        &app,
        "UPDATE operation_steps SET attempts = 1 WHERE name = 'tenant_stack';
         UPDATE operations SET state = 'failed', finished_at = '2026-01-05T10:00:09Z',
             error = '{\"code\": \"x\", \"message\": \"No.\", \"at\": \"2026-01-05T10:00:09Z\"}'",
    )
    .await;
    let third = Watching::begin(&acme, &operation, Some(second[0].id))
        .await
        .end()
        .await;
    assert_eq!(third.len(), 1, "{third:#?}");
    assert_eq!(third[0].data["state"], json!("failed"));
    let over = watch(&acme, &operation, Some(third[0].id)).await;
    assert_eq!(over.status(), 204, "a browser stops coming back at this");
}

#[tokio::test]
async fn a_stream_ends_when_its_server_is_on_its_way_out() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let operation = made(&acme).await;
    let mut watching = Watching::begin(&acme, &operation, None).await;
    let seen = watching.until(whole).await;
    app.draining.begin();
    // Far less than until the next comment.
    let all = tokio::time::timeout(Duration::from_secs(10), watching.end()).await;
    let all = all.expect("a stream without an end");
    assert_eq!(all.len(), seen.len(), "nothing had changed");
}

#[tokio::test]
async fn a_foreign_operation_cannot_be_watched_and_nonsense_is_refused() {
    let app = TestApp::start().await;
    let (acme, other) = (app.partner("acme").await, app.partner("other").await);
    let operation = made(&acme).await;
    let path = format!("/v1/operations/{operation}/events");
    other.get(&path).await.problem(404, "not_found");
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        let request = acme.request(Method::GET, &path).header("last-event-id", bad);
        send(request)
            .await
            .problem(400, "invalid_header")
            .names("header:Last-Event-ID", "invalid");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_a_place_is_free_again_when_one_is_left() {
    use stepgate::{api::operations::feed::OperationFeed, error::Code, ids::OperationId};
    let app = TestApp::start().await;
    let feed = OperationFeed::start(app.context.clone(), 2);
    let id = OperationId::generate(&app.context.ids, chrono::DateTime::UNIX_EPOCH);
    let first = feed.subscribe(id).unwrap();
    let _second = feed.subscribe(id).unwrap();
    assert_eq!(feed.subscribe(id).unwrap_err().code(), Code::Unavailable);
    drop(first);
    assert!(feed.subscribe(id).is_ok());
}
