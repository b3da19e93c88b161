//! The dashboard: pages about projects and flags, for people with a browser.
//!
//! Pages are made on threads of its own (`threads.rs`), over readers of the store of its own, a few at a time and within a
//! deadline: a dashboard that hangs costs no evaluation. Start with `answer.rs`.
//! - `pages/` has a file for each page, `parts/` what several pages have.
//! - `change/` plans and appends changes, where they are allowed; `submit.rs` answers their forms.
//! - `listing/` keeps what is newest of each flag of a project, for lists of thousands.
mod answer;
mod assets;
mod change;
mod error;
mod guard;
mod listing;
mod other_store;
mod pages;
mod parts;
mod query;
mod request;
mod response;
mod sign_in;
mod sources;
mod submit;
mod threads;

pub(crate) use self::answer::{Dashboard, dashboard, failure_pages};
pub(crate) use self::assets::assets;
pub(crate) use self::guard::guard_settings;
pub(crate) use self::other_store::OtherStore;
pub(crate) use self::sources::{CookieScope, DashboardSettings, Writes};
pub(crate) use self::threads::{PageRuntimes, PageThreads};
