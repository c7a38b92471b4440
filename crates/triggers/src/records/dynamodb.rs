//! The `records` table in DynamoDB.

mod forget;

use super::item::{self, Item, key, n, s};
use super::{
    Claimed, Committed, Counted, Evidence, GRANT_REUSE_MS, Grant, JOURNEY_KEPT_S, LinkWrite, Links, Records,
    RoundClaim, RoundOutcome, SAME_ANSWER_FOR_MS, Success, limits::Window,
};
use crate::outcome::SourceError;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem, Update};
use std::time::Duration;
use step_up::reason::Reason;
use step_up::record_keys as keys;

/// Tries of a transaction that met another one on the same item (Cognito's parallel retry, two browsers).
const CONFLICT_TRIES: u32 = 4;
/// Pause before trying again, ms, times the number of the try.
const CONFLICT_PAUSE_MS: u64 = 40;
/// Pages read of a user's grants or evidence; a page is 1 MB, so more means that something is wrong.
const MAX_PAGES: usize = 5;

/// The `records` table.
pub struct RecordsTable {
    /// Client for the table's region.
    pub client: Client,
    /// Name of the table.
    pub table: String,
}

/// Which parts of a transaction did not hold, by position.
struct Unmet(Vec<bool>);

impl RecordsTable {
    /// Runs a transaction; `Err` inside says which conditions did not hold.
    async fn transact(&self, items: &[TransactWriteItem]) -> Result<Result<(), Unmet>, SourceError> {
        let mut attempt = 1;
        loop {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.to_vec()))
                .send()
                .await;
            let Err(error) = sent else {
                return Ok(Ok(()));
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(SourceError::aws(&error));
            };
            let codes: Vec<&str> = cancelled
                .cancellation_reasons()
                .iter()
                .map(|reason| reason.code().unwrap_or_default())
                .collect();
            if codes.contains(&"ConditionalCheckFailed") {
                return Ok(Err(Unmet(
                    codes
                        .iter()
                        .map(|code| *code == "ConditionalCheckFailed")
                        .collect(),
                )));
            }
            if !codes.contains(&"TransactionConflict") || attempt == CONFLICT_TRIES {
                return Err(SourceError::aws(&error));
            }
            tokio::time::sleep(Duration::from_millis(CONFLICT_PAUSE_MS * u64::from(attempt))).await;
            attempt += 1;
        }
    }

    async fn get(&self, key: Item) -> Result<Option<Item>, SourceError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| SourceError::aws(&error))?;
        Ok(output.item)
    }

    async fn query(&self, pk: String, prefix: &str) -> Result<Vec<Item>, SourceError> {
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..MAX_PAGES {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", s(pk.as_str()))
                .expression_attribute_values(":prefix", s(prefix))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| SourceError::aws(&error))?;
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
        Err(SourceError::malformed("TooManyRecords"))
    }

    /// What an earlier claim of the same round means for this one.
    async fn earlier(&self, claim: &RoundClaim) -> Result<Claimed, SourceError> {
        let Some(item) = self.get(round_key(claim)).await? else {
            return Ok(Claimed::Taken);
        };
        let same = item::text(&item, "answer_hash").is_some_and(|hash| hash == claim.answer_hash);
        let age_ms = item::number::<i64>(&item, "claimed_at_unix_ms").map(|at| claim.now_ms - at);
        if !same || age_ms.is_none_or(|age| age > SAME_ANSWER_FOR_MS) {
            return Ok(Claimed::Taken);
        }
        Ok(item::text(&item, "outcome").map_or(Claimed::InProgress, |code| {
            Claimed::SameAnswer(RoundOutcome::from_code(&code))
        }))
    }

    fn put_new(&self, item: Item) -> Result<TransactWriteItem, SourceError> {
        built(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build(),
            TransactWriteItem::builder,
            aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder::put,
        )
    }

    fn update(
        &self,
        key: Item,
        expression: &str,
        condition: Option<&str>,
        values: Item,
    ) -> Result<TransactWriteItem, SourceError> {
        built(
            Update::builder()
                .table_name(&self.table)
                .set_key(Some(key))
                .update_expression(expression)
                .set_condition_expression(condition.map(str::to_owned))
                .set_expression_attribute_values(Some(values))
                .build(),
            TransactWriteItem::builder,
            aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder::update,
        )
    }

    /// Counts one up, unless the limit is reached.
    fn count(&self, key: Item, limit: u32, expires_at: i64) -> Result<TransactWriteItem, SourceError> {
        self.update(
            key,
            "ADD attempts :one SET expires_at_unix_s = :expires",
            Some("attribute_not_exists(attempts) OR attempts < :limit"),
            Item::from([
                (":one".to_owned(), n(1)),
                (":limit".to_owned(), n(limit)),
                (":expires".to_owned(), n(expires_at)),
            ]),
        )
    }

    /// Gives attempts back, in the windows where they were counted.
    fn refunds(&self, claim: &RoundClaim) -> Result<Vec<TransactWriteItem>, SourceError> {
        let windows = claim.counted.iter().flat_map(|counted| &counted.per_user);
        windows
            .map(|window| {
                let minus = Item::from([(":minus".to_owned(), n(-1))]);
                self.update(user_counter(claim, window), "ADD attempts :minus", None, minus)
            })
            .collect()
    }

    fn outcome(&self, claim: &RoundClaim, outcome: RoundOutcome) -> Result<TransactWriteItem, SourceError> {
        self.update(
            round_key(claim),
            "SET outcome = :outcome",
            Some("attribute_exists(pk)"),
            Item::from([(":outcome".to_owned(), s(outcome.code()))]),
        )
    }

    async fn close(
        &self,
        claim: &RoundClaim,
        outcome: RoundOutcome,
        refund: bool,
    ) -> Result<(), SourceError> {
        let mut items = vec![self.outcome(claim, outcome)?];
        if refund {
            items.extend(self.refunds(claim)?);
        }
        self.transact(&items)
            .await?
            .map_err(|_| SourceError::malformed("RoundNotClaimed"))
    }
}

#[async_trait]
impl Records for RecordsTable {
    async fn claim_round(&self, claim: &RoundClaim) -> Result<Claimed, SourceError> {
        let now_s = claim.now_ms.div_euclid(1_000);
        let kept_until = now_s + JOURNEY_KEPT_S;
        let mut round = round_key(claim);
        round.insert("answer_hash".to_owned(), s(&claim.answer_hash));
        round.insert("claimed_at_unix_ms".to_owned(), n(claim.now_ms));
        round.insert(keys::EXPIRES_AT.to_owned(), n(kept_until));
        let mut items = vec![self.put_new(round)?];
        if let Some(Counted {
            per_journey,
            per_user,
        }) = &claim.counted
        {
            let journey = key(keys::journey(&claim.journey), keys::JOURNEY_ATTEMPTS.to_owned());
            items.push(self.count(journey, u32::from(*per_journey), kept_until)?);
            for window in per_user {
                items.push(self.count(
                    user_counter(claim, window),
                    window.limit,
                    window.expires_at_unix_s,
                )?);
            }
        }
        match self.transact(&items).await? {
            Ok(()) => Ok(Claimed::Yes),
            Err(Unmet(unmet)) if unmet.first() == Some(&true) => self.earlier(claim).await,
            Err(Unmet(unmet)) if unmet.get(1) == Some(&true) => Ok(Claimed::JourneyLimit),
            Err(Unmet(_)) => Ok(Claimed::UserLimit),
        }
    }

    async fn close_round(&self, claim: &RoundClaim, reason: Reason, refund: bool) -> Result<(), SourceError> {
        self.close(claim, RoundOutcome::Refused(reason), refund).await
    }

    async fn pass_round(&self, claim: &RoundClaim) -> Result<(), SourceError> {
        self.close(claim, RoundOutcome::Passed, false).await
    }

    async fn commit(&self, success: &Success) -> Result<Committed, SourceError> {
        let user_sub = &success.claim.user_sub;
        let mut items = match &success.link {
            LinkWrite::Make(link) => {
                vec![
                    self.put_new(item::of_user_link(link))?,
                    self.put_new(item::of_subject_link(link))?,
                ]
            }
            LinkWrite::Keep(link) => vec![built(
                ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(key(keys::user(user_sub), keys::link(&link.issuer))))
                    .condition_expression("subject = :subject")
                    .expression_attribute_values(":subject", s(&link.subject))
                    .build(),
                TransactWriteItem::builder,
                aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder::condition_check,
            )?],
        };
        let link_items = items.len();
        items.push(self.put_new(item::of_grant(user_sub, &success.grant))?);
        if let Some(evidence) = &success.evidence {
            items.push(self.put_new(item::of_evidence(user_sub, evidence))?);
        }
        items.push(self.outcome(&success.claim, RoundOutcome::Passed)?);
        items.extend(self.refunds(&success.claim)?);
        match self.transact(&items).await? {
            Ok(()) => Ok(Committed::Yes),
            Err(Unmet(unmet)) if unmet.iter().take(link_items).any(|unmet| *unmet) => {
                Ok(Committed::LinkChanged)
            }
            Err(Unmet(_)) => Err(SourceError::malformed("GrantExists")),
        }
    }

    async fn links(&self, user_sub: &str, issuer: &str, subject: &str) -> Result<Links, SourceError> {
        let (of_user, of_subject) = tokio::try_join!(
            self.get(key(keys::user(user_sub), keys::link(issuer))),
            self.get(key(keys::subject(issuer, subject), keys::SUBJECT_LINK.to_owned())),
        )?;
        let read = |found: Option<Item>| match found {
            // An unreadable link must not look like none: it would be made anew.
            Some(item) => item::to_link(&item)
                .map(Some)
                .ok_or_else(|| SourceError::malformed("LinkNotReadable")),
            None => Ok(None),
        };
        Ok(Links {
            of_user: read(of_user)?,
            of_subject: read(of_subject)?,
        })
    }

    async fn grants(&self, user_sub: &str) -> Result<Vec<Grant>, SourceError> {
        let items = self.query(keys::user(user_sub), keys::GRANT_PREFIX).await?;
        Ok(items.iter().filter_map(item::to_grant).collect())
    }

    async fn use_grant(&self, user_sub: &str, journey: &str, now_ms: i64) -> Result<bool, SourceError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(keys::user(user_sub), keys::grant(journey))))
            .update_expression("SET used_at_unix_ms = if_not_exists(used_at_unix_ms, :now)")
            .condition_expression(
                "attribute_exists(pk) AND expires_at_unix_s > :now_s \
                 AND (attribute_not_exists(used_at_unix_ms) OR used_at_unix_ms >= :reusable)",
            )
            .expression_attribute_values(":now", n(now_ms))
            .expression_attribute_values(":now_s", n(now_ms.div_euclid(1_000)))
            .expression_attribute_values(":reusable", n(now_ms - GRANT_REUSE_MS))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(service) if service.is_conditional_check_failed_exception() => Ok(false),
                _ => Err(SourceError::aws(&error)),
            },
        }
    }

    async fn note_evidence(&self, user_sub: &str, evidence: &Evidence) -> Result<(), SourceError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::of_evidence(user_sub, evidence)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| SourceError::aws(&error))
    }

    async fn evidence(&self, user_sub: &str, client_id: &str) -> Result<Vec<Evidence>, SourceError> {
        let items = self
            .query(keys::user(user_sub), &keys::evidence_prefix(client_id))
            .await?;
        // Unreadable evidence could be the weakest: without it the answer would be too good.
        items
            .iter()
            .map(|item| item::to_evidence(item).ok_or_else(|| SourceError::malformed("EvidenceNotReadable")))
            .collect()
    }

    async fn forget_step_ups(&self, user_sub: &str) -> Result<usize, SourceError> {
        self.delete_step_ups(user_sub).await
    }
}

fn round_key(claim: &RoundClaim) -> Item {
    key(keys::journey(&claim.journey), keys::round(claim.round))
}

fn user_counter(claim: &RoundClaim, window: &Window) -> Item {
    key(keys::user(&claim.user_sub), keys::attempts(&window.key))
}

fn built<P>(
    part: Result<P, BuildError>,
    builder: impl Fn() -> aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
    set: impl Fn(
        aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
        P,
    ) -> aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder,
) -> Result<TransactWriteItem, SourceError> {
    let part = part.map_err(|_| SourceError::malformed("WriteNotBuilt"))?;
    Ok(set(builder(), part).build())
}
