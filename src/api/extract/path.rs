//! Ids in the path.

use crate::{Error, api::problem::ApiError};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// Typed ids of the path. What is not an id names nothing: 404, as any id that does not exist.
#[derive(Debug)]
pub struct PathIds<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for PathIds<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let path = web::Path::<T>::from_request(request, payload).into_inner();
        ready(match path {
            Ok(path) => Ok(Self(path.into_inner())),
            Err(_) => Err(Error::not_found("resource").into()),
        })
    }
}
