//! Reads settings and collects all errors, so that they are reported together.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::effective::without_userinfo;
use crate::setting::{Origin, Setting};
use crate::shell_syntax::{self, ShellSyntax};
use crate::sources::Sources;

/// Reads settings one by one; ends with [`Reader::finish`].
#[derive(Debug)]
pub struct Reader {
    sources: Sources,
    errors: Vec<SettingError>,
}

/// An invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(String);

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All invalid settings; a binary that starts with them exits with code 2.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<SettingError>);

impl std::error::Error for SettingErrors {}

impl fmt::Display for SettingErrors {
    /// One error per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Reader {
    /// Reads from these sources.
    pub fn new(mut sources: Sources) -> Self {
        let errors = std::mem::take(&mut sources.file_errors)
            .into_iter()
            .map(SettingError)
            .collect();
        Self { sources, errors }
    }

    /// The text of a setting; text with shell syntax in it is an error.
    pub fn text(&mut self, setting: &Setting) -> Option<String> {
        let text = self.parse(setting, |text| Some(text.to_owned()))?;
        let syntax = shell_syntax::of_text(&text);
        self.refuse(syntax, setting, Some(&text))?;
        Some(text)
    }

    /// The same for text that no message may show.
    pub fn secret(&mut self, setting: &Setting) -> Option<String> {
        let Ok(text) = self.sources.find(setting).0 else {
            let option = setting.option();
            self.add_error(&format!("{option}: it is no UTF-8"));
            return None;
        };
        let syntax = shell_syntax::of_text(&text);
        self.refuse(syntax, setting, None)?;
        Some(text)
    }

    /// The path that a setting names, empty if it names none; a path with shell syntax in it is an error.
    pub fn path(&mut self, setting: &Setting) -> Option<PathBuf> {
        let text = self.parse(setting, |text| Some(text.to_owned()))?;
        let syntax = self.sources.shell_syntax_of_path(&text);
        self.refuse(syntax, setting, Some(&text))?;
        Some(PathBuf::from(text))
    }

    fn refuse(
        &mut self,
        syntax: Option<ShellSyntax>,
        setting: &Setting,
        found: Option<&str>,
    ) -> Option<()> {
        let Some(syntax) = syntax else {
            return Some(());
        };
        let origin = self.origin(setting);
        self.add_error(&syntax.error(setting, &origin, found));
        None
    }

    /// A whole number in the range of the setting.
    pub fn number<N: TryFrom<u64>>(&mut self, setting: &Setting) -> Option<N> {
        self.parse(setting, |text| N::try_from(setting.kind.whole(text)?).ok())
    }

    /// The same, or nothing where the setting is empty and may be. The outer `None` is an error.
    pub fn optional_number<N: TryFrom<u64>>(&mut self, setting: &Setting) -> Option<Option<N>> {
        self.parse(setting, |text| {
            if text.is_empty() && setting.kind.may_be_empty() {
                return Some(None);
            }
            N::try_from(setting.kind.whole(text)?).ok().map(Some)
        })
    }

    /// A number with a fraction, in the range of the setting.
    pub fn fraction(&mut self, setting: &Setting) -> Option<f64> {
        self.parse(setting, |text| setting.kind.fraction(text))
    }

    /// A duration in the range and the unit of the setting.
    pub fn duration(&mut self, setting: &Setting) -> Option<Duration> {
        self.parse(setting, |text| setting.kind.duration(text))
    }

    /// A setting as `parse` reads it; `None` is an error, which says what the kind of the setting is.
    pub fn parse<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.parse_or_suggest(setting, parse, |_| None)
    }

    /// Like [`Self::parse`], for a setting whose value may hold names in braces, which are replaced by these texts.
    pub(crate) fn parse_expanded<T>(
        &mut self,
        setting: &Setting,
        names: &[(&str, &str)],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let expand = |text: &str| {
            names.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
        };
        let explain = |text: &str| {
            let expanded = expand(text);
            (expanded != text).then(|| format!("; it expands to {expanded:?}"))
        };
        self.parse_or_explain(setting, |text| parse(&expand(text)), explain)
    }

    /// Like [`Self::parse`]; the error has the value that `suggest` makes of an invalid text, if any.
    pub(crate) fn parse_or_suggest<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Option<T>,
        suggest: impl FnOnce(&str) -> Option<String>,
    ) -> Option<T> {
        let explain = |text: &str| Some(format!(": write {}", suggest(text)?));
        self.parse_or_explain(setting, parse, explain)
    }

    fn parse_or_explain<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Option<T>,
        explain: impl FnOnce(&str) -> Option<String>,
    ) -> Option<T> {
        let (text, origin) = self.sources.find(setting);
        let value = text.as_deref().ok().and_then(parse);
        if value.is_none() {
            let (option, expected) = (setting.option(), setting.kind.expected());
            let (found, explanation) = match &text {
                Ok(text) => (format!("{:?}", without_userinfo(text)), explain(text)),
                // Not shown: it may be a secret key.
                Err(_) => ("bytes that are not UTF-8".to_owned(), None),
            };
            let explanation = explanation.unwrap_or_default();
            self.add_error(&format!(
                "{option} ({origin}): found {found}, expected {expected}{explanation}"
            ));
        }
        value
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, setting: &Setting) -> Origin {
        self.sources.find(setting).1
    }

    /// What it reads from.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Adds an error where the settings name two stores with equal precedence.
    pub(crate) fn check_store(&mut self) {
        if let Some(ambiguity) = self.sources.ambiguity() {
            self.add_error(&ambiguity);
        }
    }

    /// Adds an error that `parse` cannot find, such as one that concerns several settings.
    pub fn add_error(&mut self, error: &str) {
        self.errors.push(SettingError(error.to_owned()));
    }

    /// What was built from the settings, or every error in them.
    pub fn finish<T>(self, built: Option<T>) -> Result<T, SettingErrors> {
        match built {
            Some(built) if self.errors.is_empty() => Ok(built),
            _ => Err(SettingErrors(self.errors)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use clap::Command;

    use super::*;
    use crate::StoreSettings;
    use crate::table::{self, DATA_DIR, LISTEN, WORKERS};

    fn reader(options: &[&str], environment: &[(&str, &str)]) -> Reader {
        let command = Command::new("test").args(table::ALL.iter().map(Setting::arg));
        let matches = command.get_matches_from([&["test"], options].concat());
        let environment = environment
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Reader::new(Sources::new(&matches, environment))
    }

    fn config(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[track_caller]
    fn check(mut reader: Reader, value: &str, origin: &Origin) {
        assert_eq!(reader.text(&DATA_DIR).as_deref(), Some(value));
        assert_eq!(reader.origin(&DATA_DIR), *origin);
    }

    #[test]
    fn the_command_line_beats_the_environment_the_file_and_the_default() {
        let file = config("data_dir = '/file'");
        let path = file.path().to_str().unwrap();
        let variables = [("FLAG_DATA_DIR", "/variable"), ("FLAG_CONFIG", path)];
        check(
            reader(&["--data-dir=/option"], &variables),
            "/option",
            &Origin::Option,
        );
        check(
            reader(&[], &variables),
            "/variable",
            &Origin::Variable("FLAG_DATA_DIR"),
        );
        check(
            reader(&[], &variables[1..]),
            "/file",
            &Origin::File(path.into()),
        );
        check(reader(&[], &[]), "./flag-data", &Origin::Default);
    }

    #[track_caller]
    fn check_kind(options: &[&str], environment: &[(&str, &str)], expected: &str) {
        let mut reader = reader(options, environment);
        let settings = StoreSettings::read(&mut reader);
        let read = reader.finish(settings).map(|store| store.display_name());
        let found = read.unwrap_or_else(|errors| errors.to_string());
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn two_stores_that_are_named_equally_strongly_are_an_error() {
        let (instance, folder) = (("INSTANCE_ID", "i"), ("FLAG_DATA_DIR", "d"));
        let both = [instance, folder];
        let error = "both a local folder and a Bigtable instance are named \
            (data-dir: variable FLAG_DATA_DIR; bigtable-instance: variable INSTANCE_ID); set --store";
        check_kind(&[], &both, error);
        check_kind(&["--store=embedded"], &both, "embedded store in d");
        check_kind(&["--store=bigtable"], &both, "Bigtable table");
        check_kind(&["--data-dir=e"], &both, "embedded store in e");
        check_kind(&["--bigtable-instance=j"], &both, "Bigtable table");
        let options = ["--data-dir=e", "--flag-table=t"];
        check_kind(
            &options,
            &both,
            "both a local folder and a Bigtable instance",
        );
        let file = config("data_dir = '/file'");
        let named = ("FLAG_CONFIG", file.path().to_str().unwrap());
        check_kind(&[], &[named, instance], "Bigtable table");
        check_kind(&[], &[named], "embedded store in /file");
    }

    #[test]
    fn an_error_about_an_expanded_text_shows_it_as_set_and_as_expanded() {
        let variables = [
            ("FLAG_STORE", "bigtable"),
            ("TENANT_NAME", "t"),
            ("INSTANCE_ID", "{tenant}/db"),
        ];
        let error = "bigtable-instance (variable INSTANCE_ID): found \"{tenant}/db\", expected letters, digits, \
            '.', '_', '-' or ':'; it expands to \"t/db\"";
        check_kind(&[], &variables, error);
        let misspelt = [variables[0], ("INSTANCE_ID", "{tenannt}")];
        let mut reader = reader(&[], &misspelt);
        let settings = StoreSettings::read(&mut reader);
        let errors = reader.finish(settings).unwrap_err().to_string();
        assert!(!errors.contains("expands"), "{errors}");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        check(
            reader(&[], &[("FLAG_DATA_DIR", "")]),
            "./flag-data",
            &Origin::Default,
        );
    }

    #[test]
    fn all_errors_are_reported_together() {
        let file = config("listne = 'x'\nworkers = [1]");
        let mut reader = reader(
            &["--workers=many", "--config", file.path().to_str().unwrap()],
            &[("FLAG_LISTEN", "here")],
        );
        let workers = reader.optional_number::<usize>(&WORKERS);
        let listen = reader.parse(&LISTEN, |text| text.parse::<std::net::SocketAddr>().ok());
        let errors = reader.finish(workers.zip(listen)).unwrap_err().to_string();
        let path = file.path().display();
        assert_eq!(
            errors.lines().collect::<Vec<_>>(),
            [
                &format!("configuration file {path}: listne is no setting; did you mean listen?"),
                &format!("configuration file {path}: workers must be text, a number or a boolean"),
                "workers (command line): found \"many\", expected a number in range [1, 512], or nothing",
                "listen (variable FLAG_LISTEN): found \"here\", expected address:port",
            ]
        );
    }

    #[test]
    fn an_unknown_key_hides_no_other_error_of_the_file() {
        let file = config("listne = 'x'\nworkers = 'many'\ndata_dir = '/file'");
        let path = file.path().to_str().unwrap();
        let mut reader = reader(&["--config", path], &[]);
        assert_eq!(reader.text(&DATA_DIR).as_deref(), Some("/file"));
        let workers = reader.optional_number::<usize>(&WORKERS);
        let errors = reader.finish(workers).unwrap_err().to_string();
        assert!(errors.contains("workers (file "), "{errors}");
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }

    #[track_caller]
    fn check_broken(text: &str, place: &str) {
        let file = config(text);
        let path = file.path().display().to_string();
        let reader = reader(&["--config", &path], &[]);
        let errors = reader.finish(Some(())).unwrap_err().to_string();
        let says = format!("configuration file {path}, {place}: ");
        assert!(errors.starts_with(&says), "{errors}");
        assert!(!errors.contains("hush"), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }

    #[test]
    fn a_line_that_is_no_toml_is_named_and_not_shown() {
        check_broken("log_instance_id_key = hush-hush", "line 1, column 23");
        check_broken(
            "workers = 1\nlog_instance_id_key = 'hush",
            "line 2, column 28",
        );
        check_broken("é = 'hush\"", "line 1, column 1");
        check_broken("a = 'hush'\na = 'hush'", "line 2, column 1");
    }

    #[test]
    fn a_byte_order_mark_is_no_error() {
        let file = config("\u{feff}data_dir = '/file'");
        let path = file.path().to_str().unwrap();
        let expected = Origin::File(path.into());
        check(reader(&["--config", path], &[]), "/file", &expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_not_shown() {
        let variable = [(
            OsString::from("FLAG_LOG_INSTANCE_ID_KEY"),
            OsString::from_vec(b"hush-\xff".to_vec()),
        )];
        let matches = Command::new("test").get_matches_from(["test"]);
        let mut reader = Reader::new(Sources::new(&matches, variable));
        let key = reader.text(&table::LOG_INSTANCE_ID_KEY);
        assert_eq!(
            reader.finish(key).unwrap_err().to_string(),
            "log-instance-id-key (variable FLAG_LOG_INSTANCE_ID_KEY): found bytes that are not UTF-8, expected text"
        );
    }

    #[track_caller]
    fn check_path(text: &str, expected: &str) {
        let mut reader = reader(&[], &[("FLAG_DATA_DIR", text), ("HOME", "/home/ann")]);
        let path = reader.path(&DATA_DIR);
        let errors = reader.finish(path).unwrap_err().to_string();
        assert_eq!(errors, expected);
    }

    #[test]
    fn a_path_with_shell_syntax_is_an_error_that_says_what_to_write() {
        check_path(
            "\"/data\"",
            r#"data-dir (variable FLAG_DATA_DIR): found "\"/data\"", but quotes are taken as they are: write /data"#,
        );
        check_path(
            "~/data\r",
            r#"data-dir (variable FLAG_DATA_DIR): found "~/data\r", but line breaks and other control characters are taken as they are: write /home/ann/data"#,
        );
    }

    #[test]
    fn a_secret_with_shell_syntax_is_not_shown() {
        let mut reader = reader(&[], &[("FLAG_LOG_INSTANCE_ID_KEY", "'hunter2'")]);
        let secret = reader.secret(&table::LOG_INSTANCE_ID_KEY);
        let errors = reader.finish(secret).unwrap_err().to_string();
        let expected = "log-instance-id-key (variable FLAG_LOG_INSTANCE_ID_KEY): quotes are taken as they are: leave them out";
        assert_eq!(errors, expected);
    }

    #[test]
    fn a_configuration_file_is_named_by_a_path_too() {
        let reader = reader(&[], &[("FLAG_CONFIG", "'/etc/flags.toml'")]);
        let errors = reader.finish(Some(())).unwrap_err().to_string();
        assert!(errors.ends_with("write /etc/flags.toml"), "{errors}");
    }

    #[test]
    fn a_variable_that_no_setting_has_is_reported() {
        let environment = [
            "FLAG_DATADIR",
            "FLAG_STORE",
            "FLAG_OWNER",
            "FLAG_SERVICE_PORT",
            "FLAG_X_SERVICE_HOST",
        ];
        let environment = environment.map(|name| (OsString::from(name), OsString::from("x")));
        let matches = Command::new("test").get_matches_from(["test"]);
        let sources = Sources::new(&matches, environment);
        let unknown = sources.unknown_variables();
        let names: Vec<&str> = unknown.iter().map(|unknown| &*unknown.name).collect();
        assert_eq!(names, ["FLAG_DATADIR"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let reader = reader(&["--config=/nowhere/flags.toml"], &[]);
        let errors = reader.finish(Some(())).unwrap_err().to_string();
        assert!(
            errors.starts_with("configuration file /nowhere/flags.toml: "),
            "{errors}"
        );
    }
}
