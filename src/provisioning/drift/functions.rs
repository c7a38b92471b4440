//! Code, settings and environment of the functions, and the roles they run as.

use super::{Look, Place};
use crate::{
    aws::{AwsError, lambda::FunctionSettings},
    domain::cell::Cell,
    provisioning::wanted::{self, WantedFunction},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Variables that belong to development. On AWS each is a door.
const DEVELOPMENT: &str = "STEPGATE_DEV_";

impl Look<'_> {
    pub(super) async fn functions(&mut self) -> Result<(), AwsError> {
        let known = self.template_is_known();
        if !known {
            let why = "settings and roles of the functions: the stack runs another version of the template";
            self.not_checked.push(why.to_owned());
        }
        for function in wanted::functions(self.desired, self.outputs) {
            let lambda = self.context.aws.lambda(self.region());
            match lambda.function(&function.arn).await {
                Ok(found) => self.function(&function, &found, known),
                Err(error) if error.is_not_found() => {
                    self.differs(Place::Function(function.name), json!(function.arn), Value::Null);
                }
                Err(error) => return Err(error),
            }
            if known {
                self.role(&function).await?;
            }
        }
        Ok(())
    }

    fn function(&mut self, function: &WantedFunction, found: &FunctionSettings, all: bool) {
        let mut wanted = function.settings.clone();
        // The code that the stack was last brought to: a newer one in the cell comes with a rollout.
        let key = self.outputs.parameters.get(parameter(function.name));
        if let Some(digest) = key.and_then(|key| digest_in(key)) {
            wanted.code_sha256 = digest;
        }
        for (name, wanted, found) in wanted::differing(&wanted, found) {
            if name != "environment" && (all || name == "code_sha256") {
                self.differs(Place::FunctionSetting(function.name, name), wanted, found);
            }
        }
        if all {
            self.environment(function.name, &wanted.environment, &found.environment);
        }
    }

    fn environment(
        &mut self,
        function: &'static str,
        wanted: &BTreeMap<String, String>,
        found: &BTreeMap<String, String>,
    ) {
        let names: BTreeSet<_> = wanted.keys().chain(found.keys()).cloned().collect();
        for name in names {
            match (wanted.get(&name), found.get(&name)) {
                (Some(wanted), found) if Some(wanted) != found => {
                    self.differs(Place::Variable(function, name), json!(wanted), json!(found));
                }
                // What somebody else put there may be a secret.
                (None, Some(_)) if !is_for_development(&self.desired.cell, &name) => {
                    self.differs(Place::ForeignVariable(function, name), Value::Null, json!("set"));
                }
                _ => {}
            }
        }
    }

    async fn role(&mut self, function: &WantedFunction) -> Result<(), AwsError> {
        let iam = self.context.aws.iam(self.region());
        let name = role_name(&function.role_arn);
        let Some(found) = iam.role(name).await? else {
            self.differs(Place::Role(function.name), json!(function.role_arn), Value::Null);
            return Ok(());
        };
        let wanted = wanted::role(self.desired, self.outputs, function);
        if wanted::normal(&found.trust) != wanted::normal(&wanted.trust) {
            self.differs(Place::Trust(function.name), wanted.trust, found.trust);
        }
        let names: BTreeSet<_> = wanted.inline.keys().chain(found.inline.keys()).cloned().collect();
        for name in names {
            let (wanted, found) = (wanted.inline.get(&name), found.inline.get(&name));
            if wanted.map(wanted::normal) != found.map(wanted::normal) {
                let (wanted, found) = (json!(wanted), json!(found));
                self.differs(Place::InlinePolicy(function.name, name), wanted, found);
            }
        }
        for arn in found.attached {
            let place = Place::AttachedPolicy(function.name, arn.clone());
            self.differs(place, Value::Null, json!(arn));
        }
        Ok(())
    }
}

/// Name of the role with this ARN; the path before it is no part of the name.
pub(in crate::provisioning) fn role_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Parameter of the stack that names the artifact of a function.
fn parameter(function: &str) -> &'static str {
    if function == "verify" {
        "VerifyArtifactKey"
    } else {
        "ChallengeArtifactKey"
    }
}

/// The digest that is part of an artifact's key, as Lambda writes it.
fn digest_in(key: &str) -> Option<String> {
    let digest = key.rsplit('/').nth(1)?;
    Some(BASE64_STANDARD.encode(hex::decode(digest).ok()?))
}

/// Whether the variable is one of development's, in a cell that is for development: one whose providers may be on
/// loopback. Everywhere else it is a difference like any other.
fn is_for_development(cell: &Cell, variable: &str) -> bool {
    variable.starts_with(DEVELOPMENT)
        && cell
            .allowed_provider_networks
            .iter()
            .any(|network| network.addr().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_an_artifact_is_in_its_key() {
        let key = format!("triggers/1.0/{}/verify.zip", "00".repeat(32));
        assert_eq!(
            digest_in(&key).unwrap(),
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        );
        assert_eq!(digest_in("verify.zip"), None);
        assert_eq!(digest_in("triggers/1.0/nothing/verify.zip"), None);
    }

    #[test]
    fn a_role_is_named_without_its_path() {
        assert_eq!(
            role_name("arn:aws:iam::1:role/stepgate/stepgate-x-verify"),
            "stepgate-x-verify"
        );
    }
}
