//! `stepgate problems`: prints the page of the kinds of problems.

/// Runs the command.
pub fn run() {
    #[expect(clippy::print_stdout, reason = "the result of a command")]
    {
        print!("{}", crate::api::problems::page());
    }
}
