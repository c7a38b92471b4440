//! Every panel of the chart's dashboards, asked of a real Prometheus that scrapes the service under load.

use super::{exported::check_what_is_exported, scrape};
use crate::{
    events::rig::Rig,
    installation::{
        REGION,
        process::{Child, Program, free_port},
        wait_for,
    },
    support::{Caller, ENCRYPTION_KEY, env, examples},
};
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use stepgate::{
    aws::Aws,
    clock::{Clock as _, SystemClock},
    worker::call_budget::SharedBudget,
};
use url::Url;

/// Looks at a panel that has no data yet, and the pause between two: a rate needs some scrapes.
const LOOKS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// Dashboards of what the service says itself. The other one is about kube-state-metrics.
const DASHBOARDS: [&str; 4] = ["fleet", "step-up", "provisioning", "service"];

#[tokio::test]
async fn every_panel_has_data_of_a_system_under_load() {
    let Ok(prometheus) = std::env::var("STEPGATE_TEST_PROMETHEUS") else {
        // `cargo xtask test` says at its end how to get it.
        println!("skipped: no prometheus");
        return;
    };
    let rig = Rig::start().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboards-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // The load is many sign-ins of few tenants, and makes a tenant each time.
    sqlx::raw_sql("UPDATE cells SET quotas = '{\"sign_in_calls_per_s\": 1000000}'")
        .execute(&rig.app.owner)
        .await
        .unwrap();
    let system = System::start(&rig, &folder).await;
    let _prometheus = start_prometheus(&prometheus, &folder, &system).await;
    let load = async {
        loop {
            system.load(&rig).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = load => {}
        () = ask_every_panel(&system) => {}
    }
    no_label_was_renamed(&system).await;
    check_what_is_exported(&[scrape(&system.metrics[0]).await, scrape(&system.metrics[1]).await]);
    drop(std::fs::remove_dir_all(&folder));
}

/// API and worker as processes, on the database of a rig.
struct System {
    metrics: [Url; 2],
    prometheus: Url,
    partner: Caller,
    nobody: Caller,
    webhook: String,
    aws: Aws,
    _children: [Child; 2],
}

impl System {
    async fn start(rig: &Rig, folder: &Path) -> Self {
        let (api, metrics) = (free_port(), [free_port(), free_port()]);
        let program = |command: &str, metrics: u16| {
            Program::new(env!("CARGO_BIN_EXE_stepgate"))
                .arguments(&[command])
                .variable(
                    "STEPGATE_DATABASE_URL",
                    rig.app.context.config.database.url.expose_secret(),
                )
                .variable("STEPGATE_LISTEN", &format!("127.0.0.1:{api}"))
                .variable("STEPGATE_METRICS_LISTEN", &format!("127.0.0.1:{metrics}"))
                .variable("STEPGATE_METRICS_TENANTS", &rig.tenant)
                .variable("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
                .variable("STEPGATE_WORKER_POLL_MS", "100")
                .variable("STEPGATE_RATE_LIMIT_PER_MIN", "0")
                .variable("STEPGATE_ENCRYPTION_KEY", ENCRYPTION_KEY)
                .variable("STEPGATE_ALLOWED_WEBHOOK_NETWORKS", "127.0.0.1/32")
                .variable(
                    "AWS_ENDPOINT_URL",
                    &env::required("STEPGATE_TEST_AWS_ENDPOINT_URL"),
                )
                .variable("AWS_REGION", REGION)
                .variable("AWS_ACCESS_KEY_ID", &rig.app.account_id)
                .variable("AWS_SECRET_ACCESS_KEY", "test")
        };
        let children = [
            program("serve", metrics[0]).start(&folder.join("serve.log")),
            program("worker", metrics[1]).start(&folder.join("worker.log")),
        ];
        let local = |port: u16| Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        wait_for(local(api).join("/readyz").unwrap()).await;
        wait_for(local(metrics[1]).join("/metrics").unwrap()).await;
        let partner = rig.acme.admin.at(local(api).as_str().trim_end_matches('/'));
        // Nobody listens there: attempts are refused.
        let body = json!({"url": format!("http://127.0.0.1:{}/", free_port()), "events": ["tenant.ready"]});
        let webhook = partner.post("/v1/webhooks", body).await.expect(201);
        Self {
            metrics: metrics.map(local),
            prometheus: local(free_port()),
            nobody: partner.with_key(None),
            partner,
            webhook: webhook["id"].as_str().unwrap().to_owned(),
            // As a worker has it; the rig's tenants never come to a call that is counted.
            aws: rig
                .app
                .context
                .aws
                .budgeted(Arc::new(SharedBudget(rig.app.context.db.clone()))),
            _children: children,
        }
    }

    /// A little of everything: requests, good and bad, changes, messages, events, a call within the budget.
    async fn load(&self, rig: &Rig) {
        let stack = self.aws.cloudformation(REGION).describe("stepgate-nothing").await;
        assert!(stack.unwrap().is_none());
        self.partner.get("/v1/tenants").await.expect(200);
        self.partner
            .get("/v1/tenants/tnt_01jd7v0p3h8s5k2m4n6q9r1t0w")
            .await
            .problem(404, "not_found");
        self.nobody
            .get("/v1/tenants")
            .await
            .problem(401, "unauthenticated");
        let test = format!("/v1/webhooks/{}:test", self.webhook);
        self.partner
            .call(reqwest::Method::POST, &test, None)
            .await
            .expect(202);
        let mut name = [0_u8; 6];
        rig.app.context.ids.fill(&mut name);
        let tenant = examples::tenant(&hex::encode(name));
        self.partner.post("/v1/tenants", tenant).await.expect(202);
        let now = SystemClock.now();
        let mut events = Vec::new();
        for number in 0..20 {
            let began = now - TimeDelta::seconds(30);
            let journey = rig.journey(began);
            events.push(rig.event("started", &journey, None, began));
            events.push(rig.event("tokens", &journey, None, now));
            let mut answer = rig.event(
                if number % 4 == 0 { "failed" } else { "succeeded" },
                &journey,
                Some(1),
                now,
            );
            if number % 4 == 0 {
                answer["reason"] = json!("code_rejected");
            }
            events.push(answer);
        }
        rig.send([rig.body(&events), "not JSON".to_owned()]).await;
    }
}

async fn start_prometheus(program: &str, folder: &Path, system: &System) -> Child {
    let config = folder.join("prometheus.yaml");
    let targets: Vec<String> = system
        .metrics
        .iter()
        .map(|url| url.authority().to_owned())
        .collect();
    // JSON is YAML. The labels are those that the Prometheus operator sets; one of ours by the same name would be renamed.
    let text = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{
            "job_name": "stepgate",
            "static_configs": [{"targets": targets, "labels": {
                "namespace": "stepgate", "service": "stepgate-metrics", "pod": "stepgate-0", "container": "stepgate", "endpoint": "metrics",
            }}],
        }],
    });
    std::fs::write(&config, text.to_string()).unwrap();
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    let arguments = [
        flag("config.file", config.to_str().unwrap()),
        flag("storage.tsdb.path", folder.join("tsdb").to_str().unwrap()),
        flag("web.listen-address", system.prometheus.authority()),
    ];
    let child = Program::new(program)
        .arguments(&arguments.each_ref().map(String::as_str))
        .start(&folder.join("prometheus.log"));
    wait_for(system.prometheus.join("/-/ready").unwrap()).await;
    child
}

async fn ask_every_panel(system: &System) {
    let mut asked = 0;
    for name in DASHBOARDS {
        let file =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("helm/stepgate/dashboards/{name}.json"));
        let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                ask(system, &format!("{name}: {}", panel["title"]), expression).await;
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked} expressions");
    println!("{asked} expressions have data");
}

/// Prometheus renames a label of ours to `exported_…` where one that it sets has the same name.
async fn no_label_was_renamed(system: &System) {
    let url = system.prometheus.join("/api/v1/labels").unwrap();
    let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let labels: Vec<&str> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(labels.contains(&"aws_service"), "{labels:?}");
    assert!(
        !labels.iter().any(|label| label.starts_with("exported_")),
        "{labels:?}"
    );
}

async fn ask(system: &System, panel: &str, expression: &str) {
    // As Grafana puts its variables in, for all cells and tenants.
    let query = expression
        .replace("$__rate_interval", "15s")
        .replace("$namespace", "stepgate")
        .replace("$cell", ".*")
        .replace("$tenant", ".*");
    let mut url = system.prometheus.join("/api/v1/query").unwrap();
    url.query_pairs_mut().append_pair("query", &query);
    let mut last = Value::Null;
    for _ in 0..LOOKS {
        last = reqwest::get(url.clone()).await.unwrap().json().await.unwrap();
        assert_eq!(last["status"], "success", "{panel}: {query}: {last}");
        let result = last["data"]["result"].as_array().unwrap();
        if result.iter().any(|series| series["value"][1] != "NaN") {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("{panel} shows nothing: {query}: {last}");
}
