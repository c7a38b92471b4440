//! What arrives at a collector: the tree of a request, of the worker's steps, and when.

use super::receiver::{Receiver, Span};
use crate::{
    installation::{self, Installation},
    running,
};
use serde_json::Value;
use std::collections::HashMap;
use url::Url;

const CALLER: &str = "00f067aa0ba902b7";

/// The spans that are below `root`, at any depth.
fn below<'a>(spans: &'a [Span], root: &Span) -> Vec<&'a Span> {
    let parents: HashMap<&str, &str> = spans
        .iter()
        .map(|span| (span.id.as_str(), span.parent.as_str()))
        .collect();
    let is_below = |span: &&Span| {
        let mut at = span.parent.as_str();
        while at != root.id {
            match parents.get(at) {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        span.trace_id == root.trace_id
    };
    spans.iter().filter(is_below).collect()
}

async fn create_tenant(
    installation: &Installation,
    url: &Url,
    name: &str,
    traceparent: &str,
) -> (u16, Value) {
    let http = attacks::http::client().expect("a client");
    let sent = http
        .post(url.join("/v1/tenants").expect("a URL"))
        .bearer_auth(installation.partner_key())
        .header("traceparent", traceparent)
        .json(&installation.tenant_body(name))
        .send()
        .await
        .expect("an answer");
    let status = sent.status().as_u16();
    (status, sent.json().await.expect("JSON"))
}

#[test]
fn a_request_is_a_tree_and_the_steps_of_the_worker_are_linked_to_it() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    installation::run(|installation| async move {
        let traceparent = format!("00-{TRACE}-{CALLER}-01");
        let (status, made) =
            create_tenant(installation, installation.api_url(), "Traced", &traceparent).await;
        assert_eq!(status, 202, "{made}");
        let done = installation.partner.wait(&made["operation"]).await;
        done.expect("the tenant is provisioned");

        // The request: below the caller's span, over the use case, over statements and calls.
        let is_root = |span: &Span| span.trace_id == TRACE && span.parent == CALLER;
        let spans = installation.traces.wait("the request", is_root).await;
        let root = spans
            .iter()
            .find(|span| is_root(span))
            .expect("the request")
            .clone();
        assert_eq!((root.name.as_str(), root.kind), ("POST createTenant", 2));
        assert_eq!(root.attributes["http.response.status_code"], "202");
        assert_eq!(root.process["service.name"], "stepgate-serve");
        assert_eq!(root.process["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(root.process["service.instance.id"].len(), 20);
        let use_case = below(&spans, &root)
            .into_iter()
            .find(|span| span.name == "create_tenant.create_once")
            .expect("the use case");
        assert_eq!(use_case.parent, root.id);
        let inside = below(&spans, use_case);
        let call = inside
            .iter()
            .find(|span| span.name == "Secrets Manager.CreateSecret");
        let call = call.expect("the call to AWS");
        assert_eq!((call.kind, call.attributes["aws.result"].as_str()), (3, "ok"));
        let statement = |table: &str| {
            inside.iter().find(|span| {
                span.attributes
                    .get("db.query.text")
                    .is_some_and(|text| text.contains(table))
            })
        };
        let insert = statement("INSERT INTO operations").expect("the statement");
        assert_eq!(
            (insert.kind, insert.attributes["db.system.name"].as_str()),
            (3, "postgresql")
        );
        assert!(insert.attributes["db.query.text"].contains("$1"), "{insert:?}");

        // The worker: a trace of its own, whose pass and steps are linked to the request.
        let asked = (TRACE.to_owned(), root.id.clone());
        let is_last = |span: &Span| span.name == "pass over a tenant" && span.links.contains(&asked);
        let spans = installation.traces.wait("the pass", is_last).await;
        let pass = spans.iter().find(|span| is_last(span)).expect("the pass");
        assert!(pass.parent.is_empty() && pass.trace_id != TRACE, "{pass:?}");
        assert_eq!(pass.process["service.name"], "stepgate-worker");
        assert_ne!(
            pass.process["service.instance.id"],
            root.process["service.instance.id"]
        );
        let steps: Vec<&Span> = spans
            .iter()
            .filter(|span| span.name.starts_with("step ") && span.links.contains(&asked))
            .collect();
        for (name, call) in [
            ("step tenant_stack", "CloudFormation.CreateStack"),
            ("step settings_secret", "Secrets Manager.CreateSecret"),
        ] {
            let step = steps.iter().find(|span| span.name == name).expect(name);
            assert_eq!(step.attributes["stepgate.outcome"], "succeeded", "{step:?}");
            let inside = below(&spans, step);
            assert!(inside.iter().any(|span| span.name == call), "{name}: {inside:#?}");
            assert!(
                inside
                    .iter()
                    .any(|span| span.attributes.contains_key("db.query.text")),
                "{name}"
            );
        }

        // Lines of the log say in which trace they are.
        let lines = installation.service_logs();
        let of_trace = |trace: &str, message: &str| {
            let trace = format!("\"trace_id\":\"{trace}\"");
            lines
                .lines()
                .any(|line| line.contains(&trace) && line.contains(message))
        };
        assert!(of_trace(TRACE, "\"route\":\"/v1/tenants\""), "the request's line");
        assert!(
            of_trace(&pass.trace_id, "provisioning step done"),
            "a step's line"
        );
    });
}

#[test]
fn what_is_sampled_is_the_callers_choice_else_ours_and_the_rest_is_sent_at_the_end() {
    const SAMPLED: &str = "11f92f3577b34da6a3ce929d0e0e4736";
    const UNSAMPLED: &str = "22f92f3577b34da6a3ce929d0e0e4736";
    installation::run(|installation| async move {
        let receiver = Receiver::start();
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url.as_str()),
            // Nothing is sent before the process ends.
            ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ("OTEL_SERVICE_NAME", "gate"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ];
        let (api, url) = running::start_api(installation, None, "sampled", &variables).await;
        let taken = "Sign-in";
        installation.tenant().await;
        for traceparent in [
            format!("00-{SAMPLED}-{CALLER}-01"),
            format!("00-{UNSAMPLED}-{CALLER}-00"),
            "nonsense".to_owned(),
        ] {
            let (status, _) = create_tenant(installation, &url, taken, &traceparent).await;
            assert_eq!(status, 409, "the name is taken");
        }
        assert!(receiver.spans().is_empty(), "it is not the end yet");
        assert_eq!(running::stop(api).await, 0);
        let spans = receiver.spans();
        assert!(
            spans
                .iter()
                .any(|span| span.name == "POST createTenant" && span.parent == CALLER)
        );
        for span in &spans {
            assert_eq!(span.trace_id, SAMPLED, "{span:?}");
            assert_eq!(span.process["service.name"], "gate");
            assert_eq!(span.process["deployment.environment.name"], "test");
        }
    });
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    installation::run(|installation| async move {
        let closed = format!("http://127.0.0.1:{}", installation::process::free_port());
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", closed.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        let (api, url) = running::start_api(installation, None, "untraced", &variables).await;
        for _ in 0..3 {
            assert_eq!(running::status(&url, "/healthz").await, 200);
        }
        assert_eq!(running::stop(api).await, 0);
        let malformed = installation
            .service(None, &["serve"])
            .variable("OTEL_EXPORTER_OTLP_ENDPOINT", "not a URL")
            .output();
        let told = String::from_utf8_lossy(&malformed.stderr).into_owned();
        assert!(
            !malformed.status.success() && told.contains("OTEL_EXPORTER_OTLP"),
            "{told}"
        );
    });
}
