//! Pages in dark colours, on paper, and for somebody who wants no motion.

use flag_tests::{Browser, Service, TestStore};
use serde_json::json;

use super::browser::{FLAG, LIST, browser};
use super::checks::check_no_complaint;

const WHITE: &str = "rgb(255, 255, 255)";

/// The colours of the ground and of the text.
fn colours(browser: &mut Browser) -> [String; 2] {
    ["backgroundColor", "color"].map(|property| {
        browser.text(&format!(
            "getComputedStyle(document.documentElement).{property}"
        ))
    })
}

/// How bright a colour is, from 0 to 765.
fn brightness(colour: &str) -> u32 {
    let parts = colour.split(|character: char| !character.is_ascii_digit());
    let parts = parts.filter(|part| !part.is_empty()).take(3);
    parts.map(|part| part.parse::<u32>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_follow_the_system_at_once() {
    let Some(mut browser) = browser("dark colours") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.prefer("dark");
    browser.goto(&format!("{}{FLAG}", service.url()));
    browser.eval("window.isSame = true");
    let first = browser.text("getComputedStyle(document.querySelector('.line .g0')).fill");
    for scheme in ["dark", "light", "dark"] {
        browser.prefer(scheme);
        let [ground, text] = colours(&mut browser);
        let is_dark = brightness(&ground) < 150 && brightness(&text) > 600;
        let is_light = ground == WHITE && brightness(&text) < 150;
        assert_eq!(
            (is_dark, is_light),
            (scheme == "dark", scheme == "light"),
            "{ground} {text}"
        );
        // What the browser draws itself, too.
        let field =
            browser.text("getComputedStyle(document.getElementById('instance')).backgroundColor");
        assert_eq!(field, ground);
    }
    browser.prefer("light");
    let other = browser.text("getComputedStyle(document.querySelector('.line .g0')).fill");
    assert_ne!(first, other, "a picture keeps its colours");
    assert_eq!(browser.eval("window.isSame"), json!(true));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_page_is_dark_on_white_and_has_no_forms() {
    let Some(mut browser) = browser("printing") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    let look_up = format!("{FLAG}&instance=A12345");
    for (page, shown) in [
        (LIST, &["h1", ".environment", "table.flags", ".split"][..]),
        (
            &look_up,
            &[
                "h1",
                ".environment",
                ".line",
                ".answer",
                ".timeline",
                ".command code",
            ],
        ),
    ] {
        browser.show_on("screen", &[("prefers-color-scheme", "dark")]);
        browser.goto(&format!("{}{page}", service.url()));
        let is_shown = |browser: &mut Browser, selector: &str| {
            browser.eval(&format!(
                "[...document.querySelectorAll('{selector}')].some(each => each.getClientRects().length > 0)"
            )) == json!(true)
        };
        let left_out = ["header nav", "form.filter", "footer"];
        for selector in shown.iter().chain(&left_out) {
            assert!(is_shown(&mut browser, selector), "{page}: {selector}");
        }
        browser.show_on("print", &[("prefers-color-scheme", "dark")]);
        for selector in shown {
            assert!(is_shown(&mut browser, selector), "{page}: {selector}");
        }
        for selector in left_out.iter().chain(&[".copy"]) {
            assert!(!is_shown(&mut browser, selector), "{page}: {selector}");
        }
        let [ground, text] = colours(&mut browser);
        assert!(
            ground == WHITE && brightness(&text) < 150,
            "{page}: {ground} {text}"
        );
    }
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_for_somebody_who_wants_no_motion() {
    let Some(mut browser) = browser("motion") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    // Styles that move, if nothing forbids it.
    let moving = "(() => { const style = new CSSStyleSheet(); \
        style.replaceSync('@keyframes turn { to { rotate: 1turn } } * { transition: all 9s; animation: turn 9s infinite; scroll-behavior: smooth }'); \
        document.adoptedStyleSheets = [style] })()";
    for (preference, moves) in [("no-preference", true), ("reduce", false)] {
        browser.show_on("screen", &[("prefers-reduced-motion", preference)]);
        for page in [LIST, FLAG] {
            browser.goto(&format!("{}{page}", service.url()));
            assert_eq!(
                browser.eval("document.getAnimations().length"),
                json!(0),
                "{page}"
            );
            browser.eval(moving);
            let animations = browser.eval("document.getAnimations().length");
            assert_eq!(animations.as_u64().unwrap() > 0, moves, "{page}");
            let smooth = browser.eval("getComputedStyle(document.documentElement).scrollBehavior");
            assert_eq!(smooth == json!("smooth"), moves, "{page}");
            browser.press("j");
            assert_eq!(
                browser.eval("!!document.activeElement.closest('[data-row]')"),
                json!(true)
            );
        }
    }
    check_no_complaint(&browser);
}
