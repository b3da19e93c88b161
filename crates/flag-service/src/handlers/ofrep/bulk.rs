//! `POST …/ofrep/v1/evaluate/flags`: the values of all flags of a project.
//!
//! The answer is written twice if it is large: once to hash it for its `ETag`, and once to send it, piece by piece; so no large answer
//! is in memory as a whole.
mod answer;
mod entity_tag;
#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, ETAG};
use actix_web::web::Payload;
use flag_model::{FlagKey, FlagType};
use flag_runtime::{CacheError, FlagKeyRef, ServedPlan};
use futures_util::{StreamExt as _, stream};

use self::answer::{BulkAnswer, Item};
use self::entity_tag::EntityTag;
use super::events;
use super::key::prefix;
use super::request::read_instance;
use crate::handlers::get_feature_flag::JSON;
use crate::http::{ApiError, RequestContext};

/// The most flags that one answer reads from the store at once.
const CONCURRENT_READS: usize = 16;

/// Answers `POST …/ofrep/v1/evaluate/flags`.
pub(in crate::handlers) async fn evaluate_flags(
    context: &RequestContext,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let state = &context.state;
    let project = context.project()?;
    context.check_project(&project)?;
    let instance = read_instance(context, body).await?;
    let flags = state.flags.flag_keys_of(&project).await;
    let flags = flags.map_err(|error| ApiError::Project(project.clone(), error))?;
    let flags = flags.get(..state.ofrep.max_flags).unwrap_or(&flags);
    let items = look_up_all(context, flags).await?;
    let streams = events::field(context, &project);
    let answer = BulkAnswer::new(state.clone(), (project, instance), items, streams);
    let measured = answer.measure();
    let tag = measured.entity_tag();
    if tag.is_in(context.request.headers()) {
        return Ok(not_modified(&tag));
    }
    answer.record(&measured, context.id.as_str()).await?;
    let mut response = answer.send(measured);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ETAG, tag.to_header());
    Ok(response)
}

fn not_modified(tag: &EntityTag) -> HttpResponse {
    let mut response = HttpResponse::NotModified().finish();
    response.headers_mut().insert(ETAG, tag.to_header());
    response
}

/// Looks all flags up, in their order; those that are gone are left out. An error if no flag can be served, as the store failed.
async fn look_up_all(context: &RequestContext, flags: &[FlagKey]) -> Result<Vec<Item>, ApiError> {
    let cache = &context.state.flags;
    let mut found: Vec<Option<Result<ServedPlan, CacheError>>> = flags
        .iter()
        .map(|flag| {
            cache
                .get_fresh(FlagKeyRef::from(flag), context.began)
                .map(Ok)
        })
        .collect();
    let missing: Vec<usize> = (0..found.len())
        .filter(|at| found.get(*at).is_some_and(Option::is_none))
        .collect();
    cache.count_hits(u64::try_from(found.len() - missing.len()).unwrap_or_default());
    let mut reads = stream::iter(missing)
        .map(|at| async move {
            let flag = flags.get(at)?;
            Some((at, cache.get_or_read(flag).await))
        })
        .buffer_unordered(CONCURRENT_READS);
    while let Some(read) = reads.next().await {
        if let Some((at, result)) = read
            && let Some(found) = found.get_mut(at)
        {
            *found = Some(result);
        }
    }
    drop(reads);
    fail_if_none(&mut found)?;
    Ok(items(flags, found))
}

/// An error if there are flags, and the store failed for all of them.
fn fail_if_none(found: &mut [Option<Result<ServedPlan, CacheError>>]) -> Result<(), ApiError> {
    let has_failed = |result: &Option<_>| matches!(result, Some(Err(CacheError::Store { .. })));
    match found.first_mut() {
        Some(first) if has_failed(first) => {}
        _ => return Ok(()),
    }
    if !found.iter().all(has_failed) {
        return Ok(());
    }
    match found.first_mut().and_then(Option::take) {
        Some(Err(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

fn items(flags: &[FlagKey], found: Vec<Option<Result<ServedPlan, CacheError>>>) -> Vec<Item> {
    let mut items = Vec::with_capacity(flags.len());
    let mut feature_before = None;
    for (flag, found) in flags.iter().zip(found) {
        let is_shared = feature_before == Some(&flag.name);
        if flag.flag_type == FlagType::Feature {
            feature_before = Some(&flag.name);
        }
        let prefix = prefix(flag, is_shared);
        match found {
            Some(Ok(plan)) => items.push(Item::Flag { prefix, plan }),
            None | Some(Err(CacheError::NotFound(_))) => {}
            Some(Err(error)) => items.push(Item::failure(prefix, flag, error)),
        }
    }
    items
}
