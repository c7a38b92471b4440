//! `POST /v1/tenants/{tenant_id}/apps/{app_id}/policy:simulate`

use super::put::PolicyBody;
use crate::{
    Context,
    api::{
        extract::{AsReader, Body, Caller, PathIds, RequestBody},
        respond::{Answer, ok},
    },
    domain::object::objects_only,
    ids::{AppId, TenantId},
    usecases::policy_checks::{self, Simulated},
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use step_up::policy::{self, Outcome};

/// Whom and what to simulate.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"attributes": {"email": "ann@example.com", "custom:unit": "payments"}, "email_verified": true}))]
pub struct SimulationRequest {
    /// User attributes as Cognito names them.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whether the e-mail address is verified; without it the attribute `email_verified` says.
    pub email_verified: Option<bool>,
    /// Action to step up for; without one it is a sign-in.
    pub action: Option<String>,
    /// A draft to decide by, instead of the newest version.
    #[schema(value_type = Option<PolicyBody>)]
    pub document: Option<serde_json::Value>,
}

objects_only!(SimulationRequest);

impl RequestBody for SimulationRequest {
    const MAX_BYTES: usize = policy::MAX_DOCUMENT_BYTES + 64 * 1024;
}

/// What the policy decides, and why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Simulation {
    /// Version that decided; `null` for a draft.
    pub version: Option<i64>,
    /// Id of the rule that decided; `default` for the default.
    pub rule: String,
    /// What it asks for.
    #[schema(value_type = Object)]
    pub decision: Outcome,
    /// Every rule in order.
    pub rules: Vec<RuleTrace>,
    /// What the user would be offered; `null` when no step-up is asked for.
    pub offer: Option<Offer>,
}

/// How one rule fared.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RuleTrace {
    /// Id of the rule.
    pub id: String,
    /// Whether it was looked at: no rule before it had matched.
    pub reached: bool,
    /// Whether its condition holds.
    pub holds: bool,
    /// Its condition, part by part.
    pub condition: ConditionTrace,
}

/// How one condition fared.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConditionTrace {
    /// JSON pointer of the condition in the document.
    pub pointer: String,
    /// What it says, for people.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// Parts of `all`, `any` and `not`.
    #[schema(no_recursion)]
    pub parts: Vec<ConditionTrace>,
}

/// What the user would be offered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Offer {
    /// Methods in the order offered.
    pub methods: Vec<OfferedMethod>,
    /// Wrong answers after which the sign-in ends.
    pub attempts: u8,
    /// How long the challenge is open, s.
    pub challenge_open_s: Option<u32>,
    /// Whether the user has the attribute by which BlockID is asked for them; a sign-in without it is refused.
    pub can_be_named: bool,
}

/// One method of an offer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OfferedMethod {
    /// ACR value.
    pub acr: String,
    /// Name for people.
    pub label: String,
    /// Whether a step-up with it can satisfy the rule, by the catalogue's labels.
    pub can_satisfy: bool,
}

impl From<policy::ConditionTrace> for ConditionTrace {
    fn from(trace: policy::ConditionTrace) -> Self {
        Self {
            pointer: trace.pointer,
            text: trace.text,
            holds: trace.holds,
            parts: trace.parts.into_iter().map(Self::from).collect(),
        }
    }
}

impl From<policy_checks::Simulation> for Simulation {
    fn from(simulation: policy_checks::Simulation) -> Self {
        let explanation = simulation.explanation;
        let rule = |trace: policy::RuleTrace| RuleTrace {
            id: trace.id,
            reached: trace.reached,
            holds: trace.holds,
            condition: trace.condition.into(),
        };
        let method = |method: policy::OfferedMethod| OfferedMethod {
            acr: method.acr,
            label: method.label,
            can_satisfy: method.can_satisfy,
        };
        let offer = explanation.offer.map(|offer| Offer {
            methods: offer.methods.into_iter().map(method).collect(),
            attempts: offer.attempts,
            challenge_open_s: simulation.challenge_open_s,
            can_be_named: simulation.can_be_named,
        });
        Self {
            version: simulation.version,
            rule: explanation.rule,
            decision: explanation.decision,
            rules: explanation.rules.into_iter().map(rule).collect(),
            offer,
        }
    }
}

/// Simulate a policy's decision.
///
/// With the code that the triggers run, on the newest version or on a draft. Stores nothing; exemptions are not
/// looked at.
#[utoipa::path(
    operation_id = "simulatePolicy", tag = "apps",
    params(("tenant_id" = TenantId, Path, description = "The tenant"), ("app_id" = AppId, Path, description = "The app")),
    request_body = SimulationRequest,
    responses((status = 200, description = "The decision and its reasons", body = Simulation))
)]
#[post("/v1/tenants/{tenant_id}/apps/{app_id}/policy:simulate")]
pub(crate) async fn simulate_policy(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, AppId)>,
    body: Body<SimulationRequest>,
) -> Answer {
    let Body(body) = body;
    let simulated = Simulated {
        attributes: body.attributes,
        email_verified: body.email_verified,
        action: body.action,
        document: body.document,
    };
    let simulation = policy_checks::simulate(&context, &caller.request, ids.0, simulated).await?;
    Ok(ok(&Simulation::from(simulation)))
}
