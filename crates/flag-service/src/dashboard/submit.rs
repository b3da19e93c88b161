//! Answers the forms of changes: checks who sent them and on what, carries them out, and sends the browser to the flag.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use flag_describe::is_typed;
use flag_model::{FlagKey, OwnerId, RevisionParts, Timestamp, with_causes};
use maud::Markup;
use tokio::time::timeout;
use tracing::warn;

use super::answer::{DEADLINE, Dashboard};
use super::change::{FlagState, Kind, NextRevision, NotAppended, Wanted, append, next_revision};
use super::error::PageError;
use super::pages::{self, ChangePage, Missing};
use super::query::{Query, flag_link};
use super::request::PageRequest;
use super::response;
use super::sign_in::is_of_another_site;
use super::sources::Sources;
use crate::http::{ApiError, RequestContext, read_form};

/// The largest form.
const MAX: usize = 64 << 10;

/// How long the browser waits until the replica itself serves the change.
const SERVED_WITHIN: Duration = Duration::from_millis(500);

/// What became of a form.
#[derive(Debug)]
enum SubmitResult {
    /// The revision made at this time makes the change.
    Done(FlagKey, Timestamp),
    /// The form is offered again, as something is missing.
    Incomplete(Markup),
    /// The form is offered again, as the flag has changed since it was shown.
    Changed(Markup),
}

/// Answers the form of a change.
pub(super) async fn submit(
    context: &RequestContext,
    body: Payload,
    dashboard: &Dashboard,
) -> Result<Result<HttpResponse, PageError>, ApiError> {
    if is_of_another_site(context) {
        return Ok(Err(PageError::OtherSite));
    }
    let held_bytes = context.state.limits.new_held_bytes_counter();
    let form = Query::parse(&read_form(&context.request, body, MAX, held_bytes).await?);
    let answer = change(context, dashboard, &form).await;
    Ok(Ok(match answer {
        Ok(SubmitResult::Done(flag, made)) => {
            let done = made.to_string().replace(' ', "T");
            let to = format!("{}&done={done}", flag_link(&flag));
            response::see_other(&to, None)
        }
        Ok(SubmitResult::Incomplete(page)) => response::again(false, page),
        Ok(SubmitResult::Changed(page)) => response::again(true, page),
        Err(error) => {
            let identity = context.authorization.identity();
            let settings = &dashboard.sources().settings;
            let page = pages::refused(&error, &form, identity.as_ref(), settings);
            response::error(&error, page)
        }
    }))
}

/// Checks that the caller may do it, and that the form is of its session; then carries it out on the thread of the dashboard.
async fn change(
    context: &RequestContext,
    dashboard: &Dashboard,
    form: &Query,
) -> Result<SubmitResult, PageError> {
    let sources = dashboard.sources();
    let request = PageRequest::new(context, "/change", form.clone())?;
    let viewer = &request.viewer;
    let flag = form.flag()?;
    pages::check_may_change(&sources.settings, viewer, &flag)?;
    let editor = viewer.editor()?;
    let (wanted, base) = wanted(form)?;
    let (sent, purpose) = (form.get("token"), wanted.purpose(&flag, base));
    let tokens = request.form_tokens.as_ref();
    if !tokens.is_some_and(|tokens| tokens.is_token(sent, &purpose)) {
        return Err(PageError::OtherSession);
    }
    let sources = sources.clone();
    dashboard
        .change(async move {
            let submitted = Submitted {
                sources: &sources,
                request: &request,
                flag,
                wanted,
                base,
                editor,
            };
            submitted.carry_out().await
        })
        .await
}

/// A form of somebody who may send it.
struct Submitted<'a> {
    sources: &'a Sources,
    request: &'a PageRequest,
    flag: FlagKey,
    wanted: Wanted,
    /// The newest revision when the form was shown.
    base: Timestamp,
    editor: OwnerId,
}

/// What a form wants, and the newest revision when it was shown.
fn wanted(form: &Query) -> Result<(Wanted, Timestamp), PageError> {
    let wanted = Wanted::of(Kind::of(form)?, form)?;
    let wanted = wanted.ok_or_else(|| PageError::Invalid("Choose first.".to_owned()))?;
    let base = Timestamp::parse(form.get("base"));
    let base = base.map_err(|error| PageError::Invalid(format!("base: {error}")))?;
    Ok((wanted, base))
}

impl Submitted<'_> {
    async fn carry_out(&self) -> Result<SubmitResult, PageError> {
        let state = self.read().await?;
        let has_changed = state.newest_created() != Some(self.base);
        // The change of a form that was sent twice is made on what was shown.
        let shown = has_changed.then(|| state.as_of(self.base));
        let next = next_revision(shown.as_ref().unwrap_or(&state), &self.wanted).ok();
        let next = next.map(|next| (self.missing(&next), self.parts(next)));
        if let Some((_, parts)) = &next
            && let Some(before) = state.made_before(self.base, parts)
        {
            return Ok(SubmitResult::Done(self.flag.clone(), before.created()));
        }
        match next {
            _ if has_changed => self.changed(&state).await,
            Some((Missing::NOTHING, parts)) => self.append(parts).await,
            missing => {
                let missing = missing.map_or(Missing::NOTHING, |(missing, _)| missing);
                Ok(SubmitResult::Incomplete(self.page(&state, missing).await?))
            }
        }
    }

    async fn append(&self, parts: RevisionParts) -> Result<SubmitResult, PageError> {
        match append(&self.sources.store, self.base, parts).await {
            Ok(made) => {
                self.note(made).await;
                Ok(SubmitResult::Done(self.flag.clone(), made))
            }
            Err(NotAppended::Changed) => self.changed(&self.read().await?).await,
            Err(NotAppended::Claimed) => Err(PageError::Claimed),
            Err(NotAppended::Refused(why)) => Err(PageError::Refused(why)),
            Err(NotAppended::Store(error)) if error.is_transient() => Err(error.into()),
            Err(NotAppended::Store(error)) => {
                let (flag, problem) = (&self.flag, with_causes(&error));
                warn!(%flag, problem, "flag cannot be changed on the dashboard");
                Err(PageError::WriteRefused)
            }
            Err(NotAppended::Unknown) => Err(PageError::NotKnown),
        }
    }

    fn parts(&self, next: NextRevision) -> RevisionParts {
        RevisionParts {
            comment: self.comment(),
            owner: Some(self.editor.clone()),
            ..next.revision.into_parts()
        }
    }

    fn missing(&self, next: &NextRevision) -> Missing {
        let wants_name = next.wants_name(&self.sources.settings.environment);
        let confirmed = self.request.query.get("confirm");
        Missing {
            comment: self.comment().is_empty(),
            name: wants_name && !is_typed(self.flag.name.as_str(), confirmed),
        }
    }

    /// The comment, without the line ends of browsers.
    fn comment(&self) -> String {
        let comment = self.request.query.get("comment").replace("\r\n", "\n");
        comment.trim().to_owned()
    }

    async fn read(&self) -> Result<FlagState, PageError> {
        let (store, flag) = (&self.sources.store, self.flag.clone());
        let reading = FlagState::read(store, flag, self.wanted.target());
        let reading = timeout(DEADLINE, reading).await;
        Ok(reading.map_err(|_| PageError::Late)??)
    }

    async fn changed(&self, state: &FlagState) -> Result<SubmitResult, PageError> {
        Ok(SubmitResult::Changed(
            self.page(state, Missing::NOTHING).await?,
        ))
    }

    async fn page(&self, state: &FlagState, missing: Missing) -> Result<Markup, PageError> {
        let page = ChangePage::new(self.sources, self.request, state, self.wanted.kind());
        page.after(self.base, missing).render().await
    }

    /// Has this replica show and serve the change at once.
    async fn note(&self, made: Timestamp) {
        let flag = &self.flag;
        self.sources.listings.note_change(&flag.project);
        let reading = self.request.state.flags.read_appended(flag, made);
        let _ = timeout(SERVED_WITHIN, reading).await;
    }
}
