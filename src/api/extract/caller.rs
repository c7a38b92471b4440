//! The authenticated caller, and the role that the operation asks for.

use crate::{Error, Result, api::middleware::RequestId, domain::actor::Actor, error::Code, usecases};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use std::{future::Ready, future::ready, marker::PhantomData};

use crate::api::problem::ApiError;

/// Which callers an operation is for. The use case decides again, from the same rules.
pub trait Door {
    /// Refuses callers of other roles.
    fn check(actor: &Actor) -> Result<()>;
}

macro_rules! doors {
    ($($(#[doc = $doc:literal])+ $name:ident => $check:ident,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl Door for $name {
            fn check(actor: &Actor) -> Result<()> {
                actor.$check().map(drop)
            }
        }
    )+};
}

doors! {
    /// Operators.
    AsOperator => operator,
    /// Operators and auditors.
    AsInstallationReader => installation_reader,
    /// Everybody, each within its own scope.
    AsReader => reader,
    /// Administrators of a partner.
    AsPartnerAdmin => partner_admin,
    /// Administrators of a partner, and operators.
    AsAdministrator => administrator,
}

/// The caller of an operation, let in by `D`.
#[derive(Debug)]
pub struct Caller<D> {
    /// Who asks and under which id, as use cases take it.
    pub request: usecases::Request,
    door: PhantomData<D>,
}

impl<D: Door> FromRequest for Caller<D> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request).map_err(ApiError::from))
    }
}

fn read<D: Door>(request: &HttpRequest) -> Result<Caller<D>> {
    let extensions = request.extensions();
    // Absent only if a path were registered outside of what the authentication middleware covers: refuse.
    let actor = extensions
        .get::<Actor>()
        .cloned()
        .ok_or_else(|| Error::new(Code::Unauthenticated, "This operation takes an API key."))?;
    D::check(&actor)?;
    let id = extensions
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    Ok(Caller {
        request: usecases::Request { actor, id },
        door: PhantomData,
    })
}
