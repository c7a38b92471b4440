//! `GET /v1/tenants/{tenant_id}/users/{user_sub}`

use super::User;
use crate::{
    Context,
    api::{
        exemptions::Exemption,
        extract::{AsReader, Caller, PathIds},
        links::Link,
        respond::{Answer, ok},
    },
    domain::user::UserSub,
    ids::TenantId,
    reporting::journeys::{Journey, JourneyOutcome},
    usecases,
};
use actix_web::{get, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A user with what concerns the step-up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserDetails {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// BlockID subjects that the user is linked to, one a provider.
    pub links: Vec<Link>,
    /// Exemptions in force: the user's own, and those of whole apps.
    pub exemptions: Vec<Exemption>,
    /// The user as events name it: `user_hash` of `GET /v1/events`.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015")]
    pub user_hash: Option<String>,
    /// The last ten journeys, newest first, for as long as the installation keeps single events. Some seconds late.
    pub journeys: Vec<UserJourney>,
}

/// One sign-in from the password to the tokens, or the step-up for one action.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserJourney {
    /// Its id: `journey_id` of `GET /v1/events`, which shows it as a timeline.
    #[schema(example = "jrn_01kepd0t7c4x2v9b1n5m8k3j6h")]
    pub journey_id: String,
    /// App.
    #[schema(example = "app_01jd7v0p3h8s5k2m4n6q9r1t0w")]
    pub app_id: Option<String>,
    /// Action; `null` for a sign-in.
    pub action: Option<String>,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_event_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: JourneyOutcome,
    /// Reason code, when something was refused.
    #[schema(example = "state_mismatch")]
    pub reason: Option<String>,
    /// Method (ACR value) of the step-up that decided.
    #[schema(example = "otp")]
    pub method: Option<String>,
}

impl From<Journey> for UserJourney {
    fn from(journey: Journey) -> Self {
        Self {
            journey_id: journey.id,
            app_id: journey.app_id,
            action: journey.action,
            began_at: journey.began_at,
            last_event_at: journey.last_event_at,
            outcome: journey.outcome,
            reason: journey.reason,
            method: journey.method,
        }
    }
}

/// Get a user.
///
/// As Cognito tells, with what concerns the step-up: links, exemptions in force and the last journeys.
#[utoipa::path(
    operation_id = "getUser", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant"),
           ("user_sub" = UserSub, Path, description = "Cognito's `sub` of the user")),
    responses((status = 200, description = "The user, links, exemptions in force, last journeys", body = UserDetails)),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[get("/v1/tenants/{tenant_id}/users/{user_sub}")]
pub(crate) async fn get_user(
    caller: Caller<AsReader>,
    context: Data<Context>,
    ids: PathIds<(TenantId, UserSub)>,
) -> Answer {
    let (tenant_id, sub) = ids.0;
    let details = usecases::users::get(&context, &caller.request, tenant_id, &sub).await?;
    Ok(ok(&UserDetails {
        user: User::from(details.user),
        links: details.links.into_iter().map(Link::from).collect(),
        exemptions: details.exemptions.into_iter().map(Exemption::from).collect(),
        user_hash: details.user_hash,
        journeys: details.journeys.into_iter().map(UserJourney::from).collect(),
    }))
}
