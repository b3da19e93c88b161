//! What is wanted at the cursor, by the words before it.

use clap::builder::{Str, StyledStr};
use clap::{Arg, Command};

use super::Candidate;

/// The word at the cursor, and what is known from the words before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TypedLine {
    /// The beginning of the word that stays as it is: `--project=`.
    pub(crate) before: String,
    /// The rest of the word, as far as it is typed.
    pub(crate) typed: String,
    pub(crate) wanted: Wanted,
    /// The value of `--project`.
    pub(crate) project: Option<String>,
    /// The options that name a store, each with its value.
    pub(crate) store_options: Vec<String>,
}

/// What may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One of these words.
    Words(Vec<Candidate>),
    /// The path of a file.
    File,
    /// A name that is in the store.
    Name(WantedName),
}

/// A name that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WantedName {
    Project,
    /// The project of a new flag, with a slash.
    ProjectOfNewFlag,
    /// A word of a flag after these ones, or a word that follows the flag.
    FlagWord {
        words: Vec<String>,
        then: Then,
    },
    /// A revision of the flag that these words name.
    Revision {
        words: Vec<String>,
    },
    /// A rollout group of the flag that these words name.
    Group {
        words: Vec<String>,
    },
    /// A treatment of the flag that these words name.
    Treatment {
        words: Vec<String>,
    },
}

/// The words that follow a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Revisions,
    Steps,
}

impl TypedLine {
    /// Reads the words up to the cursor, the last of which is the one at it; the command line must be built.
    pub(crate) fn read(command_line: &Command, words: &[String]) -> Self {
        let (typed, before) = words
            .split_last()
            .map_or(("", &[][..]), |(typed, before)| (typed.as_str(), before));
        let mut walk = Walk::new(command_line);
        for word in before {
            walk.step(word);
        }
        // A shell that takes `=` for a word of its own has it at the cursor as long as no value is typed.
        let typed = if typed == "=" { "" } else { typed };
        let (before, wanted) = walk.wanted(typed);
        Self {
            typed: typed.get(before.len()..).unwrap_or_default().to_owned(),
            before,
            wanted,
            project: walk.project,
            store_options: walk.store_options,
        }
    }
}

/// The state after some words.
struct Walk<'c> {
    command: &'c Command,
    /// Words that are neither commands nor options.
    words: Vec<String>,
    /// The option whose value comes next.
    pending: Option<&'c Arg>,
    /// After `--`.
    has_only_words: bool,
    project: Option<String>,
    store_options: Vec<String>,
}

impl<'c> Walk<'c> {
    fn new(command: &'c Command) -> Self {
        Self {
            command,
            words: Vec::new(),
            pending: None,
            has_only_words: false,
            project: None,
            store_options: Vec::new(),
        }
    }

    fn step(&mut self, word: &str) {
        if self.pending.is_some() && word == "=" {
            return;
        }
        if let Some(option) = self.pending.take() {
            self.value(option, word);
        } else if self.has_only_words || word == "-" || !word.starts_with('-') {
            self.word(word);
        } else if word == "--" {
            self.has_only_words = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            if let Some(option) = self.long(name) {
                self.option(option, value);
            }
        } else {
            self.shorts(word.get(1..).unwrap_or_default());
        }
    }

    fn word(&mut self, word: &str) {
        let is_command = self.words.is_empty() && !self.has_only_words;
        match self.command.find_subcommand(word) {
            Some(command) if is_command => self.command = command,
            _ => self.words.push(word.to_owned()),
        }
    }

    /// Short options in one word; the first one that takes a value has the rest.
    fn shorts(&mut self, word: &str) {
        let mut rest = word.chars();
        while let Some(short) = rest.next() {
            let is_it = |arg: &&Arg| arg.get_short() == Some(short);
            let Some(option) = self.command.get_arguments().find(is_it) else {
                return;
            };
            if option.get_action().takes_values() {
                let value = rest.as_str();
                let value = value.strip_prefix('=').unwrap_or(value);
                return self.option(option, Some(value).filter(|value| !value.is_empty()));
            }
        }
    }

    fn long(&self, name: &str) -> Option<&'c Arg> {
        let is_it = |arg: &&Arg| arg.get_long() == Some(name);
        self.command.get_arguments().find(is_it)
    }

    fn option(&mut self, option: &'c Arg, value: Option<&str>) {
        let takes_word = option.get_action().takes_values()
            && (option.get_num_args()).is_none_or(|number| number.min_values() > 0);
        match value {
            Some(value) => self.value(option, value),
            None if takes_word => self.pending = Some(option),
            None => {}
        }
    }

    fn value(&mut self, option: &Arg, value: &str) {
        match option.get_long() {
            Some("project") => self.project = Some(value.to_owned()),
            Some(long) if option.is_global_set() => {
                self.store_options.push(format!("--{long}={value}"));
            }
            _ => {}
        }
    }

    /// How much of the word stays as it is, and what is wanted behind that.
    fn wanted(&self, typed: &str) -> (String, Wanted) {
        let here = |wanted| (String::new(), wanted);
        if let Some(option) = self.pending {
            return here(self.value_of(option));
        }
        if !self.has_only_words && typed.starts_with('-') {
            let long = typed
                .strip_prefix("--")
                .and_then(|long| long.split_once('='));
            return match long {
                Some((name, _)) => {
                    let wanted = self.long(name).map(|option| self.value_of(option));
                    (
                        format!("--{name}="),
                        wanted.unwrap_or(Wanted::Words(Vec::new())),
                    )
                }
                None => here(Wanted::Words(self.options())),
            };
        }
        if self.words.is_empty() && self.command.has_subcommands() {
            return here(Wanted::Words(self.commands()));
        }
        let words: Vec<&Arg> = self.command.get_positionals().collect();
        let last = words.last().filter(|word| is_repeated(word));
        let word = words.get(self.words.len()).or(last);
        here(word.map_or(Wanted::Words(Vec::new()), |word| self.value_of(word)))
    }

    fn commands(&self) -> Vec<Candidate> {
        let commands = self.command.get_subcommands();
        let commands = commands.filter(|command| !command.is_hide_set());
        commands
            .map(|command| Candidate::new(command.get_name(), first_line(command.get_about())))
            .collect()
    }

    fn options(&self) -> Vec<Candidate> {
        let options = self.command.get_arguments();
        let options = options.filter(|option| !option.is_hide_set());
        let options = options.filter_map(|option| {
            let long = option.get_long()?;
            Some(Candidate::new(
                format!("--{long}"),
                first_line(option.get_help()),
            ))
        });
        options.collect()
    }

    /// What may be the value of an option, or a word.
    fn value_of(&self, arg: &Arg) -> Wanted {
        let values = arg.get_possible_values();
        if !values.is_empty() {
            let values = values.iter().filter(|value| !value.is_hide_set());
            let values =
                values.map(|value| Candidate::new(value.get_name(), first_line(value.get_help())));
            return Wanted::Words(values.collect());
        }
        let words = || self.words.clone();
        let name = arg.get_value_names().and_then(|names| names.first());
        match name.map(Str::as_str) {
            Some("FILE" | "DIR" | "FOLDER") => Wanted::File,
            Some("PROJECT") => Wanted::Name(WantedName::Project),
            Some("FLAG") if self.command.get_name() == "add" => {
                Wanted::Name(WantedName::ProjectOfNewFlag)
            }
            Some("FLAG") => Wanted::Name(WantedName::FlagWord {
                words: words(),
                then: Then::of(self.command.get_name()),
            }),
            Some("REVISION" | "TIME") => Wanted::Name(WantedName::Revision { words: words() }),
            Some("GROUP") => Wanted::Name(WantedName::Group { words: words() }),
            Some("SELECTOR") => Wanted::Name(WantedName::Treatment { words: words() }),
            _ => Wanted::Words(Vec::new()),
        }
    }
}

impl Then {
    /// The words that follow the flag of a command.
    fn of(command: &str) -> Self {
        match command {
            "diff" => Self::Revisions,
            "revise" => Self::Steps,
            _ => Self::Nothing,
        }
    }
}

fn is_repeated(word: &Arg) -> bool {
    word.get_num_args()
        .is_some_and(|number| number.max_values() > 1)
}

fn first_line(text: Option<&StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
