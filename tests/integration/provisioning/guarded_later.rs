//! What comes later in the life of a tenant under the shipped policies: somebody changes it past Stepgate, it is brought
//! to another release, and it ends, with its users.

use super::guarded::{Guarded, Life, Lived, given};
use crate::installation::ACCOUNT;
use crate::support::REGION;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use stepgate::{
    domain::{
        actor::OperatorScope,
        cell::{Release, release_name},
    },
    ids::{ReleaseId, TenantId},
    provisioning::{
        access::BOUNDARY_NAME,
        rebuild::{RebuildRequest, rebuild},
        template::{self, sha256_hex},
    },
    storage::{self, reconcile, releases},
    worker::jobs::find_drift,
};

impl Guarded {
    /// Everything after the first life of a tenant; ends at the first thing that is not allowed.
    pub(super) async fn later(&self, lived: &Lived) -> Life<()> {
        let path = format!("/v1/tenants/{}", lived.tenant_id);
        self.drift(lived, &path).await?;
        self.release(lived, &path).await?;
        self.found(lived).await?;
        self.end(&path).await
    }

    /// `stepgate cell rebuild` sees the tenant's stack, though its row is there.
    async fn found(&self, lived: &Lived) -> Life<()> {
        let request = RebuildRequest {
            region: REGION.to_owned(),
            tenant_id: lived.tenant_id.parse().ok(),
            apply: false,
        };
        let found = rebuild(&self.worker, &request).await;
        let found = found.map_err(|error| format!("rebuild: {error:#}"))?;
        assert_eq!(
            found.tenants.len(),
            1,
            "of {}: {:?}",
            lived.tenant_id,
            found.tenants
        );
        Ok(())
    }

    async fn drift(&self, lived: &Lived, path: &str) -> Life<()> {
        let heal = json!({ "drift_mode": "heal" });
        given("heal", 202, self.partner.patch(path, heal).await)?;
        self.work(path).await?;
        self.change_by_hand(lived, path).await;
        let found = self.check(lived, path).await?;
        let findings = found["findings"].as_array().unwrap();
        let differs = |part: &str| {
            findings
                .iter()
                .any(|one| one["path"].as_str().unwrap().contains(part))
        };
        for part in ["pool", "native_totp", "functions/", "roles/", "stack", "secrets/"] {
            assert!(differs(part), "nothing is found of {part}: {found}");
        }
        self.work(path).await?;
        let left = self.check(lived, path).await?;
        if left["findings"].as_array().unwrap().is_empty() {
            Ok(())
        } else {
            Err(format!("healed: {left}"))
        }
    }

    /// Compares this tenant with what is wanted, and none that an earlier life left behind.
    async fn check(&self, lived: &Lived, path: &str) -> Life<Value> {
        // The clock stands still, and so many checks a minute are begun in a cell.
        self.app.clock.advance(TimeDelta::minutes(2));
        let due = "UPDATE tenants SET drift_due_at = CASE WHEN id = $1 THEN NULL ELSE now() + interval '100 years' END";
        sqlx::query(due)
            .bind(&lived.tenant_id)
            .execute(&self.app.owner)
            .await
            .unwrap();
        assert_eq!(find_drift::check_due(&self.worker).await.unwrap(), 1);
        let report = given("drift", 200, self.partner.get(&format!("{path}/drift")).await)?;
        let unread = report["not_checked"].as_array().unwrap();
        if report["error"].is_null() && unread.is_empty() {
            Ok(report)
        } else {
            Err(format!("drift: {report}"))
        }
    }

    /// Changes one thing of each kind that is written back. Inline policies of roles are left out: the emulator does not
    /// know the boundary of a role when it asks whether they may be written.
    async fn change_by_hand(&self, lived: &Lived, path: &str) {
        use aws_sdk_cognitoidentityprovider::types::{SoftwareTokenMfaConfigType, UserPoolMfaType};
        let sdk = self.root.region(REGION);
        let tenant = self.partner.get(path).await.expect(200);
        let pool_id = tenant["user_pool_id"].as_str().unwrap();
        let name = format!("stepgate-{}", lived.ulid());
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
        let totp = SoftwareTokenMfaConfigType::builder().enabled(true).build();
        let mfa = cognito.set_user_pool_mfa_config().user_pool_id(pool_id);
        mfa.mfa_configuration(UserPoolMfaType::Optional)
            .software_token_mfa_configuration(totp)
            .send()
            .await
            .unwrap();
        let lambda = aws_sdk_lambda::Client::new(&sdk);
        let verify = format!("{name}-verify");
        let slower = lambda.update_function_configuration().function_name(&verify);
        slower.memory_size(128).send().await.unwrap();
        let mut zip = b"PK\x05\x06".to_vec();
        zip.extend([0_u8; 18]);
        let code = lambda.update_function_code().function_name(&verify);
        code.zip_file(aws_sdk_lambda::primitives::Blob::new(zip))
            .send()
            .await
            .unwrap();
        let iam = aws_sdk_iam::Client::new(&sdk);
        let anybody = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }]});
        let trust = iam.update_assume_role_policy().role_name(&verify);
        trust.policy_document(anybody.to_string()).send().await.unwrap();
        let attach = iam.attach_role_policy().role_name(&verify);
        attach
            .policy_arn(format!("arn:aws:iam::{ACCOUNT}:policy/stepgate/{BOUNDARY_NAME}"))
            .send()
            .await
            .unwrap();
        let cloudformation = self.root.cloudformation(REGION);
        cloudformation.lift_termination_protection(&name).await.unwrap();
        let secrets = self.root.secrets_manager(REGION);
        secrets
            .delete_resource_policy(&lived.credentials_arn)
            .await
            .unwrap();
        let settings: String = sqlx::query_scalar("SELECT settings_secret_name FROM tenants WHERE id = $1")
            .bind(&lived.tenant_id)
            .fetch_one(&self.app.owner)
            .await
            .unwrap();
        let shared = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": "secretsmanager:GetSecretValue", "Resource": "*" }]});
        secrets
            .put_resource_policy(&settings, &shared.to_string())
            .await
            .unwrap();
    }

    /// Another template and the same artifacts; and the probe that a rollout makes of both functions.
    async fn release(&self, lived: &Lived, path: &str) -> Life<()> {
        let id: TenantId = lived.tenant_id.parse().unwrap();
        let scope = OperatorScope::command_line();
        let mut tx = self.worker.db.begin(&scope).await.unwrap();
        let desired = reconcile::look(&mut tx, &scope.into(), id).await.unwrap();
        let body = template::tenant()
            .body
            .replace("fails or refuses tokens often", "fails often");
        let digest = sha256_hex(&[&body]);
        let now = self.worker.clock.now();
        let release = Release {
            id: ReleaseId::generate(&self.worker.ids, now),
            cell_id: desired.cell.id,
            name: release_name(&desired.cell.artifacts, &digest),
            artifacts: desired.cell.artifacts.clone(),
            template_sha256: digest,
            created_at: now,
        };
        let (release, _) = releases::register(&mut tx, &scope, &release, &body)
            .await
            .unwrap();
        assert!(
            storage::rollouts::tenants::set_release(&mut tx, &scope, id, Some(release.id))
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let renamed = json!({ "name": format!("{} again", lived.tenant_id) });
        given("release", 202, self.partner.patch(path, renamed).await)?;
        self.work(path).await?;
        let name = format!("stepgate-{}", lived.ulid());
        let stack = self.root.cloudformation(REGION).describe(&name).await.unwrap();
        let digest = stack.unwrap().parameters.get("TemplateDigest").cloned();
        assert_eq!(digest.as_ref(), Some(&release.template_sha256));
        let lambda = self.worker.aws.lambda(REGION);
        for function in ["challenge", "verify"] {
            let arn = format!(
                "arn:aws:lambda:{REGION}:{ACCOUNT}:function:stepgate-{}-{function}",
                lived.ulid()
            );
            let probed = lambda.invoke(&arn, &json!({})).await;
            probed.map_err(|error| format!("probe: {error}"))?;
        }
        Ok(())
    }

    /// Deleted, restored, deleted again, exported and purged with its users.
    async fn end(&self, path: &str) -> Life<()> {
        let delete = async || {
            let deleted = self.partner.call(Method::DELETE, path, None).await;
            let deleted = given("delete", 202, deleted)?;
            self.through(&deleted).await
        };
        delete().await?;
        let reason = json!({ "reason": "drill" });
        let restored = self
            .partner
            .post(&format!("{path}:restore"), reason.clone())
            .await;
        given("restore", 202, restored)?;
        self.work(path).await?;
        delete().await?;
        let export = self.partner.post(&format!("{path}/users:export"), reason).await;
        let lines = export.text.lines().count();
        given("export", 200, export)?;
        if lines != 1 {
            return Err(format!("export: {lines} users, denied?"));
        }
        self.app.clock.advance(TimeDelta::days(31));
        let purge = format!("{path}:purge");
        let mut body = json!({ "reason": "drill", "retain_user_pool": false });
        let told = given("purge", 409, self.partner.post(&purge, body.clone()).await)?;
        body["confirm"] = told["confirmation"]["confirm"].clone();
        let accepted = given("purge", 202, self.partner.post(&purge, body).await)?;
        self.through(&accepted).await?;
        let gone = given("gone", 200, self.partner.get(path).await)?;
        if gone["state"] == "deleted" {
            Ok(())
        } else {
            Err(format!("purge: {gone}"))
        }
    }

    /// Takes everything through a pass; fails unless the operation of this answer succeeds by it.
    async fn through(&self, accepted: &Value) -> Life<()> {
        Box::pin(stepgate::worker::jobs::reconcile_tenants::run_until_idle(
            &self.worker,
            "worker",
        ))
        .await
        .unwrap();
        let operation = format!("/v1/operations/{}", accepted["operation"]["id"].as_str().unwrap());
        let operation = given("operation", 200, self.partner.get(&operation).await)?;
        if operation["state"] == "succeeded" {
            Ok(())
        } else {
            Err(format!("operation: {operation}"))
        }
    }
}
