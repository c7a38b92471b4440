//! Webhooks: where they may lead, and who hears of whose tenants.

use crate::bench::{Bench, random_letters};
use crate::outcome::Trials;
use crate::stepgate::{ApiAnswer, Stepgate};
use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Looks at a delivery before giving up, and the pause between two.
const LOOKS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(200);
/// Most that is read of a message, and for how long.
const MESSAGE_BYTES: usize = 256 * 1024;
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// URLs that lead inside, or say something else than where to, and the part of the answer that names them.
const INSIDE: [&str; 16] = [
    "https://10.0.0.1/x",
    "https://172.16.0.1/x",
    "https://192.168.0.1/x",
    "https://100.64.0.1/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://0x0a000001/x",
    "https://167772161/x",
    "https://012.0.0.1/x",
    "https://[::ffff:169.254.169.254]/x",
    "https://[fd00:ec2::254]/x",
    "https://[fe80::1]/x",
    "http://hooks.acme.example/x",
    "https://user:password@127.0.0.1/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
];

/// Redirects, and how each would be followed.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Status and place of a redirect; `None` when there is none.
type Redirect = Option<(u16, String)>;

/// A receiver on this machine that counts what it is sent. It stops when dropped.
struct Receiver {
    address: SocketAddr,
    received: Arc<AtomicUsize>,
    redirect: Arc<Mutex<Redirect>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (received, redirect) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Redirect>>::default());
        let (count, answer) = (Arc::clone(&received), Arc::clone(&redirect));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let redirect = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // A sender that goes away is none of our business.
                tokio::spawn(tokio::time::timeout(
                    MESSAGE_TIMEOUT,
                    answer_one(stream, redirect),
                ));
            }
        });
        Ok(Self {
            address,
            received,
            redirect,
            task,
        })
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }

    fn redirect(&self, to: Redirect) {
        *self.redirect.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// Reads one request and answers it: with a redirect, or that all is well.
async fn answer_one(mut stream: TcpStream, redirect: Redirect) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut wanted = usize::MAX;
    while bytes.len() < wanted.min(MESSAGE_BYTES) {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok());
            wanted = end + 4 + length.unwrap_or_default();
        }
    }
    let head = match redirect {
        Some((status, to)) => format!("HTTP/1.1 {status} X\r\nlocation: {to}\r\n"),
        None => "HTTP/1.1 204 X\r\n".to_owned(),
    };
    let answer = format!("{head}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await
}

/// A webhook of a partner.
struct Webhook {
    path: String,
    id: String,
}

impl Webhook {
    async fn try_make(api: &Stepgate, url: &str, events: &Value) -> anyhow::Result<ApiAnswer> {
        let body =
            json!({ "url": url, "description": format!("attack {}", random_letters(8)), "events": events });
        api.call(Method::POST, "/v1/webhooks", None, Some(&body)).await
    }

    fn made(answer: ApiAnswer) -> anyhow::Result<Self> {
        let made = answer.ok("POST /v1/webhooks")?;
        let id = made["id"].as_str().context("a webhook without id")?.to_owned();
        Ok(Self {
            path: format!("/v1/webhooks/{id}"),
            id,
        })
    }

    /// Sends a test message; returns the id of its delivery.
    async fn test(&self, api: &Stepgate) -> anyhow::Result<String> {
        let sent = api
            .call(Method::POST, &format!("{}:test", self.path), None, None)
            .await?
            .ok("a test message")?;
        sent["id"]
            .as_str()
            .map(str::to_owned)
            .context("a delivery without id")
    }

    /// A delivery after its first attempt.
    async fn attempted(&self, api: &Stepgate, delivery: &str) -> anyhow::Result<Value> {
        let path = format!("{}/deliveries/{delivery}", self.path);
        for _ in 0..LOOKS {
            let told = api.get(&path).await?;
            if !told["last_status"].is_null() || !told["last_error"].is_null() {
                return Ok(told);
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("nobody attempted the delivery {delivery}")
    }

    async fn deliveries(&self, api: &Stepgate) -> anyhow::Result<Vec<Value>> {
        let page = api.get(&format!("{}/deliveries?limit=100", self.path)).await?;
        Ok(page["items"].as_array().cloned().unwrap_or_default())
    }

    async fn remove(&self, api: &Stepgate) -> anyhow::Result<()> {
        api.call(Method::DELETE, &self.path, None, None)
            .await?
            .ok("the webhook's removal")?;
        Ok(())
    }
}

/// The webhook part of A33: messages, and what is in them, lured elsewhere.
pub(super) async fn lured(bench: &Bench, trials: &mut Trials) -> anyhow::Result<()> {
    let api = bench.api()?;
    let events = json!(["tenant.ready"]);
    let refused = |answer: &ApiAnswer| {
        let errors = answer.body["errors"].as_array();
        answer.status == 422 && errors.is_some_and(|all| all.iter().any(|one| one["pointer"] == "/url"))
    };
    for url in INSIDE {
        let answer = Webhook::try_make(api, url, &events).await?;
        trials.holds(
            &format!("a webhook to {url}"),
            refused(&answer),
            "validation_failed",
        );
    }
    let receiver = Receiver::start().await?;
    let answer = Webhook::try_make(api, &receiver.url(), &events).await?;
    if bench.target.aws_endpoint_url.is_none() {
        // Only an installation for development speaks to loopback; elsewhere there is nothing to be redirected by.
        trials.holds("a webhook to loopback", refused(&answer), "validation_failed");
        return Ok(());
    }
    let webhook = Webhook::made(answer)?;
    for url in INSIDE {
        let moved = json!({ "url": url });
        let answer = api.change(Method::PATCH, &webhook.path, &moved).await?;
        trials.holds(
            &format!("a webhook moved to {url}"),
            refused(&answer),
            "validation_failed",
        );
    }
    let elsewhere = Receiver::start().await?;
    for status in REDIRECTS {
        for to in [
            elsewhere.url(),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
        ] {
            receiver.redirect(Some((status, to)));
            let before = receiver.received();
            let delivery = webhook.test(api).await?;
            let told = webhook.attempted(api, &delivery).await?;
            let unmoved = told["last_status"] == status && told["state"] == "pending";
            anyhow::ensure!(receiver.received() > before, "the message did not arrive: {told}");
            trials.holds(
                &format!("redirect {status}: {told}"),
                unmoved,
                "redirect not followed",
            );
        }
    }
    trials.holds("redirects", elsewhere.received() == 0, "nothing sent elsewhere");
    // The control: it could have been reached.
    receiver.redirect(None);
    let moved = json!({ "url": elsewhere.url() });
    let answer = api.change(Method::PATCH, &webhook.path, &moved).await?;
    answer.ok("the webhook moved")?;
    let delivery = webhook.test(api).await?;
    let told = webhook.attempted(api, &delivery).await?;
    anyhow::ensure!(told["last_status"] == 204, "the control fails: {told}");
    webhook.remove(api).await
}

/// The webhooks of two partners, for A24.
pub(super) struct Hooks {
    own: Webhook,
    foreign: Webhook,
    receiver: Receiver,
    before: Value,
    deliveries: usize,
}

impl Hooks {
    /// A webhook of each partner that is told everything there is.
    pub(super) async fn make(bench: &Bench, own: &Stepgate, foreign: &Stepgate) -> anyhow::Result<Self> {
        let document = own.get("/openapi.json").await?;
        let events = document
            .pointer("/components/schemas/EventType/enum")
            .context("the document names no events")?;
        let receiver = Receiver::start().await?;
        // Where loopback is refused, the installation itself is an address that does no harm.
        let url = match bench.target.aws_endpoint_url {
            Some(_) => receiver.url(),
            None => bench
                .target
                .api_url
                .as_ref()
                .context("no API")?
                .join("/healthz")?
                .to_string(),
        };
        let make = async |api| Webhook::made(Webhook::try_make(api, &url, events).await?);
        Ok(Self {
            own: make(own).await?,
            foreign: make(foreign).await?,
            receiver,
            before: Value::Null,
            deliveries: 0,
        })
    }

    /// Waits until this partner was told that its tenant is ready; returns the ids that paths name.
    pub(super) async fn told(&mut self, own: &Stepgate) -> anyhow::Result<[(String, String); 2]> {
        for _ in 0..LOOKS {
            let deliveries = self.own.deliveries(own).await?;
            if deliveries.iter().any(|one| one["event"] == "tenant.ready") {
                let id = deliveries[0]["id"].as_str().context("a delivery without id")?;
                let ids = [
                    ("webhook_id".to_owned(), self.own.id.clone()),
                    ("delivery_id".to_owned(), id.to_owned()),
                ];
                self.deliveries = deliveries.len();
                self.before = own.get(&self.own.path).await?;
                return Ok(ids);
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("the tenant's partner was told nothing")
    }

    /// The other partner heard nothing of it, and nothing that it tried had an effect.
    pub(super) async fn afterwards(
        self,
        own: &Stepgate,
        foreign: &Stepgate,
        trials: &mut Trials,
    ) -> anyhow::Result<()> {
        let heard = self.foreign.deliveries(foreign).await?;
        trials.holds("the other partner's webhook", heard.is_empty(), "told nothing");
        let fields = ["url", "description", "events", "enabled", "updated_at"];
        let now = own.get(&self.own.path).await?;
        let same = fields.iter().all(|field| now[*field] == self.before[*field]);
        trials.holds("the webhook afterwards", same, "unchanged");
        let deliveries = self.own.deliveries(own).await?;
        let tested = deliveries.iter().any(|one| one["event"] == "webhook.test");
        trials.holds(
            "test messages and replays",
            !tested && deliveries.len() >= self.deliveries,
            "nothing sent",
        );
        self.own.remove(own).await?;
        self.foreign.remove(foreign).await?;
        drop(self.receiver);
        Ok(())
    }
}
