//! The generated parts of `docs/flagctl.md`.

use clap::Command;

use crate::command_line;
use crate::exit_code::ExitCode;

/// Set `FLAG_BLESS=1` to write the page anew.
#[test]
fn the_page_about_flagctl_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/flagctl.md");
    let page = std::fs::read_to_string(path).unwrap();
    let expected = with_table(&page, "commands", &commands());
    let expected = with_table(&expected, "exit codes", &ExitCode::markdown());
    if std::env::var_os("FLAG_BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/flagctl.md is out of date: run this test with FLAG_BLESS=1"
        );
    }
}

/// The page with this table between the two comments that name it.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let (start, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = page.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{start}{table}{end}{after}")
}

/// Every command in the help, with its description.
fn commands() -> String {
    let mut command = command_line::command();
    command.build();
    let commands = command.get_subcommands();
    let shown = commands.filter(|command| !command.is_hide_set() && command.get_name() != "help");
    let rows = shown.map(|command| {
        let about = command.get_about().unwrap().to_string();
        format!("| `{}` | {about} |\n", usage(command))
    });
    format!(
        "| Command | Does |\n|---|---|\n{}",
        rows.collect::<String>()
    )
}

/// The command with its required arguments.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    usage.replace(" [OPTIONS]", "").replace('|', "\\|")
}
