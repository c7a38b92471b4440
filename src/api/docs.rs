//! `/docs`: Swagger UI from the binary, and `/openapi.json`.

use actix_web::{HttpResponse, http::header, web};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Serves the document and the page that renders it.
pub(super) fn configure(config: &mut web::ServiceConfig, document: OpenApi) {
    let ui = Config::new(["/openapi.json"])
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .validator_url("none");
    config
        .service(web::resource("/docs").route(web::get().to(to_page)))
        .service(
            SwaggerUi::new("/docs/{_:.*}")
                .url("/openapi.json", document)
                .config(ui),
        );
}

async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}
