//! `PUT /v1/tenants/{tenant_id}/blockid`

use super::{AcceptedConnection, Connection};
use crate::{
    Context,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, PathIds, RequestBody, if_match, json::secret},
        operations::Operation,
        respond::{Answer, accepted},
    },
    domain::{blockid::BlockIdConnection, object::objects_only},
    ids::TenantId,
    usecases::connections::{self, Wanted},
};
use actix_web::{HttpRequest, put, web::Data};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// The connection as it is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "tenant_dns": "acme.1kosmos.net", "community": "default", "client_id": "acme-portal", "client_secret": "…",
    "reason": "Yearly rotation"
}))]
pub struct WantedConnection {
    /// Host name of the tenant at 1Kosmos, without scheme.
    #[schema(example = "acme.1kosmos.net", min_length = 1, max_length = 253)]
    pub tenant_dns: String,
    /// Community name.
    #[schema(example = "default", min_length = 1, max_length = 128)]
    pub community: String,
    /// OAuth client id, as registered in AdminX.
    #[schema(example = "acme-portal", min_length = 1, max_length = 256)]
    pub client_id: String,
    /// CA certificates of the provider beside the public ones, PEM; none when left out.
    #[schema(max_length = 16384)]
    pub extra_ca_pem: Option<String>,
    /// New OAuth client secret; the one in the cell stays when left out. Required with another place or client id.
    #[serde(default, deserialize_with = "maybe_secret")]
    #[schema(value_type = Option<String>, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub client_secret: Option<SecretString>,
    /// The issuer that the provider names from now on, when it has changed.
    #[schema(max_length = 2048)]
    pub issuer: Option<String>,
    /// `confirmation.confirm` of the refusal, for changes that make links and evidence void.
    #[schema(max_length = 128)]
    pub confirm: Option<String>,
    /// Why; for the audit log.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

objects_only!(WantedConnection);

impl RequestBody for WantedConnection {}

fn maybe_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}

/// Change a tenant's BlockID connection, or rotate its secret.
///
/// For partner administrators. The new secret is stored beside the one in force and tried by the tenant's own function;
/// it is put in force when BlockID accepts it and taken back when it does not, and the operation says which. Until then
/// the old one works. Another host, community or issuer makes links and evidence void: the first request is refused with
/// `confirmation_required`, the second repeats it with `confirm`.
#[utoipa::path(
    operation_id = "putConnection", tag = "blockid",
    params(
        ("tenant_id" = TenantId, Path, description = "The tenant"),
        ("If-Match" = String, Header, pattern = r#"^"[1-9][0-9]{0,17}"$"#, description = "`ETag` of the connection as it was read", example = "\"1\"")
    ),
    request_body = WantedConnection,
    responses((status = 202, description = "The connection with its change, and the operation that tries it",
               body = AcceptedConnection, headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["tenant_state", "confirmation_required", "connection_changing", "cell_unavailable",
        "precondition_required", "precondition_failed"])))
)]
#[put("/v1/tenants/{tenant_id}/blockid")]
pub(crate) async fn put_connection(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    request: HttpRequest,
    id: PathIds<TenantId>,
    body: Body<WantedConnection>,
) -> Answer {
    let replaces = if_match(&request)?;
    let Body(WantedConnection {
        tenant_dns,
        community,
        client_id,
        extra_ca_pem,
        client_secret,
        issuer,
        confirm,
        reason,
    }) = body;
    let wanted = Wanted {
        blockid: BlockIdConnection {
            tenant_dns,
            community,
            client_id,
            extra_ca_pem,
        },
        client_secret,
        issuer,
        confirm,
        reason,
    };
    let (connection, (operation, steps)) =
        connections::put(&context, &caller.request, id.0, replaces, wanted).await?;
    let id = operation.id;
    Ok(accepted(
        &id,
        &AcceptedConnection {
            connection: Connection::from(connection),
            operation: Operation::new(operation, steps),
        },
    ))
}
