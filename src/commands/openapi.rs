//! `stepgate openapi`: prints the OpenAPI document.

/// Runs the command.
pub fn run() -> anyhow::Result<()> {
    let text = crate::api::document::document_text()?;
    #[expect(clippy::print_stdout, reason = "the result of a command")]
    {
        print!("{text}");
    }
    Ok(())
}
