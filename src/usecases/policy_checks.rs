//! Trying a policy out before it is written: what validation says of it, what it would decide.

use super::{Request, policies};
use crate::{
    Context, Result,
    domain::validation::Problems,
    ids::{AppId, TenantId},
    storage,
};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};
use step_up::policy::{self, EMAIL_VERIFIED, Explanation, Finding, Report, Subject, is_action_name};

/// Attribute name that stands for Cognito's own user name, which every user has.
const USERNAME: &str = "username";
/// Attributes of a simulated user at most: more than a pool can have.
const MAX_ATTRIBUTES: usize = 100;

/// What validation says of a document for an app. A mistake of form is the only error then.
#[tracing::instrument(target = "stepgate::trace", name = "policy_checks.validate", skip_all)]
pub async fn validate(
    context: &Context,
    request: &Request,
    (tenant_id, app_id): (TenantId, AppId),
    document: &Value,
) -> Result<Report> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let tenant = storage::tenants::get(&mut db, &scope, tenant_id).await?;
    let app = storage::apps::get(&mut db, &scope, tenant_id, app_id).await?;
    Ok(match policy::parse(document) {
        Ok(document) => {
            let known = policies::validation_context(&app.settings, &(&tenant).into());
            policy::validate(&document, &known)
        }
        Err(error) => Report {
            errors: vec![Finding {
                pointer: error.pointer,
                rule: None,
                code: Cow::Borrowed(error.code),
                message: error.message,
            }],
            warnings: Vec::new(),
        },
    })
}

/// Whom and what to simulate.
#[derive(Debug, Default)]
pub struct Simulated {
    /// Attributes as Cognito hands them to a trigger.
    pub attributes: BTreeMap<String, String>,
    /// Whether the e-mail address is verified; `None` leaves it to the attribute of that name.
    pub email_verified: Option<bool>,
    /// Action; `None` for a sign-in.
    pub action: Option<String>,
    /// A draft; `None` for the policy as it is stored.
    pub document: Option<Value>,
}

/// What a policy would decide.
#[derive(Debug)]
pub struct Simulation {
    /// Version that was asked; `None` for a draft.
    pub version: Option<i64>,
    /// The decision and its reasons.
    pub explanation: Explanation,
    /// How long a challenge would be open, s; `None` when there is none.
    pub challenge_open_s: Option<u32>,
    /// Whether the user has the attribute by which BlockID is asked for them; a sign-in without it is refused.
    pub can_be_named: bool,
}

/// Decides as the triggers would, by their code.
#[tracing::instrument(target = "stepgate::trace", name = "policy_checks.simulate", skip_all)]
pub async fn simulate(
    context: &Context,
    request: &Request,
    (tenant_id, app_id): (TenantId, AppId),
    mut simulated: Simulated,
) -> Result<Simulation> {
    let scope = request.actor.reader()?;
    let mut db = context.db.begin(&scope).await?;
    let tenant = storage::tenants::get(&mut db, &scope, tenant_id).await?;
    let app = storage::apps::get(&mut db, &scope, tenant_id, app_id).await?;
    let mut problems = Problems::new();
    check(&mut simulated, &mut problems);
    let (version, document) = match &simulated.document {
        None => {
            let stored = storage::policies::current(&mut db, &scope, tenant_id, app_id).await?;
            (Some(stored.version), Some(stored.document))
        }
        Some(draft) => {
            let draft = policy::parse(draft).map_err(|error| {
                problems.within("/document", |problems| {
                    problems.add(&error.pointer, error.code, error.message);
                });
            });
            (None, draft.ok())
        }
    };
    problems.finish()?;
    let document = document
        .ok_or_else(|| crate::Error::internal(anyhow::anyhow!("a refused draft without a problem")))?;

    let app_id = app_id.to_string();
    let subject = Subject::of_user(&simulated.attributes, &app_id, simulated.action.as_deref());
    let explanation = policy::explain(&document, &subject, &tenant.methods.catalogue());
    let session_s = app.settings.session_validity_min * 60;
    let asked = explanation.decision.requirement();
    Ok(Simulation {
        version,
        challenge_open_s: asked.map(|asked| asked.challenge_open_s.map_or(session_s, |s| s.min(session_s))),
        can_be_named: asked.is_none_or(|asked| {
            asked.subject_attribute == USERNAME
                || simulated
                    .attributes
                    .get(&asked.subject_attribute)
                    .is_some_and(|value| !value.is_empty())
        }),
        explanation,
    })
}

/// Checks a simulated user and writes down once whether the e-mail address is verified.
fn check(simulated: &mut Simulated, problems: &mut Problems) {
    problems.require(
        simulated.attributes.len() <= MAX_ATTRIBUTES,
        "/attributes",
        "too_many",
        format!("a user has at most {MAX_ATTRIBUTES} attributes"),
    );
    if let Some(action) = &simulated.action {
        problems.require(
            is_action_name(action),
            "/action",
            "invalid",
            "is not a name that an action can have",
        );
    }
    let Some(verified) = simulated.email_verified else {
        return;
    };
    let text = verified.to_string();
    let given = simulated
        .attributes
        .insert(EMAIL_VERIFIED.to_owned(), text.clone());
    problems.require(
        given.is_none_or(|given| given == text),
        "/email_verified",
        "contradiction",
        "is not what the attribute of that name says",
    );
}
