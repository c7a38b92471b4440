//! Refused attempts of known callers.
//!
//! The first attempt of a caller at an operation, refused with a code, is an entry of the audit log. Those that follow
//! within [`WINDOW`] are counted in one row, and when the window closes a second entry tells how many there were. So a
//! caller in a loop leaves at most two entries an hour for each operation and code. Unknown callers leave none: they
//! could be anybody, as often as they like.

use super::{Request, audit};
use crate::{
    Context, Result,
    domain::{
        actor::OperatorScope,
        audit::{AuditAction, AuditEntry},
    },
    error::Code,
    storage::{
        audit_denials::{self, Denial, Window},
        audit_log::Author,
    },
};
use chrono::TimeDelta;
use serde_json::json;

/// How long attempts are counted before they are told.
pub const WINDOW: TimeDelta = TimeDelta::hours(1);
/// Longest path that is kept, characters.
const MAX_PATH_CHARS: usize = 300;
/// Windows closed in one transaction.
const BATCH: i64 = 200;

/// Whether a refusal is one that is written down: the caller is known and asked for what is not its own. What is not
/// there and what is somebody else's look alike, to the caller and here.
pub fn is_denial(code: Code) -> bool {
    matches!(code, Code::Forbidden | Code::NotFound)
}

/// Writes a refused attempt down, or counts it.
#[tracing::instrument(target = "stepgate::trace", name = "denials.note", skip_all)]
pub async fn note(
    context: &Context,
    request: &Request,
    operation: &str,
    path: &str,
    code: Code,
) -> Result<()> {
    let scope = request.actor.reader()?;
    let path: String = path
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_PATH_CHARS)
        .collect();
    let now = context.clock.now();
    let denial = Denial {
        actor: &request.actor.id(),
        role: request.actor.role.as_str(),
        operation,
        code: code.as_str(),
        path: &path,
        request_id: &request.id,
    };
    let mut tx = context.db.begin(&scope).await?;
    if audit_denials::count(&mut tx, &scope, denial, now).await? {
        let entry = AuditEntry {
            tenant_id: None,
            resource_id: path.clone(),
            action: AuditAction::AccessDenied,
            reason: String::new(),
            detail: json!({"operation": operation, "code": code.as_str()}),
        };
        audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Closes windows that are over; returns how many entries were made.
pub async fn close_windows(context: &Context) -> Result<usize> {
    let scope = OperatorScope::worker();
    let now = context.clock.now();
    let mut tx = context.db.begin(&scope).await?;
    let windows = audit_denials::close(&mut tx, &scope, now - WINDOW, BATCH).await?;
    let mut made = 0;
    for window in windows.into_iter().filter(|window| window.repeats > 0) {
        audit::record_by(
            &mut tx,
            context,
            author(&window),
            window.partner_id,
            &entry(&window),
            now,
        )
        .await?;
        made += 1;
    }
    tx.commit().await?;
    Ok(made)
}

fn author(window: &Window) -> Author<'_> {
    Author {
        actor: &window.actor,
        role: Some(&window.actor_role),
        request_id: window.last_request_id.as_deref(),
    }
}

fn entry(window: &Window) -> AuditEntry {
    AuditEntry {
        tenant_id: None,
        resource_id: window.last_path.clone(),
        action: AuditAction::AccessDeniedRepeatedly,
        reason: String::new(),
        detail: json!({
            "operation": window.operation, "code": window.code, "since": window.since, "last_at": window.last_at,
            "attempts": window.repeats,
        }),
    }
}
