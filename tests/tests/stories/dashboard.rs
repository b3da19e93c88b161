//! People with a browser: what the dashboard shows them, and what it keeps from them.

mod access;
mod browser;
mod changes;
mod changes_browser;
mod chart;
mod commands;
mod compare;
mod failures;
mod health;
mod identity_proxy;
mod live;
mod other_store;
mod pages;

pub(crate) use self::pages::revision;
