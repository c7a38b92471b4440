//! Lambda function `challenge`: *define*, *create* and the pre-token gate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    triggers::runtime::serve_challenge().await
}
