//! HTTP: one operation a file under `<resource>/<verb>.rs`, its OpenAPI block beside it.
