//! The console's part of A33: visitors who forge sessions, sign-ins, forms and links.

use crate::bench::Bench;
use crate::outcome::Trials;
use anyhow::Context as _;
use reqwest::{Method, Response, StatusCode};
use url::Url;

/// A session that nobody has.
const FORGED: &str = "__Host-stepgate=abababababababababababababababababababababababababababababababab";

/// Somebody at the console's door.
struct Stranger {
    http: reqwest::Client,
    base: Url,
}

impl Stranger {
    async fn send(
        &self,
        method: Method,
        path: &str,
        cookie: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Response> {
        let mut request = self.http.request(method.clone(), self.base.join(path)?);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        if method == Method::POST {
            request = request.form(form);
        }
        request
            .send()
            .await
            .with_context(|| format!("{path} got no answer"))
    }

    async fn get(&self, path: &str, cookie: &str) -> anyhow::Result<Response> {
        self.send(Method::GET, path, cookie, &[]).await
    }
}

/// Whether an answer leads to the sign-in and gives nothing.
fn shows_the_door(answer: &Response) -> bool {
    let location = header(answer, "location");
    answer.status() == StatusCode::SEE_OTHER
        && location.starts_with("/console/sign-in")
        && gives_nothing(answer)
}

fn gives_nothing(answer: &Response) -> bool {
    !answer.headers().contains_key("set-cookie")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Tries them.
pub(super) async fn forge_visitors(bench: &Bench, trials: &mut Trials) -> anyhow::Result<()> {
    let stranger = Stranger {
        http: crate::http::client()?,
        base: bench
            .target
            .api_url
            .clone()
            .context("the target has no api_url")?,
    };
    let tenant = format!("/console/tenants/{}", bench.target.tenant_id);
    sessions(&stranger, &tenant, trials).await?;
    sign_ins(&stranger, trials).await?;
    pages(&stranger, trials).await
}

/// Sessions that nobody was given: of invented ones, of an API key, of none.
async fn sessions(stranger: &Stranger, tenant: &str, trials: &mut Trials) -> anyhow::Result<()> {
    for cookie in [
        "",
        FORGED,
        "__Host-stepgate=",
        "__Host-stepgate=x; __Host-stepgate=' OR 1=1",
    ] {
        for path in ["/console", tenant, "/console/audit", "/console/cells"] {
            let answer = stranger.get(path, cookie).await?;
            trials.holds(
                &format!("`{cookie}` at {path}"),
                shows_the_door(&answer),
                "shown the door",
            );
        }
        for verb in ["suspend", "resume", "users"] {
            let path = format!("{tenant}/{verb}");
            let form = [
                ("form_token", "x"),
                ("reason", "forged"),
                ("by", "username"),
                ("wanted", "a"),
            ];
            let answer = stranger.send(Method::POST, &path, cookie, &form).await?;
            trials.holds(
                &format!("`{cookie}` sends {verb}"),
                shows_the_door(&answer),
                "shown the door",
            );
        }
    }
    Ok(())
}

/// Sign-ins that nobody began, links that were not given, and doors that lead elsewhere.
async fn sign_ins(stranger: &Stranger, trials: &mut Trials) -> anyhow::Result<()> {
    let attempt = format!("__Host-stepgate-sign-in={}.0.staff.L2NvbnNvbGU", "ab".repeat(32));
    for cookie in ["", attempt.as_str()] {
        let answer = stranger
            .get("/console/callback?code=forged&state=forged", cookie)
            .await?;
        let refused = answer.status() == StatusCode::FORBIDDEN && gives_nothing(&answer);
        trials.holds("an answer to a sign-in that nobody began", refused, "403");
    }
    let answer = stranger
        .get(&format!("/console/enter/{}", "0".repeat(64)), "")
        .await?;
    let refused = answer.status() == StatusCode::FORBIDDEN && gives_nothing(&answer);
    trials.holds("a link of the demonstration, invented", refused, "403");
    for evil in [
        "https://evil.example",
        "//evil.example",
        "/console\\@evil.example",
    ] {
        let query: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let answer = stranger
            .get(&format!("/console/sign-in?return_to={query}"), "")
            .await?;
        let text = answer.text().await?;
        trials.holds(
            &format!("a door to {evil}"),
            !text.contains("evil.example"),
            "not gone through",
        );
    }
    Ok(())
}

/// What pages let browsers do, and what an address can put into them.
async fn pages(stranger: &Stranger, trials: &mut Trials) -> anyhow::Result<()> {
    for path in [
        "/console/sign-in",
        "/console/callback",
        "/console/assets/nothing.js",
    ] {
        let answer = stranger.get(path, "").await?;
        let policy = header(&answer, "content-security-policy").to_owned();
        let strict = policy.contains("default-src 'none'") && !policy.contains("unsafe");
        trials.holds(&format!("script from elsewhere in {path}"), strict, "not run");
        let framed =
            policy.contains("frame-ancestors 'none'") && header(&answer, "x-frame-options") == "DENY";
        trials.holds(&format!("{path} in a frame"), framed, "not framed");
    }
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for path in [
        format!("/console/{script}"),
        format!("/console/sign-in?return_to={script}"),
        format!("/console/sign-in/{script}"),
        format!("/console/callback?error={script}"),
    ] {
        let text = stranger.get(&path, "").await?.text().await?;
        trials.holds(
            &format!("script in {path}"),
            !text.contains("<script>alert"),
            "text",
        );
    }
    Ok(())
}
