//! `POST /v1/blockid:check`

use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, RequestBody, json::secret},
        respond::{Answer, ok},
    },
    domain::{blockid::BlockIdConnection, connection_check::ConnectionReport, object::objects_only},
    ids::CellId,
    usecases::connection_checks,
};
use actix_web::{post, web::Data};
use secrecy::SecretString;
use serde::Deserialize;

/// A BlockID connection to be checked.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "tenant_dns": "acme.1kosmos.net", "community": "default", "client_id": "acme-portal", "client_secret": "…"
}))]
pub struct CheckedConnection {
    /// Host name of the tenant at 1Kosmos, without scheme.
    #[schema(example = "acme.1kosmos.net", min_length = 1, max_length = 253)]
    pub tenant_dns: String,
    /// Community name.
    #[schema(example = "default", min_length = 1, max_length = 128)]
    pub community: String,
    /// OAuth client id, as registered in AdminX.
    #[schema(example = "acme-portal", min_length = 1, max_length = 256)]
    pub client_id: String,
    /// OAuth client secret. Tried with a code that cannot exist, and not kept.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub client_secret: SecretString,
    /// CA certificates of the provider beside the public ones, PEM; for private installations.
    #[schema(max_length = 16384)]
    pub extra_ca_pem: Option<String>,
    /// Cell whose rules about addresses apply; by default the one that a new tenant would go to.
    pub cell_id: Option<CellId>,
}

objects_only!(CheckedConnection);

impl RequestBody for CheckedConnection {}

/// Check a BlockID connection before there is a tenant.
///
/// For partner administrators. Takes half a minute at most; nothing is kept.
#[utoipa::path(
    operation_id = "checkConnection", tag = "blockid",
    request_body = CheckedConnection,
    responses((status = 200, description = "What was found, check by check", body = ConnectionReport)),
    extensions(("x-problems" = json!(["no_cell_available", "cell_full"])))
)]
#[post("/v1/blockid:check")]
pub(crate) async fn check_connection(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    body: Body<CheckedConnection>,
) -> Answer {
    let Body(CheckedConnection {
        tenant_dns,
        community,
        client_id,
        client_secret,
        extra_ca_pem,
        cell_id,
    }) = body;
    let new = connection_checks::NewConnection {
        cell_id,
        blockid: BlockIdConnection {
            tenant_dns,
            community,
            client_id,
            extra_ca_pem,
        },
        client_secret,
    };
    Ok(ok(
        &connection_checks::check_new(&context, &caller.request, new).await?
    ))
}
