//! Reaching the account of a cell: by the service's own credentials, or by a role with an external id.
//!
//! Sessions are made when first needed, kept by role, and renewed by the SDK before they end. Calls there are within the
//! budget of that account, however it is reached.

use super::Aws;
use crate::domain::cell::CellAccess;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

/// Name of our sessions in AWS's trail.
const SESSION_NAME: &str = "stepgate";

impl Aws {
    /// The same AWS as seen from the account of a cell.
    pub async fn within(self: &Arc<Self>, access: Option<&CellAccess>) -> Arc<Self> {
        let Some(access) = access else {
            return Arc::clone(self);
        };
        if let Some(known) = self.known(access) {
            return known;
        }
        // Boxed: rarely done, and its future is large.
        Box::pin(self.enter(access)).await
    }

    async fn enter(&self, access: &CellAccess) -> Arc<Self> {
        let mut role = AssumeRoleProvider::builder(&access.role_arn)
            .configure(&self.base)
            .session_name(SESSION_NAME);
        if let Some(external_id) = &access.external_id {
            role = role.external_id(external_id);
        }
        let base = self
            .base
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(role.build().await))
            .build();
        let account_id = access.account_id().map(str::to_owned);
        let there = Arc::new(Self::from_base(base, self.budget.clone(), account_id));
        // Somebody may have been quicker: their sessions are as good.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(access.clone()).or_insert(there))
    }

    fn known(&self, access: &CellAccess) -> Option<Arc<Self>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(access).map(Arc::clone)
    }
}

/// Accounts by the role that leads there.
pub(super) type Accounts = HashMap<CellAccess, Arc<Aws>>;
