//! A tenant, onboarded as a partner does it.

use super::{ACCOUNT, Installation, REGION};
use crate::support::env::required as given;
use attacks::bench::{App, Bench};
use attacks::stepgate::any_method_policy;
use attacks::target::TargetFile;
use serde_json::{Value, json};

/// A tenant with an app whose policy accepts any shipped method.
pub(crate) struct Tenant {
    /// `tnt_…`
    pub(crate) id: String,
    /// What the API answered when it was made.
    pub(crate) made: Value,
    /// Users, apps and sign-ins on it.
    pub(crate) bench: Bench,
}

impl Tenant {
    /// Its app.
    pub(crate) fn app(&self) -> App {
        self.bench.main_app()
    }
}

impl Installation {
    /// Onboards a tenant and an app, and waits until users can sign in.
    pub(crate) async fn onboard(&self, name: &str) -> Tenant {
        let made = self
            .partner
            .post("/v1/tenants", &self.tenant_body(name))
            .await
            .expect("a tenant");
        self.partner
            .wait(&made["operation"])
            .await
            .expect("the tenant is provisioned");
        let id = made["tenant"]["id"].as_str().expect("an id").to_owned();
        let tenant = self
            .partner
            .get(&format!("/v1/tenants/{id}"))
            .await
            .expect("the tenant");
        assert_eq!(tenant["ready"], true, "{tenant}");
        let app = json!({ "name": "Main", "policy": any_method_policy() });
        let app = self.partner.make_app(&id, &app).await.expect("an app");
        let target: TargetFile = serde_json::from_value(json!({
            "aws_region": REGION,
            "aws_endpoint_url": self.aws_url,
            "aws_access_key_id": ACCOUNT,
            "aws_secret_access_key": "test",
            "python": given("STEPGATE_TEST_PYTHON"),
            "tenant_id": id,
            "user_pool_id": tenant["user_pool_id"],
            "client_id": app["client_id"],
            "app_id": app["id"],
            "api_url": self.api_url,
            "api_key": self.partner_key,
            "other_partner_api_key": self.other_partner_key,
            "blockid_url": format!("http://{}", self.tenant_dns()),
            "client_secret": self.client_secret,
        }))
        .expect("a target");
        Tenant {
            id,
            made,
            bench: Bench::new(target).expect("a bench"),
        }
    }

    /// What a partner posts to onboard a tenant.
    pub(crate) fn tenant_body(&self, name: &str) -> Value {
        json!({
            "name": name,
            "blockid": {
                "tenant_dns": self.tenant_dns(),
                "community": "default",
                "client_id": "demo-client",
                "client_secret": self.client_secret,
            },
            "pool": { "attributes": [{ "name": "unit" }] },
        })
    }
}
