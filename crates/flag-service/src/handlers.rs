//! The handlers, and which route each answers.
mod docs;
mod evaluation;
mod events;
mod explain;
mod get_feature_flag;
mod json_text;
mod log_feature_flag;
mod metrics;
mod ofrep;
mod openapi;
mod probes;
mod registration;

use actix_web::web::ServiceConfig;

use self::docs::docs;
use self::events::{dashboard_events, events};
use self::explain::explain;
use self::get_feature_flag::get_feature_flag;
use self::log_feature_flag::log_feature_flag;
use self::metrics::metrics;
use self::ofrep::{evaluate_flag, evaluate_flags, events as ofrep_events};
use self::openapi::openapi;
use self::probes::{livez, readyz};
use self::registration::{handle, handle_body, handle_others};
use crate::dashboard::{assets, dashboard};
use crate::http::{Route, not_found};

/// Registers the handler of every route.
pub(crate) fn register(app: &mut ServiceConfig) {
    handle(app, Route::GetFeatureFlag, get_feature_flag);
    handle_body(app, Route::LogFeatureFlag, log_feature_flag);
    handle_body(app, Route::OfrepFlag, evaluate_flag);
    handle_body(app, Route::OfrepFlags, evaluate_flags);
    handle(app, Route::OfrepEvents, ofrep_events);
    handle(app, Route::Livez, livez);
    handle(app, Route::Readyz, readyz);
    handle(app, Route::Metrics, metrics);
    handle(app, Route::OpenApi, openapi);
    handle(app, Route::Docs, docs);
    handle(app, Route::Events, events);
    handle(app, Route::Explain, explain);
    handle(app, Route::DashboardAssets, assets);
    handle(app, Route::DashboardEvents, dashboard_events);
    // Last of them, as it takes all other paths below.
    handle_body(app, Route::Dashboard, dashboard);
    handle_others(app, not_found);
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::http::Method;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::Data;

    use super::*;
    use crate::dashboard::Dashboard;
    use crate::http::AppState;
    use crate::telemetry::metrics::Exposition;

    /// Returns how many requests were counted for a route.
    fn counted(state: &AppState, route: Route) -> u32 {
        let text = state.metrics.text(Exposition::Prometheus).unwrap();
        let prefix = format!("flag_requests_total{{route=\"{}\",", route.path());
        let lines = text.lines().filter(|line| line.starts_with(&prefix));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
            .sum()
    }

    #[tokio::test]
    async fn every_route_is_registered_under_its_label() {
        let state = Data::new(AppState::for_tests());
        let dashboard = Data::new(Dashboard::for_tests());
        let app = App::new().app_data(state.clone()).app_data(dashboard);
        let app = app.configure(register);
        let app = init_service(app).await;
        for route in Route::ALL {
            let (mut paths, mut methods) = (route.path_patterns(), route.methods().to_vec());
            // There is no page at other paths of the dashboard, though they are its own.
            paths.retain(|path| !path.contains("{other"));
            if *route == Route::Unknown {
                paths.push("/another/path".to_owned());
            }
            // Not every page takes a form.
            methods.retain(|method| *route != Route::Dashboard || method != Method::POST);
            methods.push(Method::PATCH);
            let mut sent = 0;
            if *route == Route::Preflight {
                continue; // It shares the paths of others.
            }
            for path in &paths {
                for method in &methods {
                    let request = TestRequest::with_uri(path).method(method.clone());
                    let response = call_service(&app, request.to_request()).await;
                    let is_taken = response.status() != 405 && response.status() != 404;
                    let expected = method != Method::PATCH && *route != Route::Unknown;
                    assert_eq!(is_taken, expected, "{method} {path}");
                    sent += 1;
                }
            }
            assert_eq!(counted(&state, *route), sent, "{route:?}");
        }
    }

    #[tokio::test]
    async fn a_page_of_the_dashboard_beyond_its_limit_is_refused_at_once() {
        let dashboard = Data::new(Dashboard::for_tests());
        let app = App::new().app_data(Data::new(AppState::for_tests()));
        let app = app.app_data(dashboard.clone()).configure(register);
        let app = init_service(app).await;
        for (room, expected) in [(0, 503), (1, 200)] {
            let _taken = dashboard.leave_room_for(room);
            let request = TestRequest::with_uri("/dashboard").to_request();
            assert_eq!(call_service(&app, request).await.status(), expected);
        }
    }
}
