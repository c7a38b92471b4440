//! `cargo xtask fuzz-api`: Schemathesis sends requests made from the served API document, as each role, and holds every answer
//! against it.
//!
//! The API runs without a worker: what it accepts stays pending, so that nothing but its own doing changes what it answers.
//! Each role has a partner, a tenant, an app and a webhook of its own, to which `xtask/python/fuzz_api/hooks.py` leads most
//! requests; what Schemathesis is told otherwise, and why, is in `schemathesis.toml` beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::demo::{ApiAlone, api};
use crate::artifacts;
use crate::commands::test::tally::Tally;
use crate::context::Context;
use crate::services::ports::Ports;
use crate::services::{Services, lock};
use crate::tools::Tools;
use crate::tools::python::Venv;
use crate::ui::{Progress, Tone, tail};

/// Examples of an operation in `cargo xtask test`, beside those that its schema's edges give, which are most of what is sent.
const BOUNDED_EXAMPLES: u32 = 3;
/// The same requests each time there.
const BOUNDED_SEED: &str = "1";
const OLDEST_PYTHON: (u32, u32) = (3, 11);
const FOLDER: &str = "xtask/python/fuzz_api";
const MENDS: &str = "src/api: the answer, or what the document says of it";

/// What `fuzz-api` may be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Examples of an operation, beside those that its schema's edges give.
    #[arg(long, default_value_t = 50, value_name = "N")]
    examples: u32,
    /// Only as this role.
    #[arg(long, value_enum)]
    role: Option<Role>,
}

/// Who sends the requests. The order counts: an operator may revoke what the others need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Role {
    /// Somebody without a key.
    Nobody,
    Auditor,
    PartnerReader,
    PartnerAdmin,
    Operator,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Auditor => "auditor",
            Self::PartnerReader => "partner_reader",
            Self::PartnerAdmin => "partner_admin",
            Self::Operator => "operator",
        }
    }

    /// Whether its keys are a partner's.
    const fn is_of_partner(self) -> bool {
        matches!(self, Self::PartnerReader | Self::PartnerAdmin)
    }
}

pub(crate) fn run(context: &Context, options: &Options) -> anyhow::Result<ExitCode> {
    lock::take(context, "fuzz-api")?;
    let tools = context
        .ui
        .step("tools", |progress| Tools::ready(context, progress))?;
    let services = Services::start(context, &tools, &Ports::free())?;
    context.ui.step("trigger build", |progress| {
        artifacts::build_for_host(context, progress)
    })?;
    context.ui.step("service build", |progress| {
        artifacts::build_programs(context, progress)
    })?;
    let mut tally = Tally::default();
    let roles = options
        .role
        .map_or_else(|| Role::value_variants().to_vec(), |role| vec![role]);
    let extent = Extent {
        examples: options.examples,
        seed: None,
    };
    context.ui.step("API fuzzing", |progress| {
        fuzz(
            context,
            &tools.venv,
            &services,
            (&roles, &extent),
            &mut tally,
            progress,
        )
    })?;
    tally.report(&context.ui);
    Ok(if tally.failed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The stage of `cargo xtask test`: every role, few examples, the same ones each time.
pub(crate) fn bounded(
    context: &Context,
    tools: &Venv,
    services: &Services,
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    let extent = Extent {
        examples: BOUNDED_EXAMPLES,
        seed: Some(BOUNDED_SEED),
    };
    fuzz(
        context,
        tools,
        services,
        (Role::value_variants(), &extent),
        tally,
        progress,
    )
}

/// How much is sent.
struct Extent {
    examples: u32,
    /// By chance without.
    seed: Option<&'static str>,
}

fn fuzz(
    context: &Context,
    tools: &Venv,
    services: &Services,
    (roles, extent): (&[Role], &Extent),
    tally: &mut Tally,
    progress: &Progress,
) -> anyhow::Result<()> {
    if !is_new_enough(&tools.version) {
        let (major, minor) = OLDEST_PYTHON;
        progress.set_note(format!(
            "skipped: Python {} is too old for Schemathesis",
            tools.version
        ));
        tally.miss(
            "API fuzzing: Schemathesis wants a newer Python",
            &format!("sudo apt-get install python{major}.{minor} python{major}.{minor}-venv"),
        );
        return Ok(());
    }
    let venv = Venv::ready_from(
        context,
        "venv-fuzz-api",
        "requirements-fuzz-api.txt",
        "schemathesis",
        progress,
    )?;
    let program = context.target().join("debug/stepgate");
    let ApiAlone {
        api_url,
        operator_key,
        ..
    } = ApiAlone::start(context, services, (program, "stepgate_fuzzed"), &[], progress)?;
    // Made before the first request: an operator may revoke the key that they are made with.
    let fuzzed: Vec<Fuzzed> = roles
        .iter()
        .map(|role| Fuzzed::prepare(&api_url, &operator_key, *role))
        .collect::<anyhow::Result<_>>()?;
    let mut cases = 0;
    for one in &fuzzed {
        progress.detail(format!("as {}", one.role.name()));
        cases += one.send(context, &venv, &api_url, extent, tally)?;
        context.processes.check_services()?;
    }
    progress.set_note(format!("{cases} requests as {} roles", fuzzed.len()));
    Ok(())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()) >= Some(OLDEST_PYTHON)
}

/// A role and what was made for it.
struct Fuzzed {
    role: Role,
    key: Option<String>,
    /// Ids by prefix, as JSON, for the hooks.
    ids: Value,
}

impl Fuzzed {
    /// Makes a partner with a tenant, an app and a webhook, and a key of the role.
    fn prepare(api_url: &str, operator_key: &str, role: Role) -> anyhow::Result<Self> {
        let operator = api::ApiClient::new(api_url, operator_key);
        let name = role.name();
        let partner = api::text(&operator.post("/v1/partners", &json!({ "name": name }))?, "/id")?;
        let keys = format!("/v1/partners/{partner}/keys");
        let make_key = |path: &str, role: &str| operator.post(path, &json!({"name": "fuzz", "role": role}));
        let administrator = api::text(&make_key(&keys, "partner_admin")?, "/key")?;
        let spare = api::text(&make_key(&keys, "partner_reader")?, "/id")?;
        let (key, own_key) = if role == Role::Nobody {
            (None, None)
        } else {
            let made = make_key(if role.is_of_partner() { &keys } else { "/v1/keys" }, name)?;
            (Some(api::text(&made, "/key")?), Some(api::text(&made, "/id")?))
        };

        let partner_client = api::ApiClient::new(api_url, &administrator);
        let tenant = partner_client.post(
            "/v1/tenants",
            &json!({
                "name": "Acme",
                "blockid": {
                    "tenant_dns": "127.0.0.1:9", "community": "default",
                    "client_id": "fuzz", "client_secret": "not-a-secret-of-anybody",
                },
            }),
        )?;
        let tenant_id = api::text(&tenant, "/tenant/id")?;
        let app = partner_client.post(
            &format!("/v1/tenants/{tenant_id}/apps"),
            &json!({"name": "Portal"}),
        )?;
        let webhook = partner_client.post(
            "/v1/webhooks",
            &json!({"url": "http://127.0.0.1:9/events", "events": ["tenant.ready"]}),
        )?;
        let ids = json!({
            "ptn": partner, "key": spare, "tnt": tenant_id, "own_key": own_key,
            "op": api::text(&tenant, "/operation/id")?,
            "app": api::text(&app, "/app/id")?,
            "whk": api::text(&webhook, "/id")?,
        });
        Ok(Self { role, key, ids })
    }

    /// Sends everything; hands back how many requests that were.
    fn send(
        &self,
        context: &Context,
        venv: &Venv,
        api_url: &str,
        extent: &Extent,
        tally: &mut Tally,
    ) -> anyhow::Result<u64> {
        let name = format!("API fuzzing as {}", self.role.name());
        let log = context.fresh_log(&format!("fuzz-api-{}", self.role.name()))?;
        let report = context
            .state()
            .join(format!("fuzz-api-{}.json", self.role.name()));
        let _of_an_earlier_run = fs::remove_file(&report);
        let mut command = context.processes.command(venv.program("schemathesis"));
        command.arg("--config-file").arg(self.configuration(context)?);
        command.args(["run", &format!("{api_url}/openapi.json"), "--url", api_url]);
        command.args(["--checks", "all", "--workers", "1", "--request-timeout", "20"]);
        command.args(["--max-examples", &extent.examples.to_string()]);
        if let Some(seed) = extent.seed {
            command.args(["--seed", seed, "--no-shrink", "--generation-database", "none"]);
        }
        command
            .args(["--report", "json", "--report-json-path"])
            .arg(&report);
        command
            .env("SCHEMATHESIS_HOOKS", context.root.join(FOLDER).join("hooks.py"))
            .env("STEPGATE_FUZZ_IDS", self.ids.to_string())
            .env("STEPGATE_FUZZ_KEY", self.key.as_deref().unwrap_or_default())
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .current_dir(context.state());
        let status = context.processes.run_status(&name, &mut command, &log)?;
        let told = read_report(&report)
            .with_context(|| format!("{name} told nothing; end of its log:\n{}", tail(&log, 40)))?;
        // A thread of its own that breaks would leave operations out and no trace in the exit status.
        let broke = fs::read_to_string(&log)?.contains("Exception in thread");
        if status.success() && told.is_complete && !broke {
            tally.pass();
        } else {
            context.ui.interject(Tone::Plain, &tail(&log, 200));
            context
                .ui
                .interject(Tone::Bad, &format!("{name} failed; mend it with: {MENDS}"));
            tally.fail(name);
        }
        Ok(told.cases)
    }

    /// The configuration for this role: the key is the environment's, since arguments are public.
    fn configuration(&self, context: &Context) -> anyhow::Result<PathBuf> {
        let mut text = fs::read_to_string(context.root.join(FOLDER).join("schemathesis.toml"))
            .context("cannot read Schemathesis' configuration")?;
        if self.key.is_some() {
            text.push_str("\n[auth.openapi.api_key]\nbearer = \"${STEPGATE_FUZZ_KEY}\"\n");
        }
        let file = context
            .state()
            .join(format!("fuzz-api-{}.toml", self.role.name()));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

/// What a run tells of itself.
struct Told {
    cases: u64,
    /// Whether it came to its end, with every operation that it was to test.
    is_complete: bool,
}

fn read_report(file: &Path) -> anyhow::Result<Told> {
    let report: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let count = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    let is_complete = report["complete"] == true
        && count("/operations/tested") > 0
        && count("/operations/errored") == 0
        && count("/test_cases/errored") == 0;
    Ok(Told {
        cases: count("/test_cases/generated"),
        is_complete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_pythons_are_told_by_their_numbers() {
        assert!(is_new_enough("3.11.7"));
        assert!(is_new_enough("3.12.0"));
        assert!(is_new_enough("4.0.0"));
        assert!(!is_new_enough("3.10.14"), "not by its text: 3.9 < 3.11");
        assert!(!is_new_enough("3.9.2"));
        assert!(!is_new_enough(""));
    }

    #[test]
    fn the_operator_comes_last() {
        assert_eq!(Role::value_variants().last(), Some(&Role::Operator));
        assert_eq!(Role::value_variants().len(), 5);
    }
}
