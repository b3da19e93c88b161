//! Failures as pages, for people with a browser.

use std::fmt::Debug;

use actix_web::HttpResponse;
use flag_api::Code;

/// Makes pages of failures; the dashboard provides it.
pub(crate) trait FailurePages: Debug + Send + Sync {
    /// Returns the same response with a page as its body.
    fn page(&self, response: HttpResponse, code: Code, detail: &str) -> HttpResponse;
}
