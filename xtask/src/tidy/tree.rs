//! The source files of a crate, found from its roots by `mod` declarations.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::imports;
use super::source::Code;
use crate::metadata::{Package, Target};

/// A source file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) code: Code,
    /// The module that it is, from the root of its target.
    module: imports::Path,
}

/// A crate and its source files, each once.
pub(super) struct Tree<'a> {
    pub(super) package: &'a Package,
    pub(super) files: Vec<File>,
    /// The masked code of library and binaries, by module.
    pub(super) modules: BTreeMap<imports::Path, String>,
}

impl<'a> Tree<'a> {
    /// Reads all targets.
    pub(super) fn read(package: &'a Package) -> Result<Self> {
        let mut tree = Self {
            package,
            files: Vec::new(),
            modules: BTreeMap::new(),
        };
        for target in &package.targets {
            let from = tree.files.len();
            tree.add(&target.src_path, &[], !target.is_product())?;
            if target.is_product() {
                let added = tree.files.iter().skip(from);
                let modules = added.map(|file| (file.module.clone(), file.code.product.clone()));
                tree.modules.extend(modules);
            }
        }
        Ok(tree)
    }

    fn add(&mut self, path: &Path, module: &[String], is_test: bool) -> Result<()> {
        if self.files.iter().any(|file| file.path == path) {
            return Ok(());
        }
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let code = Code::read(&text, is_test);
        let children: Vec<_> = code.modules().collect();
        self.files.push(File {
            path: path.to_owned(),
            code,
            module: module.to_vec(),
        });
        let folder = folder_of_children(path, module);
        for child in children {
            let own = folder.join(format!("{}.rs", child.name));
            let shared = folder.join(&child.name).join("mod.rs");
            if let Some(path) = [own, shared].iter().find(|path| path.exists()) {
                let module = [module, &[child.name]].concat();
                self.add(path, &module, is_test || child.is_test)?;
            }
        }
        Ok(())
    }
}

impl Target {
    /// Whether it is handed out: a library or a binary.
    pub(super) fn is_product(&self) -> bool {
        let mut kinds = self.kind.iter();
        kinds.any(|kind| kind == "lib" || kind == "bin")
    }
}

fn folder_of_children(path: &Path, module: &[String]) -> PathBuf {
    let is_root = module.is_empty() || path.ends_with("mod.rs");
    let folder = if is_root { path.parent() } else { None };
    folder.map_or_else(|| path.with_extension(""), Path::to_path_buf)
}
