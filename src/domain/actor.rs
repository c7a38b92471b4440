//! Who is calling, and what they may touch.
//!
//! The boundary between partners is a type: storage functions ask for a scope, and a scope is only to be had
//! from an [`Actor`] whose role allows it (or, for the command line and the worker, by name).
//!
//! A caller is known by an API key or by the token of a trusted issuer ([`Identity`]). What it may do is its role, and
//! of that, for a key that was limited, what its [`Grants`] leave.

use super::text_enum;
use crate::{
    Error, Result,
    error::Code,
    ids::{KeyId, PartnerId},
};
use std::fmt;

text_enum! {
    /// What a caller may do.
    Role {
        /// Runs the installation: partners, keys, cells; reads every tenant.
        Operator => "operator",
        /// Reads everything, changes nothing.
        Auditor => "auditor",
        /// Everything of one partner.
        PartnerAdmin => "partner_admin",
        /// Reads everything of one partner.
        PartnerReader => "partner_reader",
    }
}

impl Role {
    /// Whether keys of this role belong to a partner.
    pub const fn belongs_to_partner(self) -> bool {
        matches!(self, Self::PartnerAdmin | Self::PartnerReader)
    }
}

text_enum! {
    /// What of its role a limited key may use.
    KeyScope {
        /// Read everything that the role may read. Every key may.
        Read => "read",
        /// Change tenants, their apps, and whatever has no scope of its own.
        TenantsWrite => "tenants:write",
        /// Change step-up policies.
        PoliciesWrite => "policies:write",
        /// Make, rotate and revoke keys; for operators, change partners.
        KeysWrite => "keys:write",
    }
}

/// What of its role a caller may use: everything, or what a key was limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// Everything.
    All,
    /// Only these.
    Only(Vec<KeyScope>),
}

impl Grants {
    /// Whether `scope` is among them.
    pub fn allow(&self, scope: KeyScope) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scope == KeyScope::Read || scopes.contains(&scope),
        }
    }

    /// Whether everything in `others` is among them: nobody can give away more than they have.
    pub fn cover(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(_), Self::Only(scopes)) => scopes.iter().all(|scope| self.allow(*scope)),
        }
    }

    fn allow_changes(&self) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.iter().any(|scope| *scope != KeyScope::Read),
        }
    }
}

/// By what a caller is known. The text form is kept with what it did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// An API key.
    Key(KeyId),
    /// A subject of a trusted issuer: `name:subject`, under the issuer's name in the configuration.
    Subject {
        /// The issuer's name in the configuration.
        issuer: String,
        /// `sub` of the token.
        subject: String,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Subject { issuer, subject } => write!(f, "{issuer}:{subject}"),
        }
    }
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Actor {
    /// By what it is known.
    pub identity: Identity,
    /// What it may do.
    pub role: Role,
    /// Whose it is; `None` exactly for operators and auditors.
    pub partner_id: Option<PartnerId>,
    /// What of its role it may use.
    pub grants: Grants,
}

/// May touch one partner's rows.
#[derive(Debug, Clone, Copy)]
pub struct PartnerScope {
    partner_id: PartnerId,
}

impl PartnerScope {
    /// The partner.
    pub fn partner_id(&self) -> PartnerId {
        self.partner_id
    }
}

/// May touch what belongs to the installation: partners, keys, cells.
#[derive(Debug, Clone, Copy)]
pub struct OperatorScope(());

impl OperatorScope {
    /// The scope of somebody who can start commands on the machine and has the database's password.
    pub fn command_line() -> Self {
        Self(())
    }

    /// The scope in which a caller is recognised, before it has one of its own.
    pub fn authentication() -> Self {
        Self(())
    }

    /// The scope of the worker, which serves every partner.
    pub fn worker() -> Self {
        Self(())
    }
}

/// May read one partner's rows, or everybody's.
#[derive(Debug, Clone, Copy)]
pub enum ReadScope {
    /// One partner's.
    Partner(PartnerScope),
    /// Everybody's.
    Installation(OperatorScope),
}

impl ReadScope {
    /// The partner to which reading is limited; `None` when it is not.
    pub fn partner_id(&self) -> Option<PartnerId> {
        match self {
            Self::Partner(scope) => Some(scope.partner_id),
            Self::Installation(_) => None,
        }
    }
}

/// What a transaction is for: the rows of one partner, or everybody's. Only scopes are, so a transaction cannot
/// be begun by whoever has none.
pub trait Rows {
    /// The partner; `None` for everybody's rows.
    fn partner_id(&self) -> Option<PartnerId>;
}

impl Rows for PartnerScope {
    fn partner_id(&self) -> Option<PartnerId> {
        Some(self.partner_id)
    }
}

impl Rows for OperatorScope {
    fn partner_id(&self) -> Option<PartnerId> {
        None
    }
}

impl Rows for ReadScope {
    fn partner_id(&self) -> Option<PartnerId> {
        Self::partner_id(self)
    }
}

impl From<OperatorScope> for ReadScope {
    fn from(scope: OperatorScope) -> Self {
        Self::Installation(scope)
    }
}

impl From<PartnerScope> for ReadScope {
    fn from(scope: PartnerScope) -> Self {
        Self::Partner(scope)
    }
}

impl Actor {
    /// Whoever presents this key, with everything that the role may do.
    pub fn key(key_id: KeyId, role: Role, partner_id: Option<PartnerId>) -> Self {
        Self {
            identity: Identity::Key(key_id),
            role,
            partner_id,
            grants: Grants::All,
        }
    }

    /// The text by which what it did is kept.
    pub fn id(&self) -> String {
        self.identity.to_string()
    }

    /// Refuses a caller whose key was limited to other things.
    pub fn require(&self, scope: KeyScope) -> Result<()> {
        if self.grants.allow(scope) {
            return Ok(());
        }
        let detail = format!("This operation takes a key with the scope `{scope}`.");
        Err(Error::new(Code::Forbidden, detail))
    }

    /// What changes something takes more than a reading key, whatever its role.
    fn changes(&self) -> Result<()> {
        if self.grants.allow_changes() {
            Ok(())
        } else {
            Err(Error::new(Code::Forbidden, "This key may only read."))
        }
    }

    /// May change the installation.
    pub fn operator(&self) -> Result<OperatorScope> {
        match self.role {
            Role::Operator => self.changes().map(|()| OperatorScope(())),
            _ => Err(forbidden("an operator")),
        }
    }

    /// May read the installation.
    pub fn installation_reader(&self) -> Result<OperatorScope> {
        match self.role {
            Role::Operator | Role::Auditor => Ok(OperatorScope(())),
            _ => Err(forbidden("an operator or auditor")),
        }
    }

    /// May change what belongs to a partner.
    pub fn partner_admin(&self) -> Result<PartnerScope> {
        match (self.role, self.partner_id) {
            (Role::PartnerAdmin, Some(partner_id)) => self.changes().map(|()| PartnerScope { partner_id }),
            _ => Err(forbidden("a partner_admin")),
        }
    }

    /// May change what belongs to partners: each administrator their own, an operator any.
    pub fn administrator(&self) -> Result<ReadScope> {
        match self.role {
            Role::Operator | Role::PartnerAdmin => self.changes().and_then(|()| self.reader()),
            _ => Err(forbidden("a partner_admin or an operator")),
        }
    }

    /// May change what belongs to this partner.
    pub fn administrator_of(&self, partner_id: PartnerId) -> Result<PartnerScope> {
        match self.administrator()?.partner_id() {
            None => Ok(PartnerScope { partner_id }),
            Some(own) if own == partner_id => Ok(PartnerScope { partner_id }),
            Some(_) => Err(Error::not_found("resource")),
        }
    }

    /// May read what belongs to its partner, or to every partner.
    pub fn reader(&self) -> Result<ReadScope> {
        match (self.role, self.partner_id) {
            (Role::PartnerAdmin | Role::PartnerReader, Some(partner_id)) => {
                Ok(ReadScope::Partner(PartnerScope { partner_id }))
            }
            (Role::Operator | Role::Auditor, None) => Ok(ReadScope::Installation(OperatorScope(()))),
            _ => Err(forbidden("a role that reads")),
        }
    }
}

fn forbidden(who: &str) -> Error {
    Error::new(Code::Forbidden, format!("This operation is for {who}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdSource;

    #[test]
    fn roles_open_their_own_doors_only() {
        let ids = IdSource::seeded(1);
        let now = chrono::DateTime::from_timestamp(0, 0).unwrap();
        let partner = PartnerId::generate(&ids, now);
        let doors = |role: Role| {
            let own = role.belongs_to_partner().then_some(partner);
            let actor = Actor::key(KeyId::generate(&ids, now), role, own);
            let foreign = actor.administrator_of(PartnerId::generate(&ids, now));
            assert_eq!(foreign.is_ok(), role == Role::Operator);
            let own = actor.administrator_of(partner);
            assert_eq!(own.is_ok(), matches!(role, Role::Operator | Role::PartnerAdmin));
            let reads = actor.reader().unwrap().partner_id();
            (
                actor.operator().is_ok(),
                actor.installation_reader().is_ok(),
                actor.partner_admin().is_ok(),
                reads,
            )
        };
        assert_eq!(doors(Role::Operator), (true, true, false, None));
        assert_eq!(doors(Role::Auditor), (false, true, false, None));
        assert_eq!(doors(Role::PartnerAdmin), (false, false, true, Some(partner)));
        assert_eq!(doors(Role::PartnerReader), (false, false, false, Some(partner)));
    }

    #[test]
    fn a_limited_key_does_less_than_its_role_and_gives_no_more_than_it_has() {
        let ids = IdSource::seeded(1);
        let now = chrono::DateTime::from_timestamp(0, 0).unwrap();
        let partner = PartnerId::generate(&ids, now);
        let limited = |scopes: &[KeyScope]| Actor {
            grants: Grants::Only(scopes.to_vec()),
            ..Actor::key(KeyId::generate(&ids, now), Role::PartnerAdmin, Some(partner))
        };
        let reads = limited(&[KeyScope::Read]);
        assert!(reads.reader().is_ok() && reads.require(KeyScope::Read).is_ok());
        assert!(reads.partner_admin().is_err() && reads.administrator().is_err());
        assert!(reads.administrator_of(partner).is_err());
        let policies = limited(&[KeyScope::PoliciesWrite]);
        assert!(policies.partner_admin().is_ok() && policies.require(KeyScope::PoliciesWrite).is_ok());
        assert!(
            policies.require(KeyScope::TenantsWrite).is_err()
                && policies.require(KeyScope::KeysWrite).is_err()
        );
        let operator = Actor {
            grants: Grants::Only(vec![KeyScope::Read]),
            ..Actor::key(KeyId::generate(&ids, now), Role::Operator, None)
        };
        assert!(operator.operator().is_err() && operator.installation_reader().is_ok());

        let some = Grants::Only(vec![KeyScope::KeysWrite, KeyScope::TenantsWrite]);
        assert!(Grants::All.cover(&Grants::All) && Grants::All.cover(&some));
        assert!(!some.cover(&Grants::All));
        assert!(some.cover(&Grants::Only(vec![KeyScope::Read, KeyScope::TenantsWrite])));
        assert!(!some.cover(&Grants::Only(vec![KeyScope::PoliciesWrite])));
    }
}
