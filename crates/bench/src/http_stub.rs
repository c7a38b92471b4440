//! The least HTTP/1.1 server that AWS's SDKs, Lambda's runtime and Node talk to: requests with a length, connections kept
//! open. Written here because a framework's own work would be part of what is measured.

use anyhow::Context as _;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request.
pub(crate) struct Request {
    /// Method.
    pub(crate) method: String,
    /// Path with query.
    pub(crate) path: String,
    /// `X-Amz-Target`, by which AWS's JSON protocols name the operation.
    pub(crate) target: String,
    /// `If-Match`.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the servers of tests look at it"))]
    pub(crate) if_match: String,
    /// Body.
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends with the answer.
    closes: bool,
}

/// An answer: status, further headers (each ended by CRLF), body.
pub(crate) struct Response {
    pub(crate) status: &'static str,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// JSON with status 200.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: "200 OK",
            headers: String::new(),
            body: body.into(),
        }
    }
}

/// Listens on a free loopback port and answers until the program ends; hands back the address.
pub(crate) async fn serve<H, A>(answer: H) -> anyhow::Result<String>
where
    H: Fn(Request) -> A + Clone + Send + 'static,
    A: Future<Output = Response> + Send,
{
    serve_at(([127, 0, 0, 1], 0).into(), answer).await
}

/// The same on this address.
pub(crate) async fn serve_at<H, A>(listen: SocketAddr, answer: H) -> anyhow::Result<String>
where
    H: Fn(Request) -> A + Clone + Send + 'static,
    A: Future<Output = Response> + Send,
{
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            // A connection that breaks off is the other side's to explain.
            tokio::spawn(async move { drop(converse(stream, answer).await) });
        }
    });
    Ok(address)
}

async fn converse<H, A>(stream: TcpStream, answer: H) -> anyhow::Result<()>
where
    H: Fn(Request) -> A,
    A: Future<Output = Response>,
{
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut closes = false;
    while !closes && let Some(request) = read(&mut stream).await? {
        closes = request.closes;
        let Response {
            status,
            headers,
            body,
        } = answer(request).await;
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        stream.write_all(&bytes).await?;
    }
    Ok(())
}

/// The next request; `None` when the other side is done.
async fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, path) = (word(), word());
    let (mut length, mut target, mut if_match) = (0_usize, String::new(), String::new());
    let mut closes = false;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().context("a length that is no number")?;
        } else if name.eq_ignore_ascii_case("x-amz-target") {
            value.trim().clone_into(&mut target);
        } else if name.eq_ignore_ascii_case("if-match") {
            value.trim().clone_into(&mut if_match);
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        method,
        path,
        target,
        if_match,
        body,
        closes,
    }))
}
