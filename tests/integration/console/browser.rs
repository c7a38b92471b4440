//! A browser as far as the console needs one: cookies, redirects followed by hand, forms.

use super::Provider;
use crate::support::TestApp;
use reqwest::{Method, StatusCode, header::HeaderMap, redirect::Policy};
use std::collections::BTreeMap;

/// Where the console is said to be; the browser finds it at the test's own address.
pub(crate) const ORIGIN: &str = "http://127.0.0.1:9";

/// A browser with a cookie jar of its own.
#[derive(Clone)]
pub(crate) struct Browser {
    http: reqwest::Client,
    base_url: String,
    /// By name.
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What a browser was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(app: &TestApp) -> Self {
        Self {
            http: reqwest::Client::builder()
                .redirect(Policy::none())
                .build()
                .unwrap(),
            base_url: app.anybody().base_url().to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Opens a page of the console, or what an address elsewhere answers.
    pub(crate) async fn open(&mut self, address: &str) -> Page {
        let request = self.http.request(Method::GET, self.locate(address));
        self.send(request).await
    }

    /// Sends a form as the console's own pages do: with the token that the page at `from` shows.
    pub(crate) async fn submit(&mut self, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.open(from).await.form_token();
        self.submit_with(&token, "same-origin", to, fields).await
    }

    /// Sends a form with any token, from anywhere.
    pub(crate) async fn submit_with(
        &mut self,
        token: &str,
        from_site: &str,
        to: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let mut form = vec![("form_token", token)];
        form.extend(fields);
        let request = self
            .http
            .request(Method::POST, self.locate(to))
            .header("sec-fetch-site", from_site)
            .form(&form);
        self.send(request).await
    }

    /// Signs in at an issuer, from the page that was asked for to the way back from it.
    pub(crate) async fn sign_in(&mut self, provider: &Provider) -> Page {
        let back = self.there_and_back(provider).await;
        self.open(&back).await
    }

    /// To the issuer and back to our door; returns the address that the issuer sends the browser to.
    pub(crate) async fn there_and_back(&mut self, provider: &Provider) -> String {
        let there = self
            .open(&format!("/console/sign-in/{}", provider.name))
            .await
            .location();
        assert!(there.starts_with(&provider.url), "{there}");
        self.open(&there).await.location()
    }

    fn locate(&self, address: &str) -> String {
        if let Some(path) = address
            .strip_prefix(ORIGIN)
            .or_else(|| address.strip_prefix(self.base_url.as_str()))
        {
            format!("{}{path}", self.base_url)
        } else if address.starts_with('/') {
            format!("{}{address}", self.base_url)
        } else {
            address.to_owned()
        }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for set in headers.get_all("set-cookie") {
            let text = set.to_str().unwrap();
            for attribute in ["; Path=/;", "; Secure;", "; HttpOnly;", "; SameSite=Lax"] {
                assert!(text.contains(attribute), "{attribute} in {text}");
            }
            assert!(text.starts_with("__Host-") && !text.contains("Domain"), "{text}");
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = response.text().await.unwrap();
        Page {
            status,
            headers,
            text,
        }
    }
}

impl Page {
    /// A page that must have this status and be a whole one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.check_headers();
        assert!(self.text.starts_with("<!DOCTYPE html>"), "{}", self.text);
        self.text
    }

    /// What every answer of the console says to browsers.
    #[track_caller]
    pub(crate) fn check_headers(&self) {
        let header = |name: &str| self.headers.get(name).map_or("", |value| value.to_str().unwrap());
        let csp = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(csp.contains(part), "{part} in {csp}");
        }
        assert!(!csp.contains("unsafe"), "{csp}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
    }

    /// Where a redirect leads.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(self.status.is_redirection(), "{self:?}");
        self.headers["location"].to_str().unwrap().to_owned()
    }

    /// A redirect to exactly this.
    #[track_caller]
    pub(crate) fn expect_redirect(&self, to: &str) {
        assert_eq!(self.location(), to);
    }

    /// The token that its forms repeat.
    #[track_caller]
    pub(crate) fn form_token(&self) -> String {
        let (_, rest) = self
            .text
            .split_once("name=\"form_token\" value=\"")
            .unwrap_or_else(|| panic!("no form in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    /// The value of a key figure, as programs read it.
    #[track_caller]
    pub(crate) fn figure(&self, name: &str) -> Option<String> {
        let (_, rest) = self
            .text
            .split_once(&format!("data-figure=\"{name}\">"))
            .unwrap_or_else(|| panic!("no figure {name} in {}", self.text));
        let value = rest.strip_prefix("<data value=\"")?;
        Some(value.split('"').next().unwrap().to_owned())
    }
}
