//! People with a browser: what the dashboard shows them, and what it keeps from them.

mod access;
mod browser;
mod changes;
mod changes_browser;
mod chart;
mod checks;
mod commands;
mod compare;
mod every_page;
mod failures;
mod health;
mod hostile;
mod identity_proxy;
mod keyboard;
mod live;
mod media;
mod other_store;
mod pages;
mod search;
mod states;

pub(crate) use self::pages::revision;
