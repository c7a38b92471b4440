//! Tells a path that does not exist from a method that a path does not have, and which operation a request is for. Made
//! from the OpenAPI document, so it cannot name a route that is not there.

use super::problem::ApiError;
use crate::{Error, error::Code};
use actix_web::{HttpRequest, HttpResponse, dev::ResourceDef, web::Data};
use utoipa::openapi::{OpenApi, PathItem, path::Operation};

/// Every path and its methods.
pub(super) struct RouteTable(Vec<(ResourceDef, Methods)>);

/// Methods of a path, each with the id of its operation.
type Methods = Vec<(&'static str, String)>;

impl RouteTable {
    /// Of a document, and of what the documentation itself serves.
    pub(super) fn new(document: &OpenApi) -> Self {
        let documented = document
            .paths
            .paths
            .iter()
            .map(|(path, item)| (path.as_str(), methods(item)));
        let own = [
            ("/openapi.json", "openapi"),
            ("/docs", "docs"),
            ("/docs/{file}", "docs"),
        ]
        .map(|(path, operation)| (path, vec![("GET", operation.to_owned())]));
        Self(
            documented
                .chain(own)
                .map(|(path, methods)| (ResourceDef::new(path), methods))
                .collect(),
        )
    }

    /// Methods that a path takes.
    fn allowed(&self, path: &str) -> Option<String> {
        let methods: Vec<_> = self.methods(path)?.iter().map(|(method, _)| *method).collect();
        Some(methods.join(", "))
    }

    /// Id of the operation that a request is for.
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<&str> {
        let mut methods = self.methods(path)?.iter();
        methods
            .find(|(taken, _)| *taken == method)
            .map(|(_, operation)| operation.as_str())
    }

    fn methods(&self, path: &str) -> Option<&Methods> {
        // A path with a verb, `/v1/keys/{key_id}:revoke`, is also one of its resource whose id ends in the verb: the
        // one with more of its own text is meant.
        self.0
            .iter()
            .filter(|(definition, _)| definition.is_match(path))
            .max_by_key(|(definition, _)| literal_length(definition))
            .map(|(_, methods)| methods)
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

fn methods(item: &PathItem) -> Methods {
    let methods = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
    ];
    let id = |operation: &Operation| operation.operation_id.clone().unwrap_or_default();
    methods
        .into_iter()
        .filter_map(|(method, operation)| Some((method, id(operation.as_ref()?))))
        .collect()
}

/// Answers what no route took.
pub(super) async fn not_routed(
    request: HttpRequest,
    table: Data<RouteTable>,
) -> Result<HttpResponse, ApiError> {
    match table.allowed(request.path()) {
        Some(allow) => Err(ApiError {
            error: Error::new(Code::MethodNotAllowed, format!("This path takes {allow}.")),
            allow: Some(allow),
        }),
        None => Err(Error::new(
            Code::RouteNotFound,
            "There is no such path; `/docs` lists those that exist.",
        )
        .into()),
    }
}
