//! The decision: token, requirement and time in, verdict out. No actix here.

use crate::clock::Clock;
use crate::jws::Jws;
use crate::keys::{KeyCache, KeyError};
use crate::refusal::{Challenge, Refusal, Shortfall, Unavailable};
use crate::token::{AccessToken, Claims, UserPool};
use crate::transaction::Transaction;
use crate::used_tokens::{Fingerprint, Use, UsedTokens};
use std::sync::Arc;

/// What a step-up must be like for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Most that may have passed since the step-up, s.
    pub max_age_s: u32,
    /// Methods that count, in order of preference; empty: any.
    pub acr_values: &'static [&'static str],
}

/// Judges access tokens of one user pool. One per process, shared by all routes.
pub struct Guard {
    pool: UserPool,
    keys: KeyCache,
    used_tokens: Box<dyn UsedTokens>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard for `pool`.
    pub fn new(
        pool: UserPool,
        keys: KeyCache,
        used_tokens: impl UsedTokens + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            pool,
            keys,
            used_tokens: Box::new(used_tokens),
            clock,
        }
    }

    /// A believed access token, whatever step-up it has.
    pub async fn access_token(&self, bearer: &str) -> Result<AccessToken, Refusal> {
        let jws = Jws::parse(bearer).map_err(Refusal::TokenInvalid)?;
        let key = self.keys.key(&jws.key_id).await.map_err(|error| match error {
            KeyError::Token(error) => Refusal::TokenInvalid(error),
            KeyError::Unavailable => Refusal::Unavailable(Unavailable::Keys),
        })?;
        jws.verified_payload::<Claims>(&key)
            .and_then(|claims| claims.check(&self.pool, self.clock.now_unix_s()))
            .map_err(Refusal::TokenInvalid)
    }

    /// Whether the token proves a step-up as recent and as strong as asked.
    ///
    /// A token for an action is refused: it is good for that action and nothing else.
    pub fn check_fresh(&self, token: &AccessToken, requirement: Requirement) -> Result<(), Refusal> {
        let refuse = |shortfall| Err(Challenge::new(shortfall, requirement).into());
        if token.action.is_some() {
            return refuse(Shortfall::OtherAction);
        }
        match self.shortfall(token, requirement) {
            Some(shortfall) => refuse(shortfall),
            None => Ok(()),
        }
    }

    /// Whether the token was issued for this action and this transaction, recently and strongly
    /// enough. If so it is used up: a second call with it is refused, also at the same time.
    ///
    /// Call it last, when nothing but the action itself is left to do.
    pub async fn confirm(
        &self,
        token: &AccessToken,
        action: &str,
        transaction: &Transaction,
        requirement: Requirement,
    ) -> Result<(), Refusal> {
        let refuse = |shortfall| {
            let action_ref = transaction.action_ref();
            Err(Challenge::new(shortfall, requirement)
                .for_action(action, action_ref)
                .into())
        };
        let Some(token_action) = token.action.as_deref() else {
            return refuse(Shortfall::Missing);
        };
        if token_action != action {
            return refuse(Shortfall::OtherAction);
        }
        if !token
            .action_ref
            .as_deref()
            .is_some_and(|claimed| transaction.is_named_by(claimed))
        {
            return refuse(Shortfall::OtherTransaction);
        }
        if let Some(shortfall) = self.shortfall(token, requirement) {
            return refuse(shortfall);
        }
        let fingerprint = Fingerprint::of(&token.issuer, &token.jti);
        let now_unix_s = self.clock.now_unix_s();
        match self
            .used_tokens
            .consume(fingerprint, token.expires_at_unix_s, now_unix_s)
            .await
        {
            Ok(Use::First) => Ok(()),
            Ok(Use::Again) => refuse(Shortfall::AlreadyUsed),
            Err(error) => {
                tracing::error!(%error, "an action was refused");
                Err(Refusal::Unavailable(Unavailable::UsedTokens))
            }
        }
    }

    fn shortfall(&self, token: &AccessToken, requirement: Requirement) -> Option<Shortfall> {
        // An exemption lets a user in without a step-up; it does not make one.
        let (Some(acr), Some(at_unix_s), false) = (
            token.step_up_acr.as_deref(),
            token.step_up_at_unix_s,
            token.exempt,
        ) else {
            return Some(Shortfall::Missing);
        };
        let age_s = self.clock.now_unix_s().saturating_sub(at_unix_s);
        if age_s > i64::from(requirement.max_age_s) {
            return Some(Shortfall::TooOld);
        }
        if !requirement.acr_values.is_empty() && !requirement.acr_values.contains(&acr) {
            return Some(Shortfall::OtherMethod);
        }
        None
    }
}
