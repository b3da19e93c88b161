//! `flagctl __complete`: what the scripts of `flagctl completions` ask for.
//!
//! Prints a candidate on a line, behind a tab what it is; `:files` where the shell completes paths. Says nothing else: who is
//! typing is not to be disturbed.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Command};
use flag_settings::Sources;

use crate::completion::{Candidate, TypedLine, Wanted, WantedName, find_names};
use crate::context::Context;
use crate::environment::Variables;
use crate::failure::Failure;
use crate::output::{self, escaped};

/// What a script reads where paths are wanted.
const FILES: &str = ":files\n";

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// Milliseconds until the names that were found are printed
    #[arg(long, value_name = "MS", default_value = "80")]
    within: u64,
    /// The words after the name of the program, up to the cursor
    #[arg(last = true)]
    words: Vec<String>,
}

/// Prints what may stand at the cursor.
pub(crate) fn complete(
    args: &CompleteArgs,
    mut command_line: Command,
    variables: Variables,
) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_millis(args.within);
    command_line.build();
    let line = TypedLine::read(&command_line, &args.words);
    let (before, typed) = (line.before.clone(), line.typed.clone());
    let candidates = match line.wanted.clone() {
        Wanted::File => return output::print(FILES),
        Wanted::Words(words) => words,
        Wanted::Name(wanted) => {
            let (sender, found) = channel();
            // Not waited for: it ends with the process, whatever the store does.
            thread::spawn(move || find(command_line, variables, &line, &wanted, &sender));
            until(deadline, &found)
        }
    };
    let fitting = candidates.iter().filter(|one| one.word.starts_with(&typed));
    let lines = fitting.map(|one| {
        let (word, about) = (escaped(&one.word), escaped(&one.about));
        format!("{before}{word}\t{about}\n")
    });
    output::print(&lines.collect::<String>())
}

/// Looks for names in the store that the command line and the environment select.
fn find(
    command_line: Command,
    variables: Variables,
    line: &TypedLine,
    wanted: &WantedName,
    found: &Sender<Vec<Candidate>>,
) {
    // A whole command line with the same store.
    let words = ["flagctl"].map(str::to_owned).into_iter();
    let words = words.chain(line.store_options.iter().cloned());
    let words = words.chain(["projects".to_owned()]);
    let Ok(matches) = command_line.try_get_matches_from(words) else {
        return;
    };
    let sources = Sources::new(&matches, variables.clone());
    let Ok(context) = Context::new(variables, sources) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        let _ = runtime.block_on(find_names(&context, line, wanted, found));
    }
}

/// What is found until then, in the order in which it was found first.
fn until(deadline: Instant, found: &Receiver<Vec<Candidate>>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    while let Ok(some) = found.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        for one in some {
            let there = positions
                .get(&one.word)
                .and_then(|at| candidates.get_mut(*at));
            if let Some(there) = there {
                *there = one;
            } else {
                positions.insert(one.word.clone(), candidates.len());
                candidates.push(one);
            }
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(word: &str, about: &str) -> Candidate {
        Candidate {
            word: word.to_owned(),
            about: about.to_owned(),
        }
    }

    #[test]
    fn what_was_found_until_the_deadline_is_shown() {
        let (sender, found) = channel();
        sender
            .send(vec![candidate("b", ""), candidate("a", "")])
            .unwrap();
        sender.send(vec![candidate("a", "described")]).unwrap();
        // The sender is alive and sends nothing more.
        let shown = until(Instant::now() + Duration::from_millis(10), &found);
        assert_eq!(shown, [candidate("b", ""), candidate("a", "described")]);
    }
}
