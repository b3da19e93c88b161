//! A JSON object per line, with the field names of Google Cloud Logging.
//!
//! Names: <https://cloud.google.com/logging/docs/structured-logging>.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime as Clock};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

const TRACE: &str = "logging.googleapis.com/trace";
const SPAN: &str = "logging.googleapis.com/spanId";
const TRACE_SAMPLED: &str = "logging.googleapis.com/trace_sampled";
const LABELS: &str = "logging.googleapis.com/labels";

/// Formats events as JSON.
#[derive(Debug)]
pub(super) struct Json {
    /// The Google Cloud project that traces are kept in.
    pub(super) project: Option<String>,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line {
            project: self.project.as_deref(),
            fields: Map::new(),
        };
        line.set("severity", severity(*event.metadata().level()).into());
        line.set("time", now()?.into());
        line.set("target", event.metadata().target().into());
        event.record(&mut line);
        let fields = serde_json::to_string(&line.fields).map_err(|_| fmt::Error)?;
        writeln!(writer, "{fields}")
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn now() -> Result<String, fmt::Error> {
    let mut now = String::new();
    Clock.format_time(&mut Writer::new(&mut now))?;
    Ok(now)
}

/// A line that is being built.
struct Line<'a> {
    project: Option<&'a str>,
    fields: Map<String, Value>,
}

impl Line<'_> {
    /// Sets a field: `a.b` becomes the field `b` of an object `a`.
    fn set(&mut self, name: &str, value: Value) {
        match (name, &value) {
            ("trace", Value::String(trace)) => {
                let trace = match self.project {
                    Some(project) => format!("projects/{project}/traces/{trace}"),
                    None => trace.clone(),
                };
                self.put(TRACE, trace.into());
            }
            ("span", _) => self.put(SPAN, value),
            ("trace_sampled", _) => self.put(TRACE_SAMPLED, value),
            _ => match name.split_once('.') {
                Some(("labels", name)) => self.put_within(LABELS, name, value),
                Some((outer, name)) => self.put_within(outer, name, value),
                None => self.put(name, value),
            },
        }
    }

    fn put(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    fn put_within(&mut self, outer: &str, name: &str, value: Value) {
        let within = self.fields.entry(outer);
        let within = within.or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(within) = within {
            within.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Line<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged in `log`, without the time.
    #[track_caller]
    fn check(project: Option<&str>, log: impl FnOnce(), expected: &Value) {
        let lines = Lines::default();
        let writer = lines.clone();
        let json = Json {
            project: project.map(str::to_owned),
        };
        let subscriber = fmt().event_format(json).with_writer(move || writer.clone());
        with_default(subscriber.finish(), log);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let mut line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        let time = time.as_str().unwrap().as_bytes();
        assert_eq!((time.len(), time[10], time[26]), (27, b'T', b'Z'));
        assert_eq!(&line, expected);
    }

    #[test]
    fn a_line_has_the_names_of_cloud_logging() {
        check(
            None,
            || tracing::warn!(flag = %"p/feature/f", count = 3_u64, "flag \"f\"\ncannot be read"),
            &json!({
                "severity": "WARNING", "target": module_path!(), "message": "flag \"f\"\ncannot be read",
                "flag": "p/feature/f", "count": 3,
            }),
        );
    }

    #[test]
    fn a_trace_is_named_with_its_project() {
        let log = || {
            tracing::error!(
                trace = Some("4bf9"),
                span = Some("00f0"),
                trace_sampled = true,
                labels.code = "timeout",
                httpRequest.status = 504_u16,
                httpRequest.latency = "0.280000s",
                "request failed"
            );
        };
        let expected = |trace: &str| {
            json!({
                "severity": "ERROR", "target": module_path!(), "message": "request failed",
                "logging.googleapis.com/trace": trace, "logging.googleapis.com/spanId": "00f0",
                "logging.googleapis.com/trace_sampled": true,
                "logging.googleapis.com/labels": { "code": "timeout" },
                "httpRequest": { "status": 504, "latency": "0.280000s" },
            })
        };
        check(Some("p-1"), log, &expected("projects/p-1/traces/4bf9"));
        check(None, log, &expected("4bf9"));
    }

    #[test]
    fn missing_values_are_left_out() {
        check(
            None,
            || tracing::info!(trace = None::<&str>, span = None::<&str>, "listening"),
            &json!({ "severity": "INFO", "target": module_path!(), "message": "listening" }),
        );
    }
}
