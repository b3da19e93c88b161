//! The files of the repository; of its pages also what they link to, and what can be linked to in them.
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that hold no file of ours.
const PASSED_OVER: [&str; 3] = [".git", "target", "third-party"];

/// A page in Markdown.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its path from the repository's top.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A link to something in the repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    /// As it is written.
    pub(crate) written: &'a str,
    /// The file or folder, from the repository's top.
    pub(crate) path: PathBuf,
    /// The heading in it, if one is named.
    pub(crate) anchor: Option<&'a str>,
}

impl Page {
    /// Reads a page, named from the repository's top.
    pub(crate) fn read(root: &Path, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Reads every page of the repository, in order.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Self>> {
        let paths = files(root, &["md"])?;
        paths.iter().map(|path| Self::read(root, path)).collect()
    }

    /// The links into the repository, outside of code.
    pub(crate) fn links(&self) -> Vec<Link<'_>> {
        let lines = prose(&self.text);
        let spans = lines.flat_map(|line| line.split('`').step_by(2));
        let targets = spans.flat_map(|text| {
            let openings = text.split("](").skip(1);
            openings.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        });
        targets.filter_map(|target| self.link(target)).collect()
    }

    fn link<'a>(&self, written: &'a str) -> Option<Link<'a>> {
        if written.contains("://") || written.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = match written.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (written, None),
        };
        let path = match path {
            "" => self.path.clone(),
            path => normal(&self.path.parent().unwrap_or(Path::new("")).join(path)),
        };
        Some(Link {
            written,
            path,
            anchor,
        })
    }

    /// What a link can name after `#`: each heading, as GitHub and mdBook spell it.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in prose(&self.text) {
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let anchor = anchor(heading.trim());
            let same = |one: &&String| {
                **one == anchor
                    || one.rsplit_once('-').is_some_and(|(name, number)| {
                        name == anchor && number.parse::<u32>().is_ok()
                    })
            };
            match anchors.iter().filter(same).count() {
                0 => anchors.push(anchor),
                earlier => anchors.push(format!("{anchor}-{earlier}")),
            }
        }
        anchors
    }
}

/// The lines of a text that are not in a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The anchor of a heading: its letters and digits in lower case, with hyphens for spaces.
fn anchor(heading: &str) -> String {
    // The text of a link stays, its target goes.
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, target)) = rest.split_once("](") {
        text += before;
        rest = target.split_once(')').map_or("", |(_, after)| after);
    }
    text += rest;
    let kept = text.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        _ => character.is_alphanumeric().then_some(character),
    });
    kept.collect::<String>().to_lowercase()
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// The files of the repository with one of these endings, from its top, in order.
pub(crate) fn files(root: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    collect(root, root, extensions, &mut paths)?;
    paths.sort_unstable();
    Ok(paths)
}

fn collect(
    root: &Path,
    folder: &Path,
    extensions: &[&str],
    found: &mut Vec<PathBuf>,
) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if !PASSED_OVER.iter().any(|passed| name == *passed) {
                collect(root, &path, extensions, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
        {
            found.push(path.strip_prefix(root)?.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page {
            path: "docs/a.md".into(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_link_is_read_from_the_folder_of_its_page() {
        let page = page(
            "[a](b.md#c) `[no](code)` ![d](e/f.svg) [g](../h.md)\n```\n[no](code)\n```\n[i](#j) [k](https://l)",
        );
        let found: Vec<_> = page
            .links()
            .into_iter()
            .map(|link| (link.path.display().to_string(), link.anchor))
            .collect();
        let found: Vec<_> = found
            .iter()
            .map(|(path, anchor)| (&**path, *anchor))
            .collect();
        let expected = [
            ("docs/b.md", Some("c")),
            ("docs/e/f.svg", None),
            ("h.md", None),
            ("docs/a.md", Some("j")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn headings_are_anchors_once_each() {
        let page = page(
            "# A `b`: c, d\n```\n# no heading\n```\n## 5. Switch\n#none\n## [Same](x.md)\n## Same\n",
        );
        assert_eq!(page.anchors(), ["a-b-c-d", "5-switch", "same", "same-1"]);
    }
}
