//! A request for a page.

use actix_web::web::Data;
use flag_model::Timestamp;
use flag_store::{Clock as _, SystemClock};

use super::error::PageError;
use super::query::Query;
use crate::access::{FormTokens, Identity, Viewer};
use crate::http::{AppState, RequestContext};

/// A request for a page by a caller that may read.
#[derive(Debug)]
pub(super) struct PageRequest {
    /// The path below `/dashboard`.
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) viewer: Viewer,
    /// Who that is, if somebody has signed in.
    pub(super) identity: Option<Identity>,
    pub(super) state: Data<AppState>,
    pub(super) now: Timestamp,
    /// What makes the tokens that forms must bring back; `None` if the caller has not signed in.
    pub(super) form_tokens: Option<FormTokens>,
}

impl PageRequest {
    /// A request for a page; an error if the caller has not signed in.
    pub(super) fn new(
        context: &RequestContext,
        path: &str,
        query: Query,
    ) -> Result<Self, PageError> {
        let viewer = context.authorization.viewer()?;
        Ok(Self {
            path: path.to_owned(),
            query,
            form_tokens: viewer.form_tokens(context.request.headers()),
            viewer,
            identity: context.authorization.identity(),
            state: context.state.clone(),
            now: SystemClock.now(),
        })
    }
}
