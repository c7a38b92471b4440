//! Conditions change with the tenant and keep the time of the change.

use super::rig::Rig;
use chrono::{DateTime, TimeDelta, Utc};
use stepgate::{
    clock::Clock,
    domain::{
        condition::{Condition, ConditionStatus, ConditionType},
        pool::PoolSettings,
        tenant::TenantFilter,
    },
    ids::TenantId,
    provisioning::pass::Outcome,
    storage::PageRequest,
    usecases,
};

impl Rig {
    async fn conditions(&self, id: TenantId) -> Vec<Condition> {
        self.read(id).await.conditions()
    }

    async fn expect(
        &self,
        id: TenantId,
        kind: ConditionType,
        (status, reason): (ConditionStatus, &str),
        since: DateTime<Utc>,
    ) {
        let conditions = self.conditions(id).await;
        let found = conditions.iter().find(|one| one.kind == kind).unwrap();
        assert_eq!(
            (found.status, found.reason.as_str(), found.last_transition_time),
            (status, reason, since),
            "{found:?}"
        );
    }

    /// Ids of the tenants of which a condition holds.
    async fn of_which_holds(&self, kind: ConditionType) -> Vec<TenantId> {
        let filter = TenantFilter {
            condition: Some(kind.as_str().to_owned()),
            ..TenantFilter::default()
        };
        let page = usecases::tenants::list(&self.context, &self.request, &filter, &PageRequest::default())
            .await
            .unwrap();
        page.items.into_iter().map(|tenant| tenant.id).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_tell_why_and_since_when() {
    use ConditionStatus::{False, True};
    use ConditionType::{Failing, Ready, Reconciling, Suspended};
    let rig = Rig::start().await;
    let made = rig.clock.now();
    let (tenant, _) = rig.tenant("Acme", PoolSettings::default()).await;
    let id = tenant.id;
    let kinds: Vec<_> = rig.conditions(id).await.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ConditionType::ALL);
    rig.expect(id, Ready, (False, "Reconciling"), made).await;
    rig.expect(id, Reconciling, (True, "Behind"), made).await;
    assert_eq!(rig.of_which_holds(Ready).await, []);

    // A pass that fails says why; the tenant has not been ready all the while.
    rig.clock.advance(TimeDelta::minutes(1));
    let failed = rig.clock.now();
    rig.sql("UPDATE tenants SET blockid_community = 'nobody-is-here'")
        .await;
    assert_eq!(rig.run_worker().await, [Outcome::Failed]);
    rig.expect(id, Failing, (True, "provider_unusable"), failed).await;
    rig.expect(id, Ready, (False, "Failing"), made).await;
    assert_eq!(rig.of_which_holds(Failing).await, [id]);

    rig.sql("UPDATE tenants SET blockid_community = 'default'").await;
    assert_eq!(rig.run_worker_later().await, [Outcome::Converged]);
    let ready = rig.clock.now();
    rig.expect(id, Ready, (True, "AsAsked"), ready).await;
    rig.expect(id, Failing, (False, "NoFailure"), ready).await;
    rig.expect(id, Reconciling, (False, "AsAsked"), ready).await;
    assert_eq!(rig.of_which_holds(Ready).await, [id]);
    assert_eq!(rig.of_which_holds(Failing).await, []);

    rig.clock.advance(TimeDelta::minutes(1));
    let suspended = rig.clock.now();
    usecases::suspensions::suspend(&rig.context, &rig.request, id, "drill".into())
        .await
        .unwrap();
    rig.expect(id, Suspended, (True, "Asked"), suspended).await;
    rig.expect(id, Ready, (False, "Reconciling"), suspended).await;
    rig.clock.advance(TimeDelta::minutes(1));
    rig.run_worker().await;
    // What lasts keeps its time, whatever else is written.
    rig.expect(id, Suspended, (True, "Asked"), suspended).await;
    rig.expect(id, Ready, (True, "AsAsked"), rig.clock.now()).await;
}
