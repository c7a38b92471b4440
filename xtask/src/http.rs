//! Plain HTTP to loopback: readiness checks here, the demonstration's calls in `commands::demo`.

use std::time::Duration;

use ureq::Agent;

/// A client that reports statuses instead of failing on them, and never waits for ever.
pub(crate) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .build()
        .into()
}

/// Whether `url` answers 2xx now.
pub(crate) fn answers(url: &str) -> bool {
    agent(Duration::from_secs(2))
        .get(url)
        .call()
        .is_ok_and(|answer| answer.status().is_success())
}
