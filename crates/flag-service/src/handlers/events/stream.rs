//! An event stream: what is sent, and when it ends.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use flag_model::{Jitter, ProjectName};
use flag_runtime::Subscription;
use flag_store::ProjectDigest;
use futures_util::stream::unfold;
use futures_util::{FutureExt as _, Stream};
use tokio::time::{Instant, sleep_until};

use super::encoding::{self, Encoding};
use crate::access::{AccessRequirement, Principal};
use crate::http::{
    ApiError, AppState, ConnectionState, HEARTBEAT, RequestContext, StreamEnd, StreamPermit,
    begin_stream,
};

/// When a stream that was cut is opened again: at random, so that the callers of a replica that stops do not all come at
/// once.
const RETRY: Duration = Duration::from_millis(5_500);
const RETRY_JITTER: Jitter = Jitter::between(1.0 / 5.5, 10.0 / 5.5);

/// With each heartbeat the key is checked again.
const HEARTBEAT_JITTER: Jitter = Jitter::between(0.75, 1.25);

/// How long a stream is open: new replicas get their share of the callers.
const AGE: Duration = Duration::from_mins(10);
const AGE_JITTER: Jitter = Jitter::between(0.5, 1.5);

/// An open event stream.
pub(super) struct EventStream {
    subscription: Subscription,
    permit: StreamPermit,
    state: Data<AppState>,
    principal: Option<Principal>,
    requirement: AccessRequirement,
    project: ProjectName,
    connection: Option<Rc<ConnectionState>>,
    encoding: Encoding,
    /// Whether nothing was sent yet.
    is_new: bool,
    heartbeat: Instant,
    ends: Instant,
    /// Why it has ended, if it was not cut.
    end: Option<StreamEnd>,
}

impl EventStream {
    /// Opens the stream of an admitted request.
    pub(super) fn open(
        context: &RequestContext,
        requirement: AccessRequirement,
        project: ProjectName,
        last_event_digest: Option<ProjectDigest>,
        encoding: Encoding,
    ) -> Result<Self, ApiError> {
        let state = &context.state;
        let permit = state.limits.streams().acquire()?;
        let subscription = state
            .flags
            .events()
            .subscribe(&project, last_event_digest)?;
        let now = Instant::now();
        Ok(Self {
            subscription,
            permit,
            state: state.clone(),
            principal: context.authorization.principal().cloned(),
            requirement,
            project,
            connection: begin_stream(&context.request),
            encoding,
            is_new: true,
            heartbeat: now + HEARTBEAT_JITTER.apply(HEARTBEAT, fastrand::f64()),
            ends: now + AGE_JITTER.apply(AGE, fastrand::f64()),
            end: None,
        })
    }

    /// Returns its bytes.
    pub(super) fn into_bytes(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, async |mut stream| {
            let bytes = stream.next().await?;
            Some((Ok(bytes), stream))
        })
    }

    /// Waits for the next bytes; `None` at the end. No heartbeat comes before the first bytes.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let due = self.heartbeat.min(self.ends);
            tokio::select! {
                biased;
                // First, as the next event may always be there already.
                () = sleep_until(due) => {
                    let heartbeat = self.beat()?;
                    if !self.is_new {
                        return Some(heartbeat);
                    }
                }
                bytes = self.news() => return bytes,
            }
        }
    }

    /// Waits for the next event. Callers count a stream as good from its first byte, so first of all it waits until the
    /// replica knows the state of the project.
    async fn news(&mut self) -> Option<Bytes> {
        if self.is_new && self.subscription.wait_until_known().await {
            self.is_new = false;
            return Some(self.first());
        }
        match self.subscription.next().await {
            Some(event) => Some((self.encoding.event)(&event)),
            None => self.end(StreamEnd::Stop),
        }
    }

    /// Makes the first bytes: when to connect again, and at once the event of a caller that is not up to date.
    fn first(&mut self) -> Bytes {
        let retry = RETRY_JITTER.apply(RETRY, fastrand::f64());
        let beginning = encoding::beginning(retry, self.encoding.heartbeat);
        match self.subscription.next().now_or_never().flatten() {
            Some(event) => [beginning, (self.encoding.event)(&event)].concat().into(),
            None => beginning,
        }
    }

    /// Sends a heartbeat, if the stream goes on.
    fn beat(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        if now >= self.ends {
            return self.end(StreamEnd::Age);
        }
        let authenticator = &self.state.authenticator;
        let still_admits =
            |principal| authenticator.still_admits(principal, self.requirement, &self.project);
        if !self.principal.as_ref().is_some_and(still_admits) {
            return self.end(StreamEnd::Key);
        }
        self.heartbeat = now + HEARTBEAT_JITTER.apply(HEARTBEAT, fastrand::f64());
        Some(Bytes::from_static(self.encoding.heartbeat.as_bytes()))
    }

    fn end(&mut self, end: StreamEnd) -> Option<Bytes> {
        self.end = Some(end);
        None
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let is_cut = self
            .connection
            .as_ref()
            .is_some_and(|state| state.is_cut.get());
        let cut = if is_cut {
            StreamEnd::Slow
        } else {
            StreamEnd::Caller
        };
        self.permit.count_end(self.end.unwrap_or(cut));
    }
}
