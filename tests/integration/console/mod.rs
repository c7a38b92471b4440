//! The console: who gets in, what they see, and what no other site can make them do.

mod browser;
mod forms;
mod links;
mod provider;
mod roles;
mod rollouts;
mod sign_in;
mod watched;

pub(crate) use browser::Browser;
pub(crate) use provider::Provider;

use crate::support::TestApp;
use stepgate::{domain::actor::Role, trust::issuer::Belongs};

/// The partner whose issuer is named in the configuration before the partner is there.
const PARTNER: &str = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";

/// An API whose operators sign in at one issuer and whose partner `acme` at another.
pub(crate) struct Stage {
    pub(crate) app: TestApp,
    pub(crate) staff: Provider,
    pub(crate) acme_staff: Provider,
    pub(crate) acme: crate::support::Partner,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let roles = [("ops", Role::Operator), ("look", Role::Auditor)];
        let staff = Provider::start("staff", Belongs::Installation, roles);
        let roles = [("write", Role::PartnerAdmin), ("read", Role::PartnerReader)];
        let acme_staff = Provider::start("acme", Belongs::Partner(PARTNER.parse().unwrap()), roles);
        let issuers = vec![staff.trusted(), acme_staff.trusted()];
        let app = TestApp::start_with(|config| {
            config.trusted_issuers = issuers;
            config.console.origin = Some(browser::ORIGIN.to_owned());
        })
        .await;
        app.add_cell("eu-central-1").await;
        let mut acme = app.partner("acme").await;
        app.rename_partner(&acme.id, PARTNER).await;
        PARTNER.clone_into(&mut acme.id);
        Self {
            app,
            staff,
            acme_staff,
            acme,
        }
    }

    /// A browser in which somebody with this role word has signed in at the installation's issuer.
    pub(crate) async fn staff_browser(&self, word: &str) -> Browser {
        let mut browser = Browser::new(&self.app);
        self.staff.answers_with(serde_json::json!({"groups": [word]}));
        browser.sign_in(&self.staff).await.expect_redirect("/console");
        browser
    }

    /// The same at the partner's.
    pub(crate) async fn acme_browser(&self, word: &str) -> Browser {
        let mut browser = Browser::new(&self.app);
        self.acme_staff
            .answers_with(serde_json::json!({"groups": [word]}));
        browser
            .sign_in(&self.acme_staff)
            .await
            .expect_redirect("/console");
        browser
    }

    /// How many sessions there are.
    pub(crate) async fn sessions(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM console_sessions")
            .fetch_one(&self.app.owner)
            .await
            .unwrap()
    }
}

/// Paths of every route of the console with this method, with ids that nothing has; read from the sources, so that none is
/// forgotten.
pub(crate) fn routes(method: &str) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/pages");
    let mut routes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for rest in text.split(&format!("#[{method}(\"")).skip(1) {
            let route = rest.split('"').next().unwrap();
            routes.push(filled(&format!("/console{route}")));
        }
    }
    routes.sort();
    assert!(routes.len() >= 6, "{routes:?}");
    routes
}

fn filled(route: &str) -> String {
    const INVENTED: &str = "01jd7v0p3h8s5k2m4n6q9r1t0z";
    route
        .replace("{tenant_id}", &format!("tnt_{INVENTED}"))
        .replace("{app_id}", &format!("app_{INVENTED}"))
        .replace("{operation_id}", &format!("op_{INVENTED}"))
        .replace("{rollout_id}", &format!("rlt_{INVENTED}"))
        .replace("{journey_id}", &format!("jrn_{INVENTED}"))
        .replace("{user_sub}", "f3b5a1c2-7d4e-4f60-9a1b-2c3d4e5f6071")
        .replace("{version}", "1")
        .replace("{issuer}", "nobody")
        .replace("{link}", &"ab".repeat(32))
}
