//! The AWS emulator: a real separate process that runs templates, pools and triggers.

use std::env;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;

use crate::context::Context;
use crate::http;
use crate::process::Service;
use crate::services::ports::{Listener, Ports};
use crate::tools::python::Venv;
use crate::ui::Progress;

const NAME: &str = "MiniStack";

/// A running emulator.
pub(crate) struct MiniStack {
    pub(crate) port: u16,
}

impl MiniStack {
    pub(crate) fn start(
        context: &Context,
        venv: &Venv,
        ports: &Ports,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        // Unpacked functions go here, so that nothing of ours is left in the machine's own folder.
        let temporary = context.state().join("ministack");
        if temporary.exists() {
            fs::remove_dir_all(&temporary)
                .with_context(|| format!("cannot remove {}", temporary.display()))?;
        }
        fs::create_dir(&temporary).with_context(|| format!("cannot make {}", temporary.display()))?;
        let port = ports.choose(Listener::MiniStack)?;
        let mut command = context.processes.command(venv.program("ministack"));
        // It hands its environment to the functions, so what would send their calls elsewhere is taken out.
        for (name, _) in env::vars_os() {
            let lower = name.to_string_lossy().to_ascii_lowercase();
            if lower.starts_with("aws_")
                || lower.ends_with("_proxy")
                || lower == "services"
                || lower.starts_with("localstack_")
            {
                command.env_remove(name);
            }
        }
        command
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("TMPDIR", &temporary)
            // It gives functions its own environment, and they must find their AWS.
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
            .env("PERSIST_STATE", "0")
            // Its MQTT listener takes a fixed port on every interface.
            .env("IOT_MTLS_ENABLED", "0")
            // An error of the pre-token trigger refuses the tokens, as on AWS.
            .env("MINISTACK_COGNITO_PRETOKEN_STRICT", "1")
            // Plain HTTP to a BlockID simulator on loopback, for the triggers that run inside.
            .env("STEPGATE_DEV_INSECURE_LOOPBACK", "1")
            // Its log streams do not name the function that wrote them.
            .env("STEPGATE_DEV_TENANT_FROM_LINE", "1")
            .current_dir(&temporary);
        let log = context.log("ministack");
        let (stop_signal, stop_within) = (Signal::SIGTERM, Duration::from_secs(5));
        context.processes.start(Service {
            name: NAME,
            command,
            log,
            stop_signal,
            stop_within,
        })?;
        let ministack = Self { port };
        let health = format!("{}/_ministack/health", ministack.url());
        progress.detail("waiting until it answers");
        context
            .processes
            .wait_ready(NAME, Duration::from_secs(90), || http::answers(&health))?;
        progress.set_note(ministack.url());
        Ok(ministack)
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
