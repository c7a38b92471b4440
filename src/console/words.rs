//! Numbers, times and states in words for people.

use crate::domain::{
    alarm::AlarmState,
    condition::{Condition, ConditionStatus, ConditionType},
    drift::Severity,
    rollout::RolloutState,
    tenant_overview::TenantCondition,
};
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};
use step_up::reason::Reason;

/// What stands where there is no value.
pub(super) const NONE: &str = "–";

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}

/// A count, with its value for programs.
pub(super) fn count(number: i64) -> Markup {
    html! { data value=(number) { (grouped(number)) } }
}

/// A count that may not be known.
pub(super) fn count_or_none(number: Option<i64>) -> Markup {
    number.map_or_else(|| html! { (NONE) }, count)
}

/// How many were found, where a list shows only the first.
pub(super) fn first_of(shown: usize, are_more: bool) -> Markup {
    html! {
        @if are_more { "More than " (shown) }
        @else { (count(i64::try_from(shown).unwrap_or(i64::MAX))) }
    }
}

/// A share of one, with its value for programs.
pub(super) fn percent(share: Option<f64>) -> Markup {
    html! {
        @if let Some(share) = share { data value=(share) { (format!("{:.1} %", share * 100.0)) } }
        @else { (NONE) }
    }
}

/// A duration, with its value in milliseconds for programs.
pub(super) fn duration(ms: Option<u32>) -> Markup {
    let text = |ms: u32| match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", f64::from(ms) / 1_000.0),
        _ => format!("{:.1} min", f64::from(ms) / 60_000.0),
    };
    html! {
        @if let Some(ms) = ms { data value=(ms) { (text(ms)) } }
        @else { (NONE) }
    }
}

/// A time.
pub(super) fn time(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339_opts(SecondsFormat::Millis, true)) { (at.format("%Y-%m-%d %H:%M:%S")) } }
}

/// A time, or a dash.
pub(super) fn time_or_none(at: Option<DateTime<Utc>>) -> Markup {
    at.map_or_else(|| html! { (NONE) }, time)
}

/// How long ago something was.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds().max(0);
    let (number, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit} ago")
}

/// `partner_admin` as `partner admin`.
pub(super) fn plain(text: &str) -> String {
    text.replace('_', " ")
}

/// `create_tenant` as `Create tenant`.
pub(super) fn sentence(text: &str) -> String {
    let plain = plain(text);
    let mut letters = plain.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A tenant's condition.
pub(super) fn condition(condition: TenantCondition) -> Markup {
    let tone = match condition {
        TenantCondition::Ready => "good",
        TenantCondition::Failing => "bad",
        TenantCondition::Suspended | TenantCondition::AwaitingSecret => "warn",
        TenantCondition::Changing | TenantCondition::Deleting => "calm",
    };
    badge(tone, condition.as_str())
}

/// Whether a condition holds, in the colour of what that means.
pub(super) fn condition_status(condition: &Condition) -> Markup {
    let tone = match (condition.kind, condition.status) {
        (ConditionType::Ready, ConditionStatus::True) => "good",
        (ConditionType::Failing | ConditionType::Drifted, ConditionStatus::True) => "bad",
        (ConditionType::RotationPending | ConditionType::Suspended, ConditionStatus::True) => "warn",
        (ConditionType::Reconciling, ConditionStatus::True) => "calm",
        (_, ConditionStatus::False | ConditionStatus::Unknown) => "",
    };
    badge(tone, condition.status.as_str())
}

/// How bad a difference is.
pub(super) fn severity(severity: Severity) -> Markup {
    let tone = match severity {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "warn",
    };
    badge(tone, severity.as_str())
}

/// Whether an alarm is on.
pub(super) fn alarm_state(state: AlarmState) -> Markup {
    let tone = match state {
        AlarmState::Raised => "bad",
        AlarmState::Cleared => "good",
    };
    badge(tone, state.as_str())
}

/// How far a rollout is.
pub(super) fn rollout_state(state: RolloutState) -> Markup {
    let tone = match state {
        RolloutState::Running => "calm",
        RolloutState::Paused | RolloutState::RollingBack => "warn",
        RolloutState::Succeeded => "good",
        RolloutState::RolledBack => "bad",
        RolloutState::Cancelled => "",
    };
    badge(tone, state.as_str())
}

/// How far an operation, a step or a change is.
pub(super) fn progress(state: &str) -> Markup {
    let tone = match state {
        "succeeded" | "done" | "approved" => "good",
        "failed" => "bad",
        "running" | "pending" | "staging" | "staged" => "calm",
        _ => "",
    };
    badge(tone, state)
}

/// What became of a journey or what an event says.
pub(super) fn outcome(outcome: &str) -> Markup {
    badge(tone_of(outcome), outcome)
}

/// Whether an event is good news.
pub(super) fn tone_of(kind: &str) -> &'static str {
    match kind {
        "succeeded" | "tokens" | "linked" => "good",
        "failed" | "refused_tokens" | "denied" => "bad",
        "started" | "offered" | "unanswered" => "calm",
        "exempted" => "warn",
        _ => "",
    }
}

/// A word on a coloured ground.
pub(super) fn badge(tone: &str, text: &str) -> Markup {
    html! { span class={ "badge " (tone) } { (plain(text)) } }
}

/// A reason code with its meaning, where this version knows it.
pub(super) fn reason(code: &str) -> Markup {
    let known = Reason::ALL.iter().find(|reason| reason.code() == code);
    html! {
        code { (code) }
        @if let Some(known) = known { " " span class="quiet" { (known.meaning().trim()) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        let shown = [0, 999, 1_000, 1_234_567, -1_234].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "−1,234"]);
        assert_eq!(
            percent(Some(0.975)).into_string(),
            "<data value=\"0.975\">97.5 %</data>"
        );
        assert_eq!(percent(None).into_string(), NONE);
        assert!(duration(Some(999)).into_string().contains("999 ms"));
        assert!(duration(Some(10_200)).into_string().contains("10.2 s"));
        assert!(duration(Some(150_000)).into_string().contains("2.5 min"));
        let now = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        assert_eq!(ago(now - chrono::TimeDelta::seconds(59), now), "59 s ago");
        assert_eq!(ago(now - chrono::TimeDelta::hours(47), now), "47 h ago");
        assert_eq!(ago(now + chrono::TimeDelta::hours(1), now), "0 s ago");
        assert_eq!(sentence("create_tenant"), "Create tenant");
    }

    #[test]
    fn what_others_wrote_is_text_and_nothing_else() {
        let shown = reason("<script>alert(1)</script>").into_string();
        assert_eq!(shown, "<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>");
        assert!(
            outcome("\"><img src=x>")
                .into_string()
                .contains("&quot;&gt;&lt;img")
        );
    }
}
