//! Query parameters of lists that can be narrowed: those of a [`Filter`] beside `limit` and `cursor`.

use super::paging;
use crate::{
    Error,
    api::problem::ApiError,
    error::{Code, FieldError},
    storage::PageRequest,
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use std::future::{Ready, ready};

/// Parameters of one list.
pub trait Filter: Default {
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Takes a value; an error is the rule that it breaks and what is wrong, for the caller.
    fn set(&mut self, name: &str, value: &str) -> Result<(), (&'static str, String)>;
}

/// What a list is narrowed to, and which part of it is asked for.
#[derive(Debug)]
pub struct Filtered<F> {
    /// Values that were given.
    pub filter: F,
    /// The part.
    pub page: PageRequest,
}

impl<F: Filter + 'static> FromRequest for Filtered<F> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map_err(ApiError::from))
    }
}

/// The value does not have the form of its parameter.
pub fn unusable(what: &str) -> (&'static str, String) {
    ("invalid", format!("must be {what}"))
}

fn read<F: Filter>(query: &str) -> Result<Filtered<F>, Error> {
    let mut filter = F::default();
    let (mut seen, mut problems) = (Vec::new(), Vec::new());
    let mut rest = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some(own) = F::NAMES.iter().find(|own| **own == name) else {
            rest.append_pair(&name, &value);
            continue;
        };
        let taken = if seen.contains(own) {
            Err(("duplicate", "is there twice".to_owned()))
        } else if value.contains('\0') {
            Err(unusable("a text without NUL"))
        } else {
            filter.set(own, &value)
        };
        if let Err((code, detail)) = taken {
            problems.push(FieldError::new(format!("query:{own}"), code, detail));
        }
        seen.push(own);
    }
    let page = paging::read(&rest.finish());
    match page {
        Ok(page) if problems.is_empty() => Ok(Filtered { filter, page }),
        Ok(_) => Err(refused(problems)),
        Err(error) => {
            problems.extend(error.fields().to_vec());
            Err(refused(problems))
        }
    }
}

fn refused(problems: Vec<FieldError>) -> Error {
    let names: Vec<_> = problems
        .iter()
        .map(|problem| problem.pointer.trim_start_matches("query:"))
        .collect();
    let detail = format!("Query parameters at fault: {}.", names.join(", "));
    Error::new(Code::InvalidQuery, detail).with_fields(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Colour(Option<u8>);

    impl Filter for Colour {
        const NAMES: &'static [&'static str] = &["colour"];

        fn set(&mut self, _: &str, value: &str) -> Result<(), (&'static str, String)> {
            self.0 = Some(value.parse().map_err(|_| unusable("a number"))?);
            Ok(())
        }
    }

    #[test]
    fn own_parameters_stand_beside_those_of_every_list() {
        let read_both = read::<Colour>("colour=3&limit=7").unwrap();
        assert_eq!((read_both.filter.0, read_both.page.limit), (Some(3), 7));
        let error = read::<Colour>("colour=red&colour=4&limit=0&shape=x").unwrap_err();
        let found: Vec<_> = error
            .fields()
            .iter()
            .map(|f| (f.pointer.as_str(), f.code.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("query:colour", "invalid"),
                ("query:colour", "duplicate"),
                ("query:limit", "out_of_range"),
                ("query:shape", "unknown_parameter")
            ]
        );
    }
}
