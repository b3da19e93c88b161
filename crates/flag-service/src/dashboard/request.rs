//! A request for a page.

use actix_web::web::Data;
use flag_model::Timestamp;

use super::query::Query;
use crate::access::Viewer;
use crate::http::AppState;

/// A request for a page by a caller that may read.
#[derive(Debug)]
pub(super) struct PageRequest {
    /// The path below `/dashboard`.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) viewer: Viewer,
    pub(super) state: Data<AppState>,
    pub(super) now: Timestamp,
}
