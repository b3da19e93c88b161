//! The examples of a help: one in the short help, all in the long one.

use clap::Command;

/// The command line with all examples in the long help, and the first of them in the short one.
pub(super) fn with_short_examples(command: Command) -> Command {
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(all) => command.after_help(first_example(&all)).after_long_help(all),
        None => command,
    };
    command.mut_subcommands(with_short_examples)
}

/// The first example; a backslash joins a line with the next.
fn first_example(examples: &str) -> String {
    let mut lines = examples.lines();
    let mut first = lines.next().map_or("", |_| "Example:").to_owned();
    for line in lines {
        first = first + "\n" + line;
        if !line.ends_with('\\') {
            break;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_help_has_one_example_and_a_long_one_all() {
        let all = "Examples:\n  a b \\\n      c\n  d";
        let command = Command::new("a").subcommand(Command::new("b").after_help(all));
        let command = with_short_examples(command);
        let command = command.find_subcommand("b").unwrap();
        let short = command.get_after_help().unwrap().to_string();
        assert_eq!(short, "Example:\n  a b \\\n      c");
        assert_eq!(command.get_after_long_help().unwrap().to_string(), all);
    }
}
