//! Where settings come from: the command line, the environment, a file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::setting::{Origin, Setting};
use crate::shell_syntax::{self, ShellSyntax};
use crate::table;
use crate::unknown::{UnknownVariable, key_error, unknown_variables};

/// All sources of settings: command line, environment, and configuration file.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    options: BTreeMap<&'static str, String>,
    environment: BTreeMap<OsString, OsString>,
    file: BTreeMap<String, String>,
    path: PathBuf,
    pub(crate) file_errors: Vec<String>,
}

impl Sources {
    /// Reads the command line and the environment, and the configuration file that one of them names.
    pub fn new(
        matches: &ArgMatches,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let options = table::ALL.iter().filter_map(|setting| {
            let value = matches.try_get_one::<String>(setting.key).ok()??;
            Some((setting.key, value.clone()))
        });
        Self {
            options: options.collect(),
            environment: environment.into_iter().collect(),
            ..Self::default()
        }
        .with_file()
    }

    /// The same with a value that wins over all others.
    #[must_use]
    pub fn with(mut self, setting: &Setting, value: impl Into<String>) -> Self {
        self.options.insert(setting.key, value.into());
        self
    }

    /// The same with a value that wins if no source sets this setting.
    #[must_use]
    pub fn with_fallback(self, setting: &Setting, value: impl Into<String>) -> Self {
        match self.find(setting).1 {
            Origin::Default | Origin::Implied { .. } => self.with(setting, value),
            _ => self,
        }
    }

    fn with_file(mut self) -> Self {
        if let (Ok(path), origin) = self.find(&table::CONFIG)
            && origin != Origin::Default
        {
            if let Some(syntax) = self.shell_syntax_of_path(&path) {
                let error = syntax.error(&table::CONFIG, &origin, Some(&path));
                self.file_errors.push(error);
                return self;
            }
            self.path = PathBuf::from(path);
            match read_file(&self.path) {
                Ok(table) => (self.file, self.file_errors) = values(table, &self.path),
                Err(error) => self.file_errors.push(error),
            }
        }
        self
    }

    /// The shell syntax in a path, with variables looked up in this environment.
    pub(crate) fn shell_syntax_of_path(&self, path: &str) -> Option<ShellSyntax> {
        shell_syntax::of_path(path, &|name| {
            let value = self.environment.get(&OsString::from(name))?;
            value.to_str().map(str::to_owned)
        })
    }

    /// The value of a setting and where it came from; an error if it is not UTF-8.
    pub(crate) fn find(&self, setting: &Setting) -> (Result<String, OsString>, Origin) {
        if let Some(value) = self.options.get(setting.key) {
            return (Ok(value.clone()), Origin::Option);
        }
        for &variable in setting.variables {
            if let Some(value) = self
                .environment
                .get(&OsString::from(variable))
                .filter(|value| !value.is_empty())
            {
                return (value.clone().into_string(), Origin::Variable(variable));
            }
        }
        if let Some(value) = self.file.get(setting.key) {
            return (Ok(value.clone()), Origin::File(self.path.clone()));
        }
        match self.implied(setting) {
            Some((value, because)) => (Ok(value.to_owned()), because),
            None => (Ok(setting.default.to_owned()), Origin::Default),
        }
    }

    /// The value of a setting that no source sets, where another setting implies it: an instance, a table or an emulator
    /// of Bigtable implies Bigtable, as in the Python service, unless a local folder has more precedence.
    fn implied(&self, setting: &Setting) -> Option<(&'static str, Origin)> {
        if *setting != table::STORE {
            return None;
        }
        let naming = [table::EMULATOR, table::FLAG_TABLE, table::BIGTABLE_INSTANCE];
        let named = naming
            .map(|naming| (naming, self.find(&naming).1))
            .into_iter();
        let bigtable = named.max_by_key(|(_, origin)| origin.precedence());
        let bigtable = bigtable.filter(|(_, origin)| *origin != Origin::Default)?;
        let folder = self.find(&table::DATA_DIR).1;
        let (store, (by, origin)) = if folder.precedence() > bigtable.1.precedence() {
            ("embedded", (table::DATA_DIR, folder))
        } else {
            ("bigtable", bigtable)
        };
        let because = Origin::Implied {
            by: by.option(),
            origin: Box::new(origin),
        };
        Some((store, because))
    }

    /// The error if no source sets the store, and a local folder and Bigtable are named with the same precedence.
    pub(crate) fn ambiguity(&self) -> Option<String> {
        let Origin::Implied { by, origin } = self.find(&table::STORE).1 else {
            return None;
        };
        let folder = self.find(&table::DATA_DIR).1;
        let option = table::DATA_DIR.option();
        (by != option && folder.precedence() == origin.precedence()).then(|| {
            format!(
                "both a local folder and a Bigtable instance are named ({option}: {folder}; {by}: {origin}); \
                 set --store"
            )
        })
    }

    /// The variables that look like settings but are not, such as misspelt ones.
    pub fn unknown_variables(&self) -> Vec<UnknownVariable> {
        let variables = self.environment.iter();
        let variables = variables
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_str().unwrap_or_default())));
        unknown_variables(variables).collect()
    }
}

/// Reads `key = value` lines of TOML.
fn read_file(path: &Path) -> Result<toml::Table, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("configuration file {shown}: {error}"))?;
    text.parse()
        .map_err(|error| format!("configuration file {shown}, {}", problem(&text, &error)))
}

/// The values of a file, and its errors: every key must be a setting, every value text, a number or a boolean. Valid
/// values are kept beside errors, so that the errors in them are found as well.
fn values(table: toml::Table, path: &Path) -> (BTreeMap<String, String>, Vec<String>) {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    for (key, value) in table {
        let known = table::ALL
            .iter()
            .any(|setting| setting.key == key && *setting != table::CONFIG);
        let text = match value {
            toml::Value::String(text) => Some(text),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(number) => Some(number.to_string()),
            toml::Value::Boolean(value) => Some(value.to_string()),
            _ => None,
        };
        let error = match text {
            _ if !known => key_error(&key),
            Some(text) => {
                values.insert(key, text);
                continue;
            }
            None => format!("{key} must be text, a number or a boolean"),
        };
        errors.push(format!("configuration file {}: {error}", path.display()));
    }
    (values, errors)
}

/// What is wrong and where. Not the library's own message, which shows the line: it may hold a secret.
fn problem(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let before = before.unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}: {}", error.message())
}
