//! Where Bigtable is, if not at Google's public address.

use flag_store_bigtable::{in_brackets, is_host};

use crate::reader::Reader;
use crate::shell_syntax;
use crate::table;

/// Where Bigtable is, empty if nothing is said; excludes an emulator.
pub(crate) fn read_endpoint(reader: &mut Reader, emulator: Option<&str>) -> Option<String> {
    let is_valid = |text: &str| text.is_empty() || is_host(text);
    let parse = |text: &str| is_valid(text).then(|| text.to_owned());
    let suggest = |text: &str| suggest_address(text, is_host);
    let endpoint = reader.parse_or_suggest(&table::ENDPOINT, parse, suggest)?;
    if !endpoint.is_empty() && emulator.is_some_and(|emulator| !emulator.is_empty()) {
        let origins = [table::ENDPOINT, table::EMULATOR].map(|setting| reader.origin(&setting));
        let [endpoint, emulator] = origins;
        reader.add_error(&format!(
            "bigtable-endpoint ({endpoint}) and bigtable-emulator ({emulator}) exclude each other: unset one"
        ));
    }
    Some(endpoint)
}

/// A valid address that was probably meant.
pub(crate) fn suggest_address(text: &str, is_valid: fn(&str) -> bool) -> Option<String> {
    let bare = bare_address(text);
    // `::1:8086` may also be an address without a port.
    let with_port = bare.rsplit_once(':');
    let with_port = with_port.map(|(host, port)| format!("[{host}]:{port}"));
    let candidates = [in_brackets(&bare), with_port, Some(bare)];
    let mut candidates = candidates.into_iter().flatten();
    candidates.find(|address| is_valid(address))
}

/// An address without the scheme and the slash that people write around it.
fn bare_address(text: &str) -> String {
    let literal = shell_syntax::of_path(text, &|_| None);
    let bare = literal.map_or_else(|| text.to_owned(), |literal| literal.instead);
    bare.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::{Sources, StoreSettings};

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Result<&str, &str>) {
        let matches = Command::new("test").get_matches_from(["test"]);
        let bigtable = [("FLAG_STORE", "bigtable")];
        let variables = bigtable.iter().chain(variables);
        let environment = variables.map(|(name, value)| (name.into(), value.into()));
        let mut reader = Reader::new(Sources::new(&matches, environment));
        let settings = StoreSettings::read(&mut reader);
        let found = reader.finish(settings.map(|settings| settings.display_name()));
        let found = found.map_err(|errors| errors.to_string());
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected);
    }

    const PLACE: &str =
        "Bigtable table csr_va_feature_flag_bigtable in anbc-hcb-dev/csr-va-db-hcb-dev";

    #[test]
    fn an_endpoint_is_part_of_the_place() {
        check(&[], Ok(PLACE));
        for endpoint in ["bigtable-flags.p.googleapis.com", "localhost:8443"] {
            check(
                &[("FLAG_BIGTABLE_ENDPOINT", endpoint)],
                Ok(&format!("{PLACE} at {endpoint}")),
            );
        }
    }

    #[test]
    fn an_endpoint_with_a_scheme_is_a_mistake_that_says_what_to_write() {
        check(
            &[("FLAG_BIGTABLE_ENDPOINT", "https://localhost:8443/")],
            Err(
                "bigtable-endpoint (variable FLAG_BIGTABLE_ENDPOINT): found \"https://localhost:8443/\", expected host or host:port: write localhost:8443",
            ),
        );
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_a_mistake_that_says_what_to_write() {
        check(
            &[("FLAG_BIGTABLE_ENDPOINT", "2001:db8:0:0:0:0:0:1:443")],
            Err(
                "bigtable-endpoint (variable FLAG_BIGTABLE_ENDPOINT): found \"2001:db8:0:0:0:0:0:1:443\", expected host or host:port: write [2001:db8:0:0:0:0:0:1]:443",
            ),
        );
    }

    #[test]
    fn a_host_name_with_an_empty_part_is_a_mistake() {
        check(
            &[("FLAG_BIGTABLE_ENDPOINT", "a..b")],
            Err(
                "bigtable-endpoint (variable FLAG_BIGTABLE_ENDPOINT): found \"a..b\", expected host or host:port",
            ),
        );
    }

    #[test]
    fn an_endpoint_beside_an_emulator_is_a_mistake() {
        check(
            &[
                ("FLAG_BIGTABLE_ENDPOINT", "localhost:8443"),
                ("BIGTABLE_EMULATOR_HOST", "localhost:8086"),
            ],
            Err(
                "bigtable-endpoint (variable FLAG_BIGTABLE_ENDPOINT) and bigtable-emulator (variable BIGTABLE_EMULATOR_HOST) exclude each other: unset one",
            ),
        );
    }

    #[test]
    fn a_file_of_authorities_is_a_path() {
        check(
            &[("FLAG_BIGTABLE_CA_FILE", "~/ca.pem")],
            Err(
                "bigtable-ca-file (variable FLAG_BIGTABLE_CA_FILE): found \"~/ca.pem\", but only a shell knows what `~` is: write /home/NAME/ca.pem",
            ),
        );
    }
}
