//! The `records` table of a tenant, as far as it is an administrator's: links, and what step-ups left behind.
//!
//! Everything else in it is written and read by the triggers. Keys and fields are `step_up`'s
//! ([`step_up::record_keys`], [`step_up::link`]), and every write of a link is conditional on both sides, as theirs are.

use super::{Answered, AwsError, calls::observed};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    operation::{RequestId as _, transact_write_items::TransactWriteItemsError},
    types::{AttributeValue, Delete, Put, TransactWriteItem},
};
use std::{collections::HashMap, time::Duration};
use step_up::{
    link::{Field, Link},
    record_keys as keys,
};

type Item = HashMap<String, AttributeValue>;

const QUERY: &str = "dynamodb:Query";
const TRANSACT: &str = "dynamodb:TransactWriteItems";
/// Items that DynamoDB takes in one transaction.
const ITEMS_OF_A_TRANSACTION: usize = 100;
/// Tries of a transaction that met a sign-in on the same item, and the pause between two, ms, times the number of the try.
const CONFLICT_TRIES: u64 = 4;
const CONFLICT_PAUSE_MS: u64 = 40;

/// The `records` table of a tenant.
#[derive(Debug, Clone)]
pub struct Records {
    client: Client,
    table: String,
}

/// What became of a new link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkMade {
    /// It is there, both ways.
    Yes,
    /// The user has a link to this provider.
    UserIsLinked,
    /// The subject is linked to a user.
    SubjectIsLinked,
}

impl Records {
    /// A client for the region of `config`.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            client: observed!(aws_sdk_dynamodb, config),
            table,
        }
    }

    /// Links of a user, one a provider, read consistently.
    pub async fn links(&self, user_sub: &str) -> Result<Vec<Link>, AwsError> {
        let items = self.query(user_sub, keys::LINK_PREFIX, false).await?;
        let links = items.iter().map(to_link).collect::<Option<Vec<_>>>();
        links.ok_or_else(|| AwsError::incomplete(QUERY, "a field of a link"))
    }

    /// Makes a link both ways, unless one of the sides has one.
    pub async fn make_link(&self, link: &Link) -> Result<Answered<LinkMade>, AwsError> {
        let items = [
            self.put_new(of_link(user_key(link), link))?,
            self.put_new(of_link(subject_key(link), link))?,
        ];
        let done = self.transact(&items).await?;
        Ok(done.map(|unmet| match unmet.as_slice() {
            [] | [false, false] => LinkMade::Yes,
            [true, ..] => LinkMade::UserIsLinked,
            _ => LinkMade::SubjectIsLinked,
        }))
    }

    /// Removes a link as it was read, both ways; `false` when it is gone or another by now.
    pub async fn remove_link(&self, link: &Link) -> Result<Answered<bool>, AwsError> {
        let of_subject = Delete::builder()
            .condition_expression("attribute_not_exists(pk) OR user_sub = :is")
            .expression_attribute_values(":is", text(&link.user_sub))
            .set_key(Some(subject_key(link)));
        let of_user = Delete::builder()
            .condition_expression("subject = :is")
            .expression_attribute_values(":is", text(&link.subject))
            .set_key(Some(user_key(link)));
        let items = [of_user, of_subject].map(|delete| {
            let delete = built(delete.table_name(&self.table).build())?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        });
        let items = items.into_iter().collect::<Result<Vec<_>, AwsError>>()?;
        let done = self.transact(&items).await?;
        Ok(done.map(|unmet| unmet.iter().all(|unmet| !unmet)))
    }

    /// Deletes all evidence and grants of a user, of every app client: nobody refreshes, and no step-up that was made
    /// opens anything. Repeating it is harmless.
    pub async fn forget_step_ups(&self, user_sub: &str) -> Result<usize, AwsError> {
        let mut found = self.query(user_sub, keys::GRANT_PREFIX, true).await?;
        found.extend(self.query(user_sub, keys::EVIDENCE_PREFIX, true).await?);
        let deletions = found
            .iter()
            .map(|key| {
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(key.clone()));
                Ok(TransactWriteItem::builder()
                    .delete(built(delete.build())?)
                    .build())
            })
            .collect::<Result<Vec<_>, AwsError>>()?;
        for batch in deletions.chunks(ITEMS_OF_A_TRANSACTION) {
            self.transact(batch).await?;
        }
        Ok(deletions.len())
    }

    /// Items of a user whose sort key begins so; only their keys if that is enough.
    async fn query(&self, user_sub: &str, prefix: &str, keys_only: bool) -> Result<Vec<Item>, AwsError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&keys::user(user_sub)))
            .expression_attribute_values(":prefix", text(prefix))
            .set_projection_expression(keys_only.then(|| "pk, sk".to_owned()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| AwsError::from_sdk(QUERY, &error))?);
        }
        Ok(items)
    }

    /// Runs a transaction. Empty when everything was written, else which parts' conditions did not hold.
    async fn transact(&self, items: &[TransactWriteItem]) -> Result<Answered<Vec<bool>>, AwsError> {
        let mut attempt = 1;
        loop {
            let write = self.client.transact_write_items();
            let sent = write.set_transact_items(Some(items.to_vec())).send().await;
            let error = match sent {
                Ok(done) => return Ok(Answered::new(Vec::new(), done.request_id())),
                Err(error) => error,
            };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().to_vec()
                }
                _ => return Err(AwsError::from_sdk(TRANSACT, &error)),
            };
            let is = |code: &str| {
                reasons
                    .iter()
                    .map(|reason| reason.code() == Some(code))
                    .collect::<Vec<_>>()
            };
            let unmet = is("ConditionalCheckFailed");
            if unmet.contains(&true) {
                return Ok(Answered::new(unmet, error.request_id()));
            }
            if !is("TransactionConflict").contains(&true) || attempt == CONFLICT_TRIES {
                return Err(AwsError::from_sdk(TRANSACT, &error));
            }
            tokio::time::sleep(Duration::from_millis(CONFLICT_PAUSE_MS * attempt)).await;
            attempt += 1;
        }
    }

    fn put_new(&self, item: Item) -> Result<TransactWriteItem, AwsError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }
}

fn built<T>(part: Result<T, BuildError>) -> Result<T, AwsError> {
    part.map_err(|_| AwsError::incomplete(TRANSACT, "a part of the request"))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

fn user_key(link: &Link) -> Item {
    key(&keys::user(&link.user_sub), &keys::link(&link.issuer))
}

fn subject_key(link: &Link) -> Item {
    key(&keys::subject(&link.issuer, &link.subject), keys::SUBJECT_LINK)
}

fn of_link(mut item: Item, link: &Link) -> Item {
    for (name, field) in link.fields() {
        let value = match field {
            Field::Text(text) => AttributeValue::S(text),
            Field::Number(number) => AttributeValue::N(number.to_string()),
        };
        item.insert(name.to_owned(), value);
    }
    item
}

fn to_link(item: &Item) -> Option<Link> {
    Link::from_fields(|name| match item.get(name)? {
        AttributeValue::S(text) => Some(Field::Text(text.clone())),
        AttributeValue::N(number) => number.parse().ok().map(Field::Number),
        _ => None,
    })
}
