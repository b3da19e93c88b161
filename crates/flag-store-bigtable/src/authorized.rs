//! A channel whose requests carry an access token, and whose errors explain what is wrong with a certificate.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use flag_store::{BoxError, BoxFuture};
use http_body_util::BodyExt as _;
use rustls::CertificateError;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::connect_error::Explained;
use crate::endpoint::Api;
use crate::settings::BigtableSettings;
use crate::tokens::Tokens;

/// A channel to Bigtable; without tokens to an emulator.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    channel: Channel,
    tokens: Option<Arc<Tokens>>,
    peer: Arc<Peer>,
}

#[derive(Debug)]
struct Peer {
    host: String,
    ca_file: Option<PathBuf>,
}

impl Authorized {
    /// Adds one of these tokens to every request on the channel.
    pub(crate) fn new(
        channel: Channel,
        tokens: Option<Arc<Tokens>>,
        (api, settings): (Api, &BigtableSettings),
    ) -> Self {
        let peer = Arc::new(Peer {
            host: api.host(settings),
            ca_file: settings.ca_file.clone(),
        });
        Self {
            channel,
            tokens,
            peer,
        }
    }
}

impl Service<Request<Body>> for Authorized {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let ready = self.channel.poll_ready(context);
        ready.map_err(|error| self.peer.explain(error.into()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The channel that was found ready takes the request, its clone waits for the next one.
        let next = self.channel.clone();
        let mut channel = std::mem::replace(&mut self.channel, next);
        let (tokens, peer) = (self.tokens.clone(), Arc::clone(&self.peer));
        Box::pin(async move {
            let explain = |error: tonic::transport::Error| peer.explain(error.into());
            let Some(tokens) = tokens else {
                return channel.call(request).await.map_err(explain);
            };
            let token = tokens.header().await?;
            request.headers_mut().insert(AUTHORIZATION, token.clone());
            let response = channel.call(request).await.map_err(explain)?;
            if response.status() == StatusCode::UNAUTHORIZED
                || is_unauthenticated(response.headers())
            {
                tokens.refused(&token);
                return Ok(response);
            }
            Ok(response.map(|body| watch_trailers(body, tokens, token)))
        })
    }
}

/// Whether these headers or trailers refuse the token.
fn is_unauthenticated(headers: &HeaderMap) -> bool {
    let status = Status::from_header_map(headers);
    status.is_some_and(|status| status.code() == Code::Unauthenticated)
}

/// The same body; a token that its trailers refuse is replaced.
fn watch_trailers(body: Body, tokens: Arc<Tokens>, token: HeaderValue) -> Body {
    Body::new(body.map_frame(move |frame| {
        if frame.trailers_ref().is_some_and(is_unauthenticated) {
            tokens.refused(&token);
        }
        frame
    }))
}

impl Peer {
    fn explain(&self, error: BoxError) -> BoxError {
        let explained = tls_error(&*error).and_then(|error| self.explained(error));
        explained.map_or(error, |text| Box::new(Explained(text)))
    }

    fn explained(&self, error: &rustls::Error) -> Option<String> {
        let host = &self.host;
        match error {
            rustls::Error::InvalidCertificate(error) => Some(self.invalid(error)),
            rustls::Error::InvalidMessage(_) => Some(format!(
                "{host} does not speak TLS: correct FLAG_BIGTABLE_ENDPOINT; an emulator is named by BIGTABLE_EMULATOR_HOST"
            )),
            _ => None,
        }
    }

    fn invalid(&self, error: &CertificateError) -> String {
        let host = &self.host;
        match (error, &self.ca_file) {
            (CertificateError::UnknownIssuer, Some(file)) => format!(
                "the certificate of {host} is not from an authority in {}: put its authority into that file, or name \
                 another with FLAG_BIGTABLE_CA_FILE",
                file.display()
            ),
            (CertificateError::UnknownIssuer, None) => format!(
                "the certificate of {host} is not from an authority that this system trusts: name a file with its \
                 authority with FLAG_BIGTABLE_CA_FILE"
            ),
            (
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                _,
            ) => format!(
                "{host} has the certificate of another host ({error}): correct FLAG_BIGTABLE_ENDPOINT, or its certificate"
            ),
            _ => format!(
                "the certificate of {host} is not valid ({error}): renew it, or correct this machine's clock"
            ),
        }
    }
}

/// The TLS error among the causes.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = inner.or_else(|| error.downcast_ref::<rustls::Error>()) {
            return Some(tls);
        }
        cause = error.source();
    }
    None
}
