//! The page on which an API key is entered.

use maud::{Markup, html};

use crate::access::Identity;
use crate::dashboard::parts::{Frame, shown};
use crate::dashboard::query::link;
use crate::dashboard::sources::{CookieScope, DashboardSettings};

/// The page on which an API key is entered.
#[derive(Debug)]
pub(in crate::dashboard) struct SignIn<'a> {
    /// The page to go to afterwards.
    pub(in crate::dashboard) next: &'a str,
    pub(in crate::dashboard) problem: Option<SignInProblem>,
    pub(in crate::dashboard) cookies: CookieScope,
    /// Who has signed in already.
    pub(in crate::dashboard) identity: Option<&'a Identity>,
}

/// Why signing in did not work.
#[derive(Clone, Copy, Debug)]
pub(in crate::dashboard) enum SignInProblem {
    /// The key is not valid.
    Unknown,
    /// The key lacks the scope `read`.
    NoScope,
}

impl SignIn<'_> {
    /// The page.
    pub(in crate::dashboard) fn render(&self, settings: &DashboardSettings) -> Markup {
        let frame = Frame {
            settings,
            title: "Sign in",
            crumbs: Vec::new(),
            identity: self.identity,
        };
        frame.render(&match self.identity {
            Some(Identity::Person(name)) => self.of_proxy(name),
            _ => self.form(),
        })
    }

    /// A form would have no effect here.
    fn of_proxy(&self, name: &str) -> Markup {
        html! {
            p { "You are signed in as " strong { (shown(name)) } ": the identity-aware proxy before this service says so with each request." }
            p { "You have the rights that everybody has who comes through the proxy. An API key has no effect here; to be somebody \
                else, sign out of the proxy." }
            p { a.action href=(self.next) { "Go on" } }
        }
    }

    fn form(&self) -> Markup {
        let problem = self.problem.map(|problem| match problem {
            SignInProblem::Unknown => "This is not a valid API key.",
            SignInProblem::NoScope => "This API key lacks the scope read.",
        });
        html! {
            @if let Some(problem) = problem { p.problem id="problem" role="alert" { (problem) } }
            form.sign-in method="post" action=(link("/sign-in", &[])) {
                input type="hidden" name="next" value=(self.next);
                label for="key" { "API key" }
                input id="key" name="key" type="password" required autocomplete="current-password" autofocus
                    spellcheck="false" aria-describedby=(if problem.is_some() { "problem hint" } else { "hint" });
                p.hint id="hint" { "A key with the scope " code { "read" } ", for 12 hours in this browser. "
                    code { "flagctl keys create --scope read" } " makes one." }
                @if self.cookies == CookieScope::TlsOnly {
                    p.hint { "The browser keeps you signed in over HTTPS only." }
                }
                button type="submit" { "Sign in" }
            }
        }
    }
}
