//! The span of a request, in a trace by W3C Trace Context.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use flag_api::Code;
use flag_model::{FlagKey, Reason};
use flag_rollout::Decision;
use futures_util::FutureExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;

use super::Telemetry;

/// The response header with the trace of the request.
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The span of a request; empty if traces are off.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestSpan(Option<Box<Live>>);

#[derive(Clone, Debug)]
struct Live {
    context: Context,
    tracer: SdkTracer,
}

impl Telemetry {
    /// Begins the span of a request, in the trace of its caller if there is one.
    pub(crate) fn request_span(&self, request: &HttpRequest) -> RequestSpan {
        let live = self.traces.as_ref().map(|traces| {
            let tracer = traces.tracer.clone();
            let span = tracer
                .span_builder(method(request))
                .with_kind(SpanKind::Server)
                .with_start_time(SystemTime::now())
                .start_with_context(&tracer, &callers(request.headers()));
            Box::new(Live {
                context: Context::new().with_span(span),
                tracer,
            })
        });
        RequestSpan(live)
    }
}

impl RequestSpan {
    /// Returns the trace and span for log lines: those of the service, or else those of the caller.
    pub(crate) fn context(&self, request: &HttpRequest) -> SpanContext {
        match &self.0 {
            Some(live) => live.context.span().span_context().clone(),
            None => callers(request.headers()).span().span_context().clone(),
        }
    }

    /// Runs a read of a flag. It gets a child span if it waits, or if it ends at once with a result that `was_read` from the
    /// store.
    pub(crate) async fn in_read_span<T, E>(
        &self,
        read: impl Future<Output = Result<T, E>>,
        was_read: impl FnOnce(&T) -> bool,
        code_of: impl FnOnce(&E) -> Code,
    ) -> Result<T, E> {
        let Some(live) = &self.0 else {
            return read.await;
        };
        let Live { context, tracer } = &**live;
        let began = SystemTime::now();
        let mut read = std::pin::pin!(read);
        let mut at_once = read.as_mut().now_or_never();
        if let Some(answer) = at_once.take_if(|answer| !answer.as_ref().is_ok_and(was_read)) {
            return answer;
        }
        let span = tracer
            .span_builder("read flag")
            .with_kind(SpanKind::Client)
            .with_start_time(began)
            .start_with_context(tracer, context);
        let context = context.with_span(span);
        let read = match at_once {
            Some(read) => read,
            None => read.await,
        };
        if let Err(error) = &read {
            let code = code_of(error).as_str();
            context
                .span()
                .set_attribute(KeyValue::new("error.type", code));
            context.span().set_status(Status::error(code));
        }
        context.span().end();
        read
    }

    /// Notes a decision, without its instance.
    pub(crate) fn decided(&self, flag: &FlagKey, decision: &Decision<'_>) {
        let Some(live) = &self.0 else { return };
        let span = live.context.span();
        if !span.is_recording() {
            return;
        }
        let reason = match decision.reason {
            Reason::Override => "targeting_match",
            Reason::Rollout => "split",
            Reason::Control | Reason::Delivered => "default",
        };
        let variant = decision.rollout_group.to_owned();
        span.set_attribute(KeyValue::new("feature_flag.key", flag.to_string()));
        span.set_attribute(KeyValue::new("feature_flag.result.variant", variant));
        span.set_attribute(KeyValue::new("feature_flag.result.reason", reason));
    }

    /// Notes why the request failed.
    pub(crate) fn failed(&self, code: Code) {
        let Some(live) = &self.0 else { return };
        let span = live.context.span();
        span.set_attribute(KeyValue::new("error.type", code.as_str()));
    }

    /// Ends the span, and names it in the response. An unknown path has no route.
    pub(crate) fn end(
        &self,
        request: &HttpRequest,
        route: Option<&'static str>,
        id: &impl fmt::Display,
        response: &mut HttpResponse,
    ) {
        let Some(live) = &self.0 else { return };
        let span = live.context.span();
        if let Ok(value) = HeaderValue::try_from(to_header(span.span_context())) {
            response.headers_mut().insert(TRACE_RESPONSE, value);
        }
        if span.is_recording() {
            let status = response.status();
            if let Some(route) = route {
                span.update_name(format!("{} {route}", method(request)));
                span.set_attribute(KeyValue::new("http.route", route));
            }
            span.set_attribute(KeyValue::new("http.request.method", method(request)));
            let code = i64::from(status.as_u16());
            span.set_attribute(KeyValue::new("http.response.status_code", code));
            span.set_attribute(KeyValue::new("flag.request_id", id.to_string()));
            if status.is_server_error() {
                span.set_status(Status::error(""));
            }
        }
        span.end();
    }
}

/// Returns the trace context of the caller; empty if it is missing or invalid.
fn callers(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// Formats it for the headers `traceparent` and `traceresponse`.
fn to_header(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags()
    )
}

/// Returns the method if it is a known one, as names of spans must be few.
fn method(request: &HttpRequest) -> Cow<'static, str> {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    ];
    let found = request.method().as_str();
    let known = KNOWN.into_iter().find(|known| *known == found);
    Cow::Borrowed(known.unwrap_or("_OTHER"))
}

/// The headers of a request, for the propagator.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[track_caller]
    fn check(traceparent: &str, expected: Option<&str>) {
        let request = TestRequest::default()
            .insert_header(("traceparent", traceparent))
            .to_http_request();
        let found = RequestSpan::default().context(&request);
        let trace = found.trace_id().to_string();
        assert_eq!(
            found.is_valid().then_some(&*trace),
            expected,
            "{traceparent}"
        );
    }

    #[test]
    fn only_a_valid_trace_of_the_caller_is_used() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(&format!("00-{trace}-00f067aa0ba902b7-01"), Some(trace));
        check(&format!("00-{trace}-0000000000000000-01"), None);
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        );
        for broken in [
            "",
            "00",
            "A12345",
            &format!("ff-{trace}-00f067aa0ba902b7-01"),
        ] {
            check(broken, None);
        }
    }
}
