//! A stub of Lambda's Runtime API: starts a built function, hands it events, takes its answers.
//!
//! The functions are those that cargo built beside this test; `STEPGATE_TEST_TRIGGERS_DIR` names a folder of
//! others, for example `target/trigger`, to try the optimised ones.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A running function.
pub(crate) struct Function {
    child: Child,
    listener: TcpListener,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// What the function answered: its result, or the error it gave.
pub(crate) type Answer = Result<Value, Value>;

struct Request {
    line: String,
    body: Vec<u8>,
    stream: TcpStream,
}

impl Function {
    /// Starts a function with these variables and no others.
    pub(crate) fn start(binary: &str, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("address").to_string();
        let mut child = Command::new(binary)
            .env_clear()
            .envs(variables.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the function starts");
        let log = Arc::new(Mutex::new(String::new()));
        let output = child.stdout.take().expect("standard output");
        let into = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self {
            child,
            listener,
            log,
            reader: Some(reader),
        }
    }

    /// Hands over one event and waits for the answer.
    pub(crate) fn invoke(&self, event: &Value) -> Answer {
        let asked = self.accept();
        assert!(asked.line.contains("/invocation/next"), "{}", asked.line);
        let body = event.to_string();
        let headers = "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             Lambda-Runtime-Deadline-Ms: 4000000000000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:1:function:f\r\n";
        reply(asked.stream, "200 OK", headers, &body);
        let answered = self.accept();
        let value: Value = serde_json::from_slice(&answered.body).expect("JSON");
        reply(answered.stream, "202 Accepted", "", "{}");
        if answered.line.contains("/error") {
            Err(value)
        } else {
            Ok(value)
        }
    }

    /// Ends the function; everything it printed.
    pub(crate) fn stop(mut self) -> String {
        self.child.kill().expect("ended");
        self.child.wait().expect("ended");
        self.reader.take().expect("once").join().expect("log");
        self.log.lock().unwrap().clone()
    }

    fn accept(&self) -> Request {
        let (stream, _) = self.listener.accept().expect("a request");
        let mut reader = BufReader::new(stream.try_clone().expect("stream"));
        let mut line = String::new();
        reader.read_line(&mut line).expect("request line");
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).expect("header");
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("body");
        Request { line, body, stream }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reply(mut stream: TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).expect("reply");
}
