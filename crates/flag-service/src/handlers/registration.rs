//! Registers handlers, each inside [`respond`], with the paths and methods of its [`Route`].
//!
//! The only place that can register a handler, so none can skip admission, counting and tracing.

use actix_web::guard::{Guard, fn_guard};
use actix_web::http::Method;
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse};

use crate::http::{
    ApiError, RequestContext, Route, is_preflight, method_not_allowed, preflight, respond,
};

/// Registers a handler that reads no body.
pub(super) fn handle<H>(app: &mut ServiceConfig, route: Route, handler: H)
where
    H: AsyncFn(&RequestContext) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    register(app, route, &actix_handler(route, handler));
}

/// Registers a handler that reads the body.
pub(super) fn handle_body<H>(app: &mut ServiceConfig, route: Route, handler: H)
where
    H: AsyncFn(&RequestContext, Payload) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    let handler = move |context: RequestContext, body: Payload| {
        let handler = handler.clone();
        async move {
            let response = respond(&context, route, handler(&context, body)).await;
            for_other_origins(&context, route, response)
        }
    };
    register(app, route, &handler);
}

/// Registers the handler of all other paths.
pub(super) fn handle_others<H>(app: &mut ServiceConfig, handler: H)
where
    H: AsyncFn(&RequestContext) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    app.default_service(web::to(actix_handler(Route::Unknown, handler)));
}

fn actix_handler<H>(
    route: Route,
    handler: H,
) -> impl Handler<(RequestContext,), Output = HttpResponse>
where
    H: AsyncFn(&RequestContext) -> Result<HttpResponse, ApiError> + Clone + 'static,
{
    move |context: RequestContext| {
        let handler = handler.clone();
        async move {
            let response = respond(&context, route, handler(&context)).await;
            for_other_origins(&context, route, response)
        }
    }
}

/// Adds the headers that let pages of other origins read an answer, if there are any such origins.
fn for_other_origins(
    context: &RequestContext,
    route: Route,
    mut response: HttpResponse,
) -> HttpResponse {
    if let Some(cors) = &context.state.cors
        && (route.takes_other_origins() || route == Route::Preflight)
    {
        cors.add_headers(context.request.headers(), response.headers_mut());
    }
    response
}

/// Registers a handler under every path of its route; other methods are answered with an error.
fn register<F, Args>(app: &mut ServiceConfig, route: Route, handler: &F)
where
    F: Handler<Args, Output = HttpResponse>,
    Args: FromRequest + 'static,
{
    let other_method = async move |context: &RequestContext| method_not_allowed(context, route);
    for path in route.path_patterns() {
        let mut resource = web::resource(path).route(
            web::route()
                .guard(takes(route.methods()))
                .to(handler.clone()),
        );
        if route.takes_other_origins() {
            let asked = web::route().guard(fn_guard(is_preflight));
            resource = resource.route(asked.to(actix_handler(Route::Preflight, preflight)));
        }
        let resource = resource.default_service(web::to(actix_handler(route, other_method)));
        app.service(resource);
    }
}

/// Accepts requests with these methods. Cheaper than the guards of the framework, which also look for a method that another
/// part may have replaced.
fn takes(methods: &'static [Method]) -> impl Guard {
    fn_guard(move |request| methods.contains(&request.head().method))
}
