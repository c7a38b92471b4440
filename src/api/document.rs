//! The OpenAPI document: collected from the registered routes, completed by rule.
//!
//! Handlers describe what they do and what they answer when all is well. What every operation shares is added
//! here: security under `/v1/`, and the error answers that follow from it, from path ids, query parameters and
//! bodies. Codes that only one operation has are listed in its block, `extensions(("x-problems" = …))`.

use super::problem::{CONTENT_TYPE, Problem, status, type_uri};
use crate::error::Code;
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::{
    OpenApi as _, ToSchema,
    openapi::{
        Components, ContentBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder,
        example::ExampleBuilder,
        path::{Operation, ParameterIn},
        schema::{Schema, SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt;

const SCHEME: &str = "api_key";
const EXTENSION: &str = "x-problems";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Stepgate",
        description = "Puts a BlockID step-up into Amazon Cognito sign-ins: onboards tenants, gives each a user pool \
                       whose sign-in cannot be completed without the step-up, and keeps it that way.\n\n\
                       Creating and changing answers 202 with an operation; `GET /v1/operations/{id}` tells how far \
                       the work is. Errors are problem documents (RFC 9457) with a stable `code`. Times are RFC 3339, \
                       ids are prefixed by their kind, unknown fields are refused. Every answer carries `x-request-id`. \
                       What creates takes an `Idempotency-Key`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "This installation")),
    tags(
        (name = "partners", description = "Organisations that onboard tenants, and their API keys."),
        (name = "keys", description = "API keys of operators and auditors."),
        (name = "cells", description = "AWS accounts and regions that tenants are placed in. Operators and auditors."),
        (name = "rollouts", description = "Bringing tenants to another release of triggers and template, wave by wave. Operators and auditors."),
        (name = "tenants", description = "Customers: a BlockID connection and a user pool each."),
        (name = "blockid", description = "BlockID connections of tenants: checked, rotated, changed."),
        (name = "apps", description = "Customer applications: an app client and a step-up policy each."),
        (name = "exemptions", description = "Time-limited passes without a step-up, asked for by one person and approved by another."),
        (name = "users", description = "Help for users of a tenant: found, linked, unlinked, signed out. They live in Cognito."),
        (name = "operations", description = "Accepted work and how far it is."),
        (name = "audit", description = "Who did what, when and why; sealed so that a change shows."),
        (name = "webhooks", description = "Where a partner wants to be told what happened."),
        (name = "metrics", description = "What became of step-ups: reports, and the events behind them."),
        (name = "alarms", description = "What tenants are watched for, and what was raised."),
        (name = "service", description = "The service itself."),
    )
)]
struct Base;

/// The whole document.
pub fn document() -> OpenApi {
    let (_, mut document) = actix_web::App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(super::routes)
        .split_for_parts();
    let components = document.components.get_or_insert_with(Components::new);
    components.security_schemes.insert(
        SCHEME.to_owned(),
        RefOr::T(SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("sgk_{prefix}_{secret}")
                .description(Some(
                    "An API key, or the token (JWT) of an issuer that the operator trusts.",
                ))
                .build(),
        )),
    );
    add_schemas::<Problem>(components);
    open_parts(components);
    for (path, item) in &mut document.paths.paths {
        let authenticated = path.starts_with("/v1/");
        for operation in operations(item) {
            complete(operation, authenticated);
        }
    }
    document
}

/// The document as text, as it is checked in.
pub fn document_text() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&document()).map(|text| text + "\n")
}

fn add_schemas<T: ToSchema>(components: &mut Components) {
    let mut schemas: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

/// Objects that are a part of a larger one have its other members beside their own: closed, they would refuse the whole.
fn open_parts(components: &mut Components) {
    let wholes = components.schemas.values();
    let parts: Vec<String> = wholes
        .filter_map(|whole| match whole {
            RefOr::T(Schema::AllOf(whole)) => Some(&whole.items),
            _ => None,
        })
        .flatten()
        .filter_map(|part| match part {
            RefOr::Ref(part) => part.ref_location.rsplit('/').next().map(str::to_owned),
            RefOr::T(_) => None,
        })
        .collect();
    for part in parts {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(&part) {
            object.additional_properties = None;
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation, authenticated: bool) {
    let mut codes = vec![Code::Internal, Code::Unavailable];
    if authenticated {
        operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
        codes.extend([Code::Unauthenticated, Code::Forbidden, Code::RateLimited]);
    } else {
        // Said, so that nobody takes it for forgotten.
        operation.security = Some(Vec::new());
    }
    let parameters = operation.parameters.iter_mut().flatten();
    for parameter in parameters {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
            forbid_null(&mut schema.schema_type);
        }
        if parameter.name == "Idempotency-Key" {
            codes.extend([Code::IdempotencyKeyReused, Code::IdempotencyInProgress]);
        }
        match parameter.parameter_in {
            ParameterIn::Path => codes.push(Code::NotFound),
            ParameterIn::Query | ParameterIn::QueryString => codes.push(Code::InvalidQuery),
            ParameterIn::Header => codes.push(Code::InvalidHeader),
            ParameterIn::Cookie => {}
        }
    }
    if operation.request_body.is_some() {
        codes.extend([
            Code::MalformedJson,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::ValidationFailed,
        ]);
    }
    codes.extend(own_codes(operation));
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let same_status = by_status.entry(status(code).as_u16()).or_default();
        if !same_status.contains(&code) {
            same_status.push(code);
        }
    }
    for (status, codes) in by_status {
        operation
            .responses
            .responses
            .insert(status.to_string(), RefOr::T(problem_response(&codes)));
    }
}

/// A parameter may be left out, but it has no way to be `null`.
fn forbid_null(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}

/// Codes that the operation's own block lists; the list itself does not stay in the document.
fn own_codes(operation: &mut Operation) -> Vec<Code> {
    let Some(extensions) = &mut operation.extensions else {
        return Vec::new();
    };
    let listed = extensions.remove(EXTENSION).unwrap_or_default();
    if extensions.is_empty() {
        operation.extensions = None;
    }
    let named = |code: &&Code| {
        listed
            .as_array()
            .is_some_and(|list| list.iter().any(|text| text == code.as_str()))
    };
    Code::ALL.iter().filter(named).copied().collect()
}

fn problem_response(codes: &[Code]) -> utoipa::openapi::Response {
    let examples = codes.iter().map(|code| {
        let example = json!({
            "type": type_uri(*code), "title": code.title(), "status": status(*code).as_u16(), "code": code.as_str(),
            "detail": code.meaning().trim(), "errors": [], "request_id": "req_01jd7v0p3h8s5k2m4n6q9r1t0w",
        });
        (code.as_str(), ExampleBuilder::new().summary(code.title()).value(Some(example)).build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let titles: Vec<_> = codes.iter().map(|code| code.title()).collect();
    ResponseBuilder::new()
        .description(titles.join("; "))
        .content(CONTENT_TYPE, content)
        .build()
}
