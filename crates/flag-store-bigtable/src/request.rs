//! Requests to read, and the headers of every request.

use bigtable_rs::bigtable::RoutingMetadata;
use bigtable_rs::google::bigtable::v2::row_range::{EndKey, StartKey};
use bigtable_rs::google::bigtable::v2::{ReadRowsRequest, RowFilter, RowRange, RowSet};
use flag_store::{Columns, Order, Scan};
use tonic::Request;
use tonic::metadata::MetadataValue;

use crate::filter;

/// The message `FeatureFlags { reverse_scans: true }` in web-safe base64; without it reverse scans are refused.
const REVERSE_SCANS: &str = "CAE=";

/// Reads a row; `None` if none of its cells is asked for.
pub(crate) fn row(key: &[u8], columns: Columns<'_>) -> Option<ReadRowsRequest> {
    Some(ReadRowsRequest {
        rows: Some(RowSet {
            row_keys: vec![key.to_vec()],
            row_ranges: Vec::new(),
        }),
        filter: Some(filter::cells(columns)?),
        rows_limit: 1,
        ..ReadRowsRequest::default()
    })
}

/// Reads what `filter` lets through of a range; `None` if there can be nothing in it, which Bigtable refuses or takes for no limit.
pub(crate) fn range(scan: Scan, filter: Option<RowFilter>) -> Option<ReadRowsRequest> {
    if scan.limit == Some(0) || scan.end.as_ref().is_some_and(|end| *end <= scan.start) {
        return None;
    }
    let range = RowRange {
        start_key: Some(StartKey::StartKeyClosed(scan.start)),
        end_key: scan.end.map(EndKey::EndKeyOpen),
    };
    Some(ReadRowsRequest {
        rows: Some(RowSet {
            row_keys: Vec::new(),
            row_ranges: vec![range],
        }),
        filter,
        rows_limit: scan
            .limit
            .map_or(0, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        reversed: scan.order == Order::Descending,
        ..ReadRowsRequest::default()
    })
}

/// Adds the headers of a read.
pub(crate) fn read(message: ReadRowsRequest) -> Request<ReadRowsRequest> {
    let mut request = routed(message);
    request.metadata_mut().insert(
        "bigtable-features",
        MetadataValue::from_static(REVERSE_SCANS),
    );
    request
}

/// Adds the header that routes a request by table and app profile.
pub(crate) fn routed<M: RoutingMetadata>(message: M) -> Request<M> {
    let parameters = message.get_routing_header();
    with_header(message, parameters)
}

/// Adds the header that routes a request by these parameters.
pub(crate) fn routed_by<M>(message: M, parameters: &[(&str, &str)]) -> Request<M> {
    let parameters = parameters.iter();
    let parameters = parameters.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    with_header(message, parameters.collect::<Vec<_>>().join("&"))
}

fn with_header<M>(message: M, parameters: String) -> Request<M> {
    let mut request = Request::new(message);
    // Percent-encoded, so it is always a valid header.
    if let Ok(parameters) = MetadataValue::try_from(parameters) {
        request
            .metadata_mut()
            .insert("x-goog-request-params", parameters);
    }
    request
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_range_is_not_asked_for() {
        let scan = Scan {
            end: Some("b".into()),
            ..Scan::prefix("c")
        };
        assert_eq!(range(scan, None), None);
    }

    #[test]
    fn a_limit_of_zero_is_not_asked_for() {
        assert_eq!(range(Scan::prefix("c").limit(0), None), None);
    }

    #[test]
    fn a_parameter_is_percent_encoded() {
        let request = routed_by((), &[("name", "projects/p:1"), ("app_profile_id", "a b_ü")]);
        assert_eq!(
            request.metadata().get("x-goog-request-params").unwrap(),
            "name=projects%2Fp%3A1&app_profile_id=a%20b_%C3%BC"
        );
    }

    #[test]
    fn a_request_is_routed_by_table_and_app_profile() {
        let request = routed(ReadRowsRequest {
            table_name: "projects/p/instances/i/tables/t".into(),
            app_profile_id: "flags".into(),
            ..ReadRowsRequest::default()
        });
        assert_eq!(
            request.metadata().get("x-goog-request-params").unwrap(),
            "table_name=projects%2Fp%2Finstances%2Fi%2Ftables%2Ft&app_profile_id=flags"
        );
    }
}
