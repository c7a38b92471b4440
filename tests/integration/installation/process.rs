//! Processes that end with the tests, however those end.
//!
//! A test process may be killed, and statics are never dropped. So every child has a keeper that waits for the
//! end of its standard input, which the system closes when we are gone, and then ends the child.

use crate::support::env::required as given;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const KEEPER: &str = "
import subprocess, sys, threading, os
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def watch():
    sys.stdin.buffer.read()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=watch, daemon=True).start()
os._exit(child.wait() & 255)
";

/// A program and its environment: nothing is inherited that could send it elsewhere.
pub(crate) struct Program {
    path: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

/// A running program. It ends when this is dropped or the process ends.
pub(crate) struct Child {
    keeper: std::process::Child,
}

impl Child {
    /// Asks it to end with SIGTERM, waits until it has, and returns its exit status. It is killed after 10 s.
    pub(crate) fn stop(mut self) -> i32 {
        drop(self.keeper.stdin.take());
        let status = self.keeper.wait().expect("the keeper ends");
        status.code().expect("the keeper is not killed")
    }
}

impl Program {
    pub(crate) fn new(program: &str) -> Self {
        Self {
            path: program.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same by another executable.
    pub(crate) fn by(mut self, program: &str) -> Self {
        program.clone_into(&mut self.path);
        self
    }

    fn environment(&self, command: &mut Command) {
        command.env_clear();
        for name in ["PATH", "HOME", "LANG"] {
            if let Ok(value) = std::env::var(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Runs to the end and returns what it printed.
    pub(crate) fn finish(&self) -> String {
        let output = self.output();
        assert!(
            output.status.success(),
            "{} {} failed: {}",
            self.path,
            self.arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs to the end, which may be a bad one.
    pub(crate) fn output(&self) -> Output {
        let mut command = Command::new(&self.path);
        self.environment(&mut command);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts")
    }

    /// Starts it under a keeper, with everything it prints in a file.
    pub(crate) fn start(&self, log: &Path) -> Child {
        let file = std::fs::File::create(log).expect("a log file");
        let mut command = Command::new(given("STEPGATE_TEST_PYTHON"));
        self.environment(&mut command);
        let keeper = command
            .args(["-c", KEEPER, &self.path])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Child { keeper }
    }
}

/// A port that nobody listens on right now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
