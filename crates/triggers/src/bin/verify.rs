//! Lambda function `verify`: checks the answers; the only one that may read the BlockID client secret.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    triggers::runtime::serve_verify().await
}
