//! Requests to a running API over connections that stay open: as fast as it answers, or at a rate that does not wait for it.
//!
//! At a rate, a request's time counts from when it was due, so that an API that stalls is not flattered by requests that
//! were never sent meanwhile. Written here because load generators of others are not on every machine, and because
//! each write must name the version that the one before it made.

use crate::measured::Measured;
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What the load is told. The API key is in `STEPGATE_BENCH_KEY`: arguments are public.
#[derive(Args)]
pub(crate) struct Options {
    /// `127.0.0.1:port`
    #[arg(long)]
    address: String,
    /// One path a connection; with fewer paths they are shared.
    #[arg(long, required = true)]
    path: Vec<String>,
    /// Open connections.
    #[arg(long)]
    connections: u32,
    /// For how long, ms.
    #[arg(long)]
    lasting_ms: u64,
    /// Requests a second over all connections; 0: as fast as it answers.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Bodies to PUT in turns, each under the version that the one before it made; without any the paths are read.
    #[arg(long)]
    put: Vec<String>,
    /// The version that the first write replaces; by default it is read.
    #[arg(long)]
    etag: Option<String>,
    #[arg(long, env = "STEPGATE_BENCH_KEY", hide_env_values = true)]
    key: String,
}

/// Rate, and times from due to answered.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Measured> {
    let begin = Instant::now() + Duration::from_millis(50);
    let end = begin + Duration::from_millis(options.lasting_ms);
    let connections = (0..options.connections).map(|number| connection(options, number, begin, end));
    let times = futures_util::future::try_join_all(connections).await?.concat();
    let mut ms: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1_000.0).collect();
    ensure!(!ms.is_empty(), "not one answer");
    ms.sort_by(f64::total_cmp);
    let at = |part: usize| ms[(ms.len() * part / 1_000).min(ms.len() - 1)];
    let mut measured = Measured::default();
    let answered = u32::try_from(ms.len()).context("more answers than can be counted")?;
    measured.fact("rate", f64::from(answered) / begin.elapsed().as_secs_f64());
    measured.fact("p50_ms", at(500));
    measured.fact("p99_ms", at(990));
    measured.fact("answers", f64::from(answered));
    Ok(measured)
}

/// One connection's work; the times of its answers.
async fn connection(
    options: &Options,
    number: u32,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let path = &options.path[number as usize % options.path.len()];
    let stream = TcpStream::connect(&options.address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut etag = options.etag.clone();
    if !options.put.is_empty() && etag.is_none() {
        etag = exchange(&mut stream, &request(options, path, None, None)).await?;
    }
    let every =
        (options.rate > 0.0).then(|| Duration::from_secs_f64(f64::from(options.connections) / options.rate));
    let mut due = every.map_or(begin, |every| begin + every * number / options.connections);
    tokio::time::sleep_until(due).await;
    let (mut times, mut sent) = (Vec::new(), 0);
    loop {
        let body = options
            .put
            .get(sent % options.put.len().max(1))
            .map(String::as_str);
        let from = if every.is_some() { due } else { Instant::now() };
        etag = exchange(&mut stream, &request(options, path, body, etag.as_deref())).await?;
        times.push(from.elapsed());
        sent += 1;
        if let Some(every) = every {
            due += every;
            tokio::time::sleep_until(due).await;
        }
        if Instant::now() >= end {
            return Ok(times);
        }
    }
}

fn request(options: &Options, path: &str, body: Option<&str>, etag: Option<&str>) -> String {
    let head = format!(
        "{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
        options.address, options.key
    );
    match body {
        None => format!("GET {head}\r\n"),
        Some(body) => format!(
            "PUT {head}If-Match: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            etag.unwrap_or_default(),
            body.len()
        ),
    }
}

/// Sends a request and reads the whole answer, which must be one of success; its `ETag`.
async fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> anyhow::Result<Option<String>> {
    stream.write_all(request.as_bytes()).await?;
    let mut status = String::new();
    stream.read_line(&mut status).await?;
    let (mut length, mut etag) = (0, None);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().context("a length that is no number")?;
        } else if name.eq_ignore_ascii_case("etag") {
            etag = Some(value.trim().to_owned());
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    if !status.starts_with("HTTP/1.1 2") {
        bail!(
            "answered with {} {}",
            status.trim(),
            String::from_utf8_lossy(&body)
        );
    }
    Ok(etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_stub::{self, Response};
    use std::sync::{Arc, Mutex};

    fn options(address: String, put: &[&str]) -> Options {
        Options {
            address,
            path: vec!["/a".to_owned(), "/b".to_owned()],
            connections: 2,
            lasting_ms: 30,
            rate: 0.0,
            put: put.iter().map(|&body| body.to_owned()).collect(),
            etag: None,
            key: "key".to_owned(),
        }
    }

    #[tokio::test]
    async fn every_connection_asks_for_its_path_and_is_counted() {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noting = Arc::clone(&asked);
        let address = http_stub::serve(move |request| {
            let noting = Arc::clone(&noting);
            async move {
                noting.lock().unwrap().push(request.path);
                Response::json("{}")
            }
        })
        .await
        .unwrap();
        for rate in [0.0, 100.0] {
            let measured = run(&Options {
                rate,
                ..options(address.clone(), &[])
            })
            .await
            .unwrap();
            let asked = std::mem::take(&mut *asked.lock().unwrap());
            let facts = serde_json::to_value(&measured).unwrap()["facts"].take();
            assert_eq!(
                facts["answers"],
                serde_json::json!(f64::from(u32::try_from(asked.len()).unwrap()))
            );
            assert!(asked.contains(&"/a".to_owned()) && asked.contains(&"/b".to_owned()));
            assert!(facts["p50_ms"].as_f64() <= facts["p99_ms"].as_f64());
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_success_is_an_error() {
        let refuse = |_| async {
            Response {
                status: "429 Too Many Requests",
                headers: String::new(),
                body: b"slow down".to_vec(),
            }
        };
        let address = http_stub::serve(refuse).await.unwrap();
        let Err(error) = run(&options(address, &[])).await else {
            panic!("a refused load is no measurement");
        };
        assert!(
            error.to_string().contains("429") && error.to_string().contains("slow down"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn each_write_replaces_the_version_that_the_one_before_made() {
        let version = Arc::new(Mutex::new(1_u32));
        let served = Arc::clone(&version);
        let address = http_stub::serve(move |request| {
            let served = Arc::clone(&served);
            async move {
                let mut version = served.lock().unwrap();
                let expected = format!("\"{version}\"");
                if request.method == "PUT" && request.if_match != expected {
                    return Response {
                        status: "412 Precondition Failed",
                        headers: String::new(),
                        body: Vec::new(),
                    };
                }
                *version += u32::from(request.method == "PUT");
                Response {
                    status: "200 OK",
                    headers: format!("ETag: \"{version}\"\r\n"),
                    body: Vec::new(),
                }
            }
        })
        .await
        .unwrap();
        let alone = Options {
            connections: 1,
            ..options(address.clone(), &["{}", "[]"])
        };
        run(&alone).await.unwrap();
        let written = *version.lock().unwrap();
        assert!(written > 1);
        let told = Options {
            etag: Some("\"7000\"".to_owned()),
            ..alone
        };
        assert!(run(&told).await.is_err(), "a version that is not there");
    }
}
