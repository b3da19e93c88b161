//! The table of contents of the site.

use actix_web::guard::{Any, Get, Head};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Handler, Resource, Responder};
use flag_api::GET_FEATURE_FLAG;

use crate::get_feature_flag::get_feature_flag;
use crate::health::{livez, readyz};
use crate::problem::{method_not_allowed, not_found};

/// Registers every path; those of the reference in both spellings, which is cheaper than normalising each request.
pub(crate) fn routes(site: &mut ServiceConfig) {
    site.service(get(GET_FEATURE_FLAG, get_feature_flag));
    site.service(get(&format!("{GET_FEATURE_FLAG}/"), get_feature_flag));
    site.service(get("/livez", livez));
    site.service(get("/readyz", readyz));
    site.default_service(web::to(not_found));
}

/// A path that is read: GET, and HEAD for the same without the body.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: actix_web::FromRequest + 'static,
{
    let read = web::route().guard(Any(Get()).or(Head())).to(handler);
    web::resource(path)
        .route(read)
        .default_service(web::to(method_not_allowed))
}
