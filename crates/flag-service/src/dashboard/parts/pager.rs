//! Links to the pages of a long list.

use maud::{Markup, html};

use super::text::thousands;
use crate::dashboard::query::Query;

/// A page of a long list.
#[derive(Clone, Copy, Debug)]
pub(in crate::dashboard) struct Pager {
    /// From one on.
    pub(in crate::dashboard) page: usize,
    /// How many there are.
    pub(in crate::dashboard) pages: usize,
}

impl Pager {
    /// The page that a query asks for, or the nearest one that exists.
    pub(in crate::dashboard) fn new(query: &Query, rows: usize, per_page: usize) -> Self {
        let pages = rows.div_ceil(per_page).max(1);
        let page = query.number("page").unwrap_or(1).clamp(1, pages);
        Self { page, pages }
    }

    /// Links to the page before and the next one; nothing if there is one only.
    pub(in crate::dashboard) fn links(self, query: &Query, path: &str) -> Markup {
        let link = |page: usize| query.link(path, &[("page", &page.to_string())]);
        let Self { page, pages } = self;
        html! {
            @if pages > 1 {
                nav.pager aria-label="Pages" {
                    @if page > 1 { a rel="prev" href=(link(page - 1)) { "Page before" } }
                    span { "Page " (page) " of " (thousands(u64::try_from(pages).unwrap_or(u64::MAX))) }
                    @if page < pages { a rel="next" href=(link(page + 1)) { "Next page" } }
                }
            }
        }
    }
}
