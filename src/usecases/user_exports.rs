//! All users of a tenant, as they are in its pool: read from Cognito a page at a time and handed on. Nothing of them is
//! kept, and the log gets no more than how many they were.

use super::{
    Request, audit,
    users::{asked, write_down},
};
use crate::{
    Context, Error, Result,
    aws::cognito::Cognito,
    domain::{
        actor::PartnerScope,
        audit::{AuditAction, AuditEntry, REASON_MAX_CHARS},
        deletion::{Deletion, UserExport, UserSet},
        tenant::TenantState,
        user::UserRecord,
        validation::Problems,
    },
    error::Code,
    ids::TenantId,
    storage::{self, deletions},
};
use serde_json::{Value, json};

/// Where an export goes on.
enum Next {
    First,
    After(String),
    End,
}

/// An export under way.
pub struct Export {
    context: Context,
    request: Request,
    scope: PartnerScope,
    tenant_id: TenantId,
    cognito: Cognito,
    pool_id: String,
    /// Names of the attributes that its pool has beside Cognito's own, `custom:…`.
    pub custom_attributes: Vec<String>,
    next: Next,
    users: UserSet,
}

impl Export {
    /// Begins one, and writes down that and why it was begun: nobody's users are read out unrecorded.
    pub async fn begin(
        context: &Context,
        request: &Request,
        tenant_id: TenantId,
        reason: String,
    ) -> Result<Self> {
        let reads = request.actor.administrator()?;
        let tenant = storage::tenants::get(&mut *context.db.begin(&reads).await?, &reads, tenant_id).await?;
        let scope = request.actor.administrator_of(tenant.partner_id)?;
        let mut problems = Problems::new();
        problems.name("/reason", &reason, REASON_MAX_CHARS);
        problems.finish()?;
        tenant.require_users()?;
        let pool_id = tenant.user_pool_id.ok_or_else(|| {
            Error::new(
                Code::TenantState,
                "The tenant has no user pool, and therefore no users.",
            )
        })?;
        let entry = entry(tenant_id, AuditAction::UsersExportBegun, reason, json!({}));
        write_down(context, request, &scope, entry).await?;
        let attributes = tenant.pool.attributes.iter();
        Ok(Self {
            context: context.clone(),
            request: request.clone(),
            scope,
            tenant_id,
            cognito: context
                .aws
                .within(tenant.access.as_ref())
                .await
                .cognito(&tenant.region),
            pool_id,
            custom_attributes: attributes
                .map(|attribute| format!("custom:{}", attribute.name))
                .collect(),
            next: Next::First,
            users: UserSet::default(),
        })
    }

    /// The next users; `None` at the end, which makes the export a complete one.
    pub async fn next(&mut self) -> Result<Option<Vec<UserRecord>>> {
        let from = match std::mem::replace(&mut self.next, Next::End) {
            Next::First => None,
            Next::After(token) => Some(token),
            Next::End => {
                self.end().await?;
                return Ok(None);
            }
        };
        let (users, next) = asked(self.cognito.user_records(&self.pool_id, from)).await?;
        for user in &users {
            self.users.add(user.identity());
        }
        self.next = next.map_or(Next::End, Next::After);
        Ok(Some(users))
    }

    /// Writes down that it was read to its end. Of a deleted tenant this opens the way to a purge, and of one whose purge
    /// found users whom nobody had exported, it lets that go on.
    async fn end(&self) -> Result<()> {
        let mut tx = self.context.db.begin(&self.scope).await?;
        let tenant = storage::tenants::lock(&mut tx, &self.scope, self.tenant_id).await?;
        let now = self.context.clock.now();
        let export = UserExport {
            at: now,
            users: self.users.users,
            digest: Some(self.users.digest()),
        };
        let exported = |deletion| Deletion {
            export: Some(export),
            ..deletion
        };
        let state = match tenant.state {
            TenantState::Deleting {
                credentials_secret_arn,
                deletion,
            } => Some(TenantState::Deleting {
                credentials_secret_arn,
                deletion: exported(deletion),
            }),
            TenantState::Purging(deletion) => Some(TenantState::Purging(exported(deletion))),
            _ => None,
        };
        if let Some(state) = state {
            deletions::set_state(&mut tx, &self.scope, self.tenant_id, &state).await?;
        }
        let detail = json!({ "users": self.users.users });
        let entry = entry(self.tenant_id, AuditAction::UsersExported, String::new(), detail);
        audit::record(&mut tx, &self.context, &self.request, &self.scope, &entry, now).await?;
        tx.commit().await?;
        tracing::info!(tenant_id = %self.tenant_id, users = self.users.users, "all users of a tenant were exported");
        Ok(())
    }
}

fn entry(tenant_id: TenantId, action: AuditAction, reason: String, detail: Value) -> AuditEntry {
    AuditEntry {
        tenant_id: Some(tenant_id),
        resource_id: tenant_id.to_string(),
        action,
        reason,
        detail,
    }
}
