//! The frame of every page: which environment this is, the way back, the keys.

use flag_model::{FlagKey, ProjectName};
use flag_settings::is_production;
use maud::{DOCTYPE, Markup, html};

use super::text::shown;
use crate::access::Identity;
use crate::dashboard::query::{HOME, flag_link, link, project_link};
use crate::dashboard::sources::DashboardSettings;

/// Makes browsers load the files of a new release.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The keys of the script.
const KEYS: [(&str, &str); 6] = [
    ("/", "Search, or look up an instance"),
    ("j", "Next row"),
    ("k", "Row before"),
    ("Enter", "Open the row"),
    ("?", "Show these keys"),
    ("Esc", "Close, or leave the search"),
];

/// The frame of a page.
#[derive(Debug)]
pub(in crate::dashboard) struct Frame<'a> {
    pub(in crate::dashboard) settings: &'a DashboardSettings,
    pub(in crate::dashboard) title: &'a str,
    pub(in crate::dashboard) crumbs: Vec<Crumb<'a>>,
    /// Who has signed in.
    pub(in crate::dashboard) identity: Option<&'a Identity>,
}

/// A page above this one.
#[derive(Debug)]
pub(in crate::dashboard) struct Crumb<'a> {
    pub(in crate::dashboard) text: &'a str,
    pub(in crate::dashboard) link: String,
}

impl<'a> Crumb<'a> {
    /// The page of all projects.
    pub(in crate::dashboard) fn home() -> Self {
        Self {
            text: "Projects",
            link: HOME.to_owned(),
        }
    }

    /// The page of a project.
    pub(in crate::dashboard) fn project(project: &'a ProjectName) -> Self {
        Self {
            text: project.as_str(),
            link: project_link(project),
        }
    }

    /// The page of a flag.
    pub(in crate::dashboard) fn flag(flag: &'a FlagKey) -> Self {
        Self {
            text: flag.name.as_str(),
            link: flag_link(flag),
        }
    }
}

impl Frame<'_> {
    /// The page with this content.
    pub(in crate::dashboard) fn render(&self, content: &Markup) -> Markup {
        let environment = self.settings.environment.as_str();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (flag_describe::visible(self.title)) " · " (flag_describe::visible(environment)) " · Flags" }
                    link rel="icon" type="image/svg+xml" href={ (HOME) "/assets/icon.svg" };
                    link rel="stylesheet" href={ (HOME) "/assets/app.css?" (VERSION) };
                    script src={ (HOME) "/assets/app.js?" (VERSION) } defer {}
                    script src={ (HOME) "/assets/live.js?" (VERSION) } defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.header())
                    main id="main" tabindex="-1" {
                        (self.way())
                        h1 { (shown(self.title)) }
                        (content)
                    }
                    footer { "flag-service " (VERSION) span.keys hidden { " · press ? for keys" } span id="live-state" {} }
                    p.hidden id="live" role="status" {}
                    (keys())
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header {
                a.brand href=(HOME) { "Flags" }
                (environment_mark(&self.settings.environment))
                nav aria-label="Main" {
                    a href=(HOME) { "Projects" }
                    a href=(link("/health", &[])) { "Health" }
                    a href="/docs" { "API" }
                }
                @if let Some(identity) = self.identity { (signed_in(identity)) }
            }
        }
    }

    fn way(&self) -> Markup {
        html! {
            @if !self.crumbs.is_empty() {
                nav.way aria-label="Where this is" {
                    @for crumb in &self.crumbs { a href=(crumb.link) { (shown(crumb.text)) } span aria-hidden="true" { " › " } }
                }
            }
        }
    }
}

/// Who has signed in, by what, and how to end it if that is possible here.
fn signed_in(identity: &Identity) -> Markup {
    html! {
        @match identity {
            Identity::Key(name) => form.who method="post" action=(link("/sign-out", &[])) {
                span { (shown(name)) } button type="submit" { "Sign out" }
            },
            Identity::Person(name) => div.who { span { (shown(name)) ", says the identity-aware proxy" } },
        }
    }
}

/// The name of an environment with a shape and a word: an octagon is production, a circle is not.
pub(in crate::dashboard) fn environment_mark(name: &str) -> Markup {
    let is_production = is_production(name);
    let (class, kind) = if is_production {
        ("environment production", "production")
    } else {
        ("environment other", "not production")
    };
    html! {
        span class=(class) {
            svg viewBox="0 0 20 20" aria-hidden="true" focusable="false" {
                @if is_production {
                    polygon points="6,1 14,1 19,6 19,14 14,19 6,19 1,14 1,6" {}
                } @else {
                    circle cx="10" cy="10" r="9" {}
                }
            }
            strong { (shown(name)) }
            " " span { (kind) }
        }
    }
}

fn keys() -> Markup {
    html! {
        dialog id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keys" }
            dl { @for (key, does) in KEYS { div { dt { kbd { (key) } } dd { (does) } } } }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}
