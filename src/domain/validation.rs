//! Collects everything that is wrong with an input.

use crate::{Error, Result, error::FieldError};

/// Longest name of a partner, key, tenant or app, in characters.
pub const NAME_MAX_CHARS: usize = 128;

/// Problems found so far, below one place of the body.
#[derive(Debug, Default)]
pub struct Problems {
    base: String,
    found: Vec<FieldError>,
}

impl Problems {
    /// Nothing found yet; pointers start at the body's root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a problem at `pointer` (`/pool/email`), relative to the current place.
    pub fn add(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        self.found
            .push(FieldError::new(format!("{}{pointer}", self.base), code, detail));
    }

    /// Notes a problem unless `holds`.
    pub fn require(&mut self, holds: bool, pointer: &str, code: &str, detail: impl Into<String>) {
        if !holds {
            self.add(pointer, code, detail);
        }
    }

    /// Runs `check` with pointers relative to `pointer`.
    pub fn within(&mut self, pointer: &str, check: impl FnOnce(&mut Self)) {
        let length = self.base.len();
        self.base.push_str(pointer);
        check(self);
        self.base.truncate(length);
    }

    /// A text for people: not blank, not padded, no control characters, not over `max_chars`.
    pub fn name(&mut self, pointer: &str, text: &str, max_chars: usize) {
        if text.trim().is_empty() {
            self.add(pointer, "empty", "must not be empty");
        } else if text.chars().count() > max_chars {
            self.add(
                pointer,
                "too_long",
                format!("must have at most {max_chars} characters"),
            );
        } else if text.trim() != text {
            self.add(pointer, "padded", "must not begin or end with white space");
        } else if text.chars().any(char::is_control) {
            self.add(
                pointer,
                "control_character",
                "must not contain control characters",
            );
        }
    }

    /// A number within bounds, both included.
    pub fn range(&mut self, pointer: &str, value: u32, range: std::ops::RangeInclusive<u32>) {
        let detail = || format!("must be from {} to {}", range.start(), range.end());
        if !range.contains(&value) {
            self.add(pointer, "out_of_range", detail());
        }
    }

    /// The problems, if there are any.
    pub fn finish(self) -> Result<()> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(self.found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_kept_with_its_place() {
        let mut problems = Problems::new();
        problems.name("/name", " ", 10);
        problems.within("/pool", |pool| {
            pool.range("/a", 5, 1..=4);
            pool.within("/b", |b| b.name("/c", "x\u{7}", 10));
        });
        problems.name("/fine", "ok", 2);
        let error = problems.finish().unwrap_err();
        let found: Vec<_> = error
            .fields()
            .iter()
            .map(|f| (f.pointer.as_str(), f.code.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("/name", "empty"),
                ("/pool/a", "out_of_range"),
                ("/pool/b/c", "control_character")
            ]
        );
    }
}
