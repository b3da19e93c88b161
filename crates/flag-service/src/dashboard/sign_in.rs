//! Signing in with an API key, and out again.

use actix_web::HttpResponse;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::web::Payload;

use super::error::PageError;
use super::pages::{SignIn, SignInProblem};
use super::query::{HOME, Query, link};
use super::response;
use super::sources::{CookieScope, DashboardSettings};
use crate::access::{AccessError, Forbidden, Identity, SESSION_COOKIE, SESSION_LASTS};
use crate::http::{ApiError, RequestContext, read_form};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The largest form.
const MAX: usize = 8 << 10;

/// Answers with the form; where a proxy says who somebody is, with that.
pub(super) fn form(context: &RequestContext, settings: &DashboardSettings) -> HttpResponse {
    let query = Query::parse(context.request.query_string().as_bytes());
    let identity = context.authorization.identity();
    let page = SignIn {
        next: safe_next(query.get("next")),
        problem: None,
        cookies: settings.cookies,
        identity: identity.as_ref(),
    };
    response::page(page.render(settings))
}

/// Signs in with the key of a form.
pub(super) async fn sign_in(
    context: &RequestContext,
    body: Payload,
    settings: &DashboardSettings,
) -> Result<Result<HttpResponse, PageError>, ApiError> {
    if is_of_another_site(context) {
        return Ok(Err(PageError::OtherSite));
    }
    let identity = context.authorization.identity();
    if identity.as_ref().is_some_and(Identity::is_of_proxy) {
        return Ok(Err(PageError::ProxySignsIn));
    }
    let held_bytes = context.state.limits.new_held_bytes_counter();
    let form = Query::parse(&read_form(&context.request, body, MAX, held_bytes).await?);
    let next = safe_next(form.get("next")).to_owned();
    let session = context.state.authenticator.sign_in(form.get("key").trim());
    Ok(Ok(match session {
        Ok(session) => {
            let cookie = cookie(&session, SESSION_LASTS.as_secs(), settings);
            response::see_other(&next, Some(&cookie))
        }
        Err(error) => {
            let problem = match error {
                AccessError::Forbidden(Forbidden::Scope(_)) => SignInProblem::NoScope,
                _ => SignInProblem::Unknown,
            };
            let page = SignIn {
                next: &next,
                problem: Some(problem),
                cookies: settings.cookies,
                identity: identity.as_ref(),
            };
            let error = match problem {
                SignInProblem::NoScope => PageError::NoScope,
                SignInProblem::Unknown => PageError::NotSignedIn,
            };
            response::error(&error, page.render(settings))
        }
    }))
}

/// Forgets the session in this browser.
pub(super) fn sign_out(
    context: &RequestContext,
    settings: &DashboardSettings,
) -> Result<HttpResponse, PageError> {
    if is_of_another_site(context) {
        return Err(PageError::OtherSite);
    }
    let cookie = cookie("", 0, settings);
    Ok(response::see_other(&link("/sign-in", &[]), Some(&cookie)))
}

fn cookie(session: &str, seconds: u64, settings: &DashboardSettings) -> String {
    let secure = match settings.cookies {
        CookieScope::AnyConnection => "",
        CookieScope::TlsOnly => "; Secure",
    };
    format!(
        "{SESSION_COOKIE}={session}; Path={HOME}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    )
}

/// The page to go to after signing in: only one of ours, or else the first one.
pub(super) fn safe_next(next: &str) -> &str {
    let is_ours = next
        .strip_prefix(HOME)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && is_plain { next } else { HOME }
}

/// Whether a form was sent by a page of another site, as far as the browser says.
pub(super) fn is_of_another_site(context: &RequestContext) -> bool {
    let headers = context.request.headers();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").map(|(_, authority)| authority) != Some(host)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_only_our_own_pages_are_shown() {
        for ours in [
            "/dashboard",
            "/dashboard?q=1",
            "/dashboard/flags?project=p&q=%22",
        ] {
            assert_eq!(safe_next(ours), ours);
        }
        for other in [
            "",
            "/",
            "//evil.example/dashboard",
            "https://evil.example/dashboard",
            "/dashboards",
            "/dashboard@evil",
            "/dashboard/\\evil.example",
            "/dashboard/\r\nSet-Cookie: a=b",
            "javascript:alert(1)",
        ] {
            assert_eq!(safe_next(other), HOME, "{other}");
        }
    }
}
