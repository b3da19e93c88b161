//! Answers the forms of changes: checks who sent them and on what, carries them out, and sends the browser to the flag.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use flag_model::{FlagKey, OwnerId, RevisionParts, Timestamp, with_causes};
use maud::Markup;
use tokio::time::timeout;
use tracing::{info, warn};

use super::answer::{DEADLINE, Dashboard};
use super::change::{FlagState, Kind, NotAppended, Wanted, append, plan};
use super::error::PageError;
use super::pages::{self, ChangePage, Missing};
use super::query::{Query, flag_link};
use super::request::PageRequest;
use super::response;
use super::sign_in::is_of_another_site;
use super::sources::Sources;
use crate::http::{ApiError, RequestContext, read_form};

/// The largest form.
const MOST: usize = 64 << 10;

/// How long the browser waits until the replica itself serves the change.
const SERVED_WITHIN: Duration = Duration::from_millis(500);

/// What became of a form.
#[derive(Debug)]
enum Answer {
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
    let held = context.state.limits.new_held_bytes();
    let form = Query::parse(&read_form(&context.request, body, MOST, held).await?);
    let answer = change(context, dashboard, &form).await;
    Ok(Ok(match answer {
        Ok(Answer::Done(flag, made)) => {
            let done = made.to_string().replace(' ', "T");
            let to = format!("{}&done={done}", flag_link(&flag));
            response::see_other(&to, None)
        }
        Ok(Answer::Incomplete(page)) => response::again(false, page),
        Ok(Answer::Changed(page)) => response::again(true, page),
        Err(error) => {
            let page = pages::refused(&error, &form, &dashboard.sources().settings);
            response::error(&error, page)
        }
    }))
}

/// Checks that the caller may do it, and that the form is of its session; then carries it out on the thread of the dashboard.
async fn change(
    context: &RequestContext,
    dashboard: &Dashboard,
    form: &Query,
) -> Result<Answer, PageError> {
    let sources = dashboard.sources();
    let request = PageRequest::new(context, "/change", form.clone())?;
    let viewer = &request.viewer;
    let flag = form.flag()?;
    pages::check_may_change(&sources.settings, viewer, &flag)?;
    if !viewer.has_sent(context.request.headers(), form.get("token")) {
        return Err(PageError::OtherSession);
    }
    let editor = viewer.editor().ok_or(PageError::NotSignedIn)?;
    let sources = sources.clone();
    dashboard
        .make(async move { carry_out(&sources, &request, flag, editor).await })
        .await
}

async fn carry_out(
    sources: &Sources,
    request: &PageRequest,
    flag: FlagKey,
    editor: OwnerId,
) -> Result<Answer, PageError> {
    let form = &request.query;
    let kind = Kind::of(form)?;
    let wanted = Wanted::of(kind, form)?;
    let wanted = wanted.ok_or_else(|| PageError::Invalid("Choose first.".to_owned()))?;
    let base = Timestamp::parse(form.get("base"));
    let base = base.map_err(|error| PageError::Invalid(format!("base: {error}")))?;
    let state = read(sources, flag.clone()).await?;
    let page = async |state: &FlagState, missing| {
        let page = ChangePage::new(sources, request, state, kind);
        page.after(base, missing).render().await
    };
    let has_changed = state.newest_made() != Some(base);
    let Ok(planned) = plan(&state.as_of(base), &wanted) else {
        let page = page(&state, Missing::default()).await?;
        return Ok(if has_changed {
            Answer::Changed(page)
        } else {
            Answer::Incomplete(page)
        });
    };
    let wants_name = planned.wants_name(&sources.settings.environment);
    let missing = Missing {
        comment: comment(form).is_empty(),
        name: wants_name && form.get("confirm") != flag.name.as_str(),
    };
    let parts = RevisionParts {
        comment: comment(form),
        owner: Some(editor),
        ..planned.next.into_parts()
    };
    // The form was sent twice.
    if let Some(before) = state.made_before(base, &parts) {
        return Ok(Answer::Done(flag, before.created()));
    }
    if has_changed {
        return Ok(Answer::Changed(page(&state, Missing::default()).await?));
    }
    if missing != Missing::default() {
        return Ok(Answer::Incomplete(page(&state, missing).await?));
    }
    match append(&sources.store, base, parts).await {
        Ok(made) => {
            note(sources, request, &flag, made).await;
            Ok(Answer::Done(flag, made))
        }
        Err(NotAppended::Changed) => {
            let state = read(sources, flag.clone()).await?;
            Ok(Answer::Changed(page(&state, Missing::default()).await?))
        }
        Err(NotAppended::Claimed) => Err(PageError::Claimed),
        Err(NotAppended::Refused(why)) => Err(PageError::Refused(why)),
        Err(NotAppended::Store(error)) if error.is_transient() => Err(error.into()),
        Err(NotAppended::Store(error)) => {
            warn!(%flag, problem = %with_causes(&error), "flag cannot be changed on the dashboard");
            Err(PageError::WriteRefused)
        }
        Err(NotAppended::Unknown) => Err(PageError::NotKnown),
    }
}

async fn read(sources: &Sources, flag: FlagKey) -> Result<FlagState, PageError> {
    let reading = timeout(DEADLINE, FlagState::read(&sources.store, flag));
    Ok(reading.await.map_err(|_| PageError::Late)??)
}

/// The comment of a form, without the line ends of browsers.
fn comment(form: &Query) -> String {
    let comment = form.get("comment").replace("\r\n", "\n");
    comment.trim().to_owned()
}

/// Has this replica show and serve the change at once.
async fn note(sources: &Sources, request: &PageRequest, flag: &FlagKey, made: Timestamp) {
    info!(%flag, revision = %made, "flag changed on the dashboard");
    sources.listings.note_change(&flag.project);
    let reading = request.state.flags.read_appended(flag, made);
    let _ = timeout(SERVED_WITHIN, reading).await;
}
