//! `GET /openapi.json`: what can be asked of the site, as a program reads it.
//!
//! Made from the routes, the codes of problems and the types that travel; a route or a code that nobody described
//! doesn't compile.
mod document;
mod operation;
mod schemas;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;

pub(crate) use self::operation::statuses;
use crate::routes::Route;
use crate::visit::Visit;

/// The document as it travels; the same as long as the process lives.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(document::document().to_string().into_bytes()));

/// Answers `GET /openapi.json`.
pub(crate) async fn openapi(visit: Visit) -> HttpResponse {
    let answer = async {
        Ok(HttpResponse::Ok()
            .content_type(ContentType::json())
            .body(DOCUMENT.clone()))
    };
    visit.answer(Route::OpenApi, answer).await
}
