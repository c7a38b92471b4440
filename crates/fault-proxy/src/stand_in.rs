//! Answers for many tenants that are copies of one: what AWS answered about that one, with the copy's names in it.

use serde::{Deserialize, Serialize};

/// A text that is in the names of the one tenant, and what is in its place for the copy of a number: `prefix`, then the
/// number, both together as long as the text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mark {
    /// As the one tenant has it.
    pub own: String,
    /// How it begins for copies.
    pub prefix: String,
}

impl Mark {
    fn digits(&self) -> usize {
        self.own.len().saturating_sub(self.prefix.len())
    }

    fn of(&self, number: u64) -> String {
        format!("{}{number:0width$}", self.prefix, width = self.digits())
    }

    /// The number of the copy that a text is about.
    fn number_in(&self, text: &str) -> Option<u64> {
        let mut behind = text.split(self.prefix.as_str()).skip(1);
        behind.find_map(|rest| {
            let digits = rest.get(..self.digits())?;
            let all = digits.bytes().all(|digit| digit.is_ascii_digit());
            all.then(|| digits.parse().ok()).flatten()
        })
    }
}

/// The copy that a question is about, and what would be asked about the one tenant.
pub(crate) fn about(marks: &[Mark], question: &str) -> Option<(u64, String)> {
    let number = marks.iter().find_map(|mark| mark.number_in(question))?;
    let asked = marks.iter().fold(question.to_owned(), |text, mark| {
        text.replace(&mark.of(number), &mark.own)
    });
    Some((number, asked))
}

/// An answer about the one tenant as one about a copy.
pub(crate) fn answer(marks: &[Mark], number: u64, answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let of_copy = marks
        .iter()
        .fold(text, |text, mark| text.replace(&mark.own, &mark.of(number)));
    of_copy.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_answered_as_the_one_with_its_own_names() {
        let mark = |own: &str, prefix: &str| Mark {
            own: own.to_owned(),
            prefix: prefix.to_owned(),
        };
        let marks = [mark("01jd7v0p", "00t"), mark("pool_AbC", "pool_c")];
        assert_eq!(
            about(&marks, "stack-00t00042 of pool_c42"),
            Some((42, "stack-01jd7v0p of pool_AbC".to_owned()))
        );
        assert_eq!(about(&marks, "pool_c07"), Some((7, "pool_AbC".to_owned())));
        assert_eq!(about(&marks, "stack-01jd7v0p"), None, "not a copy");
        assert_eq!(answer(&marks, 7, b"01jd7v0p pool_AbC"), b"00t00007 pool_c07");
    }
}
