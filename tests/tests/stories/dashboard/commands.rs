//! The commands that pages print: each is run as it stands, and succeeds.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flag_store::{RowOptions, encode_revision};
use flag_tests::{Service, TestStore, binary, flagctl};

use super::access::NOTICED;
use super::pages::{ago, page, revision};

/// Commands that ask before they write.
const WRITES: [&str; 5] = ["revise", "kill", "rollback", "update", "retire"];

/// The commands of a page, as somebody copies them.
fn printed(page: &str) -> Vec<String> {
    let commands = page.split("<div class=\"command\"><code>").skip(1);
    let commands = commands.map(|rest| {
        let (command, _) = rest.split_once("</code>").unwrap();
        let command = command.replace("&lt;", "<").replace("&gt;", ">");
        command.replace("&quot;", "\"").replace("&amp;", "&")
    });
    commands.collect()
}

/// Runs a command in a shell, with these options where it writes; its exit code and what it said.
fn run(store: &TestStore, command: &str, options: &str) -> (i32, String) {
    let mut command = command.to_owned();
    for write in WRITES {
        let begins = format!("flagctl {write} ");
        command = command.replace(&begins, &format!("{begins}{options} "));
    }
    let folder = binary("flagctl").parent().unwrap().to_owned();
    let output = Command::new("bash")
        .args(["-c", &command])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("LC_ALL", "C.UTF-8")
        .env("FLAG_OWNER", "John Smith")
        .envs(store.variables())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    (output.status.code().unwrap(), format!("{command}\n{text}"))
}

#[track_caller]
fn must_succeed(store: &TestStore, command: &str, options: &str) {
    let (code, said) = run(store, command, options);
    assert_eq!(code, 0, "{said}");
}

/// Adds flags without, with one and with two treatments, of both types.
fn add_flags(store: &TestStore) {
    let revise = "flagctl revise --yes --comment=c";
    for command in [
        "flagctl add p feature none --description=d --yes".to_owned(),
        format!("{revise} p feature none --control=false"),
        "flagctl add p feature one --description=d --yes".to_owned(),
        format!("{revise} p feature one --control=false --percent=95"),
        "flagctl add p data two --description=d --yes".to_owned(),
        format!(
            "{revise} p data two --control='it is \"old\"' --value=-5 --percent=60 --override=A1"
        ),
        format!("{revise} p data two --treatment=new --value=new --percent=40 --yes-i-mean=two"),
        "flagctl add p data bare --description=d --yes".to_owned(),
        format!("{revise} p data bare --control=-7"),
        "flagctl add p feature unmade --description=d --yes".to_owned(),
    ] {
        must_succeed(store, &command, "");
    }
}

async fn every_command_of_a_flag_succeeds_as_it_is_printed(store: TestStore) {
    add_flags(&store);
    let alone = "p/feature/alone".parse().unwrap();
    let row = encode_revision(&revision(&alone, ago(1), "10"), &RowOptions::default());
    store.leave(&[row.unwrap()]).await;
    let service = Service::start(&store);
    for (flag_type, name, wanted) in [
        ("feature", "none", &["--treatment new --percent 10"][..]),
        ("feature", "one", &["revise --percent 95", "flagctl kill "]),
        (
            "data",
            "two",
            &[
                "--treatment '#1' --percent 60",
                "--treatment '#2' --percent 40",
                "--treatment '#2' --override=A12345",
                "flagctl kill ",
            ],
        ),
        ("data", "bare", &["--treatment new --value 'value'"]),
        (
            "feature",
            "alone",
            &["revise --percent 10", "flagctl kill "],
        ),
        ("feature", "unmade", &["revise --control false"]),
    ] {
        let path = format!("/dashboard/flag?project=p&type={flag_type}&name={name}");
        let commands = printed(&page(&service, &path).await);
        for part in wanted {
            let is_there = commands.iter().any(|command| command.contains(part));
            assert!(is_there, "{part} is not in {commands:#?}");
        }
        for part in ["history", "exposures --since", "explain"] {
            let is_there = commands.iter().any(|command| command.contains(part));
            assert_eq!(is_there, name != "unmade", "{part}: {commands:#?}");
        }
        for options in ["--dry-run", &format!("--yes --yes-i-mean {name}")] {
            for command in &commands {
                must_succeed(&store, command, options);
            }
        }
        // By now there is something to roll back to, and the flag is retired. An id of the list is taken off, not added again.
        let commands = printed(&page(&service, &path).await);
        let part = if name == "alone" {
            "rollback"
        } else {
            "retire --undo"
        };
        let is_there = commands.iter().any(|command| command.contains(part));
        assert!(is_there || name == "unmade", "{part}: {commands:#?}");
        for command in &commands {
            must_succeed(&store, command, &format!("--yes --yes-i-mean {name}"));
        }
    }
}

async fn every_command_of_a_change_and_of_a_comparison_succeeds(store: TestStore) {
    add_flags(&store);
    must_succeed(
        &store,
        "flagctl add q feature one --description=d --yes",
        "",
    );
    let other = "flagctl revise --yes --comment=c q feature one --control=true";
    must_succeed(&store, other, "");
    let service = Service::start(&store);
    let flag = "project=p&type=data&name=two";
    let (_, history) = run(
        &store,
        "flagctl history p data two -o json | grep -m1 -o '20[0-9: .-]*'",
        "",
    );
    let newest = history.lines().nth(1).unwrap().trim();
    for (wanted, part) in [
        (
            "do=percent&group=treatment_2&percent=5",
            "--treatment '#2' --percent 5 --from-revision",
        ),
        ("do=off", "flagctl kill --comment"),
        ("do=off&overrides=yes", "flagctl kill --overrides"),
    ] {
        let text = page(&service, &format!("/dashboard/change?{flag}&{wanted}")).await;
        let commands = printed(&text);
        let [command] = commands.as_slice() else {
            panic!("{wanted}: {commands:#?}")
        };
        assert!(command.contains(part), "{command}");
        must_succeed(&store, command, "--dry-run");
        must_succeed(&store, command, "--yes --yes-i-mean two");
    }
    let to = newest.replace(' ', "T");
    let text = page(
        &service,
        &format!("/dashboard/change?{flag}&do=rollback&to={to}"),
    )
    .await;
    let [command] = &printed(&text)[..] else {
        panic!("{text}")
    };
    assert!(command.contains("flagctl rollback --to"), "{command}");
    must_succeed(&store, command, "--yes --yes-i-mean two");

    let text = page(&service, "/dashboard/compare?project=p&with=q").await;
    let [compared, carried] = &printed(&text)[..] else {
        panic!("{text}")
    };
    let (code, said) = run(&store, compared, "");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("< project: p") && said.contains("> project: q"),
        "{said}"
    );
    must_succeed(&store, carried, "");
    // What it shows is what it does.
    let carried = carried.replace("--dry-run", "--yes --yes-i-mean one --yes-i-mean two");
    must_succeed(&store, &carried, "");
    let compare = "/dashboard/compare?project=p&with=q&show=all";
    let began = Instant::now();
    while !page(&service, compare).await.contains("5 flags equal") {
        assert!(began.elapsed() < NOTICED, "the projects still differ");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let told = flagctl(&store, &["latest", "q", "data", "two", "-ojson"]);
    assert_eq!(told.code, 0, "{told:?}");
}

flag_tests::on_both_stores!(
    every_command_of_a_flag_succeeds_as_it_is_printed,
    every_command_of_a_change_and_of_a_comparison_succeeds,
);
