//! Reads settings and gathers all mistakes, so that they are told together.

use std::fmt;
use std::path::PathBuf;

use crate::literal::{self, Literal};
use crate::setting::{Origin, Setting};
use crate::sources::Sources;

/// Reads settings one by one; ends with [`Reader::finish`].
#[derive(Debug)]
pub struct Reader {
    sources: Sources,
    mistakes: Vec<Mistake>,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All settings that cannot be; a start with them ends with exit code 2.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    /// One mistake a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl Reader {
    /// Reads from these sources.
    pub fn new(mut sources: Sources) -> Self {
        let mistakes = std::mem::take(&mut sources.file_mistakes)
            .into_iter()
            .map(Mistake)
            .collect();
        Self { sources, mistakes }
    }

    /// The text of a setting, unless it was hardly meant as it is.
    pub fn text(&mut self, setting: &Setting) -> Option<String> {
        let text = self.parse(setting, "text", |text| Some(text.to_owned()))?;
        let literal = literal::of_text(&text);
        self.unless(literal, setting, Some(&text))?;
        Some(text)
    }

    /// The same of a text that no message may show.
    pub fn secret(&mut self, setting: &Setting) -> Option<String> {
        let Ok(text) = self.sources.find(setting).0 else {
            let option = setting.option();
            self.mistake(&format!("{option}: it is no UTF-8"));
            return None;
        };
        let literal = literal::of_text(&text);
        self.unless(literal, setting, None)?;
        Some(text)
    }

    /// The path that a setting names, unless it was hardly meant as it is; empty if it names none.
    pub fn path(&mut self, setting: &Setting) -> Option<PathBuf> {
        let text = self.parse(setting, "a path", |text| Some(text.to_owned()))?;
        let literal = self.sources.literal_path(&text);
        self.unless(literal, setting, Some(&text))?;
        Some(PathBuf::from(text))
    }

    fn unless(
        &mut self,
        literal: Option<Literal>,
        setting: &Setting,
        found: Option<&str>,
    ) -> Option<()> {
        let Some(literal) = literal else {
            return Some(());
        };
        let origin = self.origin(setting);
        self.mistake(&literal.mistake(setting, &origin, found));
        None
    }

    /// A setting as `parse` reads it, which `expected` describes; `None` is a mistake.
    pub fn parse<T>(
        &mut self,
        setting: &Setting,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.parse_expanded(setting, &[], expected, parse)
    }

    /// The same of a setting whose value may name others in braces, which stand for these texts.
    pub(crate) fn parse_expanded<T>(
        &mut self,
        setting: &Setting,
        names: &[(&str, &str)],
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, origin) = self.sources.find(setting);
        let expand = |text: String| {
            names.iter().fold(text, |text, (name, stands_for)| {
                text.replace(name, stands_for)
            })
        };
        let (found, value) = match text.map(expand) {
            Ok(text) => (format!("{text:?}"), parse(&text)),
            // Not shown: a secret key may be meant.
            Err(_) => ("bytes that are not UTF-8".to_owned(), None),
        };
        if value.is_none() {
            let option = setting.option();
            self.mistake(&format!(
                "{option} ({origin}): found {found}, expected {expected}"
            ));
        }
        value
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, setting: &Setting) -> Origin {
        self.sources.find(setting).1
    }

    /// The text that was found for a setting, whatever it says.
    pub(crate) fn found(&self, setting: &Setting) -> String {
        let found = self.sources.find(setting).0;
        found.unwrap_or_else(|bytes| bytes.display().to_string())
    }

    /// Notes where it isn't clear which store is meant.
    pub(crate) fn check_store(&mut self) {
        if let Some(ambiguity) = self.sources.ambiguity() {
            self.mistake(&ambiguity);
        }
    }

    /// Notes a mistake that lies in more than one setting.
    pub fn mistake(&mut self, mistake: &str) {
        self.mistakes.push(Mistake(mistake.to_owned()));
    }

    /// What was built from the settings, or every mistake in them.
    pub fn finish<T>(self, built: Option<T>) -> Result<T, Mistakes> {
        match built {
            Some(built) if self.mistakes.is_empty() => Ok(built),
            _ => Err(Mistakes(self.mistakes)),
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

    fn reader(typed: &[&str], environment: &[(&str, &str)]) -> Reader {
        let command = Command::new("test").args(table::ALL.iter().map(Setting::arg));
        let matches = command.get_matches_from([&["test"], typed].concat());
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
    fn what_is_typed_beats_the_environment_the_file_and_the_default() {
        let file = config("data_dir = '/file'");
        let path = file.path().to_str().unwrap();
        let variables = [("FLAG_DATA_DIR", "/variable"), ("FLAG_CONFIG", path)];
        check(
            reader(&["--data-dir=/typed"], &variables),
            "/typed",
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
    fn check_kind(typed: &[&str], environment: &[(&str, &str)], expected: &str) {
        let mut reader = reader(typed, environment);
        let settings = StoreSettings::read(&mut reader);
        let read = reader.finish(settings).map(|store| store.place());
        let found = read.unwrap_or_else(|mistakes| mistakes.to_string());
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn two_stores_that_are_named_equally_strongly_are_a_mistake() {
        let (instance, folder) = (("INSTANCE_ID", "i"), ("FLAG_DATA_DIR", "d"));
        let both = [instance, folder];
        let mistake = "both a local folder and a Bigtable instance are named \
            (data-dir: variable FLAG_DATA_DIR; bigtable-instance: variable INSTANCE_ID); say which with --store";
        check_kind(&[], &both, mistake);
        check_kind(&["--store=embedded"], &both, "embedded store in d");
        check_kind(&["--store=bigtable"], &both, "Bigtable table");
        check_kind(&["--data-dir=e"], &both, "embedded store in e");
        check_kind(&["--bigtable-instance=j"], &both, "Bigtable table");
        let typed = ["--data-dir=e", "--flag-table=t"];
        check_kind(&typed, &both, "both a local folder and a Bigtable instance");
        let file = config("data_dir = '/file'");
        let named = ("FLAG_CONFIG", file.path().to_str().unwrap());
        check_kind(&[], &[named, instance], "Bigtable table");
        check_kind(&[], &[named], "embedded store in /file");
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
    fn all_mistakes_are_told_together() {
        let file = config("listne = 'x'\nworkers = [1]");
        let mut reader = reader(
            &["--workers=many", "--config", file.path().to_str().unwrap()],
            &[("FLAG_LISTEN", "here")],
        );
        let workers = reader.parse(&WORKERS, "a number", |text| text.parse::<usize>().ok());
        let listen = reader.parse(&LISTEN, "an address", |text| {
            text.parse::<std::net::SocketAddr>().ok()
        });
        let mistakes = reader.finish(workers.zip(listen)).unwrap_err().to_string();
        let path = file.path().display();
        assert_eq!(
            mistakes.lines().collect::<Vec<_>>(),
            [
                &format!("configuration file {path}: listne is no setting"),
                &format!("configuration file {path}: workers must be text, a number or a boolean"),
                "workers (command line): found \"many\", expected a number",
                "listen (variable FLAG_LISTEN): found \"here\", expected an address",
            ]
        );
    }

    #[track_caller]
    fn check_broken(text: &str, place: &str) {
        let file = config(text);
        let path = file.path().display().to_string();
        let reader = reader(&["--config", &path], &[]);
        let mistakes = reader.finish(Some(())).unwrap_err().to_string();
        let says = format!("configuration file {path}, {place}: ");
        assert!(mistakes.starts_with(&says), "{mistakes}");
        assert!(!mistakes.contains("hush"), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
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
    fn a_byte_order_mark_is_no_mistake() {
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
        let mistakes = reader.finish(path).unwrap_err().to_string();
        assert_eq!(mistakes, expected);
    }

    #[test]
    fn a_path_that_was_taken_too_literally_is_a_mistake_that_says_what_to_write() {
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
    fn a_secret_that_was_taken_too_literally_is_not_shown() {
        let mut reader = reader(&[], &[("FLAG_LOG_INSTANCE_ID_KEY", "'hunter2'")]);
        let secret = reader.secret(&table::LOG_INSTANCE_ID_KEY);
        let mistakes = reader.finish(secret).unwrap_err().to_string();
        let expected = "log-instance-id-key (variable FLAG_LOG_INSTANCE_ID_KEY): quotes are taken as they are: leave them out";
        assert_eq!(mistakes, expected);
    }

    #[test]
    fn a_configuration_file_is_named_by_a_path_too() {
        let reader = reader(&[], &[("FLAG_CONFIG", "'/etc/flags.toml'")]);
        let mistakes = reader.finish(Some(())).unwrap_err().to_string();
        assert!(mistakes.ends_with("write /etc/flags.toml"), "{mistakes}");
    }

    #[test]
    fn a_variable_that_no_setting_has_is_told() {
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
        assert_eq!(sources.unknown_variables(), ["FLAG_DATADIR"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_a_mistake() {
        let reader = reader(&["--config=/nowhere/flags.toml"], &[]);
        let mistakes = reader.finish(Some(())).unwrap_err().to_string();
        assert!(
            mistakes.starts_with("configuration file /nowhere/flags.toml: "),
            "{mistakes}"
        );
    }
}
