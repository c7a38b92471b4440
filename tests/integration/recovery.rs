//! The database is lost, end to end: the command brings the rows back, a worker looks at everything, and users sign in
//! as before.

use crate::installation::{self, REGION, cell_apply};
use crate::support::env::required as given;
use serde_json::Value;
use sqlx::Connection as _;
use std::time::Duration;

/// Looks at the new database before giving up.
const LOOKS: u32 = 600;

#[test]
fn users_sign_in_as_before_when_the_rows_were_had_back_from_aws() {
    installation::run(|installation| async move {
        let tenant = installation.onboard("Recovered").await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        bench.sign_in(&app, &user).await.expect("tokens");

        let url = installation.empty_database().await;
        let command = |arguments: &[&str]| installation.service(Some(&url), arguments).finish();
        command(&["migrate"]);
        command(&cell_apply(&given("STEPGATE_TEST_ARTIFACTS_DIR")));
        let rebuild = [
            "cell",
            "rebuild",
            "--region",
            REGION,
            "--tenant",
            tenant.id.as_str(),
        ];
        for (asked, outcome) in [(false, "missing"), (true, "rebuilt"), (true, "present")] {
            let mut arguments = rebuild.to_vec();
            arguments.extend(asked.then_some("--apply"));
            let told: Value = serde_json::from_str(&command(&arguments)).expect("JSON");
            assert_eq!(told["tenants"].as_array().map(Vec::len), Some(1), "{told}");
            assert_eq!(told["tenants"][0]["outcome"], outcome, "{told}");
        }

        let mut database = sqlx::PgConnection::connect(&url).await.expect("the database");
        // Events are for the installation that the other tests look at.
        sqlx::query("UPDATE cells SET event_queue_url = NULL")
            .execute(&mut database)
            .await
            .expect("an update");
        let worker = installation
            .service(Some(&url), &["worker"])
            .start(&installation.folder().join("recovery-worker.log"));
        let mut ready = false;
        for _ in 0..LOOKS {
            ready = sqlx::query_scalar("SELECT observed_generation >= generation FROM tenants WHERE id = $1")
                .bind(&tenant.id)
                .fetch_one(&mut database)
                .await
                .expect("the tenant");
            if ready {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(ready, "the worker did not bring the tenant up");
        assert_eq!(worker.stop(), 0);
        bench
            .sign_in(&app, &user)
            .await
            .expect("tokens, with the client and the link of before");
        let policy: Value = sqlx::query_scalar("SELECT document FROM policy_versions WHERE app_id = $1")
            .bind(&app.id)
            .fetch_one(&mut database)
            .await
            .expect("a policy");
        let path = format!("/v1/tenants/{}/apps/{}/policy", tenant.id, app.id);
        let known = installation.partner.get(&path).await.expect("the policy");
        assert_eq!(policy, known["document"]);
    });
}
