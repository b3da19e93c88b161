//! Checks that every link of a page into the repository leads somewhere, and that every page of `docs` is in the book.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::book::{PAGES, SUMMARY};
use crate::markdown::{Link, Page};

/// Says which links lead nowhere, and which pages are left out of the book.
pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let pages = Page::read_all(root)?;
    let mut found = broken(root, &pages);
    found.extend(left_out(&pages));
    Ok(found)
}

fn broken(root: &Path, pages: &[Page]) -> Vec<String> {
    let anchors: BTreeMap<&Path, Vec<String>> = pages
        .iter()
        .map(|page| (&*page.path, page.anchors()))
        .collect();
    let mut found = Vec::new();
    for page in pages {
        for link in page.links() {
            if let Some(complaint) = complaint(root, &anchors, &link) {
                let Link { written, .. } = link;
                found.push(format!("{}: {written}: {complaint}", page.path.display()));
            }
        }
    }
    found
}

fn complaint(
    root: &Path,
    anchors: &BTreeMap<&Path, Vec<String>>,
    link: &Link<'_>,
) -> Option<&'static str> {
    if !root.join(&link.path).exists() {
        return Some("no such file");
    }
    let anchor = link.anchor?;
    let known = anchors.get(&*link.path);
    let is_known = known.is_some_and(|anchors| anchors.iter().any(|known| known == anchor));
    (!is_known).then_some("no such heading")
}

fn left_out(pages: &[Page]) -> Vec<String> {
    let summary = pages.iter().find(|page| page.path == Path::new(SUMMARY));
    let listed: Vec<PathBuf> = summary
        .map(Page::links)
        .into_iter()
        .flatten()
        .map(|link| link.path)
        .collect();
    let ours = pages.iter().map(|page| &page.path).filter(|path| {
        path.starts_with(PAGES) && *path != Path::new(SUMMARY) && !listed.contains(path)
    });
    ours.map(|path| format!("{}: is not in {SUMMARY}", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> Page {
        Page {
            path: path.into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_link_to_nothing_is_reported() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = [page(
            "Cargo.toml",
            "[b](Cargo.toml) [c](none.md) [d](src/#x) [e](#f)\n# F",
        )];
        let expected = [
            "Cargo.toml: none.md: no such file",
            "Cargo.toml: src/#x: no such heading",
        ];
        assert_eq!(broken(root, &pages), expected);
    }

    #[test]
    fn a_page_that_the_summary_does_not_name_is_reported() {
        let pages = [
            page("README.md", ""),
            page(SUMMARY, "- [A](a.md)"),
            page("docs/a.md", ""),
            page("docs/b/c.md", ""),
        ];
        assert_eq!(left_out(&pages), ["docs/b/c.md: is not in docs/SUMMARY.md"]);
    }
}
