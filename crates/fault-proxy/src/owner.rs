//! Whose a call is: most name the tenant in what they ask for; those to a user pool are known by the pool.

use std::collections::HashMap;

/// Letters of the part of a tenant's id that is in every name.
const LETTERS: usize = 26;

/// Pools by their tenant, as the tenants' stacks told.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<String, String>);

impl Owners {
    /// The tenant that a call is about.
    pub(crate) fn of(&self, question: &str) -> Option<String> {
        named(question).or_else(|| {
            let pool = between(question, r#""UserPoolId":""#, "\"")?;
            self.0.get(pool).cloned()
        })
    }

    /// Reads from the answer about a stack which pool it made.
    pub(crate) fn learn(&mut self, whose: Option<&str>, answer: &[u8]) {
        let answer = String::from_utf8_lossy(answer);
        let output = answer.split("<OutputKey>UserPoolId</OutputKey>").nth(1);
        let pool = output.and_then(|rest| between(rest, "<OutputValue>", "</OutputValue>"));
        if let (Some(whose), Some(pool)) = (whose, pool) {
            self.0.insert(pool.to_owned(), whose.to_owned());
        }
    }
}

fn named(question: &str) -> Option<String> {
    ["tnt_", "stepgate-"].iter().find_map(|prefix| {
        question.split(prefix).skip(1).find_map(|rest| {
            let (id, behind) = rest.split_at_checked(LETTERS)?;
            let is_id = id.starts_with(|first: char| first.is_ascii_digit())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !behind.starts_with(|next: char| next.is_ascii_alphanumeric());
            is_id.then(|| id.to_owned())
        })
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01jd7v0p3h8s5k2m4n6q9r1t0w";

    #[test]
    fn names_tell_the_tenant() {
        let owners = Owners::default();
        for question in [
            format!("/ Action=CreateStack&StackName=stepgate-{ID}&Bucket=stepgate-cell-demo"),
            format!(r#"/ {{"Name":"stepgate/tnt_{ID}/settings-x"}}"#),
            format!("/functions/arn%3Aaws%3Alambda%3Astepgate-{ID}-verify/configuration "),
        ] {
            assert_eq!(owners.of(&question).as_deref(), Some(ID), "{question}");
        }
        assert_eq!(
            owners.of("/ Action=DescribeStacks&StackName=stepgate-cell-demo"),
            None
        );
    }

    #[test]
    fn a_pool_is_its_stacks_tenants() {
        let mut owners = Owners::default();
        let answer = "<member><OutputKey>UserPoolId</OutputKey><OutputValue>p_1</OutputValue></member>";
        let question = r#"/ {"UserPoolId":"p_1"}"#;
        assert_eq!(owners.of(question), None);
        owners.learn(Some(ID), answer.as_bytes());
        assert_eq!(owners.of(question).as_deref(), Some(ID));
    }
}
