//! A secret that is planted and looked for everywhere: it may be in Secrets Manager and nowhere else.

use crate::installation;
use crate::observability::{receiver::Span, scrape};
use attacks::aws::Aws;
use serde_json::{Value, json};
use sqlx::Row as _;

#[test]
fn secrets_are_in_secrets_manager_and_nowhere_else() {
    installation::run(|installation| async move {
        let tenant = installation.tenant().await;
        let (bench, app) = (&tenant.bench, tenant.app());
        let user = bench.user().await.expect("a user");
        let challenge = bench.challenge(&app, &user).await.expect("a step-up");
        let posted = bench.posted(&challenge).await.expect("a code");
        let step = bench
            .answer(&app, &user, &challenge, &posted.answer())
            .await
            .expect("an answer");
        let tokens = step.tokens().expect("tokens");
        let refresh_token = tokens.refresh_token.clone().expect("a refresh token");
        let signature = |jwt: &str| jwt.rsplit('.').next().expect("a signature").to_owned();

        // Requests that fail late, with the secret in their body.
        let again = installation.tenant_body("Sign-in");
        let again = call(installation, "POST", "/v1/tenants", &again).await;
        assert!(
            again.contains("409") || again.contains("already"),
            "a name is taken once: {again}"
        );
        let mut wrong = installation.tenant_body("Other name");
        wrong["blockid"]["unknown"] = installation.client_secret.clone().into();
        let refused = call(installation, "POST", "/v1/tenants", &wrong).await;
        let mut wrong = installation.tenant_body("Other name");
        wrong["blockid"]["client_secret"] = json!([installation.client_secret]);
        let mistyped = call(installation, "POST", "/v1/tenants", &wrong).await;

        let needles = [
            ("client secret", installation.client_secret.clone()),
            ("password", user.password.clone()),
            ("code", posted.code.clone()),
            ("state", posted.state.clone()),
            ("ID token", signature(&tokens.id_token)),
            ("access token", signature(&tokens.access_token)),
            ("refresh token", signature(&refresh_token)),
        ];
        let aws = bench.aws().expect("the account");
        // Of both processes, and with the trace of a request that had the secret in its body.
        for name in ["stepgate-serve", "stepgate-worker"] {
            let of_process = |span: &Span| span.process["service.name"] == name;
            installation.traces.wait(name, of_process).await;
        }
        let create = |span: &Span| {
            let status = span.attributes.get("http.response.status_code");
            span.name == "POST createTenant" && status.is_some_and(|status| status.starts_with('4'))
        };
        installation.traces.wait("a refused request", create).await;
        let mut places = vec![
            ("database", database(installation).await),
            ("service logs", installation.service_logs()),
            ("traces", installation.traces.text()),
            ("metrics of serve", scrape(&installation.metrics[0]).await),
            ("metrics of worker", scrape(&installation.metrics[1]).await),
            ("function logs", function_logs(bench).await),
            ("stacks", stacks(aws, &tenant.id).await),
            ("API", api(installation, &tenant.id).await),
            ("problem of a taken name", again),
            ("problem of an unknown field", refused),
            ("problem of a wrong type", mistyped),
        ];
        for function in [
            attacks::functions::Trigger::Define,
            attacks::functions::Trigger::Verify,
        ] {
            places.push((
                "functions",
                bench.function(function).await.expect("a function").to_string(),
            ));
        }
        for (place, text) in &places {
            assert!(!text.is_empty(), "nothing was found in {place}");
            for (what, needle) in &needles {
                assert!(!text.contains(needle.as_str()), "the {what} is in: {place}");
            }
        }

        // And where it belongs.
        let arn = bench
            .function_variable(
                attacks::functions::Trigger::Verify,
                "STEPGATE_CREDENTIALS_SECRET_ARN",
            )
            .await
            .expect("an ARN");
        let described = aws
            .must("secretsmanager", "DescribeSecret", &json!({ "SecretId": arn }))
            .await;
        assert_eq!(described.expect("the secret")["ARN"], arn.as_str());
        bench
            .sign_in(&app, &user)
            .await
            .expect("verify can read it: the provider takes it");
    });
}

async fn call(installation: &installation::Installation, method: &str, path: &str, body: &Value) -> String {
    let method = method.parse().expect("a method");
    let answer = installation
        .partner
        .call(method, path, None, Some(body))
        .await
        .expect("an answer");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    format!("{} {}", answer.status, answer.body)
}

/// Every row of every table, as text, byte columns decoded as well.
async fn database(installation: &installation::Installation) -> String {
    let mut connection = installation.database().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the tables");
    assert!(
        tables.iter().any(|table| table.ends_with("tenants")),
        "{tables:?}"
    );
    let mut text = String::new();
    for table in tables {
        let query = format!("SELECT to_jsonb(t)::text AS row FROM {table} t");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .expect("rows");
        for row in rows {
            let row: String = row.get("row");
            text.push_str(&row);
            text.push_str(&decoded_bytes(&row));
            text.push('\n');
        }
    }
    text
}

/// What is inside the byte columns of a row, which JSON shows as `\x…`.
fn decoded_bytes(row: &str) -> String {
    let Ok(Value::Object(columns)) = serde_json::from_str::<Value>(row) else {
        return String::new();
    };
    let bytes = columns
        .values()
        .filter_map(|value| hex::decode(value.as_str()?.strip_prefix("\\x")?).ok());
    bytes
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

async fn function_logs(bench: &attacks::bench::Bench) -> String {
    let group = bench.log_group().await.expect("a log group");
    let messages = bench
        .aws()
        .expect("the account")
        .log_messages(&group, 0)
        .await
        .expect("the log");
    assert!(
        messages.iter().any(|message| message.contains("stepgate_event")),
        "no events were logged"
    );
    messages.join("\n")
}

/// Templates, parameters, outputs and events of the tenant's and the cell's stack.
async fn stacks(aws: &Aws, tenant_id: &str) -> String {
    let mut text = String::new();
    let tenant = format!("stepgate-{}", tenant_id.trim_start_matches("tnt_"));
    for stack in [tenant.as_str(), "stepgate-cell-e2e"] {
        for action in [
            "DescribeStacks",
            "GetTemplate",
            "DescribeStackEvents",
            "DescribeStackResources",
        ] {
            let answer = aws
                .query("cloudformation", "2010-05-15", action, &[("StackName", stack)])
                .await;
            text.push_str(&answer.expect("an answer").expect(action));
        }
    }
    text
}

/// What partner and operator can read.
async fn api(installation: &installation::Installation, tenant_id: &str) -> String {
    let mut text = String::new();
    let tenant = format!("/v1/tenants/{tenant_id}");
    let apps = installation
        .partner
        .get(&format!("{tenant}/apps"))
        .await
        .expect("the apps");
    for app in apps["items"].as_array().expect("apps") {
        let app = app["id"].as_str().expect("an id");
        let policy = installation
            .partner
            .get(&format!("{tenant}/apps/{app}/policy"))
            .await
            .expect("a policy");
        text.push_str(&policy.to_string());
    }
    text.push_str(&apps.to_string());
    for path in ["/v1/tenants", &tenant] {
        text.push_str(
            &installation
                .partner
                .get(path)
                .await
                .expect("an answer")
                .to_string(),
        );
    }
    text.push_str(
        &installation
            .operator
            .get("/v1/cells")
            .await
            .expect("the cells")
            .to_string(),
    );
    text
}
