//! The service as processes that come and go: updates, stops, a database that goes away, schemas of other releases.

mod database_away;
mod probes;
mod rolling_update;
mod schema;
mod scratch;

use crate::installation::{
    Installation,
    process::{Child, Program, free_port},
    wait_for,
};
use url::Url;

/// A copy of the API, ready. `variables` are laid over the installation's.
pub(crate) async fn start_api(
    installation: &Installation,
    database_url: Option<&str>,
    name: &str,
    variables: &[(&str, &str)],
) -> (Child, Url) {
    start_serving(
        installation,
        installation.service(database_url, &["serve"]),
        name,
        variables,
    )
    .await
}

/// The same of a program that is prepared already.
async fn start_serving(
    installation: &Installation,
    program: Program,
    name: &str,
    variables: &[(&str, &str)],
) -> (Child, Url) {
    let port = free_port();
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
    let mut program = program.variable("STEPGATE_LISTEN", &format!("127.0.0.1:{port}"));
    for (name, value) in variables {
        program = program.variable(name, value);
    }
    let child = program.start(&installation.folder().join(format!("{name}.log")));
    wait_for(url.join("/readyz").expect("a URL")).await;
    (child, url)
}

/// Ends a process without holding up the others.
pub(crate) async fn stop(child: Child) -> i32 {
    tokio::task::spawn_blocking(move || child.stop())
        .await
        .expect("it was waited for")
}

/// Status of a `GET`.
pub(crate) async fn status(url: &Url, path: &str) -> u16 {
    let http = attacks::http::client().expect("a client");
    let answer = http.get(url.join(path).expect("a URL")).send().await;
    answer.expect("an answer").status().as_u16()
}
