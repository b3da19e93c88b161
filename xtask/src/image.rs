//! Images of containers without a daemon: the file systems of `deploy/docker/Dockerfile` as OCI archives.
//!
//! umoci puts them together. The same binaries and Debian packages give the same digest.
mod check;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

pub(crate) use self::check::{check, missing};
use crate::foreground::Foreground;
use crate::metadata::{Metadata, Package};
use crate::release::{self, BINARIES, Release, output};

/// Where the Dockerfile is, and what it and we lay out the common files with.
const FOLDER: &str = "deploy/docker";

/// Who the programs run as: nobody who has a name or a right outside.
const USER: &str = "65532:65532";

/// What the image is called in its own layout.
const TAG: &str = "image";

/// How images are made.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `flag-service` and `flagctl`, instead of building them for release
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// An image that was made.
struct Image {
    /// Its layout, a folder.
    layout: PathBuf,
    /// The layout as one file.
    archive: PathBuf,
    /// `sha256:…` of its manifest, which names everything in it.
    digest: String,
}

/// Makes an image of each binary in `image` in the target folder.
pub(crate) fn run(args: &Args, foreground: &mut Foreground) -> Result<()> {
    let metadata = Metadata::read()?;
    let release = Release::read(&metadata)?;
    let binaries = match &args.binaries {
        Some(folder) => folder.clone(),
        None => release::build(&metadata, &release, foreground)?,
    };
    let folder = metadata.target_directory.join("image");
    for image in make(&metadata, &release, &binaries, &folder, foreground)? {
        let megabytes = (fs::metadata(&image.archive)?.len() + 50_000) / 100_000;
        println!(
            "{} {}.{} MB {}",
            image.archive.display(),
            megabytes / 10,
            megabytes % 10,
            image.digest
        );
    }
    Ok(())
}

/// Makes the images anew in a folder.
fn make(
    metadata: &Metadata,
    release: &Release,
    binaries: &Path,
    folder: &Path,
    foreground: &mut Foreground,
) -> Result<Vec<Image>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let root = folder.join("root");
    fs::create_dir_all(folder)?;
    foreground.run(
        Command::new(metadata.workspace_root.join(FOLDER).join("root-files"))
            .arg(&root)
            .env("SOURCE_DATE_EPOCH", release.epoch.to_string()),
    )?;
    let mut images = Vec::new();
    for package in metadata.packages_of(&BINARIES) {
        let program = folder.join("program");
        fs::create_dir(&program)?;
        fs::copy(binaries.join(&package.name), program.join(&package.name))
            .with_context(|| format!("no {} in {}", package.name, binaries.display()))?;
        release.age(&program)?;
        let layers = [(&root, "/"), (&program, "/usr/bin")];
        images.push(assemble(package, release, &layers, folder)?);
        fs::remove_dir_all(&program)?;
    }
    fs::remove_dir_all(&root)?;
    Ok(images)
}

/// Puts one layer per folder into an image, says what it is, and packs it.
fn assemble(
    package: &Package,
    release: &Release,
    layers: &[(&PathBuf, &str)],
    folder: &Path,
) -> Result<Image> {
    let layout = folder.join(&package.name);
    let path = layout.display().to_string();
    let image = format!("{path}:{TAG}");
    let created = release.created()?;
    let history = [
        "--history.created",
        &created,
        "--history.created_by",
        "cargo xtask image",
    ];
    umoci(&["init", "--layout", &path], &[])?;
    umoci(&["new", "--image", &image], &[])?;
    for (source, target) in layers {
        let source = source.display().to_string();
        umoci(
            &["insert", "--image", &image],
            &[&history, &[source.as_str(), *target]],
        )?;
    }
    let program = format!("/usr/bin/{}", package.name);
    let labels = labels(package, release, &created);
    let labels: Vec<&str> = labels
        .iter()
        .flat_map(|label| ["--config.label", label])
        .collect();
    let rest = [
        "--os",
        "linux",
        "--architecture",
        architecture(),
        "--created",
        &created,
        "--config.user",
        USER,
        "--config.workingdir",
        "/",
        "--config.stopsignal",
        "SIGTERM",
        "--config.entrypoint",
        &program,
    ];
    umoci(&["config", "--image", &image], &[&history, &labels, &rest])?;
    umoci(&["gc", "--layout", &path], &[])?;
    let archive = format!("{}-{}.oci.tar", package.name, release.version);
    pack(layout, folder.join(archive), release)
}

/// Packs a layout into an archive, whose bytes depend on nothing but its content.
fn pack(layout: PathBuf, archive: PathBuf, release: &Release) -> Result<Image> {
    output(
        Command::new("tar")
            .args([
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--mode=u=rwX,go=rX",
            ])
            .arg(format!("--mtime=@{}", release.epoch))
            .arg("--directory")
            .arg(&layout)
            .arg("--file")
            .arg(&archive)
            .args(["--create", "blobs", "index.json", "oci-layout"]),
    )?;
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let digest = index.pointer("/manifests/0/digest").and_then(Value::as_str);
    Ok(Image {
        digest: digest.context("umoci made no image")?.to_owned(),
        layout,
        archive,
    })
}

/// What tools read about an image, as the Dockerfile says it too.
fn labels(package: &Package, release: &Release, created: &str) -> [String; 6] {
    let label = |key: &str, value: &str| format!("org.opencontainers.image.{key}={value}");
    [
        label("title", &package.name),
        label("description", &package.description),
        label("version", &release.version),
        label("revision", &release.commit),
        label("created", created),
        label("licenses", &package.license),
    ]
}

/// The processor that we build for, as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

fn umoci(command: &[&str], arguments: &[&[&str]]) -> Result<String> {
    output(Command::new("umoci").args(command).args(arguments.concat()))
        .context("Debian has it in the package umoci")
}
