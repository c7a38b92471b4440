//! Is the person at BlockID the user who signs in?
//!
//! The link between (issuer, BlockID `sub`) and the Cognito `sub` answers that. Where there is none yet, the
//! rule of the policy says how one may come about:
//!
//! * `username`: the `username` claim equals the name that BlockID was asked for, after [`fold`].
//! * `verified_email`: the address is verified on both sides and equal after [`fold`], and either the account
//!   is at most 72 h old or the step-up proved identity at IAL2. Without that, whoever gets hold of a
//!   recycled mailbox could claim an old account.
//! * `linked_only`: an administrator made it.
//!
//! A link once made holds whatever name or address the provider asserts later: those change hands.

use crate::cognito_event::StringMap;
use crate::records::{Link, LinkWrite, Links};
use blockid::Claims;
use step_up::assurance::identity_level;
use step_up::challenge::PrivateChallenge;
use step_up::policy::SubjectLink;
use step_up::reason::Reason;

/// How old an account may be at most for its first link by e-mail, s.
pub const EMAIL_LINK_WINDOW_S: i64 = 72 * 3_600;

/// Everything a binding rests on.
pub struct Question<'a> {
    /// What was asked, for whom.
    pub challenge: &'a PrivateChallenge,
    /// The verified id_token.
    pub claims: &'a Claims,
    /// Links as found.
    pub links: &'a Links,
    /// The user's attributes at Cognito.
    pub attributes: &'a StringMap,
    /// Community of the tenant's connection.
    pub community: &'a str,
    /// The present.
    pub now_unix_s: i64,
}

/// Why there is no binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbound {
    /// It is refused.
    Refused(Reason),
    /// It depends on when the account was made.
    AccountAgeNeeded,
}

impl Unbound {
    /// The reason code.
    pub fn reason(self) -> Reason {
        match self {
            Self::Refused(reason) => reason,
            Self::AccountAgeNeeded => Reason::LinkRefused,
        }
    }
}

/// Decides whether subject and user belong together. `made_at_unix_s`: when the account was made, if asked.
pub fn bind(question: &Question<'_>, made_at_unix_s: Option<i64>) -> Result<LinkWrite, Unbound> {
    let Question {
        challenge,
        claims,
        links,
        community,
        ..
    } = *question;
    if let Some(link) = &links.of_user {
        if link.subject != claims.sub || link.issuer != claims.iss || link.user_sub != challenge.user_sub {
            return Err(Unbound::Refused(Reason::SubjectMismatch));
        }
        let other_side_agrees = links
            .of_subject
            .as_ref()
            .is_some_and(|back| back.user_sub == challenge.user_sub);
        if !other_side_agrees || link.community != community {
            return Err(Unbound::Refused(Reason::LinkRefused));
        }
        return Ok(LinkWrite::Keep(link.clone()));
    }
    let made_by = match challenge.subject_link {
        SubjectLink::Username => by_username(question)?,
        SubjectLink::VerifiedEmail => by_email(question, made_at_unix_s)?,
        SubjectLink::LinkedOnly => return Err(Unbound::Refused(Reason::LinkRefused)),
    };
    if links.of_subject.is_some() {
        return Err(Unbound::Refused(Reason::LinkRefused));
    }
    Ok(LinkWrite::Make(Link {
        user_sub: challenge.user_sub.clone(),
        issuer: claims.iss.clone(),
        subject: claims.sub.clone(),
        community: community.to_owned(),
        made_by: made_by.to_owned(),
        actor: None,
        made_at_unix_s: question.now_unix_s,
    }))
}

/// Another name is somebody else; no name proves nothing.
fn by_username(question: &Question<'_>) -> Result<&'static str, Unbound> {
    let asserted = question
        .claims
        .username
        .as_deref()
        .ok_or(Unbound::Refused(Reason::LinkRefused))?;
    if fold(asserted) == fold(&question.challenge.asserted_username) {
        Ok("username")
    } else {
        Err(Unbound::Refused(Reason::SubjectMismatch))
    }
}

fn by_email(question: &Question<'_>, made_at_unix_s: Option<i64>) -> Result<&'static str, Unbound> {
    let refused = Unbound::Refused(Reason::LinkRefused);
    let ours = question.attributes.get("email").ok_or(refused)?;
    let verified_here = question
        .attributes
        .get("email_verified")
        .is_some_and(|verified| verified == "true");
    let theirs = question.claims.email.as_deref().ok_or(refused)?;
    if !verified_here || question.claims.email_verified != Some(true) {
        return Err(refused);
    }
    if fold(ours) != fold(theirs) {
        return Err(Unbound::Refused(Reason::SubjectMismatch));
    }
    if identity_level(&question.claims.amr).is_some_and(|level| level >= 2) {
        return Ok("verified_email");
    }
    let made_at = made_at_unix_s.ok_or(Unbound::AccountAgeNeeded)?;
    let age_s = question.now_unix_s.saturating_sub(made_at);
    if (0..=EMAIL_LINK_WINDOW_S).contains(&age_s) {
        Ok("verified_email")
    } else {
        Err(refused)
    }
}

/// The one folding under which names and addresses are compared: surrounding white space is dropped and
/// ASCII letters lose their case, as Cognito's own user names do. Nothing else is equated: a letter that
/// merely looks like another stays another.
pub fn fold(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}
