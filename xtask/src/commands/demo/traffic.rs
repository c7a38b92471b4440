//! Believable traffic: users of a few customers sign in all the time, and not all of them succeed.
//!
//! Every sign-in goes the way of a real one: Cognito, triggers, the provider's page; and from there its events go by log line, forwarder
//! and queue to the worker. What is shown is what the API reports of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::api::ApiClient;
use super::cognito::CognitoClient;
use super::job;
use super::report::Report;
use super::sign_in::SignIn;
use super::system::System;
use crate::context::Context;
use crate::process::{Interrupted, Signals};
use crate::random::{random_below, random_hex};
use crate::ui::Tone;

/// Customers beside the demonstration's own: name, and of a hundred sign-ins how many meet a provider that fails and how many are given up.
const CUSTOMERS: [(&str, u16, u16); 2] = [("Globex", 12, 6), ("Initech", 1, 22)];
/// The same of the demonstration's own customer.
const OWN: (u16, u16) = (2, 8);
const USERS: [&str; 6] = ["ann", "ben", "cleo", "dan", "eva", "finn"];
/// Methods, and of a hundred people how many take each.
const METHODS: [(&str, u16); 4] = [
    ("liveID push", 55),
    ("otp", 25),
    ("otp sms", 15),
    ("otp email", 5),
];
/// People who sign in at the same time.
const THREADS: u16 = 4;
/// How long a person takes over a step-up, ms.
const THINKING_MS: (u16, u16) = (600, 4_000);
/// Pause between two lines of figures.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// With `--once`: sign-ins, and how long their figures may take to arrive.
const ONCE: u32 = 16;
const ARRIVE_WITHIN: Duration = Duration::from_secs(90);

/// Where people sign in.
struct Place {
    user_pool_id: String,
    client_id: String,
    provider_fails: u16,
    given_up: u16,
}

/// How a sign-in ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With tokens.
    Tokens,
    /// The person gives up before the step-up.
    GivenUp,
    /// The provider answers with an error.
    ProviderFails,
    /// Something is handed in that belongs to another challenge.
    WrongState,
    /// The password is wrong.
    WrongPassword,
}

impl Place {
    /// How a sign-in ends whose lot, of a hundred, is this.
    fn ending(&self, lot: u16) -> Ending {
        let mut below = 0;
        for (share, ending) in [
            (self.provider_fails, Ending::ProviderFails),
            (self.given_up, Ending::GivenUp),
            (3, Ending::WrongState),
            (4, Ending::WrongPassword),
        ] {
            below += share;
            if lot < below {
                return ending;
            }
        }
        Ending::Tokens
    }
}

/// The method of a person whose lot, of a hundred, is this.
fn method(lot: u16) -> &'static str {
    let mut below = 0;
    for (method, share) in METHODS {
        below += share;
        if lot < below {
            return method;
        }
    }
    METHODS[0].0
}

/// Signs users in until somebody stops it; with `once` until some have, and were reported.
pub(super) fn run(
    context: &Context,
    system: &System,
    report: &mut Report,
    per_minute: u16,
    once: bool,
) -> anyhow::Result<()> {
    let key = report.api_key.clone().context("there is no partner")?;
    let partner = ApiClient::new(&system.api_url, &key);
    let password = format!("Demo-{}", random_hex(8)?);
    let places = places(context, system, &partner, report, &password)?;
    context.ui.line(
        Tone::Bold,
        &format!(
            "\n{per_minute} sign-ins a minute at {} customers, until Ctrl-C",
            places.len()
        ),
    );
    let crowd = Crowd {
        signals: context.processes.signals.clone(),
        system,
        places: &places,
        password: &password,
        begun: AtomicU32::new(0),
        limit: if once { ONCE } else { u32::MAX },
        pause: Duration::from_mins(1) * u32::from(THREADS) / u32::from(per_minute),
    };
    let outcome = thread::scope(|scope| {
        let people: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| crowd.sign_in_on_and_on()))
            .collect();
        let told = tell(context, &partner, &crowd, once);
        // Whatever ended the telling ends the sign-ins.
        crowd.begun.store(u32::MAX, Ordering::Relaxed);
        for person in people {
            if person.join().is_err() {
                bail!("a sign-in ended in the middle of it");
            }
        }
        told
    });
    match outcome {
        // Ctrl-C is how this ends.
        Err(error) if error.is::<Interrupted>() && !once => Ok(()),
        other => other,
    }
}

/// Onboards the other customers, and makes users everywhere.
fn places(
    context: &Context,
    system: &System,
    partner: &ApiClient,
    report: &mut Report,
    password: &str,
) -> anyhow::Result<Vec<Place>> {
    let own = report.user_pool_id.clone().zip(report.client_id.clone());
    let (user_pool_id, client_id) = own.context("there is no customer")?;
    let (provider_fails, given_up) = OWN;
    let mut places = vec![Place {
        user_pool_id,
        client_id,
        provider_fails,
        given_up,
    }];
    for (name, provider_fails, given_up) in CUSTOMERS {
        let place = report.step(context, &format!("customer {name}"), |progress| {
            let (tenant_id, user_pool_id) =
                job::make_tenant(context, system, partner, (name, false), progress)?;
            let app = json!({"name": "Portal"});
            let (_, client_id) = job::make_app(context, partner, &tenant_id, &app, progress)?;
            progress.set_note(&tenant_id);
            Ok(Place {
                user_pool_id,
                client_id,
                provider_fails,
                given_up,
            })
        })?;
        places.push(place);
    }
    let users = USERS.map(|name| (name, password));
    report.step(context, "users", |progress| {
        for place in &places {
            job::create_users(context, system, &place.user_pool_id, &users)?;
        }
        progress.set_note(format!("{} at each of {}", users.len(), places.len()));
        Ok(())
    })?;
    Ok(places)
}

/// Everybody who signs in.
struct Crowd<'a> {
    signals: Signals,
    system: &'a System,
    places: &'a [Place],
    password: &'a str,
    /// Sign-ins begun.
    begun: AtomicU32,
    limit: u32,
    /// From the beginning of one sign-in to that of the same person's next.
    pause: Duration,
}

impl Crowd<'_> {
    fn goes_on(&self) -> bool {
        self.begun.load(Ordering::Relaxed) < self.limit && !self.signals.arrived()
    }

    fn sign_in_on_and_on(&self) {
        while self.goes_on() {
            let begun = Instant::now();
            self.begun.fetch_add(1, Ordering::Relaxed);
            // What is refused is meant to be; that nothing works at all shows in the figures.
            let _refused = self.sign_in();
            self.wait(self.pause.saturating_sub(begun.elapsed()));
        }
    }

    /// Waits, but not for whom nobody waits any more.
    fn wait(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time && self.goes_on() {
            thread::sleep(Duration::from_millis(50).min(time));
        }
    }

    fn sign_in(&self) -> anyhow::Result<()> {
        let place = &self.places[usize::from(random_below(u16::try_from(self.places.len())?)?)];
        let user = USERS[usize::from(random_below(u16::try_from(USERS.len())?)?)];
        let ending = place.ending(random_below(100)?);
        let password = match ending {
            Ending::WrongPassword => "not-the-password",
            _ => self.password,
        };
        let sign_in = SignIn {
            aws_endpoint_url: &self.system.aws_endpoint_url,
            blockid_url: &format!("http://{}", self.system.blockid_host),
            user_pool_id: &place.user_pool_id,
            client_id: &place.client_id,
            username: user,
            password,
        };
        let cognito = CognitoClient::new(sign_in.aws_endpoint_url, sign_in.client_id);
        let mut story = Vec::new();
        let challenge = sign_in.prove_password(&cognito, &mut story)?;
        let (least_ms, most_ms) = THINKING_MS;
        let thinking_ms = least_ms + random_below(most_ms - least_ms)?;
        self.wait(Duration::from_millis(thinking_ms.into()));
        if ending == Ending::GivenUp {
            return Ok(());
        }
        let faults: &[Value] = match ending {
            Ending::ProviderFails => &[json!({"status": 500})],
            _ => &[],
        };
        let mut answer = sign_in.complete(&challenge, method(random_below(100)?), faults)?;
        if ending == Ending::WrongState {
            answer["state"] = json!("of-another-challenge");
        }
        sign_in.answer_step_up(&cognito, &challenge, &answer, &mut story)?;
        Ok(())
    }
}

/// Shows every now and then what the API reports; with `once` until that is what was begun.
fn tell(context: &Context, partner: &ApiClient, crowd: &Crowd<'_>, once: bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut told: Option<Instant> = None;
    loop {
        context.processes.signals.check()?;
        context.processes.check_services()?;
        if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
            told = Some(Instant::now());
            let report = partner.get("/v1/metrics/step-up?step=minute")?;
            context.ui.line(Tone::Plain, &figures(&report["total"]));
            // The demonstration's own sign-in is among them.
            let seen = report["total"]["started"].as_u64().unwrap_or_default() > 1;
            if once && seen && !crowd.goes_on() {
                return Ok(());
            }
        }
        if once && begun.elapsed() > ARRIVE_WITHIN {
            bail!("the figures of {ONCE} sign-ins did not arrive");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn figures(total: &Value) -> String {
    let count = |name: &str| total[name].as_u64().unwrap_or_default();
    let rate = total["success_rate"]
        .as_f64()
        .map_or_else(|| "-".to_owned(), |rate| format!("{:.0} %", rate * 100.0));
    let p95 = total["time_to_complete_p95_ms"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
    format!(
        "  started {:>5}   succeeded {:>5}   failed {:>4}   given tokens {:>5}   success rate {rate:>5}   p95 {p95:>8}",
        count("started"),
        count("succeeded"),
        count("failed"),
        count("tokens"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_as_often_as_they_are_meant_to() {
        let place = Place {
            user_pool_id: String::new(),
            client_id: String::new(),
            provider_fails: 12,
            given_up: 6,
        };
        let of = |ending| (0..100).filter(|lot| place.ending(*lot) == ending).count();
        assert_eq!(
            (
                of(Ending::ProviderFails),
                of(Ending::GivenUp),
                of(Ending::WrongState),
                of(Ending::WrongPassword)
            ),
            (12, 6, 3, 4)
        );
        assert_eq!(of(Ending::Tokens), 75);
        for (name, share) in METHODS {
            assert_eq!(
                (0..100).filter(|lot| method(*lot) == name).count(),
                usize::from(share)
            );
        }
    }

    #[test]
    fn figures_are_told_also_before_there_are_any() {
        let line = figures(&json!({"started": 3, "succeeded": 2, "success_rate": null}));
        assert!(
            line.contains("started     3") && line.contains("success rate     -"),
            "{line}"
        );
    }
}
