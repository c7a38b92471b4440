//! What `--json` writes: everything a script needs to go on with the running system.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::ui::Progress;

/// The result of a demonstration; what was not reached is `null`.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) ok: bool,
    pub(super) api_url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) operator_key: Option<String>,
    pub(super) aws_endpoint_url: Option<String>,
    pub(super) aws_region: Option<String>,
    pub(super) blockid_url: Option<String>,
    pub(super) partner_id: Option<String>,
    pub(super) tenant_id: Option<String>,
    pub(super) app_id: Option<String>,
    pub(super) user_pool_id: Option<String>,
    pub(super) client_id: Option<String>,
    /// App client of the app that the page is; its users may step up for actions.
    pub(super) bank_client_id: Option<String>,
    /// Where the page is.
    pub(super) demo_url: Option<String>,
    /// Page of the console that signs an operator in, once and for half an hour.
    pub(super) console_url: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) id_token_claims: Option<Value>,
}

/// One step that was shown.
#[derive(Serialize)]
pub(super) struct Step {
    name: String,
    ok: bool,
    duration_ms: u64,
}

impl Report {
    /// Shows a step and notes how it went.
    pub(super) fn step<T>(
        &mut self,
        context: &Context,
        name: &str,
        work: impl FnOnce(&Progress) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        let outcome = context.ui.step(name, |progress| {
            context.processes.check_services()?;
            work(progress)
        });
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.steps.push(Step {
            name: name.to_owned(),
            ok: outcome.is_ok(),
            duration_ms,
        });
        outcome
    }

    /// Writes the file in one move, so that whoever waits for it never reads half of it. It holds keys: the owner alone may read it.
    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut name = file
            .file_name()
            .with_context(|| format!("{} is not a file", file.display()))?
            .to_owned();
        name.push(".new");
        let temporary = file.with_file_name(name);
        let _left_by_a_crash = fs::remove_file(&temporary);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary);
        written
            .and_then(|mut open| open.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&temporary, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::random::random_hex;

    #[test]
    fn the_file_has_every_key_and_is_private() {
        let file = std::env::temp_dir().join(format!("stepgate-report-{}.json", random_hex(4).unwrap()));
        let mut report = Report {
            api_url: Some("http://127.0.0.1:1".to_owned()),
            ..Report::default()
        };
        report.steps.push(Step {
            name: "tools".to_owned(),
            ok: true,
            duration_ms: 3,
        });
        report.write(&file).unwrap();
        report.write(&file).unwrap();
        let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let mut keys: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys.join(" "),
            "api_key api_url app_id aws_endpoint_url aws_region bank_client_id blockid_url client_id console_url demo_url id_token_claims ok operator_key \
             partner_id password steps tenant_id user_pool_id username"
        );
        assert_eq!(
            written["steps"][0],
            serde_json::json!({"name": "tools", "ok": true, "duration_ms": 3})
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(file).unwrap();
    }
}
