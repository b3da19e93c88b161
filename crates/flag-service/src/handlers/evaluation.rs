//! Evaluates a flag for an instance: looks the flag up, decides, records the exposure. Every endpoint that serves a value decides here; the OFREP list
//! looks up and records many flags at once (`ofrep/bulk.rs`). What explains a decision records nothing, and is elsewhere.

use actix_web::HttpResponse;
use actix_web::http::Method;
use flag_model::{FlagKey, InstanceId};
use flag_rollout::{Decision, decide_with};
use flag_runtime::{ExposureHandled, ServedPlan, Source, WaitForRoom};

use crate::http::{ApiError, AppState, RequestContext};

/// Encodes a decision whose exposure was handled.
pub(super) trait Encode:
    Fn(&RequestContext, &InstanceId<'_>, &Decision<'_>, &ServedPlan) -> HttpResponse
{
}

impl<F> Encode for F where
    F: Fn(&RequestContext, &InstanceId<'_>, &Decision<'_>, &ServedPlan) -> HttpResponse
{
}

/// Returns the revision in force of a flag that may have to be read.
pub(super) async fn look_up(
    context: &RequestContext,
    flag: &FlagKey,
) -> Result<ServedPlan, ApiError> {
    let plan = context.state.flags.get_or_read(flag);
    let read = async { plan.await.map_err(ApiError::from) };
    let was_read = |plan: &ServedPlan| plan.source == Source::Store;
    context
        .span
        .in_read_span(read, was_read, ApiError::code)
        .await
}

/// Decides, records and encodes. Waits for room in the queue of exposures if the settings say so.
pub(super) async fn decide_and_respond(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    plan: &ServedPlan,
    encode: impl Encode,
) -> Result<HttpResponse, ApiError> {
    let decision = decide(&context.state, instance, plan);
    let handled = match record(context, instance, &decision, plan) {
        Ok(handled) => handled,
        // In a box, as it is rare and large, and the server moves this future.
        Err(wait) => Box::pin(wait.wait()).await?,
    };
    Ok(finish(context, instance, &decision, plan, handled, encode))
}

/// Decides what an instance receives.
pub(super) fn decide<'p>(
    state: &AppState,
    instance: &InstanceId<'_>,
    plan: &'p ServedPlan,
) -> Decision<'p> {
    let buckets = &state.buckets;
    decide_with(plan, instance, |scheme, instance| {
        buckets.bucket(scheme, instance)
    })
}

/// Records a decision, which queues its exposure, drops it, or leaves it out as a duplicate. An answer to a HEAD request is no
/// exposure.
fn record<'a>(
    context: &'a RequestContext,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    plan: &ServedPlan,
) -> Result<ExposureHandled, WaitForRoom<'a>> {
    if *context.request.method() == Method::HEAD {
        return Ok(ExposureHandled::NONE_NEEDED);
    }
    let exposures = &context.state.exposures;
    exposures.record(context.id.as_str(), instance, decision, plan)
}

/// Counts and traces a decision whose exposure was handled, and encodes it.
fn finish(
    context: &RequestContext,
    instance: &InstanceId<'_>,
    decision: &Decision<'_>,
    plan: &ServedPlan,
    _: ExposureHandled,
    encode: impl Encode,
) -> HttpResponse {
    context.state.metrics.decisions.count(decision.reason);
    context.span.decided(plan.flag(), decision);
    encode(context, instance, decision, plan)
}
