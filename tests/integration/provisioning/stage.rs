//! An installation whose worker reaches AWS through a proxy on which calls fail.

use super::rig::{Rig, placeholder_artifacts};
use crate::support::{TestApp, aws_at, env::required, fresh_account};
use aws_credential_types::Credentials;
use chrono::TimeDelta;
use fault_proxy::Proxy;
use std::{path::PathBuf, sync::Arc, time::Duration};
use stepgate::{
    Context,
    aws::Patience,
    domain::{
        app::App,
        pool::PoolSettings,
        tenant::{Tenant, TenantState},
    },
    ids::{IdSource, TenantId},
    usecases::deletions::{self, Wanted},
};

/// Passes after which a fault must be forgotten.
const PASSES: usize = 12;

pub(super) struct Stage {
    pub(super) rig: Rig,
    pub(super) proxy: Proxy,
    pub(super) tenants: usize,
    /// The same installation with AWS past the proxy: what partners ask of AWS does not fail here.
    pub(super) past_the_proxy: Context,
}

/// Every fault reaches the reconciler: the SDK does not try again.
pub(super) fn impatient() -> Patience {
    Patience {
        attempts: 1,
        backoff: Duration::from_millis(1),
        ..Patience::default()
    }
}

impl Stage {
    pub(super) async fn set(patience: &Patience) -> Self {
        Self::set_with(patience, placeholder_artifacts(&IdSource::from_os().suffix(12))).await
    }

    pub(super) async fn set_with(patience: &Patience, artifacts: PathBuf) -> Self {
        let direct = required("STEPGATE_TEST_AWS_ENDPOINT_URL");
        let proxy = Proxy::start(&direct.parse().unwrap()).await.unwrap();
        let account = fresh_account();
        let credentials = || Credentials::new(&account, "test", None, None, "test");
        let aws = aws_at(&proxy.url(), credentials(), patience).await;
        let past_the_proxy = Arc::new(aws_at(&direct, credentials(), patience).await);
        let app = TestApp::start_on(aws, account.clone(), |_| {}).await;
        let rig = Rig::on(app, artifacts).await;
        let past_the_proxy = Context {
            aws: past_the_proxy,
            ..rig.context.clone()
        };
        Self {
            rig,
            proxy,
            tenants: 0,
            past_the_proxy,
        }
    }

    pub(super) async fn onboard(&mut self) -> (Tenant, Vec<App>) {
        self.tenants += 1;
        let (tenant, _) = self
            .rig
            .tenant(&format!("Acme {}", self.tenants), PoolSettings::default())
            .await;
        let mut apps = Vec::new();
        for name in ["Portal", "Admin"] {
            apps.push(self.rig.app(tenant.id, name).await.0);
        }
        (tenant, apps)
    }

    /// Lets the worker go on until the tenant is as asked. One that is deleted is purged as soon as it may be.
    pub(super) async fn to_the_end(&self, tenant: &Tenant, what: &str) {
        // A deletion ends after a purge, with passes of its own.
        for _ in 0..2 * PASSES {
            self.rig.run_worker().await;
            let now = self.rig.read(tenant.id).await;
            let is_shut = now.observed_generation >= now.generation;
            match now.state {
                TenantState::Deleted(_) => return,
                TenantState::Deleting { .. } if is_shut => {
                    self.rig.clock.advance(TimeDelta::days(30));
                    self.purge(tenant.id).await;
                    continue;
                }
                _ if now.ready() => return,
                _ => {}
            }
            // More than the pause after the first failures.
            self.rig.clock.advance(TimeDelta::seconds(40));
        }
        panic!(
            "{what}: never at its end: {:?}",
            self.rig.read(tenant.id).await.last_error
        );
    }

    /// Asks twice, as has to be.
    async fn purge(&self, id: TenantId) {
        let ask = async |confirm| {
            let wanted = Wanted {
                retain_user_pool: false,
                without_export: true,
                before_its_time: false,
                confirm,
                reason: "the contract ended".to_owned(),
            };
            deletions::purge(&self.past_the_proxy, &self.rig.request, id, wanted).await
        };
        let refused = ask(None).await.unwrap_err();
        let confirmation = refused.confirmation().unwrap().clone();
        ask(Some(confirmation.confirm)).await.unwrap();
    }
}
