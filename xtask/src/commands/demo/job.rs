//! The main job: a partner onboards a customer, an administrator makes a user, the user signs in.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::api::{ApiClient, text};
use super::app;
use super::report::Report;
use super::sign_in::{SignIn, SignedIn};
use super::system::{BLOCKID_CLIENT_ID, BLOCKID_COMMUNITY, System};
use crate::context::Context;
use crate::random::random_hex;
use crate::ui::{Progress, Tone, Ui, tail};

const USERNAME: &str = "ada";

/// A customer who was onboarded.
pub(super) struct Onboarded {
    user_pool_id: String,
    client_id: String,
}

/// Does the job, a step each, and notes ids and keys in the report; `told` hears what happened.
pub(super) fn run(
    context: &Context,
    system: &System,
    report: &mut Report,
    told: impl FnOnce(&[(&'static str, String)], &[(String, String)]),
) -> anyhow::Result<()> {
    let Onboarded {
        user_pool_id,
        client_id,
    } = onboard(context, system, true, report)?;
    let password = format!("Demo-{}", random_hex(8)?);
    report.step(context, "user", |progress| {
        create_users(context, system, &user_pool_id, &[(USERNAME, &password)])?;
        progress.set_note(USERNAME);
        Ok(())
    })?;
    report.username = Some(USERNAME.to_owned());
    report.password = Some(password.clone());

    let sign_in = SignIn {
        aws_endpoint_url: &system.aws_endpoint_url,
        blockid_url: &format!("http://{}", system.blockid_host),
        user_pool_id: &user_pool_id,
        client_id: &client_id,
        username: USERNAME,
        password: &password,
    };
    let signed_in = report.step(context, "sign-in", |_| sign_in.run());
    let log = save_trigger_log(context, system)?;
    let SignedIn {
        id_token_claims,
        story,
    } = signed_in.with_context(|| format!("the triggers logged last:\n{}\n", tail(&log, 6)))?;
    report.id_token_claims = Some(id_token_claims);
    told(&story, &logged_events(&log)?);
    Ok(())
}

/// A partner beside the demonstration's, who tries to reach what is not theirs; its administrator's key.
pub(super) fn another_partner(
    context: &Context,
    system: &System,
    report: &mut Report,
) -> anyhow::Result<String> {
    let operator = ApiClient::new(&system.api_url, &system.operator_key);
    report.step(context, "another partner", |progress| {
        let partner = operator.post("/v1/partners", &json!({"name": "Another partner"}))?;
        let partner_id = text(&partner, "/id")?;
        let body = json!({"name": "attacks", "role": "partner_admin"});
        let key = operator.post(&format!("/v1/partners/{partner_id}/keys"), &body)?;
        progress.set_note(&partner_id);
        text(&key, "/key")
    })
}

/// Onboards a customer with an app, only through the API.
pub(super) fn onboard(
    context: &Context,
    system: &System,
    self_sign_up: bool,
    report: &mut Report,
) -> anyhow::Result<Onboarded> {
    let operator = ApiClient::new(&system.api_url, &system.operator_key);
    let (partner_id, api_key) = report.step(context, "partner + key", |progress| {
        let partner = operator.post("/v1/partners", &json!({"name": "Demo partner"}))?;
        let partner_id = text(&partner, "/id")?;
        let body = json!({"name": "demo", "role": "partner_admin"});
        let key = operator.post(&format!("/v1/partners/{partner_id}/keys"), &body)?;
        progress.set_note(&partner_id);
        Ok((partner_id, text(&key, "/key")?))
    })?;
    report.partner_id = Some(partner_id);
    report.api_key = Some(api_key.clone());

    let partner = ApiClient::new(&system.api_url, &api_key);
    let (tenant_id, user_pool_id) = report.step(context, "tenant", |progress| {
        make_tenant(context, system, &partner, ("Acme", self_sign_up), progress)
    })?;
    report.tenant_id = Some(tenant_id.clone());
    report.user_pool_id = Some(user_pool_id.clone());

    let (app_id, client_id) = report.step(context, "app", |progress| {
        make_app(
            context,
            &partner,
            &tenant_id,
            &json!({"name": "Portal"}),
            progress,
        )
    })?;
    report.app_id = Some(app_id);
    report.client_id = Some(client_id.clone());

    report.bank_client_id = Some(report.step(context, "app with actions", |progress| {
        let origin = app::origin(system.page_port);
        let body = json!({
            "name": "Acme Bank", "action_step_up": true, "allowed_origins": [origin],
            "return_url": app::return_url(system.page_port),
        });
        let (_, client_id) = make_app(context, &partner, &tenant_id, &body, progress)?;
        Ok(client_id)
    })?);
    Ok(Onboarded {
        user_pool_id,
        client_id,
    })
}

/// Onboards a customer and waits until it is ready; its id and its pool's.
pub(super) fn make_tenant(
    context: &Context,
    system: &System,
    partner: &ApiClient,
    (name, self_sign_up): (&str, bool),
    progress: &Progress,
) -> anyhow::Result<(String, String)> {
    let body = json!({
        "name": name,
        "blockid": {
            "tenant_dns": system.blockid_host, "community": BLOCKID_COMMUNITY,
            "client_id": BLOCKID_CLIENT_ID, "client_secret": system.blockid_client_secret,
        },
        "pool": { "self_sign_up": self_sign_up },
    });
    let accepted = partner.post("/v1/tenants", &body)?;
    let tenant_id = text(&accepted, "/tenant/id")?;
    partner.watch(context, &text(&accepted, "/operation/id")?, progress)?;
    let tenant = partner.get(&format!("/v1/tenants/{tenant_id}"))?;
    let user_pool_id = text(&tenant, "/user_pool_id")?;
    progress.set_note(format!("{tenant_id}, pool {user_pool_id}"));
    Ok((tenant_id, user_pool_id))
}

/// Adds an app and waits until it can be signed in to; its id and its client's.
pub(super) fn make_app(
    context: &Context,
    partner: &ApiClient,
    tenant_id: &str,
    app: &Value,
    progress: &Progress,
) -> anyhow::Result<(String, String)> {
    let accepted = partner.post(&format!("/v1/tenants/{tenant_id}/apps"), app)?;
    let app_id = text(&accepted, "/app/id")?;
    partner.watch(context, &text(&accepted, "/operation/id")?, progress)?;
    let app = partner.get(&format!("/v1/tenants/{tenant_id}/apps/{app_id}"))?;
    let client_id = text(&app, "/client_id")?;
    progress.set_note(format!("{app_id}, client {client_id}"));
    Ok((app_id, client_id))
}

/// Shows what happened.
pub(super) fn tell_all(ui: &Ui, story: &[(&'static str, String)], logged: &[(String, String)]) {
    tell(ui, "the sign-in", story);
    tell(ui, "what the triggers logged", logged);
}

/// As the customer's own administrator would: with the AWS SDK, not through Stepgate.
pub(super) fn create_users(
    context: &Context,
    system: &System,
    user_pool_id: &str,
    users: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut command = context.processes.command(system.venv.python());
    command.arg(context.root.join("xtask/python/create_users.py"));
    system.point_to_aws(&mut command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let users: Vec<Value> = users
        .iter()
        .map(|(username, password)| {
            let email = format!("{username}@acme.example");
            json!({"username": username, "password": password, "email": email})
        })
        .collect();
    let wanted = json!({"user_pool_id": user_pool_id, "users": users});
    child
        .stdin
        .take()
        .context("a piped child has an input")?
        .write_all(wanted.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "users could not be made: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// What the triggers logged in the emulator, kept in `.stepgate/logs/triggers.log`.
fn save_trigger_log(context: &Context, system: &System) -> anyhow::Result<PathBuf> {
    let mut command = context.processes.command(system.venv.python());
    command.arg(context.root.join("xtask/python/trigger_log.py"));
    system.point_to_aws(&mut command);
    let log = context.fresh_log("triggers")?;
    context
        .processes
        .run("reading the triggers' log", command, &log, &Progress::default())?;
    Ok(log)
}

/// The step-up events in the triggers' log: type, and what is known with it.
fn logged_events(log: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(events_in(&text))
}

fn events_in(log: &str) -> Vec<(String, String)> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["stepgate_event"].is_u64())
        .map(|event| {
            let known = [
                "source",
                "reason",
                "method",
                "acr",
                "policy_version",
                "duration_ms",
            ]
            .into_iter();
            let details = known
                .filter(|name| !event[*name].is_null())
                .map(|name| format!("{name} {}", event[name]));
            (
                event["type"].as_str().unwrap_or("?").to_owned(),
                details.collect::<Vec<_>>().join(", ").replace('"', ""),
            )
        })
        .collect()
}

fn tell<T: AsRef<str>>(ui: &Ui, title: &str, story: &[(T, String)]) {
    ui.line(Tone::Bold, &format!("\n{title}"));
    let mut before = "";
    for (topic, sentence) in story {
        let topic = topic.as_ref();
        let shown = if topic == before { "" } else { topic };
        ui.line(
            Tone::Plain,
            &format!("  {}  {sentence}", ui.paint(Tone::Good, &format!("{shown:<12}"))),
        );
        before = topic;
    }
}

/// Addresses, keys, and three calls to copy.
pub(super) fn print_what_next(ui: &Ui, report: &Report) {
    let show = |value: &Option<String>| value.clone().unwrap_or_default();
    let (api, key, tenant, app) = (
        show(&report.api_url),
        show(&report.api_key),
        show(&report.tenant_id),
        show(&report.app_id),
    );
    ui.line(Tone::Bold, "\naddresses and keys");
    let rows = [
        ("API", api.clone()),
        ("API document", format!("{api}/docs")),
        ("BlockID simulator", show(&report.blockid_url)),
        ("AWS emulator", show(&report.aws_endpoint_url)),
        ("partner key", key.clone()),
        ("operator key", show(&report.operator_key)),
        (
            "user pool",
            format!("{} in {}", show(&report.user_pool_id), show(&report.aws_region)),
        ),
        ("app client", show(&report.client_id)),
        (
            "user",
            format!("{} / {}", show(&report.username), show(&report.password)),
        ),
    ];
    for (name, value) in rows {
        ui.line(Tone::Plain, &format!("  {name:<18} {value}"));
    }
    if let Some(url) = &report.demo_url {
        ui.line(Tone::Bold, "\nopen this in a browser, and sign in yourself");
        ui.line(Tone::Good, &format!("  {url}"));
    }
    if let Some(url) = &report.console_url {
        ui.line(
            Tone::Bold,
            "\nand this: the operator's console (the link signs in once, within half an hour)",
        );
        ui.line(Tone::Good, &format!("  {url}"));
    }
    ui.line(Tone::Bold, "\nto go on with");
    let authorization = format!("-H 'authorization: Bearer {key}'");
    ui.line(
        Tone::Plain,
        &format!("  curl -s {authorization} {api}/v1/tenants/{tenant}"),
    );
    ui.line(
        Tone::Plain,
        &format!("  curl -si {authorization} {api}/v1/tenants/{tenant}/apps/{app}/policy"),
    );
    let body = "-H 'content-type: application/json' -d '{\"name\": \"Second app\"}'";
    ui.line(
        Tone::Plain,
        &format!("  curl -s {authorization} {body} {api}/v1/tenants/{tenant}/apps"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_the_other_lines_of_a_log() {
        let log = "START RequestId\n{\"stepgate_note\":1}\n\
                   {\"stepgate_event\":1,\"type\":\"succeeded\",\"method\":\"otp\",\"reason\":null,\"duration_ms\":7}\n";
        assert_eq!(
            events_in(log),
            [("succeeded".to_owned(), "method otp, duration_ms 7".to_owned())]
        );
    }
}
