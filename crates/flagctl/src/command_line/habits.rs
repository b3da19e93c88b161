//! What people can rely on in every command.

use super::command;

/// A heading goes on to the options of what is flattened behind it.
#[track_caller]
fn check_habits(command: &clap::Command) {
    let name = command.get_name();
    for arg in command.get_arguments() {
        let (short, heading) = (arg.get_short(), arg.get_help_heading());
        match arg.get_long() {
            Some("output") => assert_eq!((short, heading), (Some('o'), None), "{name}"),
            Some("yes") => assert_eq!(
                (short, heading),
                (Some('y'), Some("Confirmation")),
                "{name}"
            ),
            Some("comment") => assert_eq!((short, heading), (Some('m'), None), "{name}"),
            Some("project") => assert_eq!((short, heading), (Some('p'), None), "{name}"),
            Some("follow") => assert_eq!((short, heading), (Some('f'), None), "{name}"),
            _ => {}
        }
    }
    command.get_subcommands().for_each(check_habits);
}

#[test]
fn an_option_is_spelled_alike_in_every_command() {
    check_habits(&command());
}
