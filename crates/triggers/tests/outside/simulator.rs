//! The provider simulator, as a process of its own.

use crate::emulator;
use blockid::{EgressPolicy, HttpClient, TenantDns, discover};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use step_up::settings::ProviderMetadata;

/// A running simulator.
pub(crate) struct Simulator {
    child: Child,
    /// Its address, which is the tenant DNS as well.
    pub(crate) address: String,
}

impl Simulator {
    /// Starts one on a free port.
    pub(crate) fn start(client_secret: &str) -> Self {
        let program = emulator::variable("STEPGATE_TEST_BLOCKID_SIM").unwrap_or_else(|| {
            panic!("STEPGATE_TEST_BLOCKID_SIM is not set and .stepgate/services.env is not there; run `cargo xtask services`")
        });
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .env("BLOCKID_SIM_CLIENT_SECRET", client_secret)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the line that says it is ready");
        let ready: Value = serde_json::from_str(&line).expect("JSON");
        let address = ready["listening"].as_str().expect("address").to_owned();
        Self { child, address }
    }

    /// Its metadata, discovered as the control plane does it.
    pub(crate) async fn metadata(&self, now_unix_s: i64) -> ProviderMetadata {
        let policy = EgressPolicy::new(&["127.0.0.1/32"], true, None).expect("policy");
        let tenant_dns = TenantDns::parse(&self.address, &policy).expect("tenant DNS");
        let client = HttpClient::new(policy).expect("client");
        discover(&client, &tenant_dns, "default", now_unix_s)
            .await
            .expect("metadata")
    }

    /// Completes a step-up without a person; the answer for Cognito.
    pub(crate) fn step_up(&self, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("connection");
        let request = format!(
            "POST /sim/step-ups HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).expect("JSON")
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
