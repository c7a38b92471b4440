//! A span for each SQL statement, made of what sqlx tells when one is done.
//!
//! sqlx tells the text of the statement, in which there are places and never values, and how long it took.

use opentelemetry::{
    Context as TraceContext, KeyValue, time,
    trace::{Span as _, SpanKind, Tracer},
};
use std::{fmt, time::Duration};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Whether this is sqlx telling of a statement.
pub(super) fn is_statement(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target() == "sqlx::query"
}

/// Makes the spans.
pub(super) struct Statements<T>(T);

impl<T> Statements<T> {
    pub(super) const fn new(tracer: T) -> Self {
        Self(tracer)
    }
}

impl<T, S> Layer<S> for Statements<T>
where
    T: Tracer + Send + Sync + 'static,
    S: Subscriber,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // A statement of a job that is in no trace is none either.
        if !super::are_under_way() {
            return;
        }
        let mut told = Told::default();
        event.record(&mut told);
        let ended_at = time::now();
        let took = Duration::try_from_secs_f64(told.elapsed_s).unwrap_or_default();
        let text = if told.statement.trim().is_empty() {
            told.summary.clone()
        } else {
            told.statement.trim().to_owned()
        };
        let name = told.summary.trim_end_matches(" …").to_owned();
        let span = self
            .0
            .span_builder(name)
            .with_kind(SpanKind::Client)
            .with_start_time(ended_at.checked_sub(took).unwrap_or(ended_at))
            .with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("db.query.text", text),
                KeyValue::new("db.response.returned_rows", told.rows),
            ]);
        let mut span = self.0.build_with_context(span, &TraceContext::current());
        span.end_with_timestamp(ended_at);
    }
}

/// What sqlx tells.
#[derive(Default)]
struct Told {
    summary: String,
    statement: String,
    elapsed_s: f64,
    rows: i64,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.elapsed_s = value;
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.rows = i64::try_from(value).unwrap_or(i64::MAX);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
