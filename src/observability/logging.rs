//! Sets up `tracing`: JSON lines for machines, text for people, and traces where they are asked for.

use super::traces::{self, Traces};
use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Installs the process-wide subscriber. A second call changes nothing.
pub fn install(config: &LogConfig, traces: &Traces) {
    // Spans of traces are no part of a line: its span is the request, whatever was under way inside it.
    let own = filter_fn(|metadata| metadata.target() != traces::TARGET);
    let filter = EnvFilter::builder().parse_lossy(&config.filter).and(own);
    let lines = match config.format {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Text => fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .boxed(),
    };
    let result = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.layer())
        .try_init();
    if result.is_err() {
        tracing::debug!("logging was set up before");
    }
}
