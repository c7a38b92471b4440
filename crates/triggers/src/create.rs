//! *create*: the challenge that the browser takes to BlockID.

use crate::app::{self, metadata};
use crate::challenge::Challenge;
use crate::cognito_event::{CognitoEvent, respond};
use crate::define::session;
use crate::events::Invocation;
use crate::policy_cache::AppPolicy;
use crate::random::{journey_id, token};
use serde_json::{Map, Value, json};
use step_up::challenge::{
    AuthorizeRequest, CHALLENGE_VERSION, ChallengeMetadata, PRIVATE_PARAMETER, PrivateChallenge,
    PublicParameters, RoundKind, acr_list, authorize_url,
};
use step_up::define::{AskCustom, DefineDecision};
use step_up::event::EventType;
use step_up::policy::{Binding, Requirement, SubjectLink};
use step_up::policy_item::PolicyItem;
use step_up::reason::Reason;
use step_up::settings::TenantSettings;

/// Longest `action_ref` taken over: a SHA-512 in hex.
const MAX_ACTION_REF_BYTES: usize = 128;
/// Under this maximum age an app gets no refresh, min.
pub(crate) const LEAST_REFRESH_AGE_MIN: u32 = 60;

/// A challenge, ready to be handed out.
struct Offer {
    public: Map<String, Value>,
    private: PrivateChallenge,
    metadata: ChallengeMetadata,
}

/// Answers a *create* event.
pub(crate) async fn handle(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
    received: Value,
) -> Value {
    match offer(function, invocation, event).await {
        Ok(offer) => {
            emit(invocation, &offer.private);
            let private = serde_json::to_string(&offer.private).unwrap_or_default();
            let private = Map::from_iter([(PRIVATE_PARAMETER.to_owned(), Value::String(private))]);
            respond(
                received,
                vec![
                    ("publicChallengeParameters", Value::Object(offer.public)),
                    ("privateChallengeParameters", Value::Object(private)),
                    ("challengeMetadata", Value::String(offer.metadata.to_text())),
                ],
            )
        }
        Err((reason, journey)) => {
            invocation.emit(&invocation.event(EventType::Failed, journey.as_deref(), None, Some(reason)));
            // Nothing can answer this: without metadata the next *define* fails the sign-in.
            respond(
                received,
                vec![
                    ("publicChallengeParameters", json!({ "reason": reason.code() })),
                    ("privateChallengeParameters", json!({})),
                    ("challengeMetadata", json!("refused")),
                ],
            )
        }
    }
}

fn emit(invocation: &Invocation<'_>, private: &PrivateChallenge) {
    if private.kind == RoundKind::SessionProof {
        return;
    }
    let first = if private.action.is_some() { 2 } else { 1 };
    let mut types = vec![EventType::Offered];
    if private.round == first {
        types.insert(0, EventType::Started);
    }
    for event_type in types {
        let round = (event_type == EventType::Offered).then_some(private.round);
        let mut event = invocation.event(event_type, Some(&private.journey), round, None);
        event.action.clone_from(&private.action);
        event.method = Some(private.methods.join(",")).filter(|_| private.methods.len() == 1);
        invocation.emit(&event);
    }
}

async fn offer(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Result<Offer, (Reason, Option<String>)> {
    let session = session(function, invocation, event).await;
    let earlier = session.journey;
    let fail = |reason| Err((reason, earlier.clone()));
    let ask = match session.decision {
        DefineDecision::AskCustom(ask) => ask,
        DefineDecision::Fail(reason) => return fail(reason),
        // *define* asked for a challenge a moment ago and would not now.
        DefineDecision::AskPasswordVerifier | DefineDecision::IssueTokens { .. } => {
            return fail(Reason::PolicyChanged);
        }
    };
    let (Some(settings), Some(item)) = (session.settings, session.item) else {
        return fail(Reason::SettingsUnavailable);
    };
    let made = match ask.kind {
        RoundKind::SessionProof => session_proof(function, event, &settings, &item, ask),
        RoundKind::StepUp => step_up(function, event, &settings, &item, ask),
    };
    made.or_else(fail)
}

/// The proof of a signed-in session. Nothing in it depends on the user, who may not exist.
fn session_proof(
    function: &Challenge,
    event: &CognitoEvent,
    settings: &TenantSettings,
    item: &PolicyItem,
    ask: AskCustom,
) -> Result<Offer, Reason> {
    let nothing = Requirement {
        attempts: ask.attempts,
        ..Requirement::with_methods(Vec::new())
    };
    let private = private(function, event, settings, item, &nothing, ask)?;
    let public = [
        ("kind", json!(RoundKind::SessionProof)),
        ("journey_id", json!(private.journey)),
        ("expires_at", json!(private.expires_at_unix_s.to_string())),
    ];
    let public = public
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Ok(Offer {
        public,
        metadata: metadata_of(&private),
        private,
    })
}

fn step_up(
    function: &Challenge,
    event: &CognitoEvent,
    settings: &TenantSettings,
    item: &AppPolicy,
    ask: AskCustom,
) -> Result<Offer, Reason> {
    let judged = app::judge(item, event, ask.action.as_deref(), function.clock.now_unix_s());
    let requirement = judged.requirement.ok_or(Reason::PolicyChanged)?;
    let provider = settings.provider.as_ref().ok_or(Reason::SettingsUnavailable)?;
    let rule = judged.rule.to_owned();
    let private = PrivateChallenge {
        rule,
        ..private(function, event, settings, item, requirement, ask)?
    };
    let url = authorize_url(&AuthorizeRequest {
        authorization_endpoint: &provider.authorization_endpoint,
        client_id: &settings.connection.client_id,
        redirect_uri: &provider.redirect_uri,
        username: &private.asserted_username,
        methods: &private.methods,
        state: &private.state,
        nonce: (private.binding == Binding::Nonce).then_some(&private.nonce),
        pkce_verifier: private.pkce_verifier.as_deref(),
        min_ial: private.min_ial,
    });
    let public = PublicParameters {
        tenant: settings.connection.tenant_dns.clone(),
        community: settings.connection.community.clone(),
        kosmos_client_id: settings.connection.client_id.clone(),
        acr: acr_list(&private.methods),
        state: private.state.clone(),
        username: private.asserted_username.clone(),
        authorize_url: url,
        methods: serde_json::to_string(&private.methods).unwrap_or_default(),
        journey_id: private.journey.clone(),
        expires_at: private.expires_at_unix_s.to_string(),
        return_url: private.return_url.clone(),
    };
    let Ok(Value::Object(mut public)) = serde_json::to_value(public) else {
        return Err(Reason::Internal);
    };
    public.insert("kind".to_owned(), json!(RoundKind::StepUp));
    Ok(Offer {
        public,
        metadata: metadata_of(&private),
        private,
    })
}

/// What *verify* will compare with. All random values are drawn here, whether the rule needs them or not.
fn private(
    function: &Challenge,
    event: &CognitoEvent,
    settings: &TenantSettings,
    item: &PolicyItem,
    asked: &Requirement,
    ask: AskCustom,
) -> Result<PrivateChallenge, Reason> {
    let random = &*function.random;
    let now_s = function.clock.now_unix_s();
    let fresh = || token(random).map_err(|_| Reason::Internal);
    let verifier = fresh()?;
    // 1Kosmos's own script, for which the state-only binding is, sends no code challenge; a verifier without one makes a provider
    // refuse the code (RFC 9700, section 2.1.1).
    let provider_takes_pkce = settings
        .provider
        .as_ref()
        .is_some_and(|provider| provider.pkce_s256);
    let pkce = provider_takes_pkce && asked.binding == Binding::Nonce;
    let journey = match ask.journey {
        Some(journey) => journey,
        None => journey_id(random, function.clock.now_unix_ms()).map_err(|_| Reason::Internal)?,
    };
    let open_s = asked
        .challenge_open_s
        .map_or(item.session_validity_s, |s| s.min(item.session_validity_s));
    // An unknown user is asked for under the name that was typed.
    let name = app::asserted_username(event, &asked.subject_attribute).unwrap_or(&event.user_name);
    Ok(PrivateChallenge {
        v: CHALLENGE_VERSION,
        kind: ask.kind,
        journey,
        round: ask.round,
        user_sub: app::subject(event, &settings.event_hash_key),
        app_id: item.app_id.clone(),
        client_id: item.client_id.clone(),
        policy_version: item.policy_version,
        rule: String::new(),
        state: fresh()?,
        nonce: fresh()?,
        pkce_verifier: Some(verifier).filter(|_| pkce),
        binding: asked.binding,
        methods: asked.methods.clone(),
        min_aal: asked.min_aal,
        phishing_resistant: asked.phishing_resistant,
        min_ial: asked.min_ial,
        subject_link: if ask.kind == RoundKind::StepUp {
            asked.subject_link
        } else {
            SubjectLink::LinkedOnly
        },
        asserted_username: name.to_owned(),
        attempts: ask.attempts,
        issued_at_unix_s: now_s,
        expires_at_unix_s: now_s + i64::from(open_s),
        max_age_s: evidence_lives_s(item, asked),
        action_ref: ask.action.as_ref().and_then(|_| action_ref(event)),
        action: ask.action,
        return_url: item.return_url.clone(),
    })
}

/// How long evidence of a step-up is kept: as long as the refresh token it came with, so that an old session
/// is never carried by a newer one's evidence; not at all when the rule allows no refresh.
fn evidence_lives_s(item: &PolicyItem, asked: &Requirement) -> u32 {
    let refreshable = asked.max_age_min.is_none_or(|age| age >= LEAST_REFRESH_AGE_MIN);
    if refreshable { item.refresh_validity_s } else { 0 }
}

/// The client's hash of its transaction, when it looks like one.
fn action_ref(event: &CognitoEvent) -> Option<String> {
    let given = event.client_metadata(metadata::ACTION_REF)?;
    let sound = given.len() <= MAX_ACTION_REF_BYTES && given.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| given.to_owned())
}

fn metadata_of(private: &PrivateChallenge) -> ChallengeMetadata {
    ChallengeMetadata {
        v: CHALLENGE_VERSION,
        kind: private.kind,
        journey: private.journey.clone(),
        policy_version: private.policy_version,
        attempts: private.attempts,
        action: private.action.clone(),
    }
}
