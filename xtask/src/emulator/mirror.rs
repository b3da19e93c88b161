//! The Debian archive that this machine's apt uses, in either of the formats of `sources.list(5)`.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Suites that only Debian's main archive has; any of them tells that a source is one.
const DEBIAN: [&str; 13] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
    "rc-buggy",
];

/// Keys of every current suite. A machine's source may name the keys of its own suite only.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Options that say how far the machine's owner trusts the mirror.
const KEPT: [&str; 3] = ["Trusted", "Check-Valid-Until", "Check-Date"];

/// A mirror of Debian's main archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    uris: String,
    /// As the machine's source has it: files, fingerprints, or a whole key; absent means all that apt trusts.
    signed_by: Option<String>,
    /// Those of [`KEPT`] that the machine's source has.
    options: Vec<(&'static str, String)>,
}

impl Mirror {
    /// Reads apt's sources.
    pub(super) fn of_this_machine() -> Result<Self> {
        for file in files(Path::new("/etc/apt")) {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let found = if file.extension().is_some_and(|name| name == "sources") {
                in_paragraphs(&text)
            } else {
                in_lines(&text)
            };
            if let Some(mirror) = found {
                return Ok(mirror);
            }
        }
        bail!("apt's sources on this machine name no mirror of Debian's archive");
    }

    /// Spells a source for other suites of the same mirror.
    pub(super) fn source(&self, suites: &[&str]) -> String {
        let present = KEYRINGS.into_iter().find(|ring| Path::new(ring).exists());
        self.source_with(suites, present)
    }

    fn source_with(&self, suites: &[&str], keyring: Option<&str>) -> String {
        let mut fields = vec![
            ("Types", "deb".to_owned()),
            ("URIs", self.uris.clone()),
            ("Suites", suites.join(" ")),
            ("Components", "main".to_owned()),
        ];
        fields.extend(self.options.iter().cloned());
        if let Some(signed_by) = &self.signed_by {
            let files = signed_by.starts_with('/');
            let added = keyring.filter(|ring| files && !signed_by.contains(ring));
            let rings: Vec<&str> = [signed_by.as_str()].into_iter().chain(added).collect();
            fields.push(("Signed-By", rings.join(" ")));
        }
        let lines: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        lines.concat()
    }

    /// Makes one of a source's fields, if it is a source of Debian's main archive.
    fn from_fields(fields: &[(String, String)]) -> Option<Self> {
        let field = |name: &str| {
            fields
                .iter()
                .find(|(field, _)| field.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
        };
        let lists = |name: &str, wanted: &dyn Fn(&str) -> bool| {
            field(name).is_some_and(|value| value.split_whitespace().any(wanted))
        };
        let uris = field("URIs")?;
        let usable = lists("Types", &|word| word == "deb")
            && lists("Suites", &|suite| is_debian(suite))
            && lists("Components", &|word| word == "main")
            && field("Enabled").is_none_or(|value| value != "no")
            && !uris.starts_with("cdrom:");
        usable.then(|| Self {
            uris: uris.to_owned(),
            signed_by: field("Signed-By").map(str::to_owned),
            options: KEPT
                .into_iter()
                .filter_map(|name| Some((name, field(name)?.to_owned())))
                .collect(),
        })
    }
}

/// Lists the files that apt would read, in its order.
fn files(apt: &Path) -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = fs::read_dir(apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|name| name == "list" || name == "sources")
        })
        .collect();
    parts.sort();
    parts.insert(0, apt.join("sources.list"));
    parts
}

/// Tells a suite of the main archive from one of the security archive or of somebody else.
fn is_debian(suite: &str) -> bool {
    let release = suite
        .strip_suffix("-updates")
        .or_else(|| suite.strip_suffix("-backports"))
        .unwrap_or(suite);
    DEBIAN.contains(&release)
}

/// Reads the one-line format: `deb [option=value …] uri suite component…`.
fn in_lines(text: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?.trim();
        let (kind, rest) = line.split_once(char::is_whitespace)?;
        let (options, rest) = match rest.trim_start().strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let mut fields = vec![
            ("Types".to_owned(), kind.to_owned()),
            ("URIs".to_owned(), words.next()?.to_owned()),
            ("Suites".to_owned(), words.next()?.to_owned()),
            ("Components".to_owned(), words.collect::<Vec<_>>().join(" ")),
        ];
        for option in options.split_whitespace() {
            let (name, value) = option.split_once('=')?;
            fields.push((name.to_owned(), value.replace(',', " ")));
        }
        Mirror::from_fields(&fields)
    })
}

/// Reads the format of paragraphs of `Field: value`, in which an indented line continues a value.
fn in_paragraphs(text: &str) -> Option<Mirror> {
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    text.split(|line| line.trim().is_empty())
        .find_map(|paragraph| {
            let mut fields: Vec<(String, String)> = Vec::new();
            for line in paragraph {
                if line.starts_with(char::is_whitespace) {
                    let (_, value) = fields.last_mut()?;
                    value.push('\n');
                    value.push_str(line);
                } else {
                    let (name, value) = line.split_once(':')?;
                    fields.push((name.to_owned(), value.trim().to_owned()));
                }
            }
            Mirror::from_fields(&fields)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

    #[track_caller]
    fn check(found: Option<Mirror>, expected: &str) {
        assert_eq!(found.unwrap().source_with(&["sid"], Some(RING)), expected);
    }

    #[test]
    fn a_line_is_read_with_its_options() {
        check(
            in_lines(
                "# main\ndeb [arch=amd64 trusted=yes signed-by=/k/a.gpg,/k/b.gpg] http://mirror.test/debian bookworm main contrib\n",
            ),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: sid\nComponents: main\n\
             Trusted: yes\nSigned-By: /k/a.gpg /k/b.gpg /usr/share/keyrings/debian-archive-keyring.gpg\n",
        );
    }

    #[test]
    fn a_line_without_options_is_read() {
        check(
            in_lines(
                "deb-src http://mirror.test/src sid main\ndeb http://mirror.test/debian\tstable  main # x",
            ),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: sid\nComponents: main\n",
        );
    }

    #[test]
    fn a_paragraph_is_read() {
        check(
            in_paragraphs(
                "# comment\nTypes: deb deb-src\n# comment\nURIs: http://mirror.test/debian\n\
                 Suites: bookworm bookworm-updates\nComponents: main\nCheck-Valid-Until: no\n\
                 Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
            ),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: sid\nComponents: main\n\
             Check-Valid-Until: no\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
        );
    }

    #[test]
    fn a_key_within_a_paragraph_is_kept_as_it_is() {
        check(
            in_paragraphs(
                "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\nSigned-By:\n \
                 -----BEGIN\n .\n abc\n",
            ),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: sid\nComponents: main\n\
             Signed-By: \n -----BEGIN\n .\n abc\n",
        );
    }

    #[test]
    fn other_archives_are_passed_over() {
        assert_eq!(
            in_lines("deb http://mirror.test/security bookworm-security main"),
            None
        );
        assert_eq!(in_lines("deb http://mirror.test/ubuntu noble main"), None);
        assert_eq!(in_lines("deb cdrom:[Debian]/ bookworm main"), None);
        assert_eq!(
            in_lines("deb http://mirror.test/debian bookworm contrib"),
            None
        );
        assert_eq!(
            in_paragraphs(
                "Types: deb\nURIs: http://m.test\nSuites: sid\nComponents: main\nEnabled: no\n"
            ),
            None
        );
    }
}
