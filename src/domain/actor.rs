//! Who is calling, and what they may touch.
//!
//! The boundary between partners is a type: storage functions ask for a scope, and a scope is only to be had
//! from an [`Actor`] whose role allows it (or, for the command line and the worker, by name).

use super::text_enum;
use crate::{
    Error, Result,
    error::Code,
    ids::{KeyId, PartnerId},
};

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

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The API key that was presented.
    pub key_id: KeyId,
    /// What it may do.
    pub role: Role,
    /// Whose it is; `None` exactly for operators and auditors.
    pub partner_id: Option<PartnerId>,
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

    /// The rows of one partner, or the installation's own: to say whose an entry is.
    pub fn narrowed(self, partner_id: Option<PartnerId>) -> ReadScope {
        partner_id.map_or(ReadScope::Installation(self), |partner_id| {
            ReadScope::Partner(PartnerScope { partner_id })
        })
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

impl From<PartnerScope> for ReadScope {
    fn from(scope: PartnerScope) -> Self {
        Self::Partner(scope)
    }
}

impl Actor {
    /// May change the installation.
    pub fn operator(&self) -> Result<OperatorScope> {
        match self.role {
            Role::Operator => Ok(OperatorScope(())),
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
            (Role::PartnerAdmin, Some(partner_id)) => Ok(PartnerScope { partner_id }),
            _ => Err(forbidden("a partner_admin")),
        }
    }

    /// May change what belongs to partners: each administrator their own, an operator any.
    pub fn administrator(&self) -> Result<ReadScope> {
        match self.role {
            Role::Operator | Role::PartnerAdmin => self.reader(),
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
    Error::new(Code::Forbidden, format!("This operation takes the key of {who}."))
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
            let actor = Actor {
                key_id: KeyId::generate(&ids, now),
                role,
                partner_id: role.belongs_to_partner().then_some(partner),
            };
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
}
