//! The answer: measured and hashed first, then sent.

use std::hash::{BuildHasher as _, Hasher as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use flag_api::OfrepFailure;
use flag_model::{FlagKey, InstanceId, ProjectName};
use flag_runtime::{CacheError, ServedPlan};
use foldhash::quality::FixedState;

use super::entity_tag::EntityTag;
use crate::handlers::evaluation::decide;
use crate::handlers::ofrep::item::{self, Evaluated};
use crate::http::{ApiError, AppState, BulkExposures, error_code};
use crate::telemetry::metrics::DecisionCounts;

/// Bytes that are written at once, and about the most that stay in memory between hashing and sending.
const PIECE: usize = 64 << 10;

/// Bytes of a piece that are left for the item that fills it; only long values need more.
const ROOM: usize = 1 << 10;

/// The same in every replica, whose tags must be equal.
const SEED: FixedState = FixedState::with_seed(0);

const BEGIN: &[u8] = b"{\"flags\":[";

/// One flag of the answer.
#[derive(Debug)]
pub(super) enum Item {
    /// Its revision in force.
    Flag {
        /// What stands before its name in its key.
        prefix: &'static str,
        plan: ServedPlan,
    },
    /// Why it has no value, encoded.
    Failure(Vec<u8>),
}

impl Item {
    /// A flag that cannot be served.
    pub(super) fn failure(prefix: &str, flag: &FlagKey, error: CacheError) -> Self {
        let error = ApiError::from(error);
        let (code, detail) = error.describe();
        let failure = OfrepFailure {
            key: Some(format!("{prefix}{}", flag.name).into()),
            error_code: error_code(&error, code),
            error_details: detail.into(),
        };
        Self::Failure(serde_json::to_vec(&failure).unwrap_or_default())
    }
}

/// An answer that can be written any number of times, each time with the same bytes.
#[derive(Debug)]
pub(super) struct BulkAnswer {
    state: Data<AppState>,
    project: ProjectName,
    instance: InstanceId<'static>,
    items: Vec<Item>,
    /// What follows the flags.
    end: String,
}

/// The size and the hash of an answer, and its decisions.
#[derive(Debug)]
pub(super) struct Measured {
    size: usize,
    hash: u64,
    decisions: DecisionCounts,
    /// The answer, if it is small.
    whole: Option<Vec<u8>>,
}

impl Measured {
    /// Returns the size of the answer, in bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns its entity tag.
    pub(super) fn entity_tag(&self) -> EntityTag {
        EntityTag::of(self.hash)
    }
}

impl BulkAnswer {
    pub(super) fn new(
        state: Data<AppState>,
        (project, instance): (ProjectName, InstanceId<'static>),
        items: Vec<Item>,
        streams: Option<String>,
    ) -> Self {
        let streams = streams.map_or_else(String::new, |streams| format!(",{streams}"));
        Self {
            state,
            project,
            instance,
            items,
            end: format!("]{streams}}}"),
        }
    }

    /// Measures and hashes the answer: its bytes, and for whom it is.
    pub(super) fn measure(&self) -> Measured {
        let mut hasher = SEED.build_hasher();
        for text in [self.project.as_str(), self.instance.as_str()] {
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
        let mut piece = Vec::with_capacity(PIECE);
        let mut decisions = DecisionCounts::default();
        let (mut size, mut next) = (0, 0);
        while self.write_piece(&mut piece, &mut next, &mut decisions) {
            hasher.write(&piece);
            size += piece.len();
            piece.clear();
        }
        hasher.write(&piece);
        let is_whole = size == 0;
        size += piece.len();
        Measured {
            size,
            hash: hasher.finish(),
            decisions,
            whole: is_whole.then_some(piece),
        }
    }

    /// Counts the decisions, and logs them if the settings say so.
    pub(super) async fn record(
        &self,
        measured: &Measured,
        request_id: &str,
    ) -> Result<(), ApiError> {
        if self.state.ofrep.bulk_exposures == BulkExposures::Delivered {
            self.log(request_id).await?;
        }
        self.state.metrics.decisions.count_all(measured.decisions);
        Ok(())
    }

    async fn log(&self, request_id: &str) -> Result<(), ApiError> {
        let exposures = &self.state.exposures;
        for item in &self.items {
            let Item::Flag { plan, .. } = item else {
                continue;
            };
            let decision = decide(&self.state, &self.instance, plan);
            let logged = exposures.record_delivered(request_id, &self.instance, &decision, plan);
            if let Err(later) = logged {
                let _handled = later.wait().await?;
            }
        }
        Ok(())
    }

    /// Returns the response: the bytes that were measured, or a body that writes them again.
    pub(super) fn send(self, measured: Measured) -> HttpResponse {
        let body = match measured.whole {
            Some(whole) => BoxBody::new(whole),
            None => BoxBody::new(Pieces {
                size: measured.size,
                next: 0,
                is_done: false,
                answer: self,
            }),
        };
        HttpResponse::with_body(StatusCode::OK, body)
    }

    /// Writes items from `next` on until the piece is full, and adds their decisions; returns whether more follows.
    fn write_piece(
        &self,
        piece: &mut Vec<u8>,
        next: &mut usize,
        decisions: &mut DecisionCounts,
    ) -> bool {
        if *next == 0 {
            piece.extend_from_slice(BEGIN);
        }
        while let Some(item) = self.items.get(*next) {
            if piece.len() >= PIECE - ROOM {
                return true;
            }
            if *next > 0 {
                piece.push(b',');
            }
            self.write_item(piece, item, decisions);
            *next += 1;
        }
        piece.extend_from_slice(self.end.as_bytes());
        false
    }

    fn write_item(&self, piece: &mut Vec<u8>, item: &Item, decisions: &mut DecisionCounts) {
        match item {
            Item::Failure(json) => piece.extend_from_slice(json),
            Item::Flag { prefix, plan } => {
                let decision = decide(&self.state, &self.instance, plan);
                decisions.add(decision.reason);
                let evaluated = Evaluated {
                    prefix,
                    key: plan.flag().name.as_str(),
                    decision: &decision,
                    plan,
                    source: plan.source,
                };
                item::success(piece, evaluated, self.state.ofrep.control_reason);
            }
        }
    }
}

/// The body of a large answer, written piece by piece.
#[derive(Debug)]
struct Pieces {
    size: usize,
    next: usize,
    is_done: bool,
    answer: BulkAnswer,
}

impl MessageBody for Pieces {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let mut piece = Vec::with_capacity(PIECE);
        let mut next = self.next;
        let mut counted_before = DecisionCounts::default();
        self.is_done = !self
            .answer
            .write_piece(&mut piece, &mut next, &mut counted_before);
        self.next = next;
        Poll::Ready(Some(Ok(piece.into())))
    }
}
