//! What CloudFormation cannot change without making a resource anew, and whether another template would.
//!
//! CloudFormation's change sets say so too, but not always: some implementations report a replacement as none. So the
//! template in force and the one that is wanted are compared here, in the properties that are fixed at creation. The
//! templates are our own, of one form, and compared as text.

use super::WantedStack;
use crate::provisioning::failure::StepFailure;

/// Properties with "Update requires: Replacement" on the page of their type in AWS's CloudFormation reference, and
/// those that cannot be changed at all, for every type of resource in our templates.
const CREATE_ONLY: &[(&str, &[&str])] = &[
    (
        "AWS::Cognito::UserPool",
        &[
            "AliasAttributes",
            "Schema",
            "UsernameAttributes",
            "UsernameConfiguration",
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        &[
            "AttributeDefinitions",
            "ImportSourceSpecification",
            "KeySchema",
            "LocalSecondaryIndexes",
            "TableName",
        ],
    ),
    ("AWS::SecretsManager::Secret", &["Name"]),
    ("AWS::S3::Bucket", &["BucketName", "ObjectLockEnabled"]),
    ("AWS::S3::BucketPolicy", &["Bucket"]),
    ("AWS::SQS::Queue", &["FifoQueue", "QueueName"]),
    ("AWS::SQS::QueuePolicy", &[]),
    ("AWS::Logs::LogGroup", &["LogGroupName"]),
    ("AWS::Logs::SubscriptionFilter", &["FilterName", "LogGroupName"]),
    ("AWS::IAM::Role", &["Path", "RoleName"]),
    ("AWS::IAM::Policy", &[]),
    ("AWS::Lambda::Function", &["FunctionName", "PackageType"]),
    (
        "AWS::Lambda::Permission",
        &[
            "Action",
            "FunctionName",
            "Principal",
            "SourceAccount",
            "SourceArn",
        ],
    ),
    ("AWS::CloudWatch::Alarm", &["AlarmName"]),
];

/// Refuses a template that would make a guarded resource anew or leave it out.
pub(super) fn refuse_template_losses(wanted: &WantedStack<'_>, in_force: &str) -> Result<(), StepFailure> {
    let lost = lost(wanted.guarded, in_force, &wanted.template.body);
    if lost.is_empty() {
        return Ok(());
    }
    Err(StepFailure::lasting(
        "change_loses_data",
        format!(
            "The template of {} would make anew or remove what must be kept: it changes {}.",
            wanted.name,
            lost.join(", ")
        ),
        Some("Take the change back, or make a new tenant and move its users."),
    ))
}

/// What of the guarded resources the new template would lose: resources, or properties of theirs.
fn lost(guarded: &[&str], in_force: &str, wanted: &str) -> Vec<String> {
    let (Some(before), Some(after)) = (block(in_force, 0, "Resources"), block(wanted, 0, "Resources")) else {
        // Somebody put another template there; what it would lose cannot be told.
        return vec!["the form of the template".to_owned()];
    };
    let mut lost = Vec::new();
    for id in guarded {
        // What was not there cannot be lost.
        let Some(old) = block(&before, 2, id) else {
            continue;
        };
        let Some(new) = block(&after, 2, id) else {
            lost.push((*id).to_owned());
            continue;
        };
        let (kind, other) = (type_of(&old), type_of(&new));
        if kind != other {
            lost.push(format!("{id}.Type"));
            continue;
        }
        let properties = CREATE_ONLY
            .iter()
            .find(|(known, _)| Some(*known) == kind.as_deref());
        let Some((_, properties)) = properties else {
            lost.push(format!("{id}, whose type is not known here"));
            continue;
        };
        for property in *properties {
            if property_of(in_force, &old, property) != property_of(wanted, &new, property) {
                lost.push(format!("{id}.{property}"));
            }
        }
    }
    lost
}

fn type_of(resource: &str) -> Option<String> {
    let line = block(resource, 4, "Type")?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The text of a property, with the conditions that it rests on.
fn property_of(template: &str, resource: &str, name: &str) -> Option<(String, Vec<String>)> {
    let property = block(&block(resource, 4, "Properties")?, 6, name)?;
    let conditions = block(template, 0, "Conditions").unwrap_or_default();
    let words = property.split(|c: char| !c.is_ascii_alphanumeric());
    let rests_on = words.filter_map(|word| block(&conditions, 2, word)).collect();
    Some((property, rests_on))
}

/// The lines of an entry at this depth, with what is inside it; without comments.
fn block(text: &str, indent: usize, name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let begins = format!("{:indent$}{name}:", "");
    let lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'));
    let mut found: Option<Vec<&str>> = None;
    for line in lines {
        match &mut found {
            None if line.starts_with(&begins) => found = Some(vec![line]),
            None => {}
            Some(_) if line.len() - line.trim_start().len() <= indent => break,
            Some(inside) => inside.push(line),
        }
    }
    found.map(|lines| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provisioning::{
        cell,
        template::{self, Template},
        wanted,
    };
    use std::collections::BTreeSet;

    /// Both templates, with what is guarded of each.
    fn templates() -> [(Template, &'static [&'static str]); 2] {
        [
            (template::tenant(), wanted::GUARDED),
            (template::cell(), cell::GUARDED),
        ]
    }

    /// Every resource of a template with its type.
    fn resources(template: &str) -> Vec<(String, String)> {
        let resources = block(template, 0, "Resources").unwrap();
        let names = resources.lines().filter_map(|line| {
            let name = line.strip_prefix("  ")?.strip_suffix(':')?;
            (!name.starts_with(' ')).then_some(name)
        });
        names
            .map(|name| {
                let kind = type_of(&block(&resources, 2, name).unwrap()).unwrap();
                (name.to_owned(), kind)
            })
            .collect()
    }

    fn create_only(kind: &str) -> &'static [&'static str] {
        CREATE_ONLY.iter().find(|(known, _)| *known == kind).unwrap().1
    }

    /// The template with a property of a resource changed: another value, or one where there was none.
    fn edited(body: &str, resource: &str, property: &str) -> String {
        let mut lines: Vec<String> = body.lines().map(str::to_owned).collect();
        let from = lines
            .iter()
            .position(|line| *line == format!("  {resource}:"))
            .unwrap();
        let below =
            |line: &String| line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #");
        let to = lines[from + 1..]
            .iter()
            .position(|line| below(line) || !line.starts_with(' ') && !line.is_empty());
        let to = to.map_or(lines.len(), |length| from + 1 + length);
        let begins = format!("      {property}:");
        let place = lines[from..to].iter().position(|line| line.starts_with(&begins));
        if let Some(place) = place {
            lines[from + place].push_str(" other");
        } else {
            let properties = lines[from..to]
                .iter()
                .position(|line| line == "    Properties:")
                .unwrap();
            lines.insert(from + properties + 1, format!("{begins} other"));
        }
        lines.join("\n")
    }

    #[test]
    fn an_edit_of_each_create_only_property_of_each_resource_is_refused_where_it_is_guarded() {
        for (template, guarded) in templates() {
            let body = &template.body;
            let mut edits = BTreeSet::new();
            for (resource, kind) in resources(body) {
                for property in create_only(&kind) {
                    let edited = edited(body, &resource, property);
                    assert_ne!(&edited, body);
                    // Whatever is guarded, every type's list is tried on a resource of it.
                    let found = lost(&[&resource], body, &edited);
                    assert_eq!(found, [format!("{resource}.{property}")], "{kind}");
                    // And the other way round: what is taken away is changed, too.
                    assert_eq!(lost(&[&resource], &edited, body), found);
                    if guarded.contains(&resource.as_str()) {
                        assert_eq!(lost(guarded, body, &edited), found, "guarded");
                        edits.insert(resource.clone());
                    } else {
                        assert!(
                            lost(guarded, body, &edited).is_empty(),
                            "{resource} is not guarded"
                        );
                    }
                }
            }
            assert_eq!(edits, guarded.iter().map(|one| (*one).to_owned()).collect());
        }
    }

    #[test]
    fn what_can_be_changed_may_be() {
        let body = template::tenant().body;
        for (from, to) in [
            ("MemorySize: 512", "MemorySize: 1024"),
            (
                "DeletionProtection: !If [IsKept, ACTIVE, INACTIVE]",
                "DeletionProtection: ACTIVE",
            ),
            ("MfaConfiguration: \"OFF\"", "MfaConfiguration: \"OFF\" # still"),
            (
                "      BillingMode: PAY_PER_REQUEST\n",
                "      # Comments change nothing.\n      BillingMode: PAY_PER_REQUEST\n",
            ),
        ] {
            let edited = body.replace(from, to);
            assert_ne!(edited, body, "{from}");
            assert_eq!(
                lost(&["UserPool", "RecordsTable"], &body, &edited),
                Vec::<String>::new(),
                "{from}"
            );
        }
    }

    #[test]
    fn a_resource_left_out_renamed_or_of_another_type_is_lost() {
        let body = template::tenant().body;
        let renamed = body.replace("\n  RecordsTable:", "\n  Records:");
        assert_eq!(lost(&["RecordsTable"], &body, &renamed), ["RecordsTable"]);
        let other = body.replace(
            "Type: AWS::Cognito::UserPool",
            "Type: AWS::Cognito::UserPoolDomain",
        );
        assert_eq!(lost(&["UserPool"], &body, &other), ["UserPool.Type"]);
        let condition = body.replace(
            "SignInWithEmail: !Equals [!Ref SignInWith, email]",
            "SignInWithEmail: !Equals [a, a]",
        );
        assert_eq!(
            lost(&["UserPool"], &body, &condition),
            ["UserPool.UsernameAttributes"]
        );
        assert_eq!(
            lost(&["UserPool"], "{\"Resources\": {}}", &body),
            ["the form of the template"]
        );
        assert!(
            lost(&["UserPool"], "Resources:\n  Other:\n    Type: X\n", &body).is_empty(),
            "new"
        );
    }

    #[test]
    fn every_type_in_the_templates_is_known_and_what_is_kept_is_kept() {
        for (template, _) in templates() {
            let types = template
                .body
                .lines()
                .filter_map(|line| line.strip_prefix("    Type: AWS::"));
            for kind in types {
                let kind = format!("AWS::{kind}");
                assert!(CREATE_ONLY.iter().any(|(known, _)| *known == kind), "{kind}");
            }
        }
        for (template, guarded) in templates() {
            let resources = block(&template.body, 0, "Resources").unwrap();
            for resource in guarded {
                let text = block(&resources, 2, resource).unwrap();
                for (policy, value) in [
                    ("DeletionPolicy", "RetainExceptOnCreate"),
                    ("UpdateReplacePolicy", "Retain"),
                ] {
                    assert_eq!(
                        block(&text, 4, policy).unwrap().trim(),
                        format!("{policy}: {value}"),
                        "{resource}"
                    );
                }
            }
        }
    }
}
