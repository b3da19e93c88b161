//! Entity tags: strong ones of our own, and whether a request names one.

use actix_web::http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};

/// A strong entity tag, in its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag(String);

impl EntityTag {
    /// The tag of an answer with this hash.
    pub(super) fn of(hash: u64) -> Self {
        Self(format!("\"{hash:016x}\""))
    }

    /// Returns the value of the header `ETag`.
    pub(super) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// Whether `If-None-Match` names this tag, in a list, as a weak tag, or as any tag with `*`.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH);
        let mut tags = lists
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','));
        tags.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lists: &[&str], expected: bool) {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(IF_NONE_MATCH, HeaderValue::from_str(list).unwrap());
        }
        let tag = EntityTag::of(0xa1);
        assert_eq!(tag.is_in(&headers), expected, "{lists:?}");
    }

    #[test]
    fn a_tag_is_found_in_lists_as_weak_and_by_a_star() {
        let tag = "\"00000000000000a1\"";
        assert_eq!(EntityTag::of(0xa1).to_header(), tag);
        check(&[tag], true);
        check(&[&format!("W/{tag}")], true);
        check(&[&format!("\"x\" , {tag}")], true);
        check(&["\"x\"", tag], true);
        check(&["*"], true);
        check(&[], false);
        check(&["\"x\""], false);
        check(&["00000000000000a1"], false);
        check(&["\"00000000000000a2\""], false);
    }
}
