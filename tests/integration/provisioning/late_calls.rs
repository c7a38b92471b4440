//! Calls that make an app client and take effect when nobody counts on them any more: an app has one client in the end,
//! and it is the one that its users know.

use super::{
    holdings::assert_nothing_doubled,
    rig::REGION,
    stage::{Stage, impatient},
};
use chrono::TimeDelta;
use fault_proxy::{Fault, Plan};
use std::collections::{HashMap, VecDeque};
use stepgate::{
    domain::{
        app::{App, AppSettings},
        tenant::Tenant,
    },
    provisioning::pass::Outcome,
    usecases::{self, apps::NewApp},
    worker::jobs::remove_surplus_clients::look_through,
};

const CREATE: &str = "cognito-idp:CreateUserPoolClient";
const LIST: &str = "cognito-idp:ListUserPoolClients";

fn script(faults: &[(&'static str, &[Option<Fault>])]) -> Plan {
    let queue = |faults: &[Option<Fault>]| faults.iter().copied().collect::<VecDeque<_>>();
    let script = faults
        .iter()
        .map(|(operation, faults)| (*operation, queue(faults)));
    Plan::Script(script.collect::<HashMap<_, _>>())
}

impl Stage {
    /// A tenant that is ready, without an app.
    async fn ready(&self) -> Tenant {
        let (tenant, _) = self
            .rig
            .tenant("Acme", stepgate::domain::pool::PoolSettings::default())
            .await;
        assert_eq!(self.rig.run_worker().await, [Outcome::Converged]);
        self.rig.read(tenant.id).await
    }

    async fn new_app(&self, tenant: &Tenant) -> App {
        let new = NewApp {
            name: "Portal".to_owned(),
            settings: AppSettings::default(),
            policy: None,
        };
        let rig = &self.rig;
        let created = usecases::apps::create(&rig.context, &rig.request, tenant.id, new).await;
        created.unwrap().0
    }

    /// Ids of the pool's clients of the app's name.
    async fn clients(&self, tenant: &Tenant, app: &App) -> Vec<String> {
        let cognito = self.past_the_proxy.aws.cognito(REGION);
        let clients = cognito
            .clients(tenant.user_pool_id.as_ref().unwrap())
            .await
            .unwrap();
        let named = clients.into_iter().filter(|one| one.name == app.id.to_string());
        named.map(|one| one.client_id).collect()
    }

    /// The next pass, after the pause of the last.
    async fn pass(&self) -> Vec<Outcome> {
        self.rig.clock.advance(TimeDelta::seconds(40));
        self.rig.run_worker().await
    }

    async fn is_in_doubt(&self, app: &App) -> bool {
        sqlx::query_scalar("SELECT client_asked_at IS NOT NULL FROM apps WHERE id = $1")
            .bind(app.id.to_string())
            .fetch_one(&self.rig.owner)
            .await
            .unwrap()
    }

    /// Lets everything that may still happen be over; no further call is made then.
    async fn settle(&self, app: &App) {
        for _ in 0..12 {
            self.rig.clock.advance(TimeDelta::minutes(3));
            look_through(&self.rig.context).await.unwrap();
        }
        assert!(!self.is_in_doubt(app).await);
        self.proxy.follow(Plan::Nothing);
        self.rig.clock.advance(TimeDelta::hours(1));
        assert_eq!(look_through(&self.rig.context).await.unwrap(), 0);
        assert!(self.proxy.seen().is_empty(), "{:?}", self.proxy.seen());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_call_took_effect_after_the_next_worker_had_made_one_goes() {
    let stage = Stage::set(&impatient()).await;
    let tenant = stage.ready().await;
    let app = stage.new_app(&tenant).await;
    stage.proxy.follow(script(&[(CREATE, &[Some(Fault::Late)])]));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Failed]);
    assert_eq!(stage.pass().await, [Outcome::Converged]);
    let known = stage.rig.read_app(&app).await.client_id.unwrap();
    assert_eq!(stage.clients(&tenant, &app).await, std::slice::from_ref(&known));

    // Looked at, and nothing there: the call has not taken effect.
    stage.rig.clock.advance(TimeDelta::seconds(10));
    assert_eq!(look_through(&stage.rig.context).await.unwrap(), 0);
    assert_eq!(stage.proxy.deliver_late().await, 1);
    assert_eq!(stage.clients(&tenant, &app).await.len(), 2, "it took effect");

    let compared = stepgate::worker::jobs::find_drift::check_due(&stage.rig.context).await;
    assert_eq!(compared.unwrap(), 1);
    assert_eq!(
        stage.rig.read(tenant.id).await.drift.findings,
        0,
        "nobody else made it"
    );

    stage.rig.clock.advance(TimeDelta::minutes(2));
    assert_eq!(look_through(&stage.rig.context).await.unwrap(), 1);
    assert_eq!(stage.clients(&tenant, &app).await, [known]);
    stage.settle(&app).await;
    assert_nothing_doubled(&stage.rig, &tenant, &[app]).await;
}

/// The answer of one call is lost, the list that the next pass reads is older than the client, and the look after the
/// second client fails: the pass after that has nothing to make any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_failed_is_made_up_for_although_every_app_has_its_client() {
    let stage = Stage::set(&impatient()).await;
    let tenant = stage.ready().await;
    let app = stage.new_app(&tenant).await;
    stage.proxy.follow(script(&[
        (CREATE, &[Some(Fault::CutAfter)]),
        (LIST, &[None, Some(Fault::Stale), Some(Fault::Throttle)]),
    ]));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Failed]);
    assert_eq!(stage.pass().await, [Outcome::Failed]);
    assert_eq!(
        stage.clients(&tenant, &app).await.len(),
        2,
        "the list was an old one"
    );
    let known = stage.rig.read_app(&app).await.client_id.unwrap();

    assert_eq!(stage.pass().await, [Outcome::Converged]);
    assert_eq!(
        stage.clients(&tenant, &app).await,
        [known],
        "ready: looked through"
    );
    stage.settle(&app).await;
    assert_nothing_doubled(&stage.rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_took_effect_after_its_app_was_deleted_leaves_nothing() {
    let stage = Stage::set(&impatient()).await;
    let tenant = stage.ready().await;
    let app = stage.new_app(&tenant).await;
    stage.proxy.follow(script(&[(CREATE, &[Some(Fault::Late)])]));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Failed]);
    let rig = &stage.rig;
    usecases::apps::delete(&rig.context, &rig.request, (tenant.id, app.id))
        .await
        .unwrap();
    assert_eq!(stage.pass().await, [Outcome::Converged]);
    assert_eq!(stage.proxy.deliver_late().await, 1);
    assert_eq!(stage.clients(&tenant, &app).await.len(), 1, "it took effect");
    assert_eq!(look_through(&rig.context).await.unwrap(), 1);
    stage.settle(&app).await;
    assert_nothing_doubled(rig, &tenant, &[]).await;
}

/// A call that was answered or refused leaves no doubt, and costs no look.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_outcome_leaves_no_doubt() {
    let stage = Stage::set(&impatient()).await;
    let tenant = stage.ready().await;
    let app = stage.new_app(&tenant).await;
    stage.proxy.follow(script(&[(CREATE, &[Some(Fault::Throttle)])]));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Failed]);
    assert!(!stage.is_in_doubt(&app).await);
    assert_eq!(stage.pass().await, [Outcome::Converged]);
    assert!(!stage.is_in_doubt(&app).await);
    let seen = stage.proxy.seen();
    let of = |operation: &str| seen.iter().filter(|seen| seen.operation == operation).count();
    assert_eq!((of(CREATE), of(LIST)), (2, 2));
}

/// The rows are older than AWS, as after a restored backup, and two clients have the app's name: the one stays that the
/// triggers know, whichever was made first.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_the_one_in_use_is_kept_when_its_row_forgot_it() {
    let mut stage = Stage::set(&impatient()).await;
    let (tenant, apps) = stage.onboard().await;
    stage.to_the_end(&tenant, "without a fault").await;
    let tenant = stage.rig.read(tenant.id).await;
    let pool_id = tenant.user_pool_id.clone().unwrap();
    let sdk = aws_sdk_cognitoidentityprovider::Client::new(&stage.past_the_proxy.aws.region(REGION));
    let mut in_use = Vec::new();
    for app in &apps {
        let known = stage.rig.read_app(app).await.client_id.unwrap();
        // One that comes before it in any order by id.
        let mut lowest = known.clone();
        while lowest >= known {
            let request = sdk.create_user_pool_client().user_pool_id(&pool_id);
            let made = request.client_name(app.id.to_string()).send().await.unwrap();
            lowest = made.user_pool_client().unwrap().client_id().unwrap().to_owned();
        }
        in_use.push(known);
    }
    stage
        .rig
        .sql("UPDATE apps SET client_id = NULL; UPDATE tenants SET observed_generation = 0")
        .await;
    // The first look after the choice fails, and so does the pass; what is left to do is remembered.
    stage
        .proxy
        .follow(script(&[(LIST, &[None, Some(Fault::Throttle)])]));
    assert_eq!(stage.rig.run_worker().await, [Outcome::Failed]);
    stage.to_the_end(&tenant, "from old rows").await;
    for (app, known) in apps.iter().zip(&in_use) {
        assert_eq!(stage.rig.read_app(app).await.client_id.as_ref(), Some(known));
        assert_eq!(stage.clients(&tenant, app).await, std::slice::from_ref(known));
    }
    assert_nothing_doubled(&stage.rig, &tenant, &apps).await;
}
