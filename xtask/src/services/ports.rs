//! Loopback ports: free ones, or fixed ones counted from a base.

use std::net::TcpListener;

use anyhow::{Context as _, bail};

/// What listens, in the order of its offset from `--port-base`.
#[derive(Clone, Copy)]
pub(crate) enum Listener {
    Api,
    BlockId,
    MiniStack,
    Postgres,
    DemoApp,
}

/// How ports are chosen.
pub(crate) struct Ports {
    base: Option<u16>,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self { base: None }
    }

    pub(crate) fn from_base(base: Option<u16>) -> Self {
        Self { base }
    }

    /// A port for `listener` that nothing listens on now.
    pub(crate) fn choose(&self, listener: Listener) -> anyhow::Result<u16> {
        let Some(base) = self.base else {
            let probe = TcpListener::bind(("127.0.0.1", 0)).context("no free loopback port")?;
            return Ok(probe.local_addr()?.port());
        };
        let offset = listener as u16;
        let port = base
            .checked_add(offset)
            .with_context(|| format!("--port-base {base} leaves no room for five ports"))?;
        if let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            bail!("port {port} (--port-base {base} + {offset}) cannot be used: {error}");
        }
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_can_be_bound() {
        let port = Ports::free().choose(Listener::Api).unwrap();
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }

    #[test]
    fn a_fixed_port_in_use_is_named() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Ports::from_base(Some(port)).choose(Listener::Api).unwrap_err();
        assert!(error.to_string().contains(&port.to_string()));
        assert!(
            Ports::from_base(Some(u16::MAX))
                .choose(Listener::Postgres)
                .is_err()
        );
    }
}
