//! The program as `cargo xtask chaos` starts it. That this file is here is also why a build of all tests makes the program.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fault-proxy"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A running program; it ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn the_help_says_what_may_be_told() {
    let help = program().arg("--help").output().unwrap();
    assert!(help.status.success());
    for option in ["--upstream", "--listen", "--per-mille", "--seed"] {
        assert!(said(&help).contains(option), "{}", said(&help));
    }
}

#[test]
fn a_wrong_address_is_refused_by_name() {
    let refused = program()
        .args(["--upstream", "http://127.0.0.1:1", "--listen", "nowhere"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("nowhere"), "{}", said(&refused));
}

#[test]
fn calls_reach_the_upstream_unless_they_are_to_fail() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream_address = upstream.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in upstream.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 4096];
            let _length = client.read(&mut request).unwrap();
            client
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
                .unwrap();
        }
    });
    let listen = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let child = program()
        .args(["--upstream", &format!("http://{upstream_address}")])
        .args(["--listen", &listen.to_string(), "--per-mille", "0"])
        .spawn()
        .unwrap();
    let _running = Running(child);
    let deadline = Instant::now() + PATIENCE;
    let mut connection = loop {
        match TcpStream::connect(listen) {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
        .write_all(b"GET / HTTP/1.1\r\nhost: aws\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("ok"), "{answer}");
}
