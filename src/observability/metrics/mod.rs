//! What this process counts and measures, for Prometheus.
//!
//! One registry a process ([`metrics`]): whoever knows a fact notes it where it happens. `docs/observability.md` has the
//! list, and a test compares the two. To add one: a line in [`Metrics`] below, whose doc comment is its help text, and a
//! row in that page. Values of labels come from [`labels`].

pub mod families;
pub mod labels;

use families::{Counted, Description, Kind, Lasting, Measured, Timed};
use prometheus_client::{encoding::prometheus_text, registry::Registry};
use std::sync::LazyLock;

/// Content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const PREFIX: &str = "stepgate";

macro_rules! families {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ident [$($label:literal),*];)+) => {
        /// The families.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            descriptions: Vec<Description>,
            $($(#[doc = $help])+ pub $name: $kind<{ <[&str]>::len(&[$($label),*]) }>,)+
        }

        impl Metrics {
            fn new() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                let mut descriptions = Vec::new();
                $(
                    let help = concat!($($help),+).trim();
                    descriptions.push(Description {
                        name: format!(
                            "{PREFIX}_{}{}",
                            stringify!($name),
                            <$kind<{ <[&str]>::len(&[$($label),*]) }> as Kind<_>>::SUFFIX
                        ),
                        kind: <$kind<{ <[&str]>::len(&[$($label),*]) }> as Kind<_>>::KIND,
                        labels: vec![$($label),*],
                        help,
                    });
                    let $name = Kind::register(&mut registry, stringify!($name), help, [$($label),*]);
                )+
                Self { registry, descriptions, $($name,)+ }
            }
        }
    };
}

families! {
    /// Version of the running binary; always 1.
    build_info: Measured ["version", "command"];
    /// When the process started, seconds since the Unix epoch.
    start_time_seconds: Measured [];

    /// Time from a request's head to its answer's, by operation of the API document.
    http_request_duration_seconds: Timed ["operation", "method", "status"];
    /// Requests that wait for their answer.
    http_requests_in_flight: Measured [];
    /// Requests without a key or token, or with one that is not valid.
    unknown_callers: Counted [];

    /// Connections of the pool to the database, in use or idle.
    database_connections: Measured ["state"];
    /// Upper bound of the pool.
    database_connections_max: Measured [];
    /// Time to begin a transaction, the wait for a connection included.
    database_begin_duration_seconds: Timed ["result"];

    /// Time of AWS calls, retries included.
    aws_call_duration_seconds: Timed ["aws_service", "operation", "result"];
    /// Attempts at AWS calls: more than calls, where some were repeated.
    aws_attempts: Counted ["aws_service", "operation"];
    /// Share of the calls that AWS allows which the workers' budget gives out; less than 1 after AWS throttled.
    aws_budget_ratio: Measured ["cell", "bucket"];

    /// Tenants, by the cell they are in and what can be said of them.
    tenants: Measured ["cell", "condition"];
    /// Operations that are not over.
    operations_open: Measured ["state"];
    /// Age of the oldest operation that is not over.
    operations_oldest_open_seconds: Measured [];
    /// Tenants that are due for a pass and that no worker has taken up.
    work_waiting: Measured [];
    /// For how long the tenant that waits longest has been due.
    work_lag_seconds: Measured [];
    /// Passes over tenants, by how they ended.
    reconcile_passes: Counted ["outcome"];
    /// Time of the steps of passes, by how they ended.
    reconcile_step_duration_seconds: Lasting ["step", "outcome"];

    /// Messages that wait in the event queue of a cell, roughly.
    event_queue_messages: Measured ["cell"];
    /// Messages in the dead letter queue of a cell's events, roughly.
    dead_event_queue_messages: Measured ["cell"];
    /// Age of the oldest event in what a worker last took from the queue; 0 when the queue was empty.
    event_lag_seconds: Measured ["cell"];
    /// When the newest event that was stored happened, seconds since the Unix epoch.
    event_newest_timestamp_seconds: Measured ["cell"];
    /// Time from an event to its being stored.
    event_delay_seconds: Lasting ["cell"];
    /// Events that came through a cell's queue, by what became of them.
    events: Counted ["cell", "result"];
    /// Events that could not be stored, by reason.
    events_put_aside: Counted ["cell", "reason"];

    /// Events of step-ups, by type and method; `ended` are journeys that got their first answer.
    step_ups: Counted ["cell", "outcome", "method"];
    /// Refusals, by reason code.
    step_up_refusals: Counted ["cell", "reason"];
    /// Time from the beginning of a journey to its success.
    step_up_completion_seconds: Lasting ["cell"];
    /// Events of step-ups of the tenants that the configuration lists.
    tenant_step_ups: Counted ["tenant", "outcome", "method"];
    /// Time from the beginning of a journey to its success, of the tenants that the configuration lists.
    tenant_step_up_completion_seconds: Lasting ["tenant"];

    /// Deliveries to webhooks that are not over.
    webhook_deliveries_waiting: Measured [];
    /// For how long the delivery that waits longest has been due.
    webhook_delivery_lag_seconds: Measured [];
    /// Attempts at deliveries; `dead` are those after which a delivery was given up.
    webhook_attempts: Counted ["outcome"];

    /// Entries of the audit log that are not sealed yet.
    audit_unsealed: Measured [];
    /// Age of the oldest entry of the audit log that is not sealed yet.
    audit_seal_lag_seconds: Measured [];
    /// Whether the last look at what waits in the database succeeded.
    backlog_known: Measured [];
}

impl Metrics {
    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// What the families are.
    pub fn descriptions(&self) -> &[Description] {
        &self.descriptions
    }
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_documented_as_it_is() {
        let page = include_str!("../../../docs/observability.md");
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `stepgate_"))
            .collect();
        for Description {
            name, kind, labels, ..
        } in metrics().descriptions()
        {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let row = format!("| `{name}` | {kind} | {} |", labels.join(", "));
            assert!(
                rows.iter().any(|line| line.starts_with(&row)),
                "docs/observability.md has no row `{row} …`"
            );
        }
        assert_eq!(
            rows.len(),
            metrics().descriptions().len(),
            "a row for a metric that does not exist"
        );
    }

    #[test]
    fn what_the_autoscaler_asks_for_is_exported() {
        let values = include_str!("../../../helm/stepgate/values.yaml");
        let name = values
            .lines()
            .find_map(|line| line.trim().strip_prefix("metricName: "))
            .unwrap();
        let exported = metrics().descriptions().iter().find(|family| family.name == name);
        assert!(
            exported.is_some_and(|family| family.kind == "gauge" && family.labels.is_empty()),
            "{name}"
        );
    }

    #[test]
    fn names_tell_units_and_labels_tell_no_ids() {
        for Description {
            name,
            kind,
            labels,
            help,
        } in metrics().descriptions()
        {
            assert!(
                help.ends_with('.') || help.ends_with("always 1."),
                "{name}: {help}"
            );
            assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
            assert!(*kind != "histogram" || name.ends_with("_seconds"), "{name}");
            for label in labels {
                let allowed = !label.contains("id") && (*label != "tenant" || name.contains("_tenant_"));
                assert!(allowed, "{name} has a label `{label}`");
            }
        }
    }
}
