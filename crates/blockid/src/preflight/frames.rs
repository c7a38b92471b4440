//! Who may show the provider's page in a frame: what its headers say, and nothing else of it.

use super::{Check, Finding, Verdict};
use crate::http::{HttpClient, PageHeaders};
use std::time::Instant;
use step_up::challenge::{AuthorizeRequest, authorize_url};
use step_up::settings::ProviderMetadata;

/// Most sources of `frame-ancestors` that are kept, and the longest.
const MAX_SOURCES: usize = 32;
const MAX_SOURCE_BYTES: usize = 256;
/// User that the authorize page is asked for: nobody's name, so that nobody is asked to confirm anything.
const NOBODY: &str = "stepgate-preflight";

/// Asks for the page that users would see, for a user that does not exist, and reads who may frame it.
pub(super) async fn look_at_page(
    client: &HttpClient,
    provider: &ProviderMetadata,
    client_id: &str,
    until: Instant,
) -> (Finding, Option<Vec<String>>) {
    let verifier = "0".repeat(43);
    let url = authorize_url(&AuthorizeRequest {
        authorization_endpoint: &provider.authorization_endpoint,
        client_id,
        redirect_uri: &provider.redirect_uri,
        username: NOBODY,
        methods: &["otp".to_owned()],
        state: NOBODY,
        nonce: Some(NOBODY),
        pkce_verifier: provider.pkce_s256.then_some(verifier.as_str()),
        min_ial: None,
    });
    match client.page(&url, until).await {
        Ok(page) if page.status < 400 => judge_frame(&page),
        Ok(page) => {
            let detail = format!("the authorize page answered with HTTP status {}", page.status);
            (
                Finding::new(Check::FrameAncestors, Verdict::Unknown, detail),
                None,
            )
        }
        Err(error) => (
            Finding::new(Check::FrameAncestors, Verdict::Unknown, error.to_string()),
            None,
        ),
    }
}

const HINT_FRAME: &str = "Let 1Kosmos limit `frame-ancestors` of the tenant's pages to the origins of your apps: \
    rules that ask for phishing resistance need it.";

fn judge_frame(page: &PageHeaders) -> (Finding, Option<Vec<String>>) {
    let found = |verdict, detail: String| Finding::new(Check::FrameAncestors, verdict, detail);
    if let Some(sources) = frame_ancestors(&page.content_security_policies) {
        let open = sources.iter().any(|source| !names_one_host(source));
        let detail = format!("limited to: {}", sources.join(" "));
        let finding = if sources.is_empty() || sources == ["'none'"] {
            found(Verdict::Failed, "nobody may show the page in a frame".into())
                .hint("The step-up is shown in a frame: your apps' origins must be allowed.")
        } else if open {
            found(Verdict::Failed, detail).hint(HINT_FRAME)
        } else {
            found(Verdict::Passed, detail)
        };
        return (finding, Some(sources));
    }
    let finding = match page.frame_options.as_deref() {
        Some(_) => found(
            Verdict::Failed,
            "X-Frame-Options forbids every frame, also that of your apps".into(),
        )
        .hint("Let 1Kosmos name your apps' origins in `frame-ancestors` instead."),
        None => found(Verdict::Failed, "any site may show the page in a frame".into()).hint(HINT_FRAME),
    };
    (finding, None)
}

/// Sources of `frame-ancestors`. A page may send several policies, and all of them hold: a source counts only
/// if every policy that limits frames has it. Sources that do not look like any are kept as `*`: what cannot be
/// read is taken for open.
fn frame_ancestors(policies: &[String]) -> Option<Vec<String>> {
    let directives = policies
        .iter()
        .flat_map(|header| header.split(','))
        .filter_map(|policy| {
            policy.split(';').find_map(|directive| {
                let mut words = directive.split_ascii_whitespace();
                let named = words.next()?.eq_ignore_ascii_case("frame-ancestors");
                named.then(|| words.map(readable).collect::<Vec<_>>())
            })
        });
    directives
        .reduce(|held, next| held.into_iter().filter(|source| next.contains(source)).collect())
        .map(|mut sources| {
            if sources.len() > MAX_SOURCES {
                sources = vec!["*".to_owned()];
            }
            sources
        })
}

fn readable(source: &str) -> String {
    let plain = source.len() <= MAX_SOURCE_BYTES
        && source
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"'*:/.-_[]".contains(&byte));
    if plain {
        source.to_ascii_lowercase()
    } else {
        "*".to_owned()
    }
}

/// Whether a source stands for one host: not `*`, `https:`, or a wildcard.
fn names_one_host(source: &str) -> bool {
    source == "'self'" || (!source.contains('*') && !source.ends_with(':') && !source.starts_with('\''))
}

/// Whether the page of a provider may be shown by these origins and its own host only.
pub fn limited_to(frame_ancestors: &[String], origins: &[String]) -> bool {
    !frame_ancestors.is_empty()
        && frame_ancestors.iter().all(|source| {
            source == "'self'"
                || source == "'none'"
                || origins
                    .iter()
                    .any(|origin| origin.eq_ignore_ascii_case(source.trim_end_matches('/')))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(policies: &[&str]) -> PageHeaders {
        PageHeaders {
            status: 200,
            content_security_policies: policies.iter().map(|&text| text.to_owned()).collect(),
            frame_options: None,
        }
    }

    #[test]
    fn frame_ancestors_count_only_when_every_policy_agrees_and_all_can_be_read() {
        let app = "https://portal.acme.example";
        for (policies, verdict, sources) in [
            (&[][..], Verdict::Failed, None),
            (&["default-src 'none'"], Verdict::Failed, None),
            (
                &["default-src 'none'; Frame-Ancestors https://portal.acme.example 'self'"],
                Verdict::Passed,
                Some(vec![app, "'self'"]),
            ),
            (&["frame-ancestors *"], Verdict::Failed, Some(vec!["*"])),
            (&["frame-ancestors https:"], Verdict::Failed, Some(vec!["https:"])),
            (
                &["frame-ancestors https://*.acme.example"],
                Verdict::Failed,
                Some(vec!["https://*.acme.example"]),
            ),
            (&["frame-ancestors 'none'"], Verdict::Failed, Some(vec!["'none'"])),
            (&["frame-ancestors"], Verdict::Failed, Some(vec![])),
            (
                &[
                    "frame-ancestors https://portal.acme.example *",
                    "frame-ancestors https://portal.acme.example",
                ],
                Verdict::Passed,
                Some(vec![app]),
            ),
            (
                &["frame-ancestors <script>alert(1)</script>"],
                Verdict::Failed,
                Some(vec!["*"]),
            ),
        ] {
            let (finding, found) = judge_frame(&page(policies));
            assert_eq!(finding.verdict, verdict, "{policies:?}");
            let found = found.map(|sources| sources.join(" "));
            assert_eq!(found, sources.map(|sources| sources.join(" ")), "{policies:?}");
            assert!(!finding.detail.contains('<'));
        }
    }

    #[test]
    fn limited_means_by_this_apps_origins() {
        let origins = ["https://portal.acme.example".to_owned()];
        let limited = |sources: &[&str]| {
            let sources: Vec<_> = sources.iter().map(|&source| source.to_owned()).collect();
            limited_to(&sources, &origins)
        };
        assert!(limited(&["https://portal.acme.example", "'self'"]));
        assert!(limited(&["https://portal.acme.example/"]));
        for open in [
            &[][..],
            &["*"],
            &["https:"],
            &["https://portal.acme.example", "https://evil.example"],
            &["https://*.acme.example"],
            &["portal.acme.example"],
        ] {
            assert!(!limited(open), "{open:?}");
        }
    }
}
