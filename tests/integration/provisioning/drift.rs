//! What somebody changed past Stepgate is found, told with how bad it is, written back where that is asked, and cleared.

use super::{
    holdings::assert_nothing_doubled,
    rig::{REGION, Rig},
    stage::Stage,
};
use chrono::TimeDelta;
use fault_proxy::{Fault, Plan};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use stepgate::{
    aws::Patience,
    aws::cognito::ClientSettings,
    domain::{
        app::App,
        condition::{ConditionStatus, ConditionType},
        drift::{Comparison, DriftMode, Severity},
        operation::{OperationKind, OperationState},
        pool::{Attribute, PoolSettings, SignInWith, Tier},
        tenant::Tenant,
    },
    ids::TenantId,
    provisioning::pass::Outcome,
    storage::{self, drift::Budget},
    usecases::{self, drift::Drift, tenants::TenantChange},
    worker::jobs::find_drift,
};
use tokio_util::sync::CancellationToken;

impl Rig {
    /// Has a tenant checked now.
    async fn check(&self, id: TenantId) -> Drift {
        usecases::drift::ask(&self.context, &self.request, id)
            .await
            .unwrap();
        find_drift::check_due(&self.context).await.unwrap();
        self.drift(id).await
    }

    async fn drift(&self, id: TenantId) -> Drift {
        usecases::drift::get(&self.context, &self.request, id)
            .await
            .unwrap()
    }

    async fn set_mode(&self, id: TenantId, mode: DriftMode) {
        let change = TenantChange {
            drift_mode: Some(mode),
            ..TenantChange::default()
        };
        self.update(id, change).await;
        assert_eq!(self.run_worker().await, [Outcome::Converged]);
    }

    /// Status and reason of a condition.
    async fn condition(&self, id: TenantId, kind: ConditionType) -> (ConditionStatus, String) {
        let conditions = self.read(id).await.conditions();
        let found = conditions.into_iter().find(|one| one.kind == kind).unwrap();
        (found.status, found.reason)
    }

    /// Actions of the audit log that tell of drift.
    async fn audited(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT action FROM audit_log WHERE action IN ('drift_found', 'drift_cleared') ORDER BY position",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap()
    }

    async fn ready_tenant(&self) -> (Tenant, App) {
        let (tenant, _) = self.tenant("Acme", PoolSettings::default()).await;
        let (app, _) = self.app(tenant.id, "Portal").await;
        assert_eq!(self.run_worker().await, [Outcome::Converged]);
        (self.read(tenant.id).await, self.read_app(&app).await)
    }
}

/// Somebody with rights in the account, and no idea of Stepgate.
struct Somebody {
    cognito: aws_sdk_cognitoidentityprovider::Client,
    lambda: aws_sdk_lambda::Client,
    iam: aws_sdk_iam::Client,
    secrets: aws_sdk_secretsmanager::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    name: String,
    pool_id: String,
}

impl Somebody {
    fn at(rig: &Rig, tenant: &Tenant) -> Self {
        let sdk = rig.context.aws.region(REGION);
        Self {
            cognito: aws_sdk_cognitoidentityprovider::Client::new(&sdk),
            lambda: aws_sdk_lambda::Client::new(&sdk),
            iam: aws_sdk_iam::Client::new(&sdk),
            secrets: aws_sdk_secretsmanager::Client::new(&sdk),
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            cloudformation: aws_sdk_cloudformation::Client::new(&sdk),
            name: format!("stepgate-{}", tenant.id.ulid()),
            pool_id: tenant.user_pool_id.clone().unwrap(),
        }
    }

    async fn opens_flows(&self, client_id: &str) {
        use aws_sdk_cognitoidentityprovider::types::{ExplicitAuthFlowsType, PreventUserExistenceErrorTypes};
        self.cognito
            .update_user_pool_client()
            .user_pool_id(&self.pool_id)
            .client_id(client_id)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserSrpAuth)
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowCustomAuth)
            .prevent_user_existence_errors(PreventUserExistenceErrorTypes::Legacy)
            .send()
            .await
            .unwrap();
    }

    async fn opens_the_pool(&self) {
        use aws_sdk_cognitoidentityprovider::types::{
            DeletionProtectionType, SoftwareTokenMfaConfigType, UserPoolMfaType,
        };
        self.cognito
            .update_user_pool()
            .user_pool_id(&self.pool_id)
            .deletion_protection(DeletionProtectionType::Inactive)
            .lambda_config(aws_sdk_cognitoidentityprovider::types::LambdaConfigType::builder().build())
            .send()
            .await
            .unwrap();
        self.cognito
            .set_user_pool_mfa_config()
            .user_pool_id(&self.pool_id)
            .mfa_configuration(UserPoolMfaType::Optional)
            .software_token_mfa_configuration(SoftwareTokenMfaConfigType::builder().enabled(true).build())
            .send()
            .await
            .unwrap();
    }

    async fn changes_the_functions(&self) {
        let function = format!("{}-verify", self.name);
        let mut zip = b"PK\x05\x06".to_vec();
        zip.extend([0_u8; 18]);
        self.lambda
            .update_function_code()
            .function_name(&function)
            .zip_file(aws_sdk_lambda::primitives::Blob::new(zip))
            .send()
            .await
            .unwrap();
        self.sets_variables(&[
            ("STEPGATE_RECORDS_TABLE", "of-somebody-else"),
            ("SPY", "https://u:p@spy.example"),
        ])
        .await;
    }

    /// Adds variables to the environment of verify.
    async fn sets_variables(&self, variables: &[(&str, &str)]) {
        let function = format!("{}-verify", self.name);
        let found = self
            .lambda
            .get_function_configuration()
            .function_name(&function)
            .send()
            .await
            .unwrap();
        let mut all = found.environment().unwrap().variables().unwrap().clone();
        let new = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        all.extend(new);
        let environment = aws_sdk_lambda::types::Environment::builder()
            .set_variables(Some(all))
            .build();
        self.lambda
            .update_function_configuration()
            .function_name(&function)
            .environment(environment)
            .send()
            .await
            .unwrap();
    }

    async fn widens_the_roles(&self) {
        let open = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}]});
        let (challenge, verify) = (
            format!("{}-challenge", self.name),
            format!("{}-verify", self.name),
        );
        self.iam
            .put_role_policy()
            .role_name(&challenge)
            .policy_name("more")
            .policy_document(open.to_string())
            .send()
            .await
            .unwrap();
        self.iam
            .attach_role_policy()
            .role_name(&challenge)
            .policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess")
            .send()
            .await
            .unwrap();
        self.iam
            .put_role_policy()
            .role_name(&verify)
            .policy_name("users")
            .policy_document(open.to_string())
            .send()
            .await
            .unwrap();
        let anybody = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]});
        self.iam
            .update_assume_role_policy()
            .role_name(&verify)
            .policy_document(anybody.to_string())
            .send()
            .await
            .unwrap();
    }

    async fn opens_the_secrets(&self, credentials_arn: &str, settings_name: &str) {
        self.secrets
            .delete_resource_policy()
            .secret_id(credentials_arn)
            .send()
            .await
            .unwrap();
        let shared = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]});
        self.secrets
            .put_resource_policy()
            .secret_id(settings_name)
            .resource_policy(shared.to_string())
            .send()
            .await
            .unwrap();
        let value = self
            .secrets
            .get_secret_value()
            .secret_id(settings_name)
            .send()
            .await
            .unwrap();
        let mut settings: Value = serde_json::from_str(value.secret_string().unwrap()).unwrap();
        settings["connection"]["tenant_dns"] = json!("evil.example");
        self.secrets
            .put_secret_value()
            .secret_id(settings_name)
            .secret_string(settings.to_string())
            .send()
            .await
            .unwrap();
    }

    async fn weakens_the_policy(&self, client_id: &str) {
        use aws_sdk_dynamodb::types::AttributeValue;
        let table = format!("{}-policies", self.name);
        let key = AttributeValue::S(client_id.to_owned());
        let item = self
            .dynamodb
            .get_item()
            .table_name(&table)
            .key("pk", key)
            .send()
            .await
            .unwrap();
        let mut item = item.item.unwrap();
        let mut document: Value = serde_json::from_str(item["document"].as_s().unwrap()).unwrap();
        document["policy"]["default"] = json!({ "step_up": "not_required" });
        item.insert("document".into(), AttributeValue::S(document.to_string()));
        self.dynamodb
            .put_item()
            .table_name(&table)
            .set_item(Some(item))
            .send()
            .await
            .unwrap();
    }

    async fn unprotects_the_stack(&self) {
        self.cloudformation
            .update_termination_protection()
            .stack_name(&self.name)
            .enable_termination_protection(false)
            .send()
            .await
            .unwrap();
    }

    /// Everything at once; returns the client that nobody knows.
    async fn does_everything(&self, rig: &Rig, client_id: &str) -> String {
        let (credentials, settings): (String, String) =
            sqlx::query_as("SELECT credentials_secret_arn, settings_secret_name FROM tenants")
                .fetch_one(&rig.owner)
                .await
                .unwrap();
        let by_hand = ClientSettings::closed("made-by-hand".into());
        let made = rig
            .context
            .aws
            .cognito(REGION)
            .create_client(&self.pool_id, &by_hand)
            .await;
        self.opens_flows(client_id).await;
        self.opens_the_pool().await;
        self.changes_the_functions().await;
        self.widens_the_roles().await;
        self.opens_the_secrets(&credentials, &settings).await;
        self.weakens_the_policy(client_id).await;
        self.unprotects_the_stack().await;
        made.unwrap().value
    }
}

/// Paths of a report with their severity.
fn paths(drift: &Drift) -> BTreeMap<String, Severity> {
    let findings = drift.findings.iter();
    findings
        .map(|known| (known.finding.path.clone(), known.finding.severity))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_nobody_touched_has_no_drift_whatever_its_settings() {
    let rig = Rig::start().await;
    let (plain, _) = rig.tenant("Plain", PoolSettings::default()).await;
    let settings = PoolSettings {
        sign_in_with: SignInWith::Email,
        self_sign_up: true,
        tier: Tier::Lite,
        attributes: vec![Attribute {
            name: "unit".into(),
            mutable: true,
            max_length: None,
        }],
        ..PoolSettings::default()
    };
    let (other, _) = rig.tenant("Other", settings).await;
    for tenant in [plain.id, other.id] {
        rig.app(tenant, "Portal").await;
        rig.app(tenant, "Admin").await;
    }
    assert_eq!(
        rig.condition(plain.id, ConditionType::Drifted).await,
        (ConditionStatus::Unknown, "NotChecked".into())
    );
    assert_eq!(
        find_drift::check_due(&rig.context).await.unwrap(),
        0,
        "not ready, so nothing to compare"
    );
    rig.run_worker().await;
    // A tenant is checked as soon as it is ready.
    assert_eq!(find_drift::check_due(&rig.context).await.unwrap(), 2);
    for tenant in [plain.id, other.id] {
        let drift = rig.drift(tenant).await;
        assert!(drift.findings.is_empty(), "{:#?}", drift.findings);
        assert!(
            drift.summary.not_checked.is_empty() && drift.summary.error.is_none(),
            "{drift:#?}"
        );
        assert!(drift.summary.checked_at.is_some());
        assert_eq!(
            rig.condition(tenant, ConditionType::Drifted).await,
            (ConditionStatus::False, "AsWanted".into())
        );
    }
    assert!(rig.audited().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn everything_changed_by_hand_is_reported_once_and_healed_when_the_mode_says_so() {
    use Severity::{Critical, High};
    let rig = Rig::start().await;
    let (tenant, app) = rig.ready_tenant().await;
    let client_id = app.client_id.clone().unwrap();
    let somebody = Somebody::at(&rig, &tenant);
    let foreign = somebody.does_everything(&rig, &client_id).await;

    let drift = rig.check(tenant.id).await;
    let found = paths(&drift);
    let expected = [
        (format!("app_clients/{}/auth_flows", app.id), Critical),
        (format!("app_clients/{}/hides_unknown_users", app.id), High),
        (format!("app_clients/{foreign}"), Critical),
        ("user_pool/native_mfa".into(), Critical),
        ("user_pool/native_totp".into(), Critical),
        ("user_pool/triggers".into(), Critical),
        ("user_pool/deletion_protection".into(), High),
        ("functions/verify/code_sha256".into(), Critical),
        (
            "functions/verify/environment/STEPGATE_RECORDS_TABLE".into(),
            Critical,
        ),
        ("functions/verify/environment/SPY".into(), High),
        ("roles/challenge/inline/more".into(), Critical),
        (
            "roles/challenge/attached/arn:aws:iam::aws:policy/ReadOnlyAccess".into(),
            Critical,
        ),
        ("roles/verify/inline/users".into(), Critical),
        ("roles/verify/trust".into(), Critical),
        ("secrets/credentials/resource_policy".into(), Critical),
        ("secrets/settings/resource_policy".into(), High),
        ("settings/connection".into(), Critical),
        (format!("policies/{}", app.id), Critical),
        ("stack/termination_protection".into(), High),
    ];
    for (path, severity) in &expected {
        assert_eq!(found.get(path), Some(severity), "{path} in {found:#?}");
    }
    assert!(
        drift
            .findings
            .is_sorted_by_key(|known| known.finding.severity != Critical),
        "the worst first"
    );
    let text = format!("{drift:?}");
    assert!(
        !text.contains("spy.example") && !text.contains("evil.example"),
        "values are not repeated"
    );
    assert_eq!(
        rig.condition(tenant.id, ConditionType::Drifted).await,
        (ConditionStatus::True, "Critical".into())
    );
    assert_eq!(rig.audited().await, ["drift_found"]);

    // Reported, and left alone; and the same again is nothing new.
    assert!(rig.run_worker().await.is_empty());
    let first = drift.findings.clone();
    rig.clock.advance(TimeDelta::hours(1));
    let again = rig.check(tenant.id).await;
    assert_eq!(
        again.findings, first,
        "they keep the time at which they were found"
    );
    assert_eq!(rig.audited().await, ["drift_found"]);

    // A whole pass in mode `heal` mends before it reads back, and the tenant is looked at anew: nobody has to ask.
    rig.set_mode(tenant.id, DriftMode::Heal).await;
    assert_eq!(find_drift::check_due(&rig.context).await.unwrap(), 1);
    assert!(rig.drift(tenant.id).await.findings.is_empty());
    assert_eq!(rig.audited().await, ["drift_found", "drift_cleared"]);

    // From now on a comparison asks for the work itself.
    somebody.does_everything(&rig, &client_id).await;
    let drift = rig.check(tenant.id).await;
    assert!(
        drift
            .findings
            .iter()
            .all(|known| known.healing || !known.finding.healable),
        "{drift:#?}"
    );
    let operation_id = drift.findings[0].operation_id.unwrap();
    assert_eq!(
        find_drift::check_due(&rig.context).await.unwrap(),
        0,
        "not while it is healed"
    );
    assert_eq!(
        rig.run_worker().await,
        [Outcome::Converged],
        "{:?}",
        rig.read(tenant.id).await.last_error
    );
    let (operation, steps) = usecases::operations::get(&rig.context, &rig.request, operation_id)
        .await
        .unwrap();
    assert_eq!(operation.kind, OperationKind::HealDrift);
    assert!(matches!(operation.state, OperationState::Succeeded { .. }));
    let repair = steps.iter().find(|step| step.name == "drift_repair").unwrap();
    let told = repair.detail.clone().unwrap();
    assert!(
        told.contains("roles/verify/trust") && told.contains("user_pool/"),
        "{told}"
    );
    assert!(repair.duration_ms.is_some() && repair.attempts == 1 && repair.aws_request_id.is_some());

    assert_eq!(
        find_drift::check_due(&rig.context).await.unwrap(),
        1,
        "healed is looked at anew"
    );
    let drift = rig.drift(tenant.id).await;
    assert!(drift.findings.is_empty(), "{:#?}", drift.findings);
    assert_eq!(
        rig.condition(tenant.id, ConditionType::Drifted).await,
        (ConditionStatus::False, "AsWanted".into())
    );
    assert_eq!(rig.audited().await.last().unwrap(), "drift_cleared");
    let cleared = rig.audited().await.len();
    rig.check(tenant.id).await;
    assert_eq!(rig.audited().await.len(), cleared, "once");
    assert_nothing_doubled(&rig, &tenant, &[app]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_reported_and_not_made_anew() {
    let rig = Rig::start().await;
    let (tenant, app) = rig.ready_tenant().await;
    rig.set_mode(tenant.id, DriftMode::Heal).await;
    let pool_id = tenant.user_pool_id.clone().unwrap();
    let client_id = app.client_id.clone().unwrap();
    rig.context
        .aws
        .cognito(REGION)
        .delete_client(&pool_id, &client_id)
        .await
        .unwrap();

    let drift = rig.check(tenant.id).await;
    let gone = drift
        .findings
        .iter()
        .find(|known| known.finding.path == format!("app_clients/{}", app.id));
    let gone = gone.unwrap();
    assert!(!gone.finding.healable && !gone.healing && gone.operation_id.is_none());
    assert_eq!(gone.finding.severity, Severity::Critical);
    assert!(gone.finding.observed.is_null());
    assert!(
        rig.run_worker().await.is_empty(),
        "nothing was asked of the worker"
    );
    assert!(rig.read(tenant.id).await.ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_healing_could_not_mend_is_left_until_somebody_asks() {
    let rig = Rig::start().await;
    let (tenant, app) = rig.ready_tenant().await;
    rig.set_mode(tenant.id, DriftMode::Heal).await;
    Somebody::at(&rig, &tenant)
        .opens_flows(app.client_id.as_deref().unwrap())
        .await;
    let operation = rig.check(tenant.id).await.findings[0].operation_id.unwrap();
    // As if the work had ended without mending anything.
    rig.sql("UPDATE operations SET state = 'succeeded', finished_at = now(), started_at = now() WHERE state = 'pending'").await;
    rig.sql("UPDATE tenants SET observed_generation = generation")
        .await;
    rig.clock.advance(TimeDelta::hours(2));
    assert_eq!(find_drift::check_due(&rig.context).await.unwrap(), 1);
    let drift = rig.drift(tenant.id).await;
    assert!(!drift.findings.is_empty() && drift.findings.iter().all(|known| !known.healing));
    assert_eq!(
        drift.findings[0].operation_id,
        Some(operation),
        "not tried again by itself"
    );
    assert!(rig.read(tenant.id).await.ready());

    let drift = rig.check(tenant.id).await;
    assert!(drift.findings[0].healing && drift.findings[0].operation_id != Some(operation));
    assert_eq!(rig.run_worker().await, [Outcome::Converged]);
    find_drift::check_due(&rig.context).await.unwrap();
    assert!(rig.drift(tenant.id).await.findings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_development_variable_is_a_door_except_in_a_cell_for_development() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.ready_tenant().await;
    let variable = "STEPGATE_DEV_INSECURE_LOOPBACK";
    let path = format!("functions/verify/environment/{variable}");
    Somebody::at(&rig, &tenant)
        .sets_variables(&[(variable, "1")])
        .await;
    assert!(
        !paths(&rig.check(tenant.id).await).contains_key(&path),
        "providers of this cell are on loopback"
    );

    rig.sql("UPDATE cells SET allowed_provider_networks = '{}'").await;
    assert_eq!(
        paths(&rig.check(tenant.id).await).get(&path),
        Some(&Severity::High)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_somebody_else_updated_is_drift() {
    let rig = Rig::start().await;
    let (tenant, _) = rig.ready_tenant().await;
    // As a stack update by hand looks: parameters that nobody here gave.
    rig.sql(
        "UPDATE tenants SET observed = jsonb_set(observed, '{stack,parameters,SelfSignUp}', '\"other\"')",
    )
    .await;
    let drift = rig.check(tenant.id).await;
    assert_eq!(
        paths(&drift).get("stack/parameters/SelfSignUp"),
        Some(&Severity::High)
    );
    assert_eq!(drift.findings[0].finding.observed, json!("false"));

    // A stack of another version of the template: what its functions and roles should be is not known here.
    rig.sql("UPDATE tenants SET observed = observed #- '{stack,parameters}'")
        .await;
    let drift = rig.check(tenant.id).await;
    assert!(drift.findings.is_empty(), "{drift:#?}");
    assert_eq!(
        drift.summary.not_checked.len(),
        2,
        "{:?}",
        drift.summary.not_checked
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_stay_within_the_budget_of_the_cell_and_are_shared_by_workers() {
    let rig = Rig::start().await;
    for name in ["One", "Two", "Three"] {
        rig.tenant(name, PoolSettings::default()).await;
    }
    rig.run_worker().await;
    let mut frugal = rig.context.clone();
    let mut config = (*frugal.config).clone();
    config.drift.checks_per_min = 2;
    frugal.config = Arc::new(config);
    let (one, other) = tokio::join!(find_drift::check_due(&frugal), find_drift::check_due(&frugal));
    // Whoever finds the other one claiming looks again later.
    let mut checked = one.unwrap() + other.unwrap();
    checked += find_drift::check_due(&frugal).await.unwrap();
    assert_eq!(checked, 2, "two a minute, whoever does them");
    let claims: Vec<i64> = sqlx::query_scalar("SELECT drift_claim FROM tenants ORDER BY drift_claim")
        .fetch_all(&rig.owner)
        .await
        .unwrap();
    assert_eq!(claims, [0, 1, 1], "none twice");

    rig.clock.advance(TimeDelta::seconds(61));
    assert_eq!(find_drift::check_due(&frugal).await.unwrap(), 1);
    assert_eq!(
        find_drift::check_due(&frugal).await.unwrap(),
        0,
        "each once an interval"
    );
    // The interval is spread over 75 to 125 %.
    rig.clock.advance(TimeDelta::seconds(3600 * 5 / 4));
    assert_eq!(find_drift::check_due(&frugal).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_killed_worker_is_taken_up_and_a_late_one_records_nothing() {
    let rig = Rig::start().await;
    let (tenant, app) = rig.ready_tenant().await;
    let scope = stepgate::domain::actor::OperatorScope::worker();
    let budget = Budget {
        per_min: 10,
        at_once: 1,
    };
    let lease = TimeDelta::minutes(5);
    let now = stepgate::clock::Clock::now(&*rig.clock);
    let mut tx = rig.context.db.begin(&scope).await.unwrap();
    let claim = storage::drift::claim_due(&mut tx, &scope, budget, lease, now)
        .await
        .unwrap()
        .remove(0);
    tx.commit().await.unwrap();
    assert_eq!(
        find_drift::check_due(&rig.context).await.unwrap(),
        0,
        "it is being checked"
    );
    rig.clock.advance(TimeDelta::minutes(6));
    assert_eq!(find_drift::check_due(&rig.context).await.unwrap(), 1);

    // The first worker comes back and knows of something that was never so.
    let finding = stepgate::domain::drift::Finding {
        path: "user_pool/triggers".into(),
        severity: Severity::Critical,
        wanted: json!(1),
        observed: json!(2),
        healable: true,
    };
    let stale = Comparison {
        findings: vec![finding],
        not_checked: Vec::new(),
    };
    let generation = rig.read(tenant.id).await.generation;
    let recorded = usecases::drift::record(&rig.context, &claim, generation, stale.clone(), now).await;
    assert!(!recorded.unwrap());
    assert!(rig.drift(tenant.id).await.findings.is_empty());

    // So does one that compared with what was wanted before.
    usecases::drift::ask(&rig.context, &rig.request, tenant.id)
        .await
        .unwrap();
    let now = stepgate::clock::Clock::now(&*rig.clock);
    let mut tx = rig.context.db.begin(&scope).await.unwrap();
    let claim = storage::drift::claim_due(&mut tx, &scope, budget, lease, now)
        .await
        .unwrap()
        .remove(0);
    tx.commit().await.unwrap();
    rig.app(tenant.id, "Second").await;
    assert!(
        !usecases::drift::record(&rig.context, &claim, generation, stale, now)
            .await
            .unwrap()
    );
    assert!(rig.drift(tenant.id).await.findings.is_empty());
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_says_why_and_forgets_nothing() {
    let rig = Rig::start().await;
    let (tenant, app) = rig.ready_tenant().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut away = rig.context.clone();
    away.aws = Arc::new(crate::support::aws_of(&format!("http://{nobody}"), &rig.account).await);
    assert_eq!(find_drift::check_due(&away).await.unwrap(), 1);
    let drift = rig.drift(tenant.id).await;
    assert_eq!(drift.summary.error.as_ref().unwrap().code, "Connection");
    assert_eq!(drift.summary.checked_at, None);
    assert_eq!(
        rig.condition(tenant.id, ConditionType::Drifted).await,
        (ConditionStatus::Unknown, "CheckFailed".into())
    );

    Somebody::at(&rig, &tenant)
        .opens_flows(app.client_id.as_deref().unwrap())
        .await;
    let found = rig.check(tenant.id).await;
    assert!(found.summary.error.is_none() && !found.findings.is_empty());
    usecases::drift::ask(&rig.context, &rig.request, tenant.id)
        .await
        .unwrap();
    find_drift::check_due(&away).await.unwrap();
    let drift = rig.drift(tenant.id).await;
    assert_eq!(drift.findings, found.findings, "what was found stays");
    assert!(drift.summary.error.is_some());
    assert_eq!(
        rig.condition(tenant.id, ConditionType::Drifted).await.0,
        ConditionStatus::True
    );
}

#[tokio::test]
async fn a_check_under_way_is_given_up_when_the_worker_stops() {
    let mut stage = Stage::set(&Patience::default()).await;
    let (tenant, _) = stage.onboard().await;
    stage.to_the_end(&tenant, "onboarding").await;
    stage.proxy.follow(Plan::Share {
        seed: 1,
        per_mille: 1_000,
        faults: vec![Fault::Silence],
    });
    let (context, stop) = (stage.rig.context.clone(), CancellationToken::new());
    let stopped = stop.clone();
    let checking = tokio::spawn(async move { find_drift::run(&context, stopped).await });
    let silent = async {
        while !stage.proxy.struck() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), silent)
        .await
        .expect("a call without an answer");
    stop.cancel();
    // Far less than AWS is waited for.
    tokio::time::timeout(Duration::from_secs(2), checking)
        .await
        .expect("the worker has not stopped")
        .unwrap();
}
