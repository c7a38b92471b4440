//! Secrets, looked for everywhere they must not be.

use crate::aws::xml_text;
use crate::bench::Bench;
use crate::outcome::{Outcome, Trials};
use serde_json::json;

/// A23: after a sign-in, its password, code, state and tokens in logs, templates, parameters and API answers.
/// What only the operator can read (the database, the service's own log) is searched by the test of the
/// service, which plants a client secret as well.
pub(super) async fn a23(bench: &Bench) -> anyhow::Result<Outcome> {
    let mut trials = Trials::new();
    let app = bench.main_app();
    let user = bench.user().await?;
    let challenge = bench.challenge(&app, &user).await?;
    let posted = bench.posted(&challenge).await?;
    let tokens = bench
        .answer(&app, &user, &challenge, &posted.answer())
        .await?
        .tokens()?;
    let who = bench.who(&app, &user);
    let (_challenge, srp) = bench.cognito.password_told("CUSTOM_AUTH", &who).await?;
    anyhow::ensure!(srp.len() == 2, "SRP sent {} values", srp.len());
    // A refused answer and a refused password leave their traces too.
    let challenge = bench.challenge(&app, &user).await?;
    let wrong = bench.posted(&challenge).await?;
    let wrong_answer = json!({ "code": wrong.code, "state": "not-the-state" }).to_string();
    bench.answer(&app, &user, &challenge, &wrong_answer).await?;

    let signature = |jwt: &str| jwt.rsplit('.').next().unwrap_or_default().to_owned();
    let mut needles = vec![
        ("password", user.password.clone()),
        ("user name", user.name.clone()),
        ("code", posted.code.clone()),
        ("refused code", wrong.code.clone()),
        ("state", posted.state.clone()),
        ("ID token", signature(&tokens.id_token)),
        ("access token", signature(&tokens.access_token)),
    ];
    needles.extend(srp);
    needles.extend(
        bench
            .target
            .client_secret
            .clone()
            .map(|secret| ("client secret", secret)),
    );

    let aws = bench.aws()?;
    let stack = format!("stepgate-{}", bench.target.ulid());
    let cloudformation = |action: &'static str| {
        let stack = stack.clone();
        async move {
            aws.query("cloudformation", "2010-05-15", action, &[("StackName", &stack)])
                .await
        }
    };
    let template = cloudformation("GetTemplate")
        .await?
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    anyhow::ensure!(
        xml_text(&template, "TemplateBody").is_some(),
        "the stack shows no template"
    );
    let described = cloudformation("DescribeStacks")
        .await?
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let events = cloudformation("DescribeStackEvents")
        .await?
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let log = aws.log_messages(&bench.log_group().await?, 0).await?.join("\n");
    anyhow::ensure!(log.contains("stepgate_event"), "the log holds no events");
    let mut places = vec![
        ("log", log),
        ("template", template),
        ("stack", described),
        ("stack events", events),
    ];
    let tenant = &bench.target.tenant_id;
    let paths = [
        format!("/v1/tenants/{tenant}"),
        format!("/v1/tenants/{tenant}/apps"),
        "/v1/tenants".to_owned(),
    ];
    for path in paths {
        places.push(("API", bench.api()?.get(&path).await?.to_string()));
    }
    for function in [
        crate::functions::Trigger::Define,
        crate::functions::Trigger::Verify,
    ] {
        places.push((
            "function configuration",
            bench.function(function).await?.to_string(),
        ));
    }
    for (place, text) in &places {
        for (what, needle) in &needles {
            let there = !needle.is_empty() && text.contains(needle.as_str());
            trials.holds(&format!("{what} in {place}"), !there, "not there");
        }
    }
    Ok(trials.outcome())
}
