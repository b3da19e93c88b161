//! Mistakes of application developers, which the compiler finds.
//!
//! Each file of `tests/mistakes` begins with comments, which the compiler's message must contain.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the compiler says of a file, which must not compile.
fn compile(file: &Path) -> String {
    let program = env::current_exe().unwrap();
    let libraries = program.parent().unwrap();
    let output = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition=2024", "--crate-type=bin", "--emit=metadata"])
        .arg("--out-dir")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg(format!("-Ldependency={}", libraries.display()))
        .arg(format!(
            "--extern=flag_client={}",
            client(libraries).display()
        ))
        .arg(file)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{} compiles", file.display());
    String::from_utf8(output.stderr).unwrap()
}

/// The client as it was built last, which is the one that this test is built with.
fn client(libraries: &Path) -> PathBuf {
    let files = fs::read_dir(libraries).unwrap().map(|file| file.unwrap());
    let built = files.filter(|file| {
        let name = file.file_name().into_string().unwrap();
        let hash = name.strip_prefix("libflag_client-");
        hash.is_some_and(|hash| hash.split_once('.').is_some_and(|(_, end)| end == "rlib"))
    });
    let last = built.max_by_key(|file| file.metadata().unwrap().modified().unwrap());
    last.unwrap_or_else(|| panic!("no library in {}", libraries.display()))
        .path()
}

#[test]
fn a_wrong_type_does_not_compile() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mistakes");
    let mut mistakes = 0;
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let said = compile(&file);
        let expected: Vec<_> = text
            .lines()
            .map_while(|line| line.strip_prefix("// "))
            .collect();
        assert!(!expected.is_empty(), "{}", file.display());
        for line in expected {
            assert!(said.contains(line), "{}: {line}\n{said}", file.display());
        }
        mistakes += 1;
    }
    assert_eq!(mistakes, 5);
}
