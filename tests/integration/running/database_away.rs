//! The database goes away and comes back: readiness falls and rises again, nothing restarts, no work is lost.

use super::{start_api, status, stop};
use crate::installation::{self, wait_for, way::Way};
use std::time::Duration;
use url::Url;

#[test]
fn readiness_falls_with_the_database_and_rises_with_it() {
    installation::run(|installation| async move {
        let way = Way::to(installation.database_url()).await;
        let (api, url) = start_api(installation, Some(&way.url), "away-api", &[]).await;
        let port = installation::process::free_port();
        let probes = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
        let worker = installation
            .service(Some(&way.url), &["worker"])
            .variable("STEPGATE_WORKER_LISTEN", &format!("127.0.0.1:{port}"))
            .variable("STEPGATE_SHUTDOWN_GRACE_S", "5")
            .start(&installation.folder().join("away-worker.log"));
        let ready = probes.join("/readyz").expect("a URL");
        wait_for(ready.clone()).await;

        way.cut();
        for url in [&url, &probes] {
            assert_eq!(status(url, "/readyz").await, 503, "{url}");
            assert_eq!(status(url, "/healthz").await, 200, "{url}: no reason to restart");
        }
        assert_eq!(
            status(&url, "/v1/tenants").await,
            401,
            "what needs no database is answered"
        );

        way.mend();
        wait_for(url.join("/readyz").expect("a URL")).await;
        wait_for(ready).await;
        let partner = installation.partner_at(&url);
        partner.get("/v1/tenants").await.expect("it works again");
        assert_eq!(stop(worker).await, 0, "the same process, ending in order");
        drop(api);
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
}
