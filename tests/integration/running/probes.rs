//! What a cluster asks processes for, with nothing but the binary.

use super::start_api;
use crate::installation::{self, process::free_port};

#[test]
fn the_probe_fails_unless_the_answer_is_a_success() {
    installation::run(|installation| async move {
        let (_api, url) = start_api(installation, None, "probed", &[]).await;
        let probe = |url: &str| installation.service(None, &["probe", url]).output();
        assert!(
            probe(url.join("/readyz").expect("a URL").as_str())
                .status
                .success()
        );
        for (url, words) in [
            (url.join("/nowhere").expect("a URL").to_string(), "404"),
            (format!("http://127.0.0.1:{}/", free_port()), "does not answer"),
            ("nonsense".to_owned(), "invalid value"),
        ] {
            let output = probe(&url);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && told.contains(words), "{url}: {told}");
        }
    });
}

#[test]
fn a_worker_answers_probes_and_nothing_else() {
    installation::run(|installation| async move {
        let port = free_port();
        let _worker = installation
            .service(None, &["worker"])
            .variable("STEPGATE_WORKER_LISTEN", &format!("127.0.0.1:{port}"))
            .start(&installation.folder().join("probed-worker.log"));
        let url = url::Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
        installation::wait_for(url.join("/readyz").expect("a URL")).await;
        for path in ["/v1/tenants", "/docs", "/openapi.json", "/"] {
            assert_eq!(super::status(&url, path).await, 404, "{path}");
        }
    });
}
