//! Another partner of the same installation, and callers who are not who they say.

use super::{reports, webhooks::Hooks};
use crate::bench::Bench;
use crate::outcome::{Outcome, Trials};
use crate::stepgate::{ApiAnswer, Stepgate};
use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;

/// An id that nothing has.
const INVENTED: &str = "01jd7v0p3h8s5k2m4n6q9r1t0w";

/// A24: every operation of the document is called as another partner, with ids of this one.
///
/// A foreign id must answer exactly as an invented one: same status, code and text. What takes no id of the path must not
/// show any of this partner's.
pub(super) async fn a24(bench: &Bench) -> anyhow::Result<Outcome> {
    let (own, foreign) = (bench.api()?, &bench.other_partner()?);
    let mut hooks = Hooks::make(bench, own, foreign).await?;
    let mut ids = victim(bench, own).await?;
    ids.extend(hooks.told(own).await?);
    ids.extend(reports::own_event(bench, own).await?);
    let document = own.get("/openapi.json").await?;
    let mut trials = Trials::new();
    let paths = document["paths"]
        .as_object()
        .context("the document has no paths")?;
    let mut walked = 0;
    for (template, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let method: Method = method.to_uppercase().parse()?;
            let body = operation.get("requestBody").map(|body| example(&document, body));
            let name = format!("{method} {template}");
            if template.contains('{') {
                let known = call(foreign, &method, &fill(template, &ids, false), body.as_ref()).await?;
                let unknown = call(foreign, &method, &fill(template, &ids, true), body.as_ref()).await?;
                trials.holds(&name, !(200..300).contains(&known.status), "refused");
                trials.holds(
                    &format!("{name}: foreign against invented"),
                    told(&known) == told(&unknown),
                    "like an unknown id",
                );
            } else if method == Method::GET {
                for query in queries(operation, &ids) {
                    let answer = call(foreign, &method, &format!("{template}{query}"), None).await?;
                    let text = answer.body.to_string();
                    let shown = ids.values().find(|id| text.contains(id.as_str()));
                    trials.holds(&format!("{name}{query}"), shown.is_none(), "nothing in lists");
                }
            }
            walked += 1;
        }
    }
    anyhow::ensure!(walked >= 20, "only {walked} operations were walked");
    cursor(own, foreign, &ids, &mut trials).await?;
    idempotency_key(own, foreign, &ids, &mut trials).await?;
    reports::figures_and_streams(bench, own, foreign, &ids, &mut trials).await?;
    hooks.afterwards(own, foreign, &mut trials).await?;
    // Nothing of it had an effect.
    let tenant = own.get(&format!("/v1/tenants/{}", ids["tenant_id"])).await?;
    trials.holds(
        "the tenant afterwards",
        tenant["suspension"].is_null(),
        "unchanged",
    );
    Ok(trials.outcome())
}

/// Ids of this partner, by the names that paths give them.
async fn victim(bench: &Bench, own: &Stepgate) -> anyhow::Result<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an id");
    let tenant_id = bench.target.tenant_id.clone();
    let tenant = own.get(&format!("/v1/tenants/{tenant_id}")).await?;
    let partner_id = text(&tenant["partner_id"])?;
    let made = app(
        own,
        &tenant_id,
        &format!("victim-{}", crate::bench::random_letters(8)),
    )
    .await?;
    own.wait(&made["operation"]).await?;
    let keys = own.get(&format!("/v1/partners/{partner_id}/keys")).await?;
    Ok(BTreeMap::from([
        ("app_id".to_owned(), text(&made["app"]["id"])?),
        ("operation_id".to_owned(), text(&made["operation"]["id"])?),
        ("key_id".to_owned(), text(&keys["items"][0]["id"])?),
        ("partner_id".to_owned(), partner_id),
        ("tenant_id".to_owned(), tenant_id),
    ]))
}

async fn app(api: &Stepgate, tenant_id: &str, name: &str) -> anyhow::Result<Value> {
    let body = json!({ "name": name });
    api.post(&format!("/v1/tenants/{tenant_id}/apps"), &body).await
}

/// A path with this partner's ids, or with invented ones of the same kinds.
fn fill(template: &str, ids: &BTreeMap<String, String>, invented: bool) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        path.push_str(before);
        match ids.get(name) {
            Some(id) if invented => {
                let kind = id.split_once('_').map_or("", |(kind, _)| kind);
                path.extend([kind, "_", INVENTED]);
            }
            Some(id) => path.push_str(id),
            // Versions are numbers; of other kinds this partner has none, which is as good as an invented one.
            None => path.push('1'),
        }
        rest = after;
    }
    path + rest
}

/// The example of a body, so that it is not the body that is refused.
fn example(document: &Value, body: &Value) -> Value {
    let schema = &body["content"]["application/json"]["schema"];
    let reference = schema["$ref"]
        .as_str()
        .or_else(|| schema["oneOf"][1]["$ref"].as_str());
    let schema = reference
        .and_then(|reference| document.pointer(reference.trim_start_matches('#')))
        .unwrap_or(schema);
    let examples = schema.get("example").or_else(|| schema["examples"].get(0));
    examples.cloned().unwrap_or_else(|| json!({}))
}

/// Query strings that name what is another's.
fn queries(operation: &Value, ids: &BTreeMap<String, String>) -> Vec<String> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let named = parameters.iter().filter_map(|parameter| {
        let name = parameter["name"].as_str()?;
        ids.get(name).map(|id| format!("?{name}={id}"))
    });
    std::iter::once(String::new()).chain(named).collect()
}

async fn call(
    api: &Stepgate,
    method: &Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<ApiAnswer> {
    api.call(method.clone(), path, Some("\"1\""), body).await
}

/// What an answer tells, without the id of the request.
fn told(answer: &ApiAnswer) -> String {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    format!("{} {body}", answer.status)
}

/// A cursor of this partner's list continues nobody else's in it.
async fn cursor(
    own: &Stepgate,
    foreign: &Stepgate,
    ids: &BTreeMap<String, String>,
    trials: &mut Trials,
) -> anyhow::Result<()> {
    let apps = format!("/v1/tenants/{}/apps", ids["tenant_id"]);
    let page = own.get(&format!("{apps}?limit=1")).await?;
    let cursor = page["next_cursor"]
        .as_str()
        .context("the tenant has one app only")?;
    for list in ["/v1/tenants", apps.as_str()] {
        let answer = call(foreign, &Method::GET, &format!("{list}?cursor={cursor}"), None).await?;
        let text = answer.body.to_string();
        let shown = ids.values().any(|id| text.contains(id.as_str()));
        trials.holds(
            &format!("{list} with a foreign cursor"),
            !shown,
            "nothing in lists",
        );
    }
    Ok(())
}

/// The key under which this partner's request was answered gives nobody else that answer.
async fn idempotency_key(
    own: &Stepgate,
    foreign: &Stepgate,
    ids: &BTreeMap<String, String>,
    trials: &mut Trials,
) -> anyhow::Result<()> {
    let path = format!("/v1/tenants/{}/apps", ids["tenant_id"]);
    let key = crate::bench::random_letters(32);
    let body = json!({ "name": format!("once-{}", crate::bench::random_letters(8)) });
    let first = own.post_once(&path, &key, &body).await?;
    let again = own.post_once(&path, &key, &body).await?;
    anyhow::ensure!(
        first.status == 202 && told(&first) == told(&again),
        "a repeat does not get the same answer: {} {}",
        told(&first),
        told(&again)
    );
    let stolen = foreign.post_once(&path, &key, &body).await?;
    trials.holds("a foreign idempotency key", stolen.status == 404, "404");
    Ok(())
}

/// A33: callers by tokens that nobody signed, or that were signed with what everybody knows; and webhooks that are
/// lured elsewhere.
pub(super) async fn a33(bench: &Bench) -> anyhow::Result<Outcome> {
    let api = bench.api()?;
    let mut trials = Trials::new();
    let own = api.get("/v1/tenants").await?;
    anyhow::ensure!(
        own["items"].is_array(),
        "the control fails: the key reads no tenants"
    );
    let now_s = crate::bench::now_ms() / 1000;
    let claims = json!({
        "iss": bench.target.api_url.as_ref().map_or("https://stepgate.example", |url| url.as_str()),
        "aud": "https://stepgate.example", "sub": "attacker", "iat": now_s, "exp": now_s + 600,
        "role": "operator", "roles": ["operator"], "scope": "operator partner_admin",
    });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = |header: Value| format!("{}.{}", part(&header), part(&claims));
    let hmac = |secret: &[u8]| {
        let input = unsigned(json!({"alg": "HS256", "kid": "1", "typ": "JWT"}));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret)?;
        mac.update(input.as_bytes());
        anyhow::Ok(format!(
            "{input}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        ))
    };
    let tokens = [
        ("alg none", format!("{}.", unsigned(json!({"alg": "none"})))),
        (
            "alg None, spelled otherwise",
            format!("{}.", unsigned(json!({"alg": "nOnE", "kid": "1"}))),
        ),
        (
            "an empty signature",
            format!("{}.", unsigned(json!({"alg": "RS256", "kid": "1"}))),
        ),
        (
            "a signature of nobody",
            format!("{}.AAAA", unsigned(json!({"alg": "ES256", "kid": "1"}))),
        ),
        ("HS256 with an empty secret", hmac(b"")?),
        ("HS256 with a common secret", hmac(b"secret")?),
        (
            "a key of the right form",
            format!("sgk_{}_{}", "a".repeat(12), "b".repeat(43)),
        ),
        ("no token at all", String::new()),
    ];
    for (what, token) in tokens {
        let forger = api.with_key(token);
        for path in ["/v1/tenants", "/v1/cells", "/v1/partners"] {
            let answer = forger.call(Method::GET, path, None, None).await?;
            trials.holds(&format!("{what} at {path}"), answer.status == 401, "401");
        }
    }
    super::webhooks::lured(bench, &mut trials).await?;
    super::console::forge_visitors(bench, &mut trials).await?;
    Ok(trials.outcome())
}
