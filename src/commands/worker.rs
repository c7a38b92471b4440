//! `stepgate worker`: runs what runs by itself, until a stop signal.

use crate::{api::server, config::Config, context::Context, worker::call_budget::SharedBudget};
use anyhow::Context as _;
use std::{net::TcpListener, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Runs the worker until a stop signal, answering probes meanwhile where it is configured to.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let listen = config.worker_listen;
    let mut context = Context::connect(config).await?;
    context.db.check_schema().await?;
    // What workers call beyond what AWS allows in a cell would be refused to all of them.
    let budget = Arc::new(SharedBudget(context.db.clone()));
    context.aws = Arc::new(context.aws.budgeted(budget));
    super::serve_metrics(&context, "worker")?;
    if let Some(listen) = listen {
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        tracing::info!(address = %listener.local_addr()?, "answering probes");
        // It ends with the process: a worker that ends its last steps is still alive.
        tokio::spawn(server::build_probes(context.clone(), listener)?);
    }
    let stop = CancellationToken::new();
    let mut worker = Box::pin(crate::worker::run(&context, stop.clone()));
    tokio::select! {
        () = &mut worker => return Ok(()),
        signal = super::stop_signal() => signal?,
    }
    stop.cancel();
    worker.await;
    Ok(())
}
