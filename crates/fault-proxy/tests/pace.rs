//! AWS's pace: quotas, latencies, stacks that take their time, and answers about copies of a tenant.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking, helpers included"
)]

use fault_proxy::{Pace, Proxy, Quota};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ONE: &str = "01jd7v0p3h8s5k2m4n6q9r1t0w";
const QUOTAS: &[Quota] = &[Quota {
    name: "reads",
    per_second: 3.0,
    by_tenant: false,
    counts: |operation| operation == "lambda:GetFunctionConfiguration",
}];

/// An upstream that answers everything alike, and a proxy before it.
async fn proxy(answer: &'static str, stacks_take: Duration) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let _length = client.read(&mut [0; 8192]).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\nx-amz-crc32: 1\r\ncontent-type: text/xml";
            let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            client.write_all(text.as_bytes()).await.unwrap();
        }
    });
    let proxy = Proxy::start(&format!("http://{address}").parse().unwrap())
        .await
        .unwrap();
    proxy.keep_pace(Pace {
        quotas: QUOTAS,
        latency: |_| Duration::from_millis(80),
        stacks_take,
    });
    proxy
}

async fn ask(proxy: &Proxy, path: &str, service: &str, target: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(proxy.url().trim_start_matches("http://"))
        .await
        .unwrap();
    let scope = format!("authorization: AWS4-HMAC-SHA256 Credential=k/d/r/{service}/aws4_request");
    let target = if target.is_empty() {
        String::new()
    } else {
        format!("x-amz-target: a.{target}\r\n")
    };
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: aws\r\n{scope}\r\n{target}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn seen(proxy: &Proxy) -> Value {
    let answer = ask(proxy, "/_seen", "", "", "").await;
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[tokio::test]
async fn a_connection_is_kept_open_and_ends_with_the_proxy() {
    let proxy = proxy("{}", Duration::ZERO).await;
    let mut stream = TcpStream::connect(proxy.url().trim_start_matches("http://"))
        .await
        .unwrap();
    for _ in 0..3 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: aws\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n{}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
        }
    }
    drop(proxy);
    let rest = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0; 1])).await;
    assert!(!matches!(rest.unwrap(), Ok(1..)));
}

#[tokio::test]
async fn what_is_beyond_a_quota_is_refused_and_nothing_is_answered_sooner_than_aws_would() {
    let proxy = proxy("{}", Duration::ZERO).await;
    let begun = Instant::now();
    let asked = (0..8).map(|_| ask(&proxy, "/", "lambda", "GetFunctionConfiguration", "{}"));
    let mut accepted = 0;
    for answer in join_all(asked).await {
        if answer.starts_with("HTTP/1.1 200") {
            accepted += 1;
        } else {
            assert!(answer.contains("Throttling"), "{answer}");
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(80));
    assert!((3..8).contains(&accepted), "{accepted} of 8, and 3 at once");
    let seen = seen(&proxy).await;
    let refused = seen
        .as_array()
        .unwrap()
        .iter()
        .filter(|call| call["refused"] == true);
    assert_eq!(refused.count(), 8 - accepted);
}

#[tokio::test]
async fn a_new_stack_is_unfinished_until_its_time_has_come() {
    let done = "<StackStatus>CREATE_COMPLETE</StackStatus>";
    let proxy = proxy(done, Duration::from_millis(600)).await;
    let stack = format!("StackName=stepgate-{ONE}");
    let describe = format!("Action=DescribeStacks&{stack}");
    let create = ask(
        &proxy,
        "/",
        "cloudformation",
        "",
        &format!("Action=CreateStack&{stack}"),
    )
    .await;
    assert!(create.starts_with("HTTP/1.1 200"), "{create}");
    let first = ask(&proxy, "/", "cloudformation", "", &describe).await;
    assert!(first.contains("CREATE_IN_PROGRESS"), "{first}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let later = ask(&proxy, "/", "cloudformation", "", &describe).await;
    assert!(later.contains("CREATE_COMPLETE"), "{later}");
    let seen = seen(&proxy).await;
    let held_back: Vec<_> = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["held_back"])
        .collect();
    assert_eq!(held_back, [false, true, false]);
    assert!(
        seen[1]["whose"] == ONE && seen[1]["answer_bytes"].as_u64() > Some(40),
        "{seen}"
    );
}

#[tokio::test]
async fn a_copy_is_answered_about_without_the_upstream() {
    let proxy = proxy(
        r#"{"Name":"stepgate-01jd7v0p3h8s5k2m4n6q9r1t0w"}"#,
        Duration::ZERO,
    )
    .await;
    let asked_about = |id: &str| format!(r#"{{"SecretId":"stepgate-{id}"}}"#);
    let of_the_one = ask(&proxy, "/", "secretsmanager", "GetSecretValue", &asked_about(ONE)).await;
    assert!(of_the_one.contains(ONE));
    let marks = json!([{ "own": ONE, "prefix": "00bencht" }]).to_string();
    assert!(
        ask(&proxy, "/_stand_in", "", "", &marks)
            .await
            .starts_with("HTTP/1.1 200")
    );
    let copy = "00bencht000000000000000042";
    let of_copy = ask(
        &proxy,
        "/",
        "secretsmanager",
        "GetSecretValue",
        &asked_about(copy),
    )
    .await;
    assert!(of_copy.contains(copy) && !of_copy.contains(ONE), "{of_copy}");
    assert!(!of_copy.contains("crc32"), "the checksum was of another text");
    let unknown = ask(
        &proxy,
        "/",
        "secretsmanager",
        "DescribeSecret",
        &asked_about(copy),
    )
    .await;
    assert!(unknown.starts_with("HTTP/1.1 500"), "{unknown}");
}
