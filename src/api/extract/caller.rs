//! The authenticated caller, and the role that the operation asks for.

use crate::{
    Error, Result,
    api::middleware::{RequestId, TraceParent},
    domain::actor::{Actor, KeyScope},
    error::Code,
    usecases,
};
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::Method};
use std::{future::Ready, future::ready, marker::PhantomData};

use crate::api::problem::ApiError;

/// Which callers an operation is for. The use case decides again, from the same rules.
pub trait Door {
    /// Whether what is behind it changes something.
    const CHANGES: bool;

    /// Refuses callers of other roles.
    fn check(actor: &Actor) -> Result<()>;
}

macro_rules! doors {
    ($($(#[doc = $doc:literal])+ $name:ident => $check:ident, changes $changes:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl Door for $name {
            const CHANGES: bool = $changes;

            fn check(actor: &Actor) -> Result<()> {
                actor.$check().map(drop)
            }
        }
    )+};
}

doors! {
    /// Operators.
    AsOperator => operator, changes true;
    /// Operators and auditors.
    AsInstallationReader => installation_reader, changes false;
    /// Everybody, each within its own scope.
    AsReader => reader, changes false;
    /// Administrators of a partner.
    AsPartnerAdmin => partner_admin, changes true;
    /// Administrators of a partner, and operators.
    AsAdministrator => administrator, changes true;
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
    let actor = extensions.get::<Actor>().cloned().ok_or_else(|| {
        Error::new(
            Code::Unauthenticated,
            "This operation takes an API key or a token.",
        )
    })?;
    D::check(&actor)?;
    if D::CHANGES && request.method() != Method::GET {
        actor.require(scope_of(&request.match_pattern().unwrap_or_default()))?;
    }
    let id = extensions
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    Ok(Caller {
        request: usecases::Request {
            actor,
            id,
            traceparent: extensions.get::<TraceParent>().map(ToString::to_string),
        },
        door: PhantomData,
    })
}

/// The scope that a limited key needs to change what is behind a route.
fn scope_of(route: &str) -> KeyScope {
    if route.contains("/policy") {
        KeyScope::PoliciesWrite
    } else if route.starts_with("/v1/partners") || route.starts_with("/v1/keys") {
        KeyScope::KeysWrite
    } else {
        KeyScope::TenantsWrite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_the_scope_of_what_it_changes() {
        for (route, scope) in [
            ("/v1/tenants", KeyScope::TenantsWrite),
            ("/v1/tenants/{tenant_id}/apps", KeyScope::TenantsWrite),
            (
                "/v1/tenants/{tenant_id}/apps/{app_id}/policy",
                KeyScope::PoliciesWrite,
            ),
            (
                "/v1/tenants/{tenant_id}/apps/{app_id}/policy:rollback",
                KeyScope::PoliciesWrite,
            ),
            ("/v1/partners/{partner_id}/keys", KeyScope::KeysWrite),
            ("/v1/keys/{key_id}:rotate", KeyScope::KeysWrite),
            ("/v1/what-comes-next", KeyScope::TenantsWrite),
        ] {
            assert_eq!(scope_of(route), scope, "{route}");
        }
    }
}
