//! The configuration of the service; the only file that reads the environment.
mod access;
mod cache;
mod check;
mod dashboard;
mod exposures;
mod generate;
mod http;
mod input;
mod limits;
mod ofrep;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::thread::available_parallelism;

use clap::{Arg, ArgAction, Command, value_parser};
use flag_runtime::ExposureSettings;
use flag_settings::{
    Origin, OtherStoreSettings, Reader, Setting, SettingErrors, StoreSettings, UnknownVariable,
    read_row_options, table,
};
use flag_store::RowOptions;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::access::AccessSettings;
use crate::dashboard::DashboardSettings;
use crate::http::{Cors, LimitSettings, OfrepSettings};
use crate::telemetry::{LogFormat, TelemetrySettings};
use crate::tls::TlsSettings;

pub(crate) use self::cache::CacheSettings;
pub(crate) use self::check::{Checked, check_config};
pub(crate) use self::generate::{Generated, generate};
pub(crate) use self::http::HttpSettings;
pub(crate) use self::input::{Input, Task};

/// The settings that only the service has.
const OF_SERVICE: &[Setting] = &[
    table::LISTEN,
    table::WORKERS,
    table::PUSH,
    table::LOG,
    table::LOG_FORMAT,
];

/// The configuration of the service.
#[derive(Debug)]
pub(crate) struct Config {
    /// The store to open.
    pub(crate) store: StoreSettings,
    /// Names of the deployment, which distinguish embedded stores with the same path.
    pub(crate) deployment: String,
    /// How the rows of the store are read.
    pub(crate) row_options: RowOptions,
    /// Which source chose the store.
    pub(crate) store_origin: Origin,
    /// Variables with a prefix of settings that belong to no setting.
    pub(crate) unknown_variables: Vec<UnknownVariable>,
    /// Address and port; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Threads that answer requests.
    pub(crate) workers: usize,
    /// Certificate and key; `None` for connections without TLS.
    pub(crate) tls: Option<TlsSettings>,
    /// Access control.
    pub(crate) access: AccessSettings,
    /// Limits of requests.
    pub(crate) limits: LimitSettings,
    /// Caches.
    pub(crate) cache: CacheSettings,
    /// Whether events are sent, which requires the change watcher.
    pub(crate) push: bool,
    /// The exposure log.
    pub(crate) exposures: ExposureSettings,
    /// Bodies and shutdown.
    pub(crate) http: HttpSettings,
    /// The dashboard, if there is one.
    pub(crate) dashboard: Option<DashboardSettings>,
    /// The store that the dashboard compares with, if there is one.
    pub(crate) other_store: Option<OtherStoreSettings>,
    /// OFREP.
    pub(crate) ofrep: OfrepSettings,
    /// The other origins whose pages may send requests, if there are any.
    pub(crate) cors: Option<Cors>,
    /// What is logged.
    pub(crate) log: EnvFilter,
    /// How it is logged.
    pub(crate) log_format: LogFormat,
    /// Traces.
    pub(crate) telemetry: TelemetrySettings,
    /// Whether an empty store gets the sample flags.
    pub(crate) demo: Demo,
    /// The socket of systemd that is notified of start and stop.
    pub(crate) notify_socket: Option<OsString>,
    /// The name of the pod or the host, if the environment has it.
    pub(crate) host_name: Option<String>,
}

/// Whether an empty store gets the sample flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demo {
    /// It gets them.
    On,
    /// It stays empty.
    Off,
}

impl Config {
    /// The configuration without any settings.
    #[cfg(test)]
    pub(crate) fn of_defaults() -> Self {
        Self::of(&[])
    }

    /// The configuration with this environment alone.
    #[cfg(test)]
    pub(crate) fn of(environment: &[(&str, &str)]) -> Self {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self::read(["flag-service".into()], environment).unwrap()
    }

    #[cfg(test)]
    fn read(
        args: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingErrors> {
        Input::read(args, environment).config()
    }

    fn build(input: Input) -> Result<Self, SettingErrors> {
        let unknown_variables = input.unknown_variables();
        let Input {
            sources,
            demo,
            notify_socket,
            host_name,
            ..
        } = input;
        let mut reader = Reader::new(sources);
        let store = StoreSettings::read(&mut reader);
        let deployment = read_deployment(&mut reader);
        let row_options = read_row_options(&mut reader);
        let store_origin = reader.origin(&table::STORE);
        let listen = reader.parse(&table::LISTEN, |text| text.parse().ok());
        let workers = reader.optional_number(&table::WORKERS);
        let tls = tls::read(&mut reader);
        let access = access::read(&mut reader, listen);
        let limits = limits::read(&mut reader);
        let cache = cache::read(&mut reader);
        let push = reader.parse(&table::PUSH, |text| match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        });
        let exposures = exposures::read(&mut reader);
        let http = http::read(&mut reader);
        let dashboard = dashboard::read(&mut reader, listen, tls.as_ref(), access.as_ref());
        let other_store = OtherStoreSettings::read(&mut reader, store.as_ref());
        let ofrep = ofrep::read(&mut reader);
        let cors = ofrep::read_origins(&mut reader);
        let log = reader.parse(&table::LOG, read_log);
        let log_format = reader.parse(&table::LOG_FORMAT, |text| match text {
            "auto" => Some(LogFormat::Auto),
            "json" => Some(LogFormat::Json),
            "text" => Some(LogFormat::Text),
            _ => None,
        });
        let telemetry = telemetry::read(&mut reader, store.as_ref());
        let config = || {
            let cache = cache?;
            let watches_changes = cache.poll.is_some();
            Some(Self {
                store: store?,
                deployment: deployment?,
                row_options: row_options?,
                store_origin,
                unknown_variables,
                listen: listen?,
                workers: workers?.unwrap_or_else(default_workers),
                tls: tls?,
                access: access?,
                limits: limits?,
                cache,
                push: push? && watches_changes,
                exposures: exposures?,
                http: http?,
                dashboard: dashboard?,
                other_store: other_store?,
                ofrep: ofrep?,
                cors: cors?,
                log: log?,
                log_format: log_format?,
                telemetry: telemetry?,
                demo,
                notify_socket,
                host_name,
            })
        };
        let config = config();
        reader.finish(config)
    }
}

/// The most workers: the upper end of the range of `FLAG_WORKERS`, as a test checks.
const MAX_WORKERS: usize = 512;

/// Returns the number of available processors, within the range of the setting.
fn default_workers() -> usize {
    available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_WORKERS)
}

/// Reads environment, tenant and project as they are set: only Bigtable restricts them.
fn read_deployment(reader: &mut Reader) -> Option<String> {
    let [environment, tenant, project] =
        [table::ENVIRONMENT, table::TENANT, table::BIGTABLE_PROJECT]
            .map(|setting| reader.parse(&setting, |text| Some(text.to_owned())));
    Some(format!("{} {} {}", environment?, tenant?, project?))
}

/// Reads the log filter. A bare word must be a level: a mistyped level would be taken for a module name, and silence the log.
fn read_log(text: &str) -> Option<EnvFilter> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.contains(['=', '[']));
    words
        .into_iter()
        .all(is_level)
        .then(|| EnvFilter::try_new(text).ok())
        .flatten()
}

/// The command line.
pub(crate) fn command() -> Command {
    Command::new("flag-service")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Answers over HTTP which value an instance receives")
        .after_help(
            "Every setting can also stand in a configuration file. See docs/configuration.md.",
        )
        .arg(
            Arg::new("demo")
                .long("demo")
                .action(ArgAction::SetTrue)
                .help("Puts sample flags of a project csr-assistant into the store if it is empty"),
        )
        .arg(
            Arg::new("check_config")
                .long("check-config")
                .action(ArgAction::SetTrue)
                .help("Shows every setting with its origin, and every error in them; starts nothing, exits with 0 or 2"),
        )
        .arg(
            Arg::new("generate")
                .long("generate")
                .hide(true)
                .value_parser(value_parser!(Generated)),
        )
        .next_help_heading("Service")
        .args(OF_SERVICE.iter().map(Setting::arg))
        .next_help_heading("TLS")
        .args(tls::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Access")
        .args(access::args())
        .next_help_heading("Limits")
        .args(limits::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Cache")
        .args(cache::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Exposures")
        .args(exposures::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Requests")
        .args(http::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Dashboard")
        .args(dashboard::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("OFREP and browsers")
        .args(ofrep::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Traces")
        .args(telemetry::SETTINGS.iter().map(Setting::arg))
        .next_help_heading("Store")
        .args(table::OF_STORE.iter().map(Setting::arg))
}
