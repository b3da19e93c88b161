//! Style, script and icon of the pages.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

use super::answer::Dashboard;
use crate::http::{ApiError, RequestContext, not_found};

const STYLE: &str = include_str!("assets/app.css");
const SCRIPT: &str = include_str!("assets/app.js");
const LIVE: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Answers `GET /dashboard/assets/…`.
pub(crate) async fn assets(context: &RequestContext) -> Result<HttpResponse, ApiError> {
    let file = context.request.path().rsplit('/').next();
    let (media_type, text) = match file {
        _ if Dashboard::of(context).is_none() => return not_found(context).await,
        Some("app.css") => ("text/css; charset=utf-8", STYLE),
        Some("live.js") => ("text/javascript; charset=utf-8", LIVE),
        Some("app.js") => ("text/javascript; charset=utf-8", SCRIPT),
        _ => ("image/svg+xml", ICON),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_asset_names_another_host_or_makes_markup_of_text() {
        for asset in [STYLE, SCRIPT, LIVE] {
            for elsewhere in ["http:", "https:", "@import", "url(", "innerHTML", "eval("] {
                assert!(!asset.contains(elsewhere), "{elsewhere}");
            }
        }
    }
}
