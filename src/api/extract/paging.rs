//! `limit` and `cursor` of lists, and their filters. Unknown query parameters are refused.

use crate::{
    Error,
    api::problem::ApiError,
    error::{Code, FieldError},
    storage::{Cursor, MAX_LIMIT, PageRequest},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use std::future::{Ready, ready};

/// Query parameters of lists.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only documents what `Paging` reads")]
pub struct PagingParams {
    /// Items of a page at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// The part of a list that was asked for.
#[derive(Debug)]
pub struct Paging(pub PageRequest);

impl FromRequest for Paging {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = read(request.query_string(), &mut ());
        ready(read.map(Self).map_err(ApiError::from))
    }
}

/// Code and detail of a value that cannot be read.
pub type BadValue = (&'static str, String);

/// Query parameters of a list beside those of its pages.
pub trait Filter: Default {
    /// Takes a parameter; `None` when it has no such.
    fn take(&mut self, name: &str, value: &str) -> Option<Result<(), BadValue>>;
}

impl Filter for () {
    fn take(&mut self, _: &str, _: &str) -> Option<Result<(), BadValue>> {
        None
    }
}

/// The part of a filtered list that was asked for.
#[derive(Debug)]
pub struct Filtered<F> {
    /// What the list is limited to.
    pub filter: F,
    /// Which part of it.
    pub page: PageRequest,
}

impl<F: Filter> FromRequest for Filtered<F> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut filter = F::default();
        let read = read(request.query_string(), &mut filter);
        ready(read.map(|page| Self { filter, page }).map_err(ApiError::from))
    }
}

fn read(query: &str, filter: &mut impl Filter) -> Result<PageRequest, Error> {
    let mut page = PageRequest::default();
    let mut seen = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let problem = if seen.contains(&name) {
            Some(("duplicate", "is there twice".to_owned()))
        } else {
            match name.as_ref() {
                "limit" => match value.parse() {
                    Ok(limit @ 1..=MAX_LIMIT) => {
                        page.limit = limit;
                        None
                    }
                    _ => Some(("out_of_range", format!("must be a number from 1 to {MAX_LIMIT}"))),
                },
                "cursor" => match Cursor::decode(&value) {
                    Ok(cursor) => {
                        page.after = Some(cursor);
                        None
                    }
                    Err(error) => Some(("invalid", error.detail().to_owned())),
                },
                _ => match filter.take(&name, &value) {
                    None => Some((
                        "unknown_parameter",
                        "is not a parameter of this operation".to_owned(),
                    )),
                    Some(taken) => taken.err(),
                },
            }
        };
        if let Some((code, detail)) = problem {
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            problems.push(FieldError::new(format!("query:{name}"), code, detail));
        }
        seen.push(name);
    }
    if problems.is_empty() {
        return Ok(page);
    }
    let names: Vec<_> = problems
        .iter()
        .map(|problem| problem.pointer.trim_start_matches("query:"))
        .collect();
    let detail = format!("Query parameters at fault: {}.", names.join(", "));
    Err(Error::new(Code::InvalidQuery, detail).with_fields(problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_at_fault_is_named() {
        assert_eq!(read("limit=7", &mut ()).unwrap().limit, 7);
        let error = read("limit=0&cursor=nonsense&colour=red&limit=5", &mut ()).unwrap_err();
        let found: Vec<_> = error
            .fields()
            .iter()
            .map(|f| (f.pointer.as_str(), f.code.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("query:limit", "out_of_range"),
                ("query:cursor", "invalid"),
                ("query:colour", "unknown_parameter"),
                ("query:limit", "duplicate")
            ]
        );
    }
}
