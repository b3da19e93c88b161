//! The settings of the dashboard.

use std::net::SocketAddr;

use flag_settings::{Reader, Setting, table};

use crate::access::AccessSettings;
use crate::dashboard::{CookieScope, DashboardSettings, Writes};
use crate::tls::TlsSettings;

/// The settings of the dashboard; those read here, and the store that it compares with.
pub(super) const SETTINGS: &[Setting] = &[
    table::DASHBOARD,
    table::DASHBOARD_WRITES,
    table::OTHER_STORE,
];

/// Reads them. The outer `None` is an error. Cookies may cross a connection without TLS only on a loopback address. Who has
/// not signed in has no name for the history of a flag, so changes need keys.
#[expect(clippy::option_option, reason = "an error, no dashboard, or one")]
pub(super) fn read(
    reader: &mut Reader,
    listen: Option<SocketAddr>,
    tls: Option<&Option<TlsSettings>>,
    access: Option<&AccessSettings>,
) -> Option<Option<DashboardSettings>> {
    let is_on = reader.parse(&table::DASHBOARD, |text| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    });
    let writes = reader.parse(&table::DASHBOARD_WRITES, |text| match text {
        "on" => Some(Writes::On),
        "off" => Some(Writes::Off),
        _ => None,
    });
    if writes == Some(Writes::On) && access.is_some_and(|access| access.keys.is_none()) {
        let origin = reader.origin(&table::DASHBOARD_WRITES);
        reader.add_error(&format!(
            "dashboard-writes ({origin}): without API keys nobody signs in, so nobody could be named as who changed a flag; \
             create keys with `flagctl keys create` and pass their file with --api-keys-file"
        ));
    }
    let environment = reader.parse(&table::ENVIRONMENT, |text| Some(text.to_owned()));
    let is_loopback = listen?.ip().to_canonical().is_loopback();
    let cookies = match tls? {
        None if is_loopback => CookieScope::AnyConnection,
        _ => CookieScope::TlsOnly,
    };
    let environment = environment?;
    let settings = DashboardSettings {
        environment,
        cookies,
        writes: writes?,
    };
    Some(is_on?.then_some(settings))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn the_dashboard_is_on_unless_it_is_turned_off() {
        assert_eq!(Config::of(&[("FLAG_DASHBOARD", "off")]).dashboard, None);
        let dashboard = Config::of(&[("ENVIRONMENT", "hcb-test")]).dashboard;
        let dashboard = dashboard.unwrap();
        assert_eq!(dashboard.environment, "hcb-test");
        assert_eq!(dashboard.cookies, CookieScope::AnyConnection);
        let public = [
            ("FLAG_LISTEN", "0.0.0.0:0"),
            ("FLAG_ALLOW_ANONYMOUS", "true"),
        ];
        let dashboard = Config::of(&public).dashboard.unwrap();
        assert_eq!(dashboard.cookies, CookieScope::TlsOnly);
    }

    #[test]
    fn changes_are_off_unless_they_are_turned_on_and_need_keys() {
        let dashboard = Config::of(&[]).dashboard.unwrap();
        assert_eq!(dashboard.writes, Writes::Off);
        let writes = |keys: &[&str]| {
            let args = ["flag-service", "--dashboard-writes=on"];
            let args = args.iter().chain(keys).map(std::ffi::OsString::from);
            Config::read(args, []).map_err(|errors| errors.to_string())
        };
        let error = writes(&[]).map(drop).unwrap_err();
        assert!(
            error.contains("without API keys nobody signs in"),
            "{error}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"keys\": []}").unwrap();
        let keys = format!("--api-keys-file={}", file.path().display());
        let dashboard = writes(&[&keys]).unwrap().dashboard.unwrap();
        assert_eq!(dashboard.writes, Writes::On);
    }
}
