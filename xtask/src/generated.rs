//! The generated part of a page that people write: what stands between two marks.
use std::fs;

use anyhow::{Context, Result};

use crate::metadata::Metadata;

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- end of measured -->";

/// Replaces what stands between the marks of a page, named from the repository's top.
pub(crate) fn write(page: &str, content: &str) -> Result<()> {
    let path = Metadata::read()?.workspace_root.join(page);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {page}"))?;
    let text = replaced(&text, content)
        .with_context(|| format!("{page} has no place for what is generated"))?;
    Ok(fs::write(&path, text)?)
}

fn replaced(page: &str, content: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{content}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_marks_stays() {
        let page = format!("a\n{BEGIN}old\n{END}\nb\n");
        let written = replaced(&page, "new\n").unwrap();
        assert_eq!(written, format!("a\n{BEGIN}new\n{END}\nb\n"));
        assert_eq!(replaced(&written, "new\n"), Some(written));
    }

    #[test]
    fn a_page_without_both_marks_is_left_alone() {
        assert_eq!(replaced("a", "new"), None);
        assert_eq!(replaced(BEGIN, "new"), None);
        assert_eq!(replaced(&format!("{END}{BEGIN}"), "new"), None);
    }
}
