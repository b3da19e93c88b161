//! Where the tables are, and how long to wait for them.

use std::path::PathBuf;
use std::time::Duration;

use flag_store::PAGE;

use crate::address::{is_host, is_host_and_port};
use crate::call::CallTimeouts;
use crate::connect_error::ConnectError;

/// More connections than this are a mistake; `tonic` takes a little more than a thousand at once.
const MAX_CHANNELS: usize = 256;

/// Where the tables are, and how long to wait for them. [`BigtableSettings::new`] fills in the defaults.
///
/// An attempt is the wait for the answer or for its next part. From the fourth attempt on it is doubled each time, so that
/// a slow store is reached too. The deadline bounds the call with all its attempts.
#[derive(Clone, Debug)]
pub struct BigtableSettings {
    /// The Google Cloud project.
    pub project: String,
    /// The Bigtable instance.
    pub instance: String,
    /// The table of flags.
    pub flag_table: String,
    /// The table of exposures.
    pub log_table: String,
    /// The app profile; it must route to a single cluster and allow single-row transactions. Default: the instance's own.
    pub app_profile: Option<String>,
    /// `host:port` of an emulator instead of Google Cloud. Default: none.
    pub emulator: Option<String>,
    /// `host` or `host:port` of Bigtable instead of Google's public one, as with Private Service Connect; over TLS.
    /// Default: none.
    pub endpoint: Option<String>,
    /// A file in PEM of the authorities that Bigtable's certificate may be from. Default: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Connections to Bigtable, 1 to 256. Default: 4.
    pub channels: usize,
    /// How long to look for credentials, to connect, and to try a new connection. Default: 10 s.
    pub connect_timeout: Duration,
    /// How often new connections take the place of the old ones, which Bigtable closes about hourly; zero for never.
    /// Default: 45 min.
    pub refresh_every: Duration,
    /// One attempt of a read. Default: 250 ms.
    pub read_attempt: Duration,
    /// A read of a row, or a scan with a limit of at most 500 rows. Default: 2 s.
    pub read_timeout: Duration,
    /// One attempt of an insertion; a comparison has only one, which may take the whole deadline. Default: 1 s.
    pub write_attempt: Duration,
    /// A write of one row. Default: 5 s.
    pub write_timeout: Duration,
    /// One attempt of a batch. Default: 2 s.
    pub batch_attempt: Duration,
    /// A batch of writes, or a scan of more rows. Default: 10 s.
    pub batch_timeout: Duration,
}

/// The default of one attempt of a read.
const READ_ATTEMPT: Duration = Duration::from_millis(250);

/// The default of a read.
const READ_DEADLINE: Duration = Duration::from_secs(2);

/// The most rows of a scan that ends soon.
const FEW_ROWS: usize = PAGE;

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Metadata, revisions and head rows; never expires.
    Flags,
    /// The exposure log; expires by age.
    Exposures,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Flags, Self::Exposures];
}

impl BigtableSettings {
    /// The name of a table, as people know it.
    pub fn table(&self, table: Table) -> &str {
        match table {
            Table::Flags => &self.flag_table,
            Table::Exposures => &self.log_table,
        }
    }

    /// The name of a table, as requests spell it.
    pub(crate) fn full_table_name(&self, table: Table) -> String {
        format!("{}/tables/{}", self.full_instance_name(), self.table(table))
    }

    /// The name of the instance, as requests spell it.
    pub(crate) fn full_instance_name(&self) -> String {
        format!("projects/{}/instances/{}", self.project, self.instance)
    }

    /// Settings for these tables, defaults for the rest.
    pub fn new(
        project: impl Into<String>,
        instance: impl Into<String>,
        flag_table: impl Into<String>,
        log_table: impl Into<String>,
    ) -> Self {
        Self {
            project: project.into(),
            instance: instance.into(),
            flag_table: flag_table.into(),
            log_table: log_table.into(),
            app_profile: None,
            emulator: None,
            endpoint: None,
            ca_file: None,
            channels: 4,
            connect_timeout: Duration::from_secs(10),
            refresh_every: Duration::from_mins(45),
            read_attempt: READ_ATTEMPT,
            read_timeout: READ_DEADLINE,
            write_attempt: Duration::from_secs(1),
            write_timeout: Duration::from_secs(5),
            batch_attempt: Duration::from_secs(2),
            batch_timeout: Duration::from_secs(10),
        }
    }

    /// Checks every setting.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        for (setting, found) in [
            ("project", &self.project),
            ("instance", &self.instance),
            ("flag_table", &self.flag_table),
            ("log_table", &self.log_table),
        ] {
            if !is_resource_name(found) {
                return Err(wrong(setting, found, "letters, digits, '-', '_', '.', ':'"));
            }
        }
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(wrong(
                "channels",
                &self.channels.to_string(),
                "a number in range [1, 256]",
            ));
        }
        match (&self.emulator, &self.endpoint) {
            (Some(emulator), _) if !is_host_and_port(emulator) => Err(wrong(
                "emulator",
                emulator,
                "host:port, with an IPv6 address in brackets",
            )),
            (None, Some(endpoint)) if !is_host(endpoint) => Err(wrong(
                "endpoint",
                endpoint,
                "host or host:port, with an IPv6 address in brackets",
            )),
            _ => Ok(()),
        }
    }

    /// How long to wait for a read that ends soon.
    pub(crate) fn read(&self) -> CallTimeouts {
        CallTimeouts {
            attempt: self.read_attempt,
            total: self.read_timeout,
        }
    }

    /// The timeouts of a ping: those of a read, but never longer than the default deadline.
    pub(crate) fn ping(&self) -> CallTimeouts {
        CallTimeouts {
            attempt: self.read_attempt,
            total: self.read_timeout.min(READ_DEADLINE),
        }
    }

    /// How long to wait for a scan of at most `limit` rows.
    pub(crate) fn scan(&self, limit: Option<usize>) -> CallTimeouts {
        let total = match limit {
            Some(..=FEW_ROWS) => self.read_timeout,
            _ => self.batch_timeout,
        };
        CallTimeouts {
            attempt: self.read_attempt,
            total,
        }
    }

    /// How long to wait for a write that may be sent again.
    pub(crate) fn write(&self) -> CallTimeouts {
        CallTimeouts {
            attempt: self.write_attempt,
            total: self.write_timeout,
        }
    }

    /// How long to wait for a write that is sent once.
    pub(crate) fn single_write(&self) -> CallTimeouts {
        CallTimeouts {
            attempt: self.write_timeout,
            total: self.write_timeout,
        }
    }

    /// How long to wait for many writes.
    pub(crate) fn batch(&self) -> CallTimeouts {
        CallTimeouts {
            attempt: self.batch_attempt,
            total: self.batch_timeout,
        }
    }
}

fn wrong(setting: &'static str, found: &str, expected: &'static str) -> ConnectError {
    ConnectError::Setting {
        setting,
        found: found.to_owned(),
        expected,
    }
}

fn is_resource_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut BigtableSettings), refused: Option<&str>) {
        let mut settings = BigtableSettings::new("p", "i", "flags", "log");
        change(&mut settings);
        let message = settings.check().err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), refused);
    }

    #[test]
    fn the_defaults_are_valid() {
        check(|_| {}, None);
    }

    #[test]
    fn an_emulator_is_a_host_and_a_port() {
        for emulator in ["127.0.0.1:8086", "[::1]:8086", "emulator.test:1"] {
            check(|settings| settings.emulator = Some(emulator.into()), None);
        }
    }

    #[test]
    fn anything_else_is_no_emulator() {
        for emulator in [
            "",
            "127.0.0.1",
            ":8086",
            "h:",
            "h:99999",
            "h:1/path",
            "h:1?q",
            "user@h:1",
            "http://h:1",
            "unix:///tmp/socket",
            "a b:1",
            "a..b:1",
            "::1:8086",
        ] {
            let message = format!(
                "emulator is {emulator:?}, expected host:port, with an IPv6 address in brackets"
            );
            check(
                |settings| settings.emulator = Some(emulator.into()),
                Some(&message),
            );
        }
    }

    #[test]
    fn an_endpoint_that_is_not_a_host_is_refused_before_tls() {
        for endpoint in ["a..b", "a..b:443", "::1"] {
            let message = format!(
                "endpoint is {endpoint:?}, expected host or host:port, with an IPv6 address in brackets"
            );
            check(
                |settings| settings.endpoint = Some(endpoint.into()),
                Some(&message),
            );
        }
    }

    #[test]
    fn a_name_that_would_break_a_path_is_refused() {
        check(
            |settings| settings.flag_table = "a/b".into(),
            Some("flag_table is \"a/b\", expected letters, digits, '-', '_', '.', ':'"),
        );
        check(
            |settings| settings.project = String::new(),
            Some("project is \"\", expected letters, digits, '-', '_', '.', ':'"),
        );
    }

    #[test]
    fn there_is_at_least_one_channel_and_not_thousands() {
        for channels in [0, 257] {
            let message =
                format!("channels is \"{channels}\", expected a number in range [1, 256]");
            check(|settings| settings.channels = channels, Some(&message));
        }
    }
}
