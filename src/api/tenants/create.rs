//! `POST /v1/tenants`

use super::{AcceptedTenant, Tenant};
use crate::{
    Context, Error,
    api::{
        extract::{AsPartnerAdmin, Body, Caller, IdempotencyParams, Repeatable, RequestBody, json::secret},
        operations::Operation,
        respond::{Answer, Reply},
    },
    domain::{
        blockid::BlockIdConnection,
        object::objects_only,
        pool::PoolSettings,
        tenant::{self, Labels},
    },
    ids::CellId,
    usecases::{create_tenant as creation, operations::Watched},
};
use actix_web::{post, web::Data};
use secrecy::SecretString;
use serde::Deserialize;

/// A new tenant.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Acme customers",
    "blockid": {"tenant_dns": "acme.1kosmos.net", "community": "default", "client_id": "acme-portal", "client_secret": "…"},
    "pool": {"sign_in_with": "email", "attributes": [{"name": "unit"}], "password": {"min_length": 14}}
}))]
pub struct NewTenant {
    /// Name for people, unique at the partner.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// Cell to live in; by default the one with most head-room.
    pub cell_id: Option<CellId>,
    /// AWS region to live in; by default any that has a cell.
    #[schema(example = "eu-central-1", min_length = 1, max_length = 32)]
    pub region: Option<String>,
    /// What the partner's own system calls the tenant; unique at the partner.
    #[schema(min_length = 1, max_length = 128, example = "crm-4711")]
    pub external_id: Option<String>,
    /// Names and values to select tenants by, 32 at most.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Labels,
    /// BlockID connection.
    pub blockid: NewBlockIdConnection,
    /// Settings of the user pool.
    #[serde(default)]
    pub pool: PoolSettings,
    /// Whether it is for trying out. A sandbox signs users in like any other tenant, but its pool and records are not
    /// protected against deletion and no earlier state of its tables can be had again; everything that it has in AWS is
    /// tagged `stepgate:sandbox`. Fixed at creation.
    #[serde(default)]
    pub sandbox: bool,
}

/// A BlockID connection with its secret.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct NewBlockIdConnection {
    /// Host name of the tenant at 1Kosmos, without scheme.
    #[schema(example = "acme.1kosmos.net", min_length = 1, max_length = 253)]
    pub tenant_dns: String,
    /// Community name.
    #[schema(example = "default", min_length = 1, max_length = 128)]
    pub community: String,
    /// OAuth client id, as registered in AdminX.
    #[schema(example = "acme-portal", min_length = 1, max_length = 256)]
    pub client_id: String,
    /// OAuth client secret. Goes to the cell's Secrets Manager and nowhere else; never shown again.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, write_only, min_length = 1, max_length = 1024)]
    pub client_secret: SecretString,
    /// CA certificates of the provider beside the public ones, PEM; for private installations.
    #[schema(max_length = 16384)]
    pub extra_ca_pem: Option<String>,
}

objects_only!(NewTenant, NewBlockIdConnection);

impl RequestBody for NewTenant {}

fn reply((tenant, (operation, steps)): &(tenant::Tenant, Watched)) -> Result<Reply, Error> {
    let accepted = AcceptedTenant {
        tenant: Tenant::from(tenant.clone()),
        operation: Operation::new(operation.clone(), steps.clone()),
    };
    Reply::accepted(&operation.id, &accepted)
}

/// Create a tenant.
///
/// For partner administrators. Repeat the request as it is when it failed with 503 or got no answer: an
/// unfinished tenant of the same name is completed. With an `Idempotency-Key` the answer is the same, too.
#[utoipa::path(
    operation_id = "createTenant", tag = "tenants",
    params(IdempotencyParams),
    request_body = NewTenant,
    responses((status = 202, description = "The tenant, and the operation that provisions it", body = AcceptedTenant,
               headers(("Location" = String, description = "Path of the operation")))),
    extensions(("x-problems" = json!(["name_taken", "external_id_taken", "no_cell_available", "cell_full", "cell_unavailable"])))
)]
#[post("/v1/tenants")]
pub(crate) async fn create_tenant(
    caller: Caller<AsPartnerAdmin>,
    context: Data<Context>,
    once: Repeatable,
    body: Body<NewTenant>,
) -> Answer {
    let Body(NewTenant {
        name,
        cell_id,
        region,
        external_id,
        labels,
        blockid,
        pool,
        sandbox,
    }) = body;
    let NewBlockIdConnection {
        tenant_dns,
        community,
        client_id,
        client_secret,
        extra_ca_pem,
    } = blockid;
    let blockid = BlockIdConnection {
        tenant_dns,
        community,
        client_id,
        extra_ca_pem,
    };
    let new = creation::NewTenant {
        name,
        cell_id,
        region,
        external_id,
        labels,
        blockid,
        client_secret,
        pool,
        sandbox,
    };
    let request = &caller.request;
    once.run(&context, request, reply, async |once| {
        creation::create_once(&context, request, new, once).await
    })
    .await
}
