//! The setting of the dashboard.

use std::net::SocketAddr;

use flag_settings::{Reader, Setting, table};

use crate::dashboard::{CookieScope, DashboardSettings};
use crate::tls::TlsSettings;

/// The settings read here.
pub(super) const SETTINGS: &[Setting] = &[table::DASHBOARD];

/// Reads it. The outer `None` is an error. Cookies may cross a connection without TLS only on a loopback address.
#[expect(clippy::option_option, reason = "an error, no dashboard, or one")]
pub(super) fn read(
    reader: &mut Reader,
    listen: Option<SocketAddr>,
    tls: Option<&Option<TlsSettings>>,
) -> Option<Option<DashboardSettings>> {
    let is_on = reader.parse(&table::DASHBOARD, |text| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    });
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
}
