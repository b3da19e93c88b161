//! The Debian packages: the service with its unit, and `flagctl`, each with manual and completions.
//!
//! By dpkg-deb, which every Debian has; what `deploy/systemd/debian` holds are the scripts of the package.
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Effort, SYSTEMD, copy};
use crate::metadata::{Metadata, Package};
use crate::release::{BINARIES, Release, output};

/// Where files of the archive go in the package of the service. Manual pages are compressed as they go.
const SERVICE: [(&str, &str); 8] = [
    ("bin/flag-service", "usr/bin/flag-service"),
    ("man/flag-service.8", "usr/share/man/man8/flag-service.8"),
    (
        "completions/flag-service.bash",
        "usr/share/bash-completion/completions/flag-service",
    ),
    (
        "completions/_flag-service",
        "usr/share/zsh/vendor-completions/_flag-service",
    ),
    (
        "completions/flag-service.fish",
        "usr/share/fish/vendor_completions.d/flag-service.fish",
    ),
    (
        "systemd/flag-service.service",
        "usr/lib/systemd/system/flag-service.service",
    ),
    (
        "systemd/flag-service.sysusers",
        "usr/lib/sysusers.d/flag-service.conf",
    ),
    (
        "systemd/flag-service.toml",
        "etc/flag-service/flag-service.toml",
    ),
];

/// The same for `flagctl`, without its manual pages, which are many.
const FLAGCTL: [(&str, &str); 4] = [
    ("bin/flagctl", "usr/bin/flagctl"),
    (
        "completions/flagctl.bash",
        "usr/share/bash-completion/completions/flagctl",
    ),
    (
        "completions/_flagctl",
        "usr/share/zsh/vendor-completions/_flagctl",
    ),
    (
        "completions/flagctl.fish",
        "usr/share/fish/vendor_completions.d/flagctl.fish",
    ),
];

/// Packs both, from what lies in `top`, into a folder.
pub(super) fn pack(
    metadata: &Metadata,
    release: &Release,
    top: &Path,
    folder: &Path,
    effort: Effort,
) -> Result<()> {
    for package in metadata.packages_of(&BINARIES) {
        let root = folder.join("debian");
        let files = if package.name == "flag-service" {
            &SERVICE[..]
        } else {
            &FLAGCTL[..]
        };
        for (from, to) in files {
            place(&top.join(from), &root.join(to))?;
        }
        if package.name == "flagctl" {
            for page in fs::read_dir(top.join("man"))? {
                let page = page?.path();
                if page.extension().is_some_and(|section| section == "1") {
                    let name = page.file_name().context("a page has a name")?;
                    place(&page, &root.join("usr/share/man/man1").join(name))?;
                }
            }
        }
        let documents = root.join("usr/share/doc").join(&package.name);
        place(&top.join("LICENSE"), &documents.join("copyright"))?;
        output(Command::new("sh").current_dir(&root).args([
            "-c",
            "find usr/share/man -type f -exec gzip -9 --no-name {} +",
        ]))?;
        control(
            package,
            release,
            &metadata.workspace_root.join(SYSTEMD),
            &root,
        )?;
        release.age(&root)?;
        output(
            Command::new("dpkg-deb")
                .args(["--root-owner-group", compression(effort), "--build"])
                .arg(&root)
                .arg(folder)
                .env("SOURCE_DATE_EPOCH", release.epoch.to_string()),
        )?;
        fs::remove_dir_all(&root)?;
    }
    Ok(())
}

fn compression(effort: Effort) -> &'static str {
    match effort {
        Effort::Most => "-Zxz",
        Effort::Least => "-Znone",
    }
}

/// Writes the control files of a package, with the scripts that the service's has.
fn control(package: &Package, release: &Release, source: &Path, root: &Path) -> Result<()> {
    let folder = root.join("DEBIAN");
    fs::create_dir(&folder)?;
    let glibc = newest_glibc(&fs::read(root.join("usr/bin").join(&package.name))?);
    let glibc = glibc.context("the program says nothing of the C library that it needs")?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let text = format!(
        "Package: {}\nVersion: {}\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
         Section: net\nPriority: optional\nDepends: libc6 (>= {glibc}), libgcc-s1, ca-certificates\n\
         Description: {}\n",
        package.name,
        release.debian(),
        package.description
    );
    fs::write(folder.join("control"), text)?;
    if package.name == "flag-service" {
        fs::write(
            folder.join("conffiles"),
            "/etc/flag-service/flag-service.toml\n",
        )?;
        for script in ["postinst", "prerm", "postrm"] {
            copy(&source.join("debian").join(script), &folder.join(script))?;
        }
    }
    Ok(())
}

/// Whom dpkg names for the package. It wants an address, and the project has none.
const MAINTAINER: &str = "Feature flags <root@localhost>";

fn place(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a path in a package has a folder")?)?;
    copy(from, to)
}

/// The newest version of the C library that a program names, `2.34`.
fn newest_glibc(program: &[u8]) -> Option<String> {
    let mark = b"GLIBC_2.";
    let versions = program.windows(mark.len() + 2).filter_map(|window| {
        let number = window.strip_prefix(mark.as_slice())?;
        let digits = number
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        std::str::from_utf8(number.get(..digits)?)
            .ok()?
            .parse::<u32>()
            .ok()
    });
    versions.max().map(|minor| format!("2.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_c_library_counts() {
        let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(newest_glibc(program).as_deref(), Some("2.34"));
        assert_eq!(newest_glibc(b"static"), None);
    }
}
