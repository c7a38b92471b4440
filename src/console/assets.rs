//! The files that pages refer to, compiled into the binary: nothing is fetched from anywhere else.

use super::session::no_such_page;
use crate::api::problem::ApiError;
use actix_web::{HttpResponse, get, http::header, web::Path};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("assets/style.css"),
    },
    Asset {
        name: "live.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("assets/live.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        text: include_str!("assets/icon.svg"),
    },
];

/// Tells the files of one binary from those of another, so that a browser may keep them for good.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.text);
    }
    hex::encode(&hash.finalize()[..8])
});

/// Address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/console/assets/{name}?v={}", *VERSION)
}

/// Answers with a file.
#[get("/assets/{name}")]
pub(super) async fn file(name: Path<String>) -> Result<HttpResponse, ApiError> {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name.as_str()) else {
        return no_such_page().await;
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .content_type(asset.media_type)
        .body(asset.text))
}
