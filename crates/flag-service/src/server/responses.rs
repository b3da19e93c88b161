//! Follows each answer to its end, and sends it in pieces.

use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::{ConnectionType, Request};
use actix_service::{Service as _, ServiceFactory, apply_fn_factory};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::web::Bytes;

use crate::http::{ConnectionState, Phase};

/// The most bytes that actix-http gets at once. It copies them, so this limits its memory for a caller that does not read,
/// besides the answer itself, which may be shared.
pub(super) const PIECE: usize = 8 << 10;

/// Wraps the application so that connections learn when an answer begins and ends. The body of a request is dropped unless it
/// is a POST, as no other is read.
pub(super) fn track_answers<S>(
    app: S,
) -> impl ServiceFactory<
    Request,
    Config = S::Config,
    Response = ServiceResponse<ResponseBody>,
    Error = S::Error,
    InitError = S::InitError,
>
where
    S: ServiceFactory<Request, Response = ServiceResponse<BoxBody>>,
    S::Config: Clone,
{
    apply_fn_factory(app, |mut request: Request, app| {
        if request.method() != Method::POST {
            drop(request.take_payload());
        }
        let state = request.conn_data::<Rc<ConnectionState>>().cloned();
        if let Some(state) = &state {
            state.phase.set(Phase::Answering);
        }
        let answer = app.call(request);
        async move {
            match answer.await {
                Ok(response) => Ok(follow(response, state)),
                Err(error) => {
                    end(state.as_deref());
                    Err(error)
                }
            }
        }
    })
}

fn end(state: Option<&ConnectionState>) {
    if let Some(state) = state {
        state.unsent.set(0);
        state.phase.set(Phase::Answered);
    }
}

fn follow(
    mut response: ServiceResponse,
    state: Option<Rc<ConnectionState>>,
) -> ServiceResponse<ResponseBody> {
    if state.as_ref().is_some_and(|state| state.is_last_answer()) {
        let head = response.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    response.map_body(|_, body| ResponseBody {
        body,
        rest: Bytes::new(),
        state,
    })
}

/// The body of an answer. Its end is the end of the answer.
#[derive(Debug)]
pub(super) struct ResponseBody {
    body: BoxBody,
    /// The rest of the last part of the body, which is sent before the next part.
    rest: Bytes,
    state: Option<Rc<ConnectionState>>,
}

impl ResponseBody {
    fn piece(&mut self) -> Bytes {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        if let Some(state) = &self.state {
            state.unsent.set(self.rest.len());
        }
        piece
    }
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        match ready!(Pin::new(&mut self.body).poll_next(context)) {
            Some(Ok(bytes)) if bytes.len() > PIECE => {
                self.rest = bytes;
                Poll::Ready(Some(Ok(self.piece())))
            }
            next => Poll::Ready(next),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        end(self.state.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use actix_http::h1;
    use actix_service::map_config;
    use actix_web::dev::AppConfig;
    use actix_web::{App, HttpResponse, web};
    use futures_util::FutureExt as _;

    use super::*;

    /// Whether the body is kept while the request is being answered.
    async fn keeps_body(method: Method) -> bool {
        let answer = |body: web::Payload| async move {
            std::future::pending::<()>().await;
            drop(body);
            HttpResponse::Ok().finish()
        };
        let app = App::new().default_service(web::to(answer));
        let app = track_answers(map_config(app, |()| AppConfig::default()));
        let app = app.new_service(()).await.unwrap();
        let (sender, payload) = h1::Payload::create(false);
        let mut request = Request::with_payload(payload.into());
        request.head_mut().method = method;
        let mut answer = Box::pin(app.call(request));
        assert!(answer.as_mut().now_or_never().is_none());
        !sender.is_dropped()
    }

    #[tokio::test]
    async fn a_body_that_is_not_read_is_dropped() {
        assert!(keeps_body(Method::POST).await);
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            assert!(!keeps_body(method).await);
        }
    }
}
