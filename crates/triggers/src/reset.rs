//! After a password reset: what the user's earlier step-ups left behind is deleted.
//!
//! Who resets a password holds the mailbox, and may be somebody else than who signed in before. So no session of
//! before is refreshed any more: each needs a sign-in, and with it a step-up. Cognito asks here after it has set
//! the password (post-confirmation, `PostConfirmation_ConfirmForgotPassword`), and not when an administrator sets
//! one.
//!
//! If the records cannot be deleted, the trigger fails with the reason code. Cognito tries again, three times in
//! all, and then tells the app; the new password stays set. Nothing is opened by that: a sign-in needs a step-up
//! with either password, and the sessions of before live on as they would have without the reset, until their
//! evidence ends or an administrator signs the user out.

use crate::app;
use crate::challenge::Challenge;
use crate::cognito_event::CognitoEvent;
use crate::events::Invocation;
use crate::outcome::RefusedTokens;
use serde_json::Value;
use step_up::event::EventType;
use step_up::reason::Reason;

/// Answers a post-confirmation event of a password reset.
pub(crate) async fn handle(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
    received: Value,
) -> Result<Value, RefusedTokens> {
    match forget(function, invocation, event).await {
        Ok(()) => {
            invocation.emit(&invocation.event(EventType::PasswordReset, None, None, None));
            Ok(received)
        }
        Err(reason) => {
            invocation.emit(&invocation.event(EventType::Failed, None, None, Some(reason)));
            Err(RefusedTokens(reason))
        }
    }
}

async fn forget(
    function: &Challenge,
    invocation: &Invocation<'_>,
    event: &CognitoEvent,
) -> Result<(), Reason> {
    invocation.user(event.user_sub());
    match app::tenant(&function.settings, &*function.clock, invocation, event).await {
        // Deleting closes doors: it waits for no settings. Only another pool's event is nothing to act on.
        Ok(_) | Err(Reason::SettingsUnavailable) => {}
        Err(reason) => return Err(reason),
    }
    let user_sub = event.user_sub().ok_or(Reason::Internal)?;
    let deleted = function.records.forget_step_ups(user_sub);
    match invocation.hop("records", deleted).await {
        Ok(_) => Ok(()),
        Err(error) => {
            invocation.note("the records of step-ups could not be deleted", Some(error.code));
            Err(Reason::RecordsUnavailable)
        }
    }
}
