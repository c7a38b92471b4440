//! `stepgate cell policy`: what the control plane's roles may do in a cell, from the list in the code.

use crate::provisioning::access::{Document, Place, policy, refreshed_page, refreshed_template};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// Arguments of `stepgate cell policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// AWS account of the cell.
    #[arg(long, default_value = "111122223333", value_parser = parse_account)]
    account: String,
    /// AWS region of the cell; `*` is every one.
    #[arg(long, env = "AWS_REGION", default_value = "*")]
    region: String,
    /// Partition of AWS.
    #[arg(long, default_value = "aws")]
    partition: String,
    /// What to print.
    #[arg(long = "as", value_enum, default_value_t = Form::Json)]
    form: Form,
}

/// Forms of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The policies by name, as IAM takes them.
    Json,
    /// The CloudFormation template that makes the roles.
    Template,
    /// The page of the documentation.
    Page,
}

fn parse_account(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.to_owned())
        .ok_or_else(|| "must be 12 digits".to_owned())
}

/// Runs the command; it needs neither a database nor AWS.
pub fn run(arguments: PolicyArgs) -> anyhow::Result<()> {
    let place = Place {
        partition: arguments.partition,
        account: arguments.account,
        region: arguments.region,
    };
    let text = match arguments.form {
        Form::Template => refreshed_template(include_str!("../provisioning/templates/access.yaml")),
        Form::Page => refreshed_page(include_str!("../../docs/iam.md")),
        Form::Json => {
            let policies: Map<String, Value> = Document::ALL
                .into_iter()
                .map(|document| (document.name().to_owned(), policy(document, &place)))
                .collect();
            return super::print_json(&policies);
        }
    };
    #[expect(clippy::print_stdout, reason = "the result of a command")]
    {
        print!("{text}");
    }
    Ok(())
}
