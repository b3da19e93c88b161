//! `keys`: made, listed, revoked, and shown no second time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::*;

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("keys.json")
}

fn keys(dir: &TempDir, args: &[&str]) -> Output {
    let mut command = command(dir.path(), &[&["keys"], args].concat());
    command
        .env("FLAG_API_KEYS_FILE", file(dir))
        .output()
        .unwrap()
}

fn create(dir: &TempDir, args: &[&str]) -> Value {
    let create = ["create", "--scope=evaluate", "--project=p", "-ojson"];
    json(&keys(dir, &[&create, args].concat()))
}

#[test]
fn a_key_is_shown_once_and_only_its_digest_is_kept() {
    let dir = TempDir::new().unwrap();
    let made = create(
        &dir,
        &["--comment=Ann", "--scope=log", "--expires-on=9027-01-31"],
    );
    let key = made["key"].as_str().unwrap();
    let secret = key.rsplit('_').next().unwrap();
    assert_eq!(secret.len(), 64);
    let kept = std::fs::read_to_string(file(&dir)).unwrap();
    assert!(!kept.contains(secret), "{kept}");
    let digest = Command::new("sh")
        .args([
            "-c",
            &format!("printf %s {key} | sha256sum | cut -d' ' -f1"),
        ])
        .output()
        .unwrap();
    assert!(kept.contains(stdout(&digest).trim()), "{kept}");
    let rights = std::fs::metadata(file(&dir)).unwrap().permissions();
    assert_eq!(rights.mode() & 0o777, 0o600);
    let listed = keys(&dir, &["list", "-ojson"]);
    assert!(!stdout(&listed).contains(secret) && !stderr(&listed).contains(secret));
    let listed = json(&listed)["keys"].take();
    for field in [
        "id",
        "scopes",
        "projects",
        "created",
        "expires_on",
        "comment",
    ] {
        assert_eq!(listed[0][field], made[field], "{field}");
    }
    assert_eq!(listed[0]["scopes"], serde_json::json!(["evaluate", "log"]));
}

#[test]
fn the_name_of_a_new_key_is_the_key_and_later_its_id() {
    let dir = TempDir::new().unwrap();
    let made = keys(&dir, &["create", "--scope=read", "--project=*", "-oname"]);
    let key = stdout(&made).trim().to_owned();
    assert!(!stderr(&made).contains(&key));
    let listed = keys(&dir, &["list", "-oname"]);
    assert_eq!(key.split('_').nth(1), Some(stdout(&listed).trim()));
}

#[test]
fn a_revoked_key_is_gone_and_the_others_stay() {
    let dir = TempDir::new().unwrap();
    let ids = [create(&dir, &[]), create(&dir, &[])].map(|made| made["id"].clone());
    let id = ids[0].as_str().unwrap();
    assert_eq!(json(&keys(&dir, &["revoke", id, "-ojson"]))["id"], ids[0]);
    let left = json(&keys(&dir, &["list", "-ojson"]));
    assert_eq!(left["keys"].as_array().unwrap().len(), 1);
    assert_eq!(left["keys"][0]["id"], ids[1]);
    let again = keys(&dir, &["revoke", id]);
    check_failed(&again, 3, &[&format!("no key {id} in ")]);
}

#[test]
fn what_cannot_be_a_key_is_refused_and_nothing_is_written() {
    let dir = TempDir::new().unwrap();
    let create = |args: &[&str]| keys(&dir, &[&["create"], args].concat());
    check_failed(
        &create(&["--scope=all", "--project=p"]),
        2,
        &["evaluate, log, read, admin"],
    );
    check_failed(&create(&["--scope=log"]), 2, &["--project"]);
    check_failed(
        &create(&["--scope=log", "--project=a#b"]),
        5,
        &["project name"],
    );
    check_failed(
        &create(&["--scope=log", "--project=p", "--project=*"]),
        5,
        &["* alone"],
    );
    assert!(!file(&dir).exists());
    check_failed(
        &flagctl(&dir, &["keys", "list"]),
        2,
        &["--file", "FLAG_API_KEYS_FILE"],
    );
}

#[test]
fn a_key_that_has_expired_already_is_not_made() {
    let dir = TempDir::new().unwrap();
    let args = [
        "create",
        "--scope=log",
        "--project=p",
        "--expires-on=2020-01-01",
    ];
    let says = "--expires-on: found 2020-01-01, expected ";
    check_failed(&keys(&dir, &args), 5, &[says]);
    assert!(!file(&dir).exists());
}

#[test]
fn a_byte_order_mark_does_not_count() {
    let dir = TempDir::new().unwrap();
    let made = create(&dir, &[]);
    let text = std::fs::read_to_string(file(&dir)).unwrap();
    std::fs::write(file(&dir), format!("\u{feff}{text}")).unwrap();
    let listed = json(&keys(&dir, &["list", "-ojson"]));
    assert_eq!(listed["keys"][0]["id"], made["id"]);
}

#[test]
fn a_file_of_something_else_stays_as_it_is() {
    let dir = TempDir::new().unwrap();
    std::fs::write(file(&dir), "flag_abc_secret").unwrap();
    let refused = keys(&dir, &["create", "--scope=log", "--project=p"]);
    check_failed(&refused, 5, &["keys.json", "line 1, column "]);
    assert!(!stderr(&refused).contains("flag_abc_secret"));
    assert_eq!(
        std::fs::read_to_string(file(&dir)).unwrap(),
        "flag_abc_secret"
    );
    std::fs::remove_file(file(&dir)).unwrap();
    check_failed(&keys(&dir, &["list"]), 1, &["keys.json"]);
}

#[test]
fn a_key_of_a_newer_release_is_revoked_and_what_it_wrote_stays() {
    let dir = TempDir::new().unwrap();
    let id = create(&dir, &[])["id"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(file(&dir)).unwrap();
    let newer = text.replacen('{', "{\"version\": 2,", 1);
    let newer = newer.replacen("\"id\"", "\"networks\": [], \"id\"", 1);
    std::fs::write(file(&dir), newer).unwrap();
    let other = create(&dir, &[])["id"].as_str().unwrap().to_owned();
    let kept = std::fs::read_to_string(file(&dir)).unwrap();
    assert!(
        kept.contains("networks") && kept.contains("\"version\": 2"),
        "{kept}"
    );
    let listed = keys(&dir, &["list", "-oname"]);
    assert_eq!(stdout(&listed), format!("{id}\n{other}\n"));
    assert!(
        stderr(&listed).contains(&format!("key 1 ({id}): fields: found networks, ")),
        "{}",
        stderr(&listed)
    );
    assert!(keys(&dir, &["revoke", &id]).status.success());
    assert_eq!(
        stdout(&keys(&dir, &["list", "-oname"])),
        format!("{other}\n")
    );
}

#[test]
fn a_key_that_does_not_count_is_listed_with_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    let id = create(&dir, &[])["id"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(file(&dir)).unwrap();
    let entry = r#""keys": [{"id": "newer-1", "networks": []}, {"id": 7, "sha256": "flag_1_2"}, "#;
    let newer = text.replace("\"keys\": [", entry);
    std::fs::write(file(&dir), newer).unwrap();
    let listed = keys(&dir, &["list"]);
    let lines: Vec<Vec<&str>> = stdout(&listed)
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(lines[1][0], id);
    assert_eq!(lines[3], ["ENTRY", "ID", "COUNTS", "NOT UNDERSTOOD"]);
    assert_eq!(lines[4][..3], ["1", "newer-1", "no"], "{lines:?}");
    assert!(
        lines[4][3].starts_with("sha256: found something else"),
        "{lines:?}"
    );
    assert_eq!(lines[5][..3], ["2", "-", "no"], "{lines:?}");
    assert_eq!((lines.len(), stderr(&listed)), (6, ""));
    let listed = json(&keys(&dir, &["list", "-ojson"]));
    assert_eq!(listed["not_understood"][0]["id"], "newer-1");
    assert_eq!(listed["not_understood"][1]["entry"], 2);
    assert_eq!(listed["not_understood"][1]["counts"], false);
    assert!(!listed.to_string().contains("flag_1_2"));
}

#[test]
fn writers_at_once_lose_no_key() {
    let dir = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| create(&dir, &[]));
        }
    });
    let listed = json(&keys(&dir, &["list", "-ojson"]));
    assert_eq!(listed["keys"].as_array().unwrap().len(), 8);
}

#[test]
fn every_field_of_a_key_is_on_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/flagctl.md");
    let page = std::fs::read_to_string(page).unwrap();
    let dir = TempDir::new().unwrap();
    for field in create(&dir, &[]).as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("`{field}`")),
            "docs/flagctl.md lacks {field}"
        );
    }
}
