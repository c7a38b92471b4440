//! Tells a path that does not exist from a method that a path does not have. Made from the OpenAPI document,
//! so it cannot name a route that is not there.

use super::problem::ApiError;
use crate::{Error, error::Code};
use actix_web::{HttpRequest, HttpResponse, dev::ResourceDef, web::Data};
use utoipa::openapi::{OpenApi, PathItem};

/// Every path and its methods.
pub(super) struct RouteTable(Vec<(ResourceDef, String)>);

impl RouteTable {
    /// Of a document, and of what the documentation itself serves.
    pub(super) fn new(document: &OpenApi) -> Self {
        let documented = document
            .paths
            .paths
            .iter()
            .map(|(path, item)| (path.as_str(), methods(item)));
        let own = ["/openapi.json", "/docs", "/docs/{file}"].map(|path| (path, "GET".to_owned()));
        Self(
            documented
                .chain(own)
                .map(|(path, methods)| (ResourceDef::new(path), methods))
                .collect(),
        )
    }

    fn allowed(&self, path: &str) -> Option<&str> {
        // A path with a verb, `/v1/keys/{key_id}:revoke`, is also one of its resource whose id ends in the verb: the
        // one with more of its own text is meant.
        self.0
            .iter()
            .filter(|(definition, _)| definition.is_match(path))
            .max_by_key(|(definition, _)| literal_length(definition))
            .map(|(_, methods)| methods.as_str())
    }
}

/// Bytes of a path that are not parameters.
fn literal_length(definition: &ResourceDef) -> usize {
    let pattern = definition.pattern().unwrap_or_default();
    let mut depth = 0_usize;
    let mut length = 0;
    for byte in pattern.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => length += 1,
            _ => {}
        }
    }
    length
}

fn methods(item: &PathItem) -> String {
    let methods = [
        ("GET", item.get.is_some()),
        ("PUT", item.put.is_some()),
        ("POST", item.post.is_some()),
        ("DELETE", item.delete.is_some()),
        ("PATCH", item.patch.is_some()),
    ];
    let present: Vec<_> = methods
        .into_iter()
        .filter_map(|(method, there)| there.then_some(method))
        .collect();
    present.join(", ")
}

/// Answers what no route took.
pub(super) async fn not_routed(
    request: HttpRequest,
    table: Data<RouteTable>,
) -> Result<HttpResponse, ApiError> {
    match table.allowed(request.path()) {
        Some(allow) => Err(ApiError {
            error: Error::new(Code::MethodNotAllowed, format!("This path takes {allow}.")),
            allow: Some(allow.to_owned()),
        }),
        None => Err(Error::new(
            Code::RouteNotFound,
            "There is no such path; `/docs` lists those that exist.",
        )
        .into()),
    }
}
