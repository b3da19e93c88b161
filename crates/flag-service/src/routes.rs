//! The table of contents of the site.

use actix_web::web::{self, ServiceConfig};
use flag_api::GET_FEATURE_FLAG;

use crate::get_feature_flag::get_feature_flag;
use crate::health::{livez, readyz};
use crate::problem::{method_not_allowed, not_found};

/// Registers every path; those of the reference in both spellings, which is cheaper than normalising each request.
pub(crate) fn routes(site: &mut ServiceConfig) {
    let slash = format!("{GET_FEATURE_FLAG}/");
    for path in [GET_FEATURE_FLAG, &slash] {
        site.service(
            web::resource(path)
                .get(get_feature_flag)
                .default_service(web::to(method_not_allowed)),
        );
    }
    site.service(
        web::resource("/livez")
            .get(livez)
            .default_service(web::to(method_not_allowed)),
    );
    site.service(
        web::resource("/readyz")
            .get(readyz)
            .default_service(web::to(method_not_allowed)),
    );
    site.default_service(web::to(not_found));
}
