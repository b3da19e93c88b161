//! The pages as a book, by mdBook: `docs/SUMMARY.md` says which and in which order.
//!
//! Pages lie in the book as they lie in the repository, so that their links hold, and so do the files that they link to.
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::foreground::{Foreground, has_program};
use crate::markdown::Page;
use crate::metadata::Metadata;

/// The folder whose pages are all in the book.
pub(crate) const PAGES: &str = "docs";

/// The order of the pages.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";

/// The configuration of mdBook.
const SETTINGS: &str = "docs/book.toml";

/// Builds the book into `book` in the target folder.
pub(crate) fn run(foreground: &mut Foreground) -> Result<()> {
    if !has_program("mdbook") {
        bail!(
            "mdbook is not installed: cargo install mdbook --locked --no-default-features --features search"
        );
    }
    let metadata = Metadata::read()?;
    let folder = metadata.target_directory.join("book");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    lay_out(&metadata.workspace_root, &folder)?;
    foreground.run(Command::new("mdbook").arg("build").arg(&folder))?;
    println!("{}", folder.join("html/index.html").display());
    Ok(())
}

/// Copies the pages and what they link to; the summary goes to the top, where mdBook looks for it.
fn lay_out(root: &Path, folder: &Path) -> Result<()> {
    let summary = Page::read(root, Path::new(SUMMARY))?;
    let mut text = summary.text.clone();
    let (mut pages, mut files) = (Vec::new(), BTreeSet::new());
    let sources = folder.join("src");
    for link in summary.links() {
        let path = link.path.display();
        text = text.replace(&format!("]({})", link.written), &format!("]({path})"));
        let page = Page::read(root, &link.path)?;
        let linked = page.links().into_iter().map(|link| link.path);
        files.extend(linked.filter(|path| root.join(path).is_file()));
        pages.push(page);
    }
    for file in &files {
        copy(root, file, &sources.join(file))?;
    }
    for page in &pages {
        write(&sources.join(&page.path), &with_indices(root, page))?;
    }
    write(&sources.join("SUMMARY.md"), &text)?;
    copy(root, Path::new(SETTINGS), &folder.join("book.toml"))
}

/// The text of a page with links to the `index.html` that mdBook makes of a `README.md`.
fn with_indices(root: &Path, page: &Page) -> String {
    let mut text = page.text.clone();
    for link in page.links() {
        let index = match link.written {
            folder if root.join(&link.path).is_dir() => format!("{folder}index.md"),
            page => page.replace("README.md", "index.md"),
        };
        text = text.replace(&format!("]({})", link.written), &format!("]({index})"));
    }
    text
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a page has a folder")?)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn copy(root: &Path, file: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("a file has a folder")?;
    fs::create_dir_all(parent)?;
    fs::copy(root.join(file), to).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_folder_is_linked_as_its_index() {
        let root = Metadata::read().unwrap().workspace_root;
        let page = Page {
            path: "docs/a.md".into(),
            text: "[a](../deploy/README.md#b) [c](decisions/) [d](rows.md) `[e](README.md)`"
                .to_owned(),
        };
        let expected =
            "[a](../deploy/index.md#b) [c](decisions/index.md) [d](rows.md) `[e](README.md)`";
        assert_eq!(with_indices(&root, &page), expected);
    }

    #[test]
    fn every_page_of_the_summary_and_what_it_links_to_is_laid_out() {
        let metadata = Metadata::read().unwrap();
        let folder = metadata.target_directory.join("book-test");
        lay_out(&metadata.workspace_root, &folder).unwrap();
        let summary = Page::read(&folder.join("src"), Path::new("SUMMARY.md")).unwrap();
        let pages: Vec<_> = summary.links().into_iter().map(|link| link.path).collect();
        assert!(pages.len() > 20, "{pages:?}");
        let linked = [
            "docs/performance/flags.svg",
            "crates/flag-client/examples/plain.rs",
        ];
        for file in pages
            .iter()
            .map(|page| &**page)
            .chain(linked.map(Path::new))
        {
            assert!(
                folder.join("src").join(file).is_file(),
                "{}",
                file.display()
            );
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
