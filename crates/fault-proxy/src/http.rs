//! As much of HTTP/1.1 as the AWS SDK and an emulator on loopback speak: clients' connections are kept open, as AWS does; the
//! upstream gets one a request.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A request or an answer: first line, headers as they came, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// An answer of our own.
    pub(crate) fn ok(body: Vec<u8>) -> Self {
        Self {
            first_line: "HTTP/1.1 200 OK".to_owned(),
            headers: Vec::new(),
            body,
        }
    }

    /// A header's value, by its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The words of the first line.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.first_line.split(' ').nth(index).unwrap_or_default()
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(one, _)| !one.eq_ignore_ascii_case(name));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn head(&self) -> String {
        let lines = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.first_line, lines.collect::<String>())
    }
}

/// Reads a request; `None` when the client left without one.
pub(crate) async fn read_request(client: &mut BufReader<TcpStream>) -> io::Result<Option<Message>> {
    let Some(mut request) = read_head(client).await? else {
        return Ok(None);
    };
    if request
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    {
        client
            .get_mut()
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await?;
    }
    request.remove("expect");
    let length = request
        .header("content-length")
        .map_or(Ok(0), str::parse::<usize>);
    let length = length.map_err(io::Error::other)?;
    if length > MAX_BODY_BYTES || request.header("transfer-encoding").is_some() {
        return Err(io::Error::other("a body of this form is not forwarded"));
    }
    request.body = vec![0; length];
    client.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

/// Sends a request on and reads the whole answer. The signature covers the host, so that header stays as it is.
pub(crate) async fn forward(upstream: &str, request: &Message) -> io::Result<Message> {
    let mut request = request.clone();
    request.set("connection", "close");
    // Whoever stands behind a proxy sees the scheme that its client used; AWS is spoken to over TLS alone.
    request.set("x-forwarded-proto", "https");
    let mut stream = BufReader::new(TcpStream::connect(upstream).await?);
    stream.get_mut().write_all(request.head().as_bytes()).await?;
    stream.get_mut().write_all(&request.body).await?;
    let mut answer = loop {
        let head = read_head(&mut stream).await?;
        let head = head.ok_or_else(|| io::Error::other("no answer"))?;
        if !head.word(1).starts_with('1') {
            break head;
        }
    };
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    let chunked = answer
        .header("transfer-encoding")
        .is_some_and(|value| value.contains("chunked"));
    // An answer to HEAD has the headers of a body, and none.
    answer.body = if chunked && !rest.is_empty() {
        dechunked(&rest).await?
    } else {
        rest
    };
    Ok(answer)
}

/// What becomes of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request may come on it.
    Open,
    /// It ends.
    Closed,
}

/// Sends an answer.
pub(crate) async fn answer(
    client: &mut BufReader<TcpStream>,
    request: &Message,
    answer: &Message,
) -> io::Result<Then> {
    let mut answer = answer.clone();
    answer.remove("connection");
    let is_last = request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if is_last {
        answer.set("connection", "close");
    }
    if request.word(0) == "HEAD" {
        answer.body.clear();
    } else {
        answer.remove("transfer-encoding");
        answer.set("content-length", &answer.body.len().to_string());
    }
    let mut bytes = answer.head().into_bytes();
    bytes.append(&mut answer.body);
    client.get_mut().write_all(&bytes).await?;
    Ok(if is_last { Then::Closed } else { Then::Open })
}

async fn read_head(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Message>> {
    let mut message = Message {
        first_line: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut bytes = 0;
    loop {
        let mut line = String::new();
        let read = from.read_line(&mut line).await?;
        bytes += read;
        if bytes > MAX_HEAD_BYTES {
            return Err(io::Error::other("the head is too long"));
        }
        if read == 0 {
            return if message.first_line.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if message.first_line.is_empty() {
            line.clone_into(&mut message.first_line);
        } else if line.is_empty() {
            return Ok(Some(message));
        } else if let Some((name, value)) = line.split_once(':') {
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
}

async fn dechunked(mut rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        rest.read_line(&mut line).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(..size).ok_or(io::ErrorKind::UnexpectedEof)?;
        body.extend_from_slice(chunk);
        rest = rest.get(size + 2..).ok_or(io::ErrorKind::UnexpectedEof)?;
    }
}
