//! Traces, sent by OTLP over HTTP to where OpenTelemetry's own variables say; without them none are made.
//!
//! A span that belongs into a trace has the target [`TARGET`]; it is not seen by the log, whose lines carry the span of
//! their request all the same. Spans are: the request, the use case, each SQL statement ([`sql`]), each AWS call
//! (`aws/calls.rs`); in the worker the pass over a tenant and its steps, which are linked to the requests that asked for them.
//! To add one: `#[tracing::instrument(target = "stepgate::trace", skip_all)]`. Arguments are always skipped: an attribute is
//! written down by name, and never holds what was sent to or by a caller.

mod export;
mod sql;

use crate::ids::IdSource;
use anyhow::Context as _;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
    },
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::time::Duration;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// Target of spans that belong into a trace.
pub const TARGET: &str = "stepgate::trace";

/// How long the last spans may take to be sent when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Traces of this process; nothing, where they are not asked for.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// As the environment says, for a process that runs `command`. Must be called inside the runtime.
    pub fn begin(command: &'static str) -> anyhow::Result<Self> {
        if !asked_for(|name| std::env::var(name).ok()) {
            return Ok(Self::default());
        }
        let exporter = export::exporter().context("traces cannot be sent as OTEL_EXPORTER_OTLP_… says")?;
        // Sampler, batches and limits are read by the SDK from OTEL_TRACES_SAMPLER, OTEL_BSP_… and the like.
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(command))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(Some(provider)))
    }

    /// What `tracing` hands spans to.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let provider = self.0.as_ref()?;
        let spans = OpenTelemetryLayer::new(provider.tracer("stepgate"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_of_a_trace));
        let statements = sql::Statements::new(provider.tracer("sqlx"));
        Some(spans.and_then(statements.with_filter(filter_fn(sql::is_statement))))
    }

    /// Sends what was not sent yet.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans could not be sent"),
            Err(error) => tracing::warn!(%error, "the last spans could not be sent"),
        }
    }
}

/// Whether spans belong into a trace: never events, whose texts are for the log.
pub(super) fn is_of_a_trace(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

fn asked_for(env: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| env(name).is_some_and(|value| !value.trim().is_empty());
    let off = env("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    !off && (set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || set("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

/// What is said of the process: its name is `stepgate-serve` or `stepgate-worker` unless `OTEL_SERVICE_NAME` says
/// otherwise; more comes from `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(command: &'static str) -> Resource {
    let builder = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", IdSource::from_os().suffix(20)),
    ]);
    if std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty()) {
        builder.build()
    } else {
        builder.with_service_name(format!("stepgate-{command}")).build()
    }
}

/// A place in a trace of somebody else's, from the parts of a `traceparent`.
pub fn place(trace_id: &str, span_id: &str, flags: u8) -> Option<SpanContext> {
    let place = SpanContext::new(
        TraceId::from_hex(trace_id).ok()?,
        SpanId::from_hex(span_id).ok()?,
        TraceFlags::new(flags),
        true,
        TraceState::NONE,
    );
    place.is_valid().then_some(place)
}

/// Puts a new span under `parent`, where there is one, and returns where it then is; `None` without traces.
pub fn join(span: &Span, parent: Option<SpanContext>) -> Option<SpanContext> {
    if let Some(parent) = parent {
        // Fails without traces, which is told by what is returned.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    let context = span.context();
    let place = context.span().span_context().clone();
    place.is_valid().then_some(place)
}

/// Links a span to where the request was that asked for what it does.
pub fn link(span: &Span, traceparent: &str) {
    let mut parts = traceparent.split('-').skip(1);
    if let (Some(trace_id), Some(span_id)) = (parts.next(), parts.next())
        && let Some(place) = place(trace_id, span_id, 0)
    {
        span.add_link(place);
    }
}

/// Whether the present task is inside of a trace.
pub fn are_under_way() -> bool {
    Context::current().span().span_context().is_valid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_made_only_where_they_are_sent_to() {
        const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let asked = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            asked_for(|name| {
                let found = pairs.iter().find(|(given, _)| given == name);
                found.map(|(_, value)| value.clone())
            })
        };
        assert!(!asked(&[]));
        assert!(!asked(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
        assert!(asked(&[ENDPOINT]));
        assert!(asked(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://collector:4318/v1/traces"
        )]));
        assert!(!asked(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]));
    }

    #[test]
    fn a_place_is_a_sound_one() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let sound = place(TRACE, "00f067aa0ba902b7", 1).unwrap();
        assert!(sound.is_sampled() && sound.is_remote());
        assert!(place(TRACE, "0000000000000000", 1).is_none());
        assert!(place("nonsense", "00f067aa0ba902b7", 1).is_none());
    }
}
