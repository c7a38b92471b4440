//! Lambda function `forwarder`: carries step-up events from the cell's log group to its queue.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    triggers::runtime::serve_forwarder().await
}
