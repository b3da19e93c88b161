//! Every setting that there is. `docs/configuration.md` is made of this table.

use crate::kind::Kind::{Choice, Form, Name, Number, Path, Secret, Text};
use crate::kind::Unit::{Days, Hours, Kib, Milliseconds, Minutes, None, Seconds};
use crate::kind::{count, fraction, whole};
use crate::setting::Setting;

macro_rules! settings {
    ($($(#[$doc:meta])* $constant:ident = $key:literal, [$($variable:literal),+], $default:literal, $kind:expr, $about:literal;)+) => {
        $(
            #[doc = concat!("The setting `", $key, "`.")]
            pub const $constant: Setting =
                Setting { key: $key, variables: &[$($variable),+], kind: $kind, about: $about, default: $default };
        )+

        /// Every setting, in the order of `--help`.
        pub const ALL: &[Setting] = &[$($constant),+];
    };
}

settings! {
    CONFIG = "config", ["FLAG_CONFIG"], "", Path,
        "Configuration file, TOML, with a line `key = value` per setting";
    STORE = "store", ["FLAG_STORE"], "embedded", Choice(&["embedded", "bigtable"]),
        "Where flags are kept: `embedded` (local files) or `bigtable`; by default `bigtable` if a Bigtable instance, a flag table or an emulator is set (not with `--demo`), unless `data-dir` is set by a stronger source (command line, environment, file); required if both are set by the same source";
    DATA_DIR = "data_dir", ["FLAG_DATA_DIR"], "./flag-data", Path,
        "Directory of the embedded store, on a local disk";
    ENVIRONMENT = "environment", ["environment", "ENVIRONMENT"], "hcb-dev", Name,
        "Name of the environment";
    TENANT = "tenant", ["TENANT_NAME"], "csr-va", Name,
        "Tenant, part of the name of the Bigtable instance";
    BIGTABLE_PROJECT = "bigtable_project", ["PROJECT_ID"], "anbc-{environment}", Name,
        "Google Cloud project of the Bigtable instance";
    BIGTABLE_INSTANCE = "bigtable_instance", ["INSTANCE_ID"], "{tenant}-db-{environment}", Name,
        "Bigtable instance";
    FLAG_TABLE = "flag_table", ["BT_TABLE_ID"], "csr_va_feature_flag_bigtable", Name,
        "Bigtable table of flags";
    LOG_TABLE = "log_table", ["FF_LOG_TABLE_ID"], "csr_va_feature_flag_service_operation_log", Name,
        "Bigtable table of the exposure log";
    APP_PROFILE = "bigtable_app_profile", ["FLAG_BIGTABLE_APP_PROFILE"], "", Text,
        "Bigtable app profile, with single-cluster routing and single-row transactions; empty for the instance's own";
    EMULATOR = "bigtable_emulator", ["BIGTABLE_EMULATOR_HOST"], "", Form("host:port"),
        "`host:port` of a Bigtable emulator instead of Google Cloud; refused in production, that is if `prod` is a part of the environment's name, separated by `-`, `_` or `.`";
    ENDPOINT = "bigtable_endpoint", ["FLAG_BIGTABLE_ENDPOINT"], "", Form("host or host:port"),
        "`host` or `host:port` of Bigtable instead of `bigtable.googleapis.com`, as with Private Service Connect, over TLS; tables are administered at the same host, or at `bigtableadmin…` where it is Google's; empty for Google's public one";
    CA_FILE = "bigtable_ca_file", ["FLAG_BIGTABLE_CA_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], "", Path,
        "PEM file of the certificate authorities that are trusted for Bigtable; empty for those of the system";
    V1_ALGORITHM = "v1_hash_algorithm", ["FLAG_V1_HASH_ALGORITHM"], "md5", Choice(&["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"]),
        "Hash algorithm of revisions of version 1 whose row names none; set it as in the Python deployment: {choices}";
    V1_CELLS = "v1_cells", ["FLAG_V1_CELLS"], "python", Choice(&["python", "json"]),
        "How revisions of version 1 are written: `python` (`True`, as `ast.literal_eval` reads it) or `json` (`true`); both are read";
    MAX_FUTURE = "max_future_hours", ["FLAG_MAX_FUTURE_HOURS"], "24", Number(whole(Hours, 1, 1_000_000)),
        "How far ahead of the clock the time of a row may be, {range}; rows further ahead are ignored when the newest one is read";
    STORE_DEADLINE = "store_deadline_ms", ["FLAG_STORE_DEADLINE_MS"], "280", Number(whole(Milliseconds, 1, 60_000)),
        "Longest that a request of the service waits for the store, {range}";
    STORE_READS = "store_reads", ["FLAG_STORE_READS"], "64", Number(count(1, 10_000)),
        "How many reads of the store the service has in flight at most for evaluations, {range}; the dashboard and `explain` have up to 4 more (1 in the embedded store)";
    LISTEN = "listen", ["FLAG_LISTEN"], "127.0.0.1:8080", Form("address:port"),
        "Address and port of the service; port 0 selects a free one";
    WORKERS = "workers", ["FLAG_WORKERS"], "", Number(count(1, 512).or_empty()),
        "Worker threads of the service, {range}; empty for the processors available";
    TLS_CERTIFICATE_FILE = "tls_certificate_file", ["FLAG_TLS_CERTIFICATE_FILE"], "", Path,
        "PEM file of the TLS certificate of the service, followed by its intermediate certificates; requires `tls_key_file`; empty: HTTP without TLS";
    TLS_KEY_FILE = "tls_key_file", ["FLAG_TLS_KEY_FILE"], "", Path,
        "PEM file of the private key of that certificate; both files are reloaded when they change";
    PUSH = "push", ["FLAG_PUSH"], "on", Choice(&["on", "off"]),
        "Whether the service sends events of changed flags at `/projects/{project}/events`: {choices}; also off if `change-poll-ms` is 0";
    API_KEYS_FILE = "api_keys_file", ["FLAG_API_KEYS_FILE"], "", Path,
        "File of API keys, as `flagctl keys create` writes it; empty: no key is required";
    ALLOW_ANONYMOUS = "allow_anonymous", ["FLAG_ALLOW_ANONYMOUS"], "false", Choice(&["true", "false"]),
        "Whether the service may listen on an address that is not loopback without requiring API keys: {choices}";
    CORS_ORIGINS = "cors_origins", ["FLAG_CORS_ORIGINS"], "", Form("origins such as https://app.example.com, separated by commas, or *"),
        "Origins whose pages may send requests to `/get-feature-flag` and to OFREP, comma-separated, or `*` for all; empty for none";
    DEFAULT_PROJECT = "default_project", ["FLAG_DEFAULT_PROJECT"], "", Form("the name of a project"),
        "Project of OFREP requests whose path names none; an API key for exactly one project implies that one; empty for none";
    OFREP_MAX_FLAGS = "ofrep_max_flags", ["FLAG_OFREP_MAX_FLAGS"], "10000", Number(count(1, 100_000)),
        "How many flags an OFREP bulk answer holds at most, {range}, the first by name";
    OFREP_BULK_EXPOSURES = "ofrep_bulk_exposures", ["FLAG_OFREP_BULK_EXPOSURES"], "none", Choice(&["none", "delivered"]),
        "Whether the evaluations of an OFREP bulk answer are logged: `none`, as an application that lists flags has not shown them, or `delivered`, with that word as their reason";
    OFREP_STRICT_REASONS = "ofrep_strict_reasons", ["FLAG_OFREP_STRICT_REASONS"], "false", Choice(&["true", "false"]),
        "Whether OFREP answers hold only the reasons that its schema lists, `UNKNOWN` instead of `DEFAULT` for the control value of a flag with treatments: {choices}";
    MAX_CONNECTIONS = "max_connections", ["FLAG_MAX_CONNECTIONS"], "10000", Number(count(1, 1_000_000)),
        "How many connections the service has at most, {range}, divided equally among its workers; at the limit, those without a request are closed first, then new ones get a 503, except for probes";
    KEEP_ALIVE = "keep_alive_seconds", ["FLAG_KEEP_ALIVE_SECONDS"], "620", Number(whole(Seconds, 1, 86_400)),
        "How long a connection without a request stays open, {range}, and up to a quarter longer; set it longer than the idle timeout of the load balancer in front (Google's: 600), so that the load balancer closes first";
    MAX_IN_FLIGHT = "max_in_flight", ["FLAG_MAX_IN_FLIGHT"], "2048", Number(count(1, 1_000_000)),
        "How many requests of one path may wait at once for the store or for their body, {range}; further ones get a 503 immediately; limits waiting requests only: an answer from the cache does not wait";
    MAX_EVENT_STREAMS = "max_event_streams", ["FLAG_MAX_EVENT_STREAMS"], "10000", Number(count(1, 1_000_000)),
        "How many event streams the service has open at most, {range}, in addition to `max-connections`; further ones get a 503";
    RATE_LIMIT = "rate_limit", ["FLAG_RATE_LIMIT"], "0", Number(count(0, 1_000_000)),
        "Requests per second that a replica answers for one caller, {range}; 0 for no limit";
    RATE_LIMIT_BURST = "rate_limit_burst", ["FLAG_RATE_LIMIT_BURST"], "", Number(count(1, 1_000_000).or_empty()),
        "Burst: requests that a caller may send at once after a pause, {range}; empty for the same number as `rate-limit`";
    RATE_LIMIT_BY = "rate_limit_by", ["FLAG_RATE_LIMIT_BY"], "key", Choice(&["key", "address"]),
        "What identifies a caller: `key` (the API key; without one, the address) or `address` (the IPv4 address of the client, or 64 bits of its IPv6 address)";
    TRUSTED_PROXIES = "trusted_proxies", ["FLAG_TRUSTED_PROXIES"], "", Form("address ranges such as 10.129.0.0/23, separated by commas, with zeros behind the prefix"),
        "Address ranges of the proxies in front of the service, comma-separated, such as `10.129.0.0/23,192.0.2.1`: the client, for rate limits and log lines, is then the right-most address of `X-Forwarded-For` that is not in them; empty: the peer is the client, and the header is ignored";
    IAP_AUDIENCE = "iap_audience", ["FLAG_IAP_AUDIENCE"], "", Text,
        "Audience of an identity-aware proxy before the dashboard, such as `/projects/NUMBER/global/backendServices/ID`: people whom its signed header names need no key; empty for no such proxy";
    IAP_KEY = "iap_key_id", ["FLAG_IAP_KEY_ID"], "", Text,
        "Id of the API key, in the file of keys, whose scopes and projects the people of the identity-aware proxy have; required with `iap-audience`";
    IAP_ISSUER = "iap_issuer", ["FLAG_IAP_ISSUER"], "https://cloud.google.com/iap", Text,
        "Issuer that the header of the identity-aware proxy must name";
    IAP_KEYS_URL = "iap_keys_url", ["FLAG_IAP_KEYS_URL"], "https://www.gstatic.com/iap/verify/public_key-jwk", Form("an https:// URL, or http:// of this machine"),
        "Where the keys of the identity-aware proxy are, a JWK set: `https://…`, or `http://…` of this machine";
    FLAG_CACHE_TTL = "feature_flag_cache_ttl_minutes", ["FEATURE_FLAG_CACHE_TTL_MINUTES"], "5", Number(fraction(Minutes, 0, 10_080)),
        "How long the service serves a flag without reading it again, {range}; fractions are allowed, 0 reads for every request";
    FLAG_CACHE_ENTRIES = "feature_flag_cache_entries", ["FLAG_CACHE_ENTRIES"], "100000", Number(count(1, 10_000_000)),
        "How many flags the service caches at most, {range}";
    EXPOSURES = "exposures", ["FLAG_EXPOSURES"], "on", Choice(&["on", "off"]),
        "Whether the service logs the decisions that it serves: {choices}; what clients send to `/log-feature-flag` is logged either way";
    EXPOSURE_QUEUE = "exposure_queue", ["FLAG_EXPOSURE_QUEUE"], "100000", Number(count(1, 10_000_000)),
        "How many exposures may wait to be written, {range}";
    EXPOSURE_OVERFLOW = "exposure_overflow", ["FLAG_EXPOSURE_OVERFLOW"], "drop", Choice(&["drop", "wait"]),
        "What happens when that many wait: `drop` answers, and drops and counts the exposure; `wait` gives no answer without its exposure: requests wait for room, and answers slow down to the pace of the log";
    EXPOSURE_WAIT = "exposure_wait_ms", ["FLAG_EXPOSURE_WAIT_MS"], "100", Number(whole(Milliseconds, 1, 5_000)),
        "How long a request waits for room at most with `wait`, {range}; then the answer is 503 `overloaded`";
    EXPOSURE_DEDUP = "exposure_dedup_seconds", ["FLAG_EXPOSURE_DEDUP_SECONDS"], "0", Number(whole(Seconds, 0, 86_400)),
        "For how long repeated answers to an instance from the same revision are logged only once, {range}; 0 logs every answer";
    EXPOSURE_DEDUP_ENTRIES = "exposure_dedup_entries", ["FLAG_EXPOSURE_DEDUP_ENTRIES"], "200000", Number(count(1_000, 100_000_000)),
        "How many answers a replica remembers for that, {range}, about 40 bytes each; beyond that up to half are forgotten early, counted in `flag_exposures_dedup_forgotten_total`, and logged again if they are repeated";
    EXPOSURE_BOOLEANS = "exposure_booleans", ["FLAG_EXPOSURE_BOOLEANS"], "json", Choice(&["json", "python"]),
        "How booleans are spelled in the cells of the exposure log: `json` (`true`) or `python` (`True`, as the Python service wrote them)";
    EXPOSURE_MAX_AGE = "exposure_max_age_hours", ["FLAG_EXPOSURE_MAX_AGE_HOURS"], "168", Number(whole(Hours, 1, 87_600)),
        "How long ago the `created_time` of an entry of `/log-feature-flag` may be, {range}";
    EXPOSURE_MAX_AHEAD = "exposure_max_ahead_seconds", ["FLAG_EXPOSURE_MAX_AHEAD_SECONDS"], "300", Number(whole(Seconds, 0, 86_400)),
        "How far ahead of the clock that `created_time` may be, {range}";
    EXPOSURE_RETENTION = "exposure_retention_days", ["FLAG_EXPOSURE_RETENTION_DAYS"], "90", Number(whole(Days, 0, 36_500)),
        "How long the embedded store keeps exposures after they were written, {range}; 0 keeps them forever; in Bigtable the garbage collection rule of the table decides";
    LOG_INSTANCE_ID = "log_instance_id", ["FLAG_LOG_INSTANCE_ID"], "plain", Choice(&["plain", "hashed"]),
        "How instance ids are written to the exposure log: `plain`, or `hashed` (HMAC-SHA-256 in hexadecimal, and no bucket)";
    LOG_INSTANCE_ID_KEY = "log_instance_id_key", ["FLAG_LOG_INSTANCE_ID_KEY"], "", Secret,
        "Secret key of `hashed`, at least 16 bytes";
    LOG_INSTANCE_ID_KEY_FILE = "log_instance_id_key_file", ["FLAG_LOG_INSTANCE_ID_KEY_FILE"], "", Path,
        "File that holds the secret key of `hashed`, instead of the key itself; a line break at its end is ignored";
    MAX_BODY = "max_body_kib", ["FLAG_MAX_BODY_KIB"], "256", Number(whole(Kib, 1, 65_536)),
        "Largest body of a request, {range}; a list of 500 exposures fits into the default";
    DRAIN_DELAY = "drain_delay_ms", ["FLAG_DRAIN_DELAY_MS"], "0", Number(whole(Milliseconds, 0, 4_000)),
        "How long the service continues after the signal to stop while `/readyz` reports that it drains, {range}; on Kubernetes 3000 gives load balancers time to react";
    DASHBOARD = "dashboard", ["FLAG_DASHBOARD"], "on", Choice(&["on", "off"]),
        "Whether the service has a dashboard at `/dashboard`: {choices}; with API keys, people sign in with a key that has the scope `read`";
    DASHBOARD_WRITES = "dashboard_writes", ["FLAG_DASHBOARD_WRITES"], "off", Choice(&["off", "on"]),
        "Whether flags can be rolled back, switched off and given another percentage on the dashboard: {choices}; by people who sign in with a key that also has the scope `admin`";
    OTHER_STORE = "dashboard_other_store", ["FLAG_DASHBOARD_OTHER_STORE"], "", Form("NAME=STORE, such as hcb-prod=bigtable:PROJECT/INSTANCE or test=embedded:DIR"),
        "The store of another environment, with which the dashboard compares projects, `NAME=STORE`: the name of the environment, then `embedded:DIR` or `bigtable:PROJECT/INSTANCE[/FLAG_TABLE]` as for `flagctl copy`, where `{environment}` stands for that name; it is only read, and only for that page; empty for none";
    MAX_STALE = "feature_flag_max_stale_minutes", ["FEATURE_FLAG_MAX_STALE_MINUTES"], "1440", Number(fraction(Minutes, 0, 525_600)),
        "How long the service serves the last known value of a flag after its lifetime while the store cannot be reached, {range}; 0 for never";
    POSITION_CACHE_TTL = "partial_rollout_hash_val_cache_ttl_days", ["PARTIAL_ROLLOUT_HASH_VAL_CACHE_TTL_DAYS"], "2", Number(fraction(Days, 0, 365)),
        "How long the service caches the bucket of an instance, {range}; fractions are allowed, 0 caches none";
    POSITION_CACHE_ENTRIES = "position_cache_entries", ["FLAG_POSITION_CACHE_ENTRIES"], "0", Number(count(0, 10_000_000)),
        "How many buckets the service caches at most, {range}; 0, the default, computes the hash each time, which is faster for many instances";
    CHANGE_POLL = "change_poll_ms", ["FLAG_CHANGE_POLL_MS"], "500", Number(whole(Milliseconds, 50, 60_000).or_zero()),
        "How often the service checks for changes of the flags that it serves, {range} for never";
    SNAPSHOT_FILE = "snapshot_file", ["FLAG_SNAPSHOT_FILE"], "", Path,
        "File with the last known flags of the service, for a start while the store cannot be reached; empty for none";
    LOG = "log", ["FLAG_LOG"], "info,actix_server=warn,actix_http=off", Form("a level, or directives by module"),
        "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or directives by module, comma-separated";
    LOG_FORMAT = "log_format", ["FLAG_LOG_FORMAT"], "auto", Choice(&["json", "text", "auto"]),
        "How it is logged, to standard error: `json`, `text`, or `auto` (text on a terminal, else JSON)";
    OTLP_ENDPOINT = "otlp_endpoint", ["OTEL_EXPORTER_OTLP_ENDPOINT"], "", Form("http://host:port or https://host:port"),
        "OpenTelemetry collector that receives traces, `http://host:port` or `https://host:port`; empty for no traces";
    OTLP_PROTOCOL = "otlp_protocol", ["OTEL_EXPORTER_OTLP_PROTOCOL"], "http/protobuf", Choice(&["http/protobuf", "grpc"]),
        "How traces are sent: `http/protobuf` (to `/v1/traces`; usually port 4318) or `grpc` (usually port 4317)";
    SERVICE_NAME = "service_name", ["OTEL_SERVICE_NAME"], "flag-service", Text,
        "Name of the service in traces";
    TRACES_SAMPLER = "traces_sampler", ["OTEL_TRACES_SAMPLER"], "parentbased_always_on", Form("always_on, always_off, traceidratio, or one of them after parentbased_"),
        "Which requests are traced: `always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`, which follows the caller's sampling decision if the request has a trace";
    TRACES_SAMPLER_ARG = "traces_sampler_arg", ["OTEL_TRACES_SAMPLER_ARG"], "1", Number(fraction(None, 0, 1)),
        "Share of the requests that `traceidratio` traces, {range}";
}

/// The settings of the store and of its rows, for every binary that opens a store.
pub const OF_STORE: &[Setting] = &[
    CONFIG,
    STORE,
    DATA_DIR,
    ENVIRONMENT,
    TENANT,
    BIGTABLE_PROJECT,
    BIGTABLE_INSTANCE,
    FLAG_TABLE,
    LOG_TABLE,
    APP_PROFILE,
    EMULATOR,
    ENDPOINT,
    CA_FILE,
    V1_ALGORITHM,
    V1_CELLS,
    MAX_FUTURE,
];

/// The table as `docs/configuration.md` shows it.
pub fn markdown() -> String {
    let rows = ALL.iter().map(|setting| {
        let variables: Vec<String> = setting
            .variables
            .iter()
            .map(|variable| format!("`{variable}`"))
            .collect();
        let default = if setting.default.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        let option = setting.option();
        format!(
            "| `--{option}` | {} | `{}` | {default} | {} |\n",
            variables.join(", "),
            setting.key,
            setting.about()
        )
    });
    format!(
        "| Option | Variable | Key in a file | Default | Meaning |\n|---|---|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set `FLAG_BLESS=1` to write the page anew.
    #[test]
    fn the_page_about_configuration_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once("<!-- settings -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end of settings -->").unwrap();
        let expected = format!(
            "{before}<!-- settings -->\n{}<!-- end of settings -->{after}",
            markdown()
        );
        if std::env::var_os("FLAG_BLESS").is_some() {
            std::fs::write(path, &expected).unwrap();
        } else {
            assert!(
                page == expected,
                "docs/configuration.md is out of date: run this test with FLAG_BLESS=1"
            );
        }
    }

    #[test]
    fn every_choice_is_explained() {
        for setting in ALL {
            if let Choice(choices) = setting.kind {
                for choice in choices {
                    assert!(
                        setting.about().contains(&format!("`{choice}`")),
                        "{setting:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for setting in ALL {
            let about = setting.about();
            assert!(
                !about.contains("{range}") && !about.contains("{choices}"),
                "{about}"
            );
        }
    }

    #[test]
    fn keys_and_variables_are_distinct() {
        let mut keys: Vec<&str> = ALL.iter().map(|setting| setting.key).collect();
        keys.extend(
            ALL.iter()
                .flat_map(|setting| setting.variables)
                .filter(|variable| **variable != "environment"),
        );
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
