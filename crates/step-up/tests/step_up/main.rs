//! Tests of the decision logic, through its public interface only.
//!
//! | module | asks |
//! | --- | --- |
//! | `define_exhaustive` | does any history up to six rounds yield tokens that it must not? |
//! | `define` | the paths of design and attack catalogue, one by one; random histories |
//! | `diff` | what differs between two policies |
//! | `evaluate` | what conditions mean; do `evaluate` and `explain` agree? |
//! | `parse` | form, positions of mistakes, older schema versions |
//! | `pilot` | what a pilot step-up teaches |
//! | `validate` | every finding once; never a panic |
//! | `reach` | is what is called unreachable really never reached? |
//! | `schema` | do the published JSON Schema and the reader agree? |
//! | `assurance` | what counts as met |
//! | `challenge` | authorize URL, answers, metadata |
//! | `corpus` | the files under `corpus/`, and random text |

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says that it failed by panicking, in its helpers too"
)]

mod arbitrary;
mod assurance;
mod challenge;
mod corpus;
mod define;
mod define_exhaustive;
mod define_oracle;
mod diff;
mod evaluate;
mod parse;
mod pilot;
mod reach;
mod schema;
mod schema_check;
mod validate;
mod validate_cases;
