//! The routes, wired.

use crate::settings::Settings;
use crate::{bank, cognito, mailbox, page, timeline};
use actix_web::dev::Server;
use actix_web::http::header::X_CONTENT_TYPE_OPTIONS;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use attacks::aws::Aws;
use aws_credential_types::Credentials;
use resource_server::{
    Clock, Guard, HttpKeySource, InMemoryUsedTokens, KeyCache, KeyCacheLimits, SystemClock, UserPool,
};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;

/// Transfers remembered as done; ended with the process.
const REMEMBERED_TOKENS: usize = 10_000;

/// What only a demonstration looks at.
pub struct Emulator {
    http: reqwest::Client,
    base: url::Url,
    aws: Aws,
}

impl Emulator {
    fn new(settings: &Settings) -> anyhow::Result<Self> {
        let http = attacks::http::client()?;
        let base = settings.aws_endpoint_url.clone();
        // The emulator takes any credentials; these lead to the account in which the demonstration lives.
        let credentials = Credentials::new("stepgate-demo", "not-a-secret", None, None, "demo");
        let aws = Aws::new(http.clone(), Some(base.clone()), &settings.region, credentials);
        Ok(Self { http, base, aws })
    }

    /// One call of Cognito, as a browser would make it: without credentials.
    pub(crate) async fn cognito(&self, target: &str, body: Vec<u8>) -> Option<(u16, Value)> {
        let request = self
            .http
            .post(self.base.clone())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    /// Everything that was mailed.
    pub(crate) async fn mailbox(&self) -> Option<Value> {
        let url = self.base.join("/_ministack/ses/messages").ok()?;
        self.http.get(url).send().await.ok()?.json().await.ok()
    }

    /// Lines of every log group since a time.
    pub(crate) async fn log_lines(&self, since_ms: i64) -> anyhow::Result<Vec<String>> {
        let groups = self.aws.must("logs", "DescribeLogGroups", &json!({})).await?;
        let mut lines = Vec::new();
        for group in groups["logGroups"].as_array().into_iter().flatten() {
            let mut query = json!({ "logGroupName": group["logGroupName"], "startTime": since_ms });
            loop {
                let page = self.aws.must("logs", "FilterLogEvents", &query).await?;
                let messages = page["events"].as_array().into_iter().flatten();
                lines
                    .extend(messages.filter_map(|event| {
                        event["message"].as_str().map(|line| line.trim_end().to_owned())
                    }));
                match page["nextToken"].as_str() {
                    Some(token) => query["nextToken"] = token.into(),
                    None => break,
                }
            }
        }
        Ok(lines)
    }
}

/// Serves the app on a listener.
pub fn serve(settings: Settings, listener: TcpListener) -> anyhow::Result<Server> {
    let pool = UserPool::with_issuer(settings.issuer.clone(), [settings.client_id.clone()]);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // The emulator's tokens name AWS as their issuer, and its keys are at the emulator.
    let keys_url = settings
        .aws_endpoint_url
        .join(&format!("{}/.well-known/jwks.json", settings.user_pool_id))?;
    let keys = KeyCache::new(
        HttpKeySource::new(keys_url.as_str())?,
        KeyCacheLimits::default(),
        clock.clone(),
    );
    let used = InMemoryUsedTokens::with_capacity(REMEMBERED_TOKENS);
    let guard = Data::new(Guard::new(pool, keys, used, clock));
    let emulator = Data::new(Emulator::new(&settings)?);
    let settings = Data::new(settings);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(DefaultHeaders::new().add((X_CONTENT_TYPE_OPTIONS, "nosniff")))
            .app_data(guard.clone())
            .app_data(emulator.clone())
            .app_data(settings.clone())
            .configure(bank::configure)
            .configure(cognito::configure)
            .configure(mailbox::configure)
            .configure(timeline::configure)
            .configure(page::configure)
    })
    .workers(2)
    .listen(listener)?
    .run();
    Ok(server)
}
