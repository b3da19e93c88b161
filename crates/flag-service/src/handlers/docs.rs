//! `GET /docs`: the description of the service as a page, which uses `/openapi.json` and no other host.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, X_CONTENT_TYPE_OPTIONS};

use crate::http::{ApiError, RequestContext};

const PAGE: &str = include_str!("docs/page.html");

/// Allows only the style and script of the page, and requests to this service only.
const POLICY: &str = "default-src 'none'; style-src 'sha256-dT6JgZ6ihVXR2eypCrexG1sHnMVvAD40usqOZIFvNNg='; \
    script-src 'sha256-BVBtZ0L9RcQ0YSbMZskaakssnmjjLozlOAFUlAh51NQ='; \
    connect-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers `GET /docs`.
pub(super) async fn docs(_: &RequestContext) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(PAGE))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// What a browser computes of an inline style or script before it lets it be.
    fn source(tag: &str) -> String {
        let (_, rest) = PAGE.split_once(&format!("<{tag}>")).unwrap();
        let (inside, _) = rest.split_once(&format!("</{tag}>")).unwrap();
        format!("'sha256-{}'", base64(&Sha256::digest(inside)))
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |chunk: &[u8], at: usize| {
            let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            if at <= chunk.len() {
                DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char
            } else {
                '='
            }
        };
        let digits = bytes
            .chunks(3)
            .flat_map(|chunk| (0..4).map(move |at| digit(chunk, at)));
        digits.collect()
    }

    #[test]
    fn the_policy_lets_the_page_be() {
        assert_eq!(base64(b"Man is"), "TWFuIGlz");
        assert_eq!(base64(b"a"), "YQ==");
        for tag in ["style", "script"] {
            let source = source(tag);
            assert!(POLICY.contains(&source), "POLICY lacks {tag}-src {source}");
        }
    }

    #[test]
    fn the_page_names_no_other_host() {
        for elsewhere in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!PAGE.contains(elsewhere), "{elsewhere}");
        }
    }
}
