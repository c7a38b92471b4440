//! Fields of CSV (RFC 4180) that a spreadsheet may open.

/// Quoted always; and a text that a spreadsheet would take for a formula is made one that it does not.
pub(super) fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_break_out_of_its_field_or_become_a_formula() {
        assert_eq!(field("otp sms"), "\"otp sms\"");
        assert_eq!(field("a\",1\r\nb"), "\"a\"\",1\r\nb\"");
        assert_eq!(field("=cmd()"), "\"'=cmd()\"");
    }
}
