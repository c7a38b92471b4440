//! The pages a person sees. Server-rendered, working without script; every text is escaped here.

use crate::state::Asked;
use std::fmt::Write as _;

const LAYOUT: &str = include_str!("pages/layout.html");
const STYLE: &str = include_str!("pages/style.css");
const AUTHORIZE_SCRIPT: &str = include_str!("pages/authorize.js");
const POST_STEPUP_SCRIPT: &str = include_str!("pages/post_stepup.js");

/// A page and the Content-Security-Policy it needs.
pub struct Page {
    /// HTML.
    pub html: String,
    /// Header value.
    pub csp: String,
}

/// What the authorize page shows beside the request.
pub struct AuthorizeView<'a> {
    /// Handle of the open page.
    pub handle: &'a str,
    /// Community.
    pub community: &'a str,
    /// What was asked.
    pub asked: &'a Asked,
    /// Code the page accepts.
    pub demo_code: &'a str,
    /// Name typed before, when the page is shown again.
    pub username: &'a str,
    /// Method chosen before.
    pub chosen: Option<&'a str>,
    /// What went wrong before.
    pub error: Option<&'a str>,
}

/// Escapes text for HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn page(title: &str, body: &str, script: &str, nonce: &str) -> Page {
    let script = if script.is_empty() {
        String::new()
    } else {
        format!("<script nonce=\"{nonce}\">{script}</script>")
    };
    // The body goes in last: nothing in it is taken for a placeholder.
    let html = LAYOUT
        .replace("{{title}}", &escape(title))
        .replace("{{nonce}}", nonce)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", &script)
        .replacen("{{body}}", body, 1);
    let csp = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; \
         form-action 'self'; base-uri 'none'"
    );
    Page { html, csp }
}

/// Label, explanation and what to do on the right for a method.
fn describe(method: &str) -> (&str, &'static str, &'static str) {
    match method {
        "liveID push" => (
            "LiveID push",
            "Confirm with your face on your phone",
            "We sent a notification to your phone. Confirm it there, then enter the number your phone shows.",
        ),
        "otp sms" => (
            "Text message",
            "A code by SMS",
            "Enter the code we sent to your phone by text message.",
        ),
        "otp email" => (
            "E-mail",
            "A code by e-mail",
            "Enter the code we sent to your e-mail address.",
        ),
        "otp" => (
            "Authenticator app",
            "A code from your app",
            "Enter the code your authenticator app shows.",
        ),
        "/assurance/ial/2/" => (
            "Identity check",
            "Document and face",
            "Show your document and your face to the camera, then enter the number you are given.",
        ),
        other => (
            other,
            "Your organisation's method",
            "Complete the step on your device, then enter the code.",
        ),
    }
}

/// The authorize page: methods left, code entry right.
pub fn authorize(view: &AuthorizeView<'_>, nonce: &str) -> Page {
    let chosen = view
        .chosen
        .or(view.asked.methods.first().map(String::as_str))
        .unwrap_or_default();
    let mut methods = String::new();
    let mut task = "";
    for method in &view.asked.methods {
        let (label, explanation, instruction) = describe(method);
        let checked = if method == chosen { " checked" } else { "" };
        if method == chosen {
            task = instruction;
        }
        let _ = write!(
            methods,
            "<label class=\"method\"><input type=\"radio\" name=\"method\" value=\"{value}\" data-task=\"{task}\" \
             required{checked}><span><strong>{label}</strong><small>{explanation}</small></span></label>",
            value = escape(method),
            task = escape(instruction),
            label = escape(label),
        );
    }
    let error = view.error.map_or_else(String::new, |error| {
        format!(
            "<p class=\"error\" role=\"alert\" id=\"error\">{}</p>",
            escape(error)
        )
    });
    let described = if view.error.is_some() {
        "task error"
    } else {
        "task"
    };
    let (who, name_field) = match view.asked.username.as_deref() {
        Some(name) => (
            format!(
                "<p class=\"who\">Signing in as <bdi><strong>{}</strong></bdi></p>",
                escape(name)
            ),
            String::new(),
        ),
        None => (
            String::new(),
            format!(
                "<label class=\"field\">User name<input name=\"username\" autocomplete=\"username\" required \
                 value=\"{}\"></label>",
                escape(view.username)
            ),
        ),
    };
    let body = format!(
        "<header><p class=\"brand\">BlockID <span>simulator</span></p><h1>Verify that it is you</h1>{who}</header>\
         <form method=\"post\" class=\"columns\" autocomplete=\"off\">\
         <input type=\"hidden\" name=\"handle\" value=\"{handle}\">{name_field}\
         <fieldset><legend>How do you want to verify?</legend>{methods}</fieldset>\
         <section aria-labelledby=\"entry\"><h2 id=\"entry\">Enter your code</h2><p id=\"task\" aria-live=\"polite\">{task}</p>{error}\
         <label class=\"field\">Code<input name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"12\" \
         required autofocus aria-describedby=\"{described}\"></label>\
         <button type=\"submit\">Verify</button>\
         <button type=\"submit\" name=\"cancel\" value=\"1\" class=\"quiet\" formnovalidate>Cancel</button>\
         <p class=\"dev\"><strong>Development only.</strong> Nothing is sent to anybody. The code is <code>{demo}</code>.</p>\
         </section></form><footer>Community {community}</footer>",
        handle = escape(view.handle),
        demo = escape(view.demo_code),
        community = escape(view.community),
        task = escape(task),
    );
    let mut page = page("Verify that it is you", &body, AUTHORIZE_SCRIPT, nonce);
    // Browsers hold a form's redirect to its policy, too.
    if let Ok(target) = url::Url::parse(&view.asked.redirect_uri) {
        let allowed = format!("form-action 'self' {}", target.origin().ascii_serialization());
        page.csp = page.csp.replace("form-action 'self'", &allowed);
    }
    page
}

/// The page that hands `{code, state}` to the frame's parent.
pub fn post_stepup(message: &serde_json::Value, nonce: &str) -> Page {
    let body = format!(
        "<header><p class=\"brand\">BlockID <span>simulator</span></p><h1>Step-up finished</h1></header>\
         <p id=\"note\" role=\"status\">Returning to the application…</p>\
         <noscript><p class=\"error\">This page needs script to return to the application.</p></noscript>\
         <output id=\"message\" hidden data-message=\"{}\"></output>",
        escape(&message.to_string())
    );
    page("Step-up finished", &body, POST_STEPUP_SCRIPT, nonce)
}

/// A page that only says something.
pub fn notice(title: &str, text: &str, nonce: &str) -> Page {
    let body = format!(
        "<header><p class=\"brand\">BlockID <span>simulator</span></p><h1>{}</h1></header><p>{}</p>",
        escape(title),
        escape(text)
    );
    page(title, &body, "", nonce)
}
