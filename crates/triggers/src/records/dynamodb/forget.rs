//! Deleting what step-ups left behind.

use super::super::item::Item;
use super::{RecordsTable, built};
use crate::outcome::SourceError;
use aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder;
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use step_up::record_keys as keys;

/// Items that DynamoDB takes in one transaction.
const ITEMS_OF_A_TRANSACTION: usize = 100;

impl RecordsTable {
    /// Deletes all evidence and grants of a user. Grants first: they are what opens tokens at once.
    pub(super) async fn delete_step_ups(&self, user_sub: &str) -> Result<usize, SourceError> {
        let mut found = self.query(keys::user(user_sub), keys::GRANT_PREFIX).await?;
        found.extend(self.query(keys::user(user_sub), keys::EVIDENCE_PREFIX).await?);
        let deletions = found
            .iter()
            .map(|item| self.deletion(item))
            .collect::<Result<Vec<_>, _>>()?;
        for batch in deletions.chunks(ITEMS_OF_A_TRANSACTION) {
            // Without conditions there are none that could fail.
            self.transact(batch)
                .await?
                .map_err(|_| SourceError::malformed("DeletionRefused"))?;
        }
        Ok(deletions.len())
    }

    fn deletion(&self, item: &Item) -> Result<TransactWriteItem, SourceError> {
        let mut key = item.clone();
        key.retain(|name, _| name == "pk" || name == "sk");
        built(
            Delete::builder()
                .table_name(&self.table)
                .set_key(Some(key))
                .build(),
            TransactWriteItem::builder,
            TransactWriteItemBuilder::delete,
        )
    }
}
