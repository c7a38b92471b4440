//! Signing in to the console and out of it: by a trusted issuer or, in a demonstration, by a link.

use super::{Request, audit};
use crate::{
    Context, Error, Result,
    domain::{
        actor::{Actor, OperatorScope, ReadScope},
        audit::{AuditAction, AuditEntry},
        console_session::{BrowserSecret, ConsoleSession, DEMO_ISSUER, LINK_LIFETIME, demo_operator},
    },
    error::Code,
    storage::{self, console_sessions},
    trust::login::{LoginAttempt, LoginError},
};
use chrono::{DateTime, Utc};
use serde_json::json;

/// Where a browser is sent to sign in at an issuer.
#[tracing::instrument(target = "stepgate::trace", name = "console_sessions.authorize_url", skip_all)]
pub async fn authorize_url(context: &Context, attempt: &LoginAttempt) -> Result<String> {
    let url = context
        .trust
        .authorize_url(attempt, &redirect_uri(context)?, context.clock.now())
        .await;
    url.map_err(refused)
}

/// Signs in with the code that the issuer sent back; the session `former` of the same browser ends.
#[tracing::instrument(target = "stepgate::trace", name = "console_sessions.sign_in", skip_all)]
pub async fn sign_in(
    context: &Context,
    attempt: &LoginAttempt,
    code: &str,
    former: Option<&BrowserSecret>,
    request_id: &str,
) -> Result<BrowserSecret> {
    let now = context.clock.now();
    let actor = context
        .trust
        .complete_login(attempt, code, &redirect_uri(context)?, now)
        .await
        .map_err(refused)?;
    begin(context, actor, former, request_id).await
}

/// Signs an operator in by a link of the demonstration, once.
#[tracing::instrument(
    target = "stepgate::trace",
    name = "console_sessions.sign_in_by_link",
    skip_all
)]
pub async fn sign_in_by_link(
    context: &Context,
    link: &BrowserSecret,
    former: Option<&BrowserSecret>,
    request_id: &str,
) -> Result<BrowserSecret> {
    let refused = || {
        Error::new(
            Code::Forbidden,
            "The link was used already, is too old, or is not one of this installation.",
        )
    };
    if !context.config.console.demo_link {
        return Err(refused());
    }
    let scope = OperatorScope::authentication();
    let mut tx = context.db.begin(&scope).await?;
    let taken = console_sessions::take_link(&mut tx, &scope, &link.hash(), context.clock.now()).await?;
    // Used up before anything else can fail.
    tx.commit().await?;
    if !taken {
        return Err(refused());
    }
    begin(context, demo_operator(), former, request_id).await
}

/// A link that signs an operator in once, and until when. Only where the configuration says that this is a demonstration.
#[tracing::instrument(target = "stepgate::trace", name = "console_sessions.make_link", skip_all)]
pub async fn make_link(context: &Context) -> Result<(BrowserSecret, DateTime<Utc>)> {
    if !context.config.console.demo_link {
        return Err(Error::new(
            Code::NotConfigured,
            "Links that sign in are for demonstrations; elsewhere an issuer with a `login` is. STEPGATE_CONSOLE_DEMO_LINK turns them on.",
        ));
    }
    let scope = OperatorScope::command_line();
    let now = context.clock.now();
    let (link, expires_at) = (BrowserSecret::generate(&context.ids), now + LINK_LIFETIME);
    let mut tx = context.db.begin(&scope).await?;
    console_sessions::insert_link(&mut tx, &scope, &link.hash(), now, expires_at).await?;
    tx.commit().await?;
    Ok((link, expires_at))
}

/// Who uses the session of this browser; `None` when it has none that is good.
#[tracing::instrument(target = "stepgate::trace", name = "console_sessions.recognise", skip_all)]
pub async fn recognise(context: &Context, browser: &BrowserSecret) -> Result<Option<Actor>> {
    let scope = OperatorScope::authentication();
    let (id, now) = (browser.hash(), context.clock.now());
    let mut tx = context.db.begin(&scope).await?;
    let Some(session) = console_sessions::find(&mut tx, &scope, &id).await? else {
        return Ok(None);
    };
    // What the operator took out of the configuration opens nothing any more.
    let still_trusted = if session.issuer == DEMO_ISSUER {
        context.config.console.demo_link
    } else {
        context.trust.has_login(&session.issuer)
    };
    if !session.is_alive(now) || !still_trusted {
        return Ok(None);
    }
    if session.is_to_be_noted(now) {
        console_sessions::note_seen(&mut tx, &scope, &id, now).await?;
        tx.commit().await?;
    }
    Ok(Some(session.actor()))
}

/// Ends the session of this browser. There may be none: it ends all the same.
#[tracing::instrument(target = "stepgate::trace", name = "console_sessions.sign_out", skip_all)]
pub async fn sign_out(context: &Context, browser: &BrowserSecret) -> Result<()> {
    let scope = OperatorScope::authentication();
    let mut tx = context.db.begin(&scope).await?;
    console_sessions::delete(&mut tx, &scope, &browser.hash()).await?;
    Ok(tx.commit().await?)
}

/// A session under a secret that no browser had before: whoever planted one in the browser has nothing by it.
async fn begin(
    context: &Context,
    actor: Actor,
    former: Option<&BrowserSecret>,
    request_id: &str,
) -> Result<BrowserSecret> {
    let scope = OperatorScope::authentication();
    let now = context.clock.now();
    let session = ConsoleSession::begin(&actor, now)
        .ok_or_else(|| Error::internal(anyhow::anyhow!("only subjects of issuers sign in")))?;
    let browser = BrowserSecret::generate(&context.ids);
    let mut tx = context.db.begin(&scope).await?;
    if let Some(partner_id) = actor.partner_id {
        let found = storage::partners::get(&mut tx, &ReadScope::from(scope), partner_id).await;
        found.map_err(|error| match error.code() {
            Code::NotFound => refused(LoginError::Partner),
            _ => error,
        })?;
    }
    if let Some(former) = former {
        console_sessions::delete(&mut tx, &scope, &former.hash()).await?;
    }
    console_sessions::sweep(&mut tx, &scope, now).await?;
    console_sessions::insert(&mut tx, &scope, &browser.hash(), &session).await?;
    let entry = AuditEntry {
        tenant_id: None,
        resource_id: actor.id(),
        action: AuditAction::ConsoleSignedIn,
        reason: String::new(),
        detail: json!({"until": session.expires_at}),
    };
    let partner_id = actor.partner_id;
    let request = Request::new(actor, request_id);
    audit::record_of(&mut tx, context, &request, partner_id, &entry, now).await?;
    tx.commit().await?;
    tracing::info!(caller = %request.actor.identity, role = %request.actor.role, "signed in to the console");
    Ok(browser)
}

/// Where issuers send browsers back to.
fn redirect_uri(context: &Context) -> Result<String> {
    let origin = context.config.console.origin.as_ref().ok_or_else(|| {
        Error::new(
            Code::NotConfigured,
            "The console's own address is not configured: STEPGATE_CONSOLE_ORIGIN.",
        )
    })?;
    Ok(format!("{origin}/console/callback"))
}

/// Why a sign-in did not come about is logged; whoever tried learns what they can do about it.
fn refused(error: LoginError) -> Error {
    let (code, detail) = match &error {
        LoginError::Unknown => (Code::NotFound, "There is no such way to sign in."),
        LoginError::Provider(_) => (
            Code::Unavailable,
            "The issuer does not answer as it should. Try again; if it stays so, the service's log says what it answered.",
        ),
        LoginError::Role => (
            Code::Forbidden,
            "The issuer knows you, and names no role for you that this console takes. Its operator can give you one.",
        ),
        LoginError::Refused(_) | LoginError::Partner => (
            Code::Forbidden,
            "The sign-in was not accepted. Begin it again; the service's log says why.",
        ),
    };
    Error::new(code, detail).caused_by(error)
}
