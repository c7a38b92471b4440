//! Trusted issuers, as the operator's file names them.
//!
//! ```toml
//! [[issuer]]
//! name = "acme-portal"                      # in logs and the audit log
//! issuer = "https://login.acme.example/"    # `iss`, exactly
//! audience = "https://stepgate.example"     # must be in `aud`
//! partner_id = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w"
//! role_claim = "scope"                      # a text of words, or a list; `/a/b` reaches inside
//! roles = { "stepgate.write" = "partner_admin", "stepgate.read" = "partner_reader" }
//! ```
//!
//! Instead of `partner_id`: `partner_claim = "org"` with `partners = { "acme" = "ptn_…" }` for an issuer that serves several
//! partners; neither of them for the installation's own issuer, whose roles are `operator` and `auditor`. A file that would
//! let a partner's issuer make operators is refused at start.
//!
//! With `login = { client_id = "stepgate", client_secret_file = "/run/secrets/stepgate-login" }` people sign in to the
//! console there; claims of the id_token become roles as those of any other token do.

use super::token::{Claims, TokenError};
use crate::{
    domain::actor::{Actor, Grants, Identity, Role},
    ids::PartnerId,
};
use ipnet::IpNet;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Longest subject that is recognised, bytes.
const MAX_SUBJECT_BYTES: usize = 255;

/// Whose callers an issuer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Belongs {
    /// Operators and auditors.
    Installation,
    /// One partner's.
    Partner(PartnerId),
    /// Those of the partner that a claim names.
    PartnerByClaim {
        /// The claim.
        claim: String,
        /// What its values mean.
        partners: BTreeMap<String, PartnerId>,
    },
}

/// An issuer that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Name in logs and the audit log.
    pub name: String,
    /// `iss`, exactly.
    pub issuer: String,
    /// Must be in `aud`.
    pub audience: String,
    /// Where its keys are; by default its discovery document says so.
    pub jwks_url: Option<String>,
    /// Networks beside the public internet in which it may be.
    pub allowed_networks: Vec<IpNet>,
    /// Whose callers it names.
    pub belongs: Belongs,
    /// Claim with the roles.
    pub role_claim: String,
    /// What its values mean.
    pub roles: BTreeMap<String, Role>,
    /// The client that the console is there, when people sign in to it there.
    pub login: Option<ConsoleClient>,
}

/// The client that the console is at an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleClient {
    /// OAuth client id.
    pub client_id: String,
    /// Path of the file with the client secret.
    pub client_secret_file: String,
    /// What is asked for; by default `openid`.
    #[serde(default)]
    pub scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    issuer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    issuer: String,
    audience: String,
    jwks_url: Option<String>,
    #[serde(default)]
    allowed_networks: Vec<IpNet>,
    partner_id: Option<PartnerId>,
    partner_claim: Option<String>,
    partners: Option<BTreeMap<String, PartnerId>>,
    role_claim: String,
    roles: BTreeMap<String, Role>,
    login: Option<ConsoleClient>,
}

/// Reads the file; every problem is one line.
pub fn read_file(path: &str) -> Result<Vec<TrustedIssuer>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|error| vec![format!("cannot be read: {error}")])?;
    read(&text)
}

/// Reads the file's text; every problem is one line.
pub fn read(text: &str) -> Result<Vec<TrustedIssuer>, Vec<String>> {
    let file: File = toml::from_str(text).map_err(|error| vec![error.message().to_owned()])?;
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let mut urls = BTreeSet::new();
    let issuers: Vec<_> = file
        .issuer
        .into_iter()
        .filter_map(|entry| {
            let name = entry.name.clone();
            if !names.insert(entry.name.clone()) || !urls.insert(entry.issuer.clone()) {
                problems.push(format!("issuer `{name}`: name or issuer is there twice"));
            }
            check(entry)
                .map_err(|found| {
                    problems.extend(found.into_iter().map(|text| format!("issuer `{name}`: {text}")));
                })
                .ok()
        })
        .collect();
    if problems.is_empty() {
        Ok(issuers)
    } else {
        Err(problems)
    }
}

fn check(entry: Entry) -> Result<TrustedIssuer, Vec<String>> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, text: &str| {
        if !holds {
            problems.push(text.to_owned());
        }
    };
    let simple = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    require(
        (1..=32).contains(&entry.name.len()) && entry.name.bytes().all(simple),
        "`name` must be 1 to 32 lower-case letters, digits and `-`",
    );
    for (field, url) in [
        ("issuer", Some(&entry.issuer)),
        ("jwks_url", entry.jwks_url.as_ref()),
    ] {
        let sound = |url: &String| {
            url::Url::parse(url).is_ok_and(|url| {
                matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none()
            })
        };
        require(
            url.is_none_or(sound),
            &format!("`{field}` must be an https:// URL without a query"),
        );
    }
    require(!entry.audience.trim().is_empty(), "`audience` must not be empty");
    require(!entry.role_claim.is_empty(), "`role_claim` must not be empty");
    require(!entry.roles.is_empty(), "`roles` must name at least one");
    if let Some(login) = &entry.login {
        require(!login.client_id.is_empty(), "`login.client_id` must not be empty");
        // An id_token is for the client alone and must open nothing else.
        require(
            login.client_id != entry.audience,
            "`login.client_id` must not be the `audience`: an id_token would open the API",
        );
    }
    let belongs = match (entry.partner_id, entry.partner_claim, entry.partners) {
        (None, None, None) => Some(Belongs::Installation),
        (Some(id), None, None) => Some(Belongs::Partner(id)),
        (None, Some(claim), Some(partners)) if !partners.is_empty() => {
            Some(Belongs::PartnerByClaim { claim, partners })
        }
        _ => None,
    };
    require(
        belongs.is_some(),
        "give either `partner_id`, or `partner_claim` with `partners`, or none of them",
    );
    let of_partner = !matches!(belongs, Some(Belongs::Installation) | None);
    require(
        belongs.is_none()
            || entry
                .roles
                .values()
                .all(|role| role.belongs_to_partner() == of_partner),
        if of_partner {
            "an issuer of partners may only hand out `partner_admin` and `partner_reader`"
        } else {
            "an issuer without a partner may only hand out `operator` and `auditor`"
        },
    );
    let Some(belongs) = belongs.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    Ok(TrustedIssuer {
        name: entry.name,
        issuer: entry.issuer,
        audience: entry.audience,
        jwks_url: entry.jwks_url,
        allowed_networks: entry.allowed_networks,
        belongs,
        role_claim: entry.role_claim,
        roles: entry.roles,
        login: entry.login,
    })
}

impl TrustedIssuer {
    /// What is asked for when people sign in.
    pub(super) fn login_scope(&self) -> String {
        let asked = self.login.as_ref().and_then(|login| login.scope.as_deref());
        asked.unwrap_or("openid").to_owned()
    }

    /// Who the subject of these claims is. Claims were verified; rights come from the file.
    pub(super) fn actor(&self, claims: &Claims) -> Result<Actor, TokenError> {
        let subject = claims.subject();
        let printable = subject.bytes().all(|byte| byte.is_ascii_graphic());
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || !printable {
            return Err(TokenError::Subject);
        }
        let partner_id = match &self.belongs {
            Belongs::Installation => None,
            Belongs::Partner(id) => Some(*id),
            Belongs::PartnerByClaim { claim, partners } => {
                let words = claims.words(claim);
                // Two partners at once would leave open whose rows are meant.
                let [one] = words.as_slice() else {
                    return Err(TokenError::Partner);
                };
                Some(*partners.get(one).ok_or(TokenError::Partner)?)
            }
        };
        // Of several roles the strongest, and only such as this kind of issuer may hand out.
        let given: Vec<Role> = claims
            .words(&self.role_claim)
            .iter()
            .filter_map(|word| self.roles.get(word).copied())
            .filter(|role| role.belongs_to_partner() == partner_id.is_some())
            .collect();
        let strongest = [
            Role::Operator,
            Role::PartnerAdmin,
            Role::Auditor,
            Role::PartnerReader,
        ]
        .into_iter()
        .find(|role| given.contains(role))
        .ok_or(TokenError::Role)?;
        Ok(Actor {
            identity: Identity::Subject {
                issuer: self.name.clone(),
                subject: subject.to_owned(),
            },
            role: strongest,
            partner_id,
            grants: Grants::All,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTNER: &str = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w";

    fn file(lines: &str) -> String {
        format!(
            "[[issuer]]\nname = \"acme\"\nissuer = \"https://login.acme.example\"\naudience = \"stepgate\"\nrole_claim = \"scope\"\n{lines}"
        )
    }

    #[test]
    fn the_three_kinds_are_read() {
        let installation = read(&file("roles = { ops = \"operator\", look = \"auditor\" }")).unwrap();
        assert_eq!(installation[0].belongs, Belongs::Installation);
        let one = read(&file(&format!(
            "partner_id = \"{PARTNER}\"\nroles = {{ w = \"partner_admin\" }}"
        )))
        .unwrap();
        assert_eq!(one[0].belongs, Belongs::Partner(PARTNER.parse().unwrap()));
        let several = format!(
            "partner_claim = \"org\"\npartners = {{ acme = \"{PARTNER}\" }}\nroles = {{ r = \"partner_reader\" }}"
        );
        assert!(matches!(
            read(&file(&several)).unwrap()[0].belongs,
            Belongs::PartnerByClaim { .. }
        ));
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn a_partners_issuer_cannot_be_given_the_installations_roles() {
        for lines in [
            format!("partner_id = \"{PARTNER}\"\nroles = {{ a = \"partner_admin\", o = \"operator\" }}"),
            format!(
                "partner_claim = \"org\"\npartners = {{ acme = \"{PARTNER}\" }}\nroles = {{ o = \"auditor\" }}"
            ),
            "roles = { a = \"partner_admin\" }".to_owned(),
        ] {
            let problems = read(&file(&lines)).unwrap_err();
            assert!(problems[0].contains("may only hand out"), "{problems:?}");
        }
        for (lines, needle) in [
            ("roles = {}", "at least one"),
            ("roles = { o = \"root\" }", "unknown variant"),
            (
                "partner_claim = \"org\"\nroles = { r = \"partner_reader\" }",
                "give either",
            ),
            ("colour = \"red\"\nroles = { o = \"operator\" }", "unknown field"),
            (
                "jwks_url = \"file:///etc/passwd\"\nroles = { o = \"operator\" }",
                "jwks_url",
            ),
        ] {
            let problems = read(&file(lines)).unwrap_err().join("; ");
            assert!(problems.contains(needle), "{lines}: {problems}");
        }
        let login = "login = { client_id = \"stepgate\", client_secret_file = \"/x\" }";
        let problems = read(&file(&format!("roles = {{ o = \"operator\" }}\n{login}"))).unwrap_err();
        assert!(problems[0].contains("would open the API"), "{problems:?}");
        let twice = format!("{0}\n{0}", file("roles = { o = \"operator\" }\n"));
        assert!(read(&twice).unwrap_err().join("; ").contains("twice"));
    }

    #[test]
    fn the_documented_file_is_one() {
        let page = include_str!("../../docs/conventions.md");
        let block = page
            .split("```toml\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let issuers = read(block).unwrap();
        let names: Vec<_> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        assert_eq!(names, ["acme-portal", "staff"]);
    }
}
