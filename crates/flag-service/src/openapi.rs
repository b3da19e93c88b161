//! The `OpenAPI` description of the service, made from routes, codes of problems and types of the wire.
//!
//! A route or a code without a description does not compile.
mod document;
mod ofrep;
mod operation;
mod schemas;

use std::sync::LazyLock;

use actix_web::web::Bytes;

use self::operation::statuses;
use crate::http::Route;
use crate::telemetry::metrics::RouteLabels;

/// Returns the labels of every route, in the order of [`Route::ALL`], for metrics.
pub(crate) fn route_labels() -> Vec<RouteLabels> {
    let labels = Route::ALL.iter().map(|route| RouteLabels {
        path: route.path(),
        statuses: statuses(*route),
    });
    labels.collect()
}

/// Returns the document as it is sent; the same for the life of the process.
pub(crate) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(document::document().to_string().into_bytes()));

    DOCUMENT.clone()
}
