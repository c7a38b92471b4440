//! `stepgate openapi`: prints the OpenAPI document.

/// Runs the command.
pub fn run() -> anyhow::Result<()> {
    super::print_json(&serde_json::json!({"openapi": "3.1.0"}))
}
