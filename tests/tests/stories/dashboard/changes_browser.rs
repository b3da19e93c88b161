//! Flags that are changed on the dashboard in Chromium: from a phone without a script, by keyboard alone, with hostile text.

use flag_model::FlagKey;
use flag_store::{Clock as _, RowOptions, SystemClock, encode_revision};
use flag_tests::{Browser, TestStore, flagctl};
use serde_json::json;

use super::browser::{browser, keep_picture};
use super::changes::Ann;
use super::checks::{axe, check_accessibility, check_no_complaint, check_text, width};
use super::hostile::{HOSTILE, leave_hostile_flag};

const FLAG: &str = "project=csr-assistant&type=feature&name=multi_step_api_router";

async fn ann(variables: &[(&str, &str)]) -> Ann {
    let (scopes, options) = (&["read", "admin"], &["--dashboard-writes=on"]);
    Ann::with(TestStore::embedded(), scopes, options, variables).await
}

/// Does something that opens another page, and waits for that.
#[track_caller]
fn follow(browser: &mut Browser, act: impl FnOnce(&mut Browser)) {
    browser.eval("window.isOld = true");
    act(browser);
    browser.wait_for_page();
}

/// Follows the link or button with this text.
#[track_caller]
fn tap(browser: &mut Browser, text: &str) {
    let found = format!(
        "[...document.querySelectorAll('main a, main button')].find(each => each.textContent.trim() === {})",
        json!(text)
    );
    assert_eq!(browser.eval(&format!("!!{found}")), json!(true), "{text}");
    follow(browser, |browser| {
        browser.eval(&format!("{found}.click()"));
    });
}

/// Presses Tab until the element with this text or id has the focus.
#[track_caller]
fn tab_to(browser: &mut Browser, wanted: &str) {
    for _ in 0..100 {
        browser.press("Tab");
        let at =
            browser.eval("[document.activeElement.textContent.trim(), document.activeElement.id]");
        if at.as_array().unwrap().contains(&json!(wanted)) {
            return;
        }
    }
    panic!("{wanted} is not reached by Tab");
}

fn write_into(browser: &mut Browser, id: &str, text: &str) {
    browser.eval(&format!("document.getElementById('{id}').focus()"));
    browser.eval(&format!("document.getElementById('{id}').select()"));
    browser.write(text);
}

fn sign_in(browser: &mut Browser, ann: &Ann) {
    browser.goto(&format!("{}/dashboard/sign-in", ann.service.url()));
    write_into(browser, "key", &ann.key);
    follow(browser, |browser| browser.press("Enter"));
}

fn main_text(browser: &mut Browser) -> String {
    browser.text("document.querySelector('main').innerText")
}

/// A colleague with `flagctl`.
fn revise(ann: &Ann, percent: &str, comment: &str) {
    let (percent, comment) = (
        format!("--percent={percent}"),
        format!("--comment={comment}"),
    );
    let words = [
        "revise",
        "csr-assistant",
        "feature",
        "multi_step_api_router",
    ];
    let options = [&*percent, &comment, "--yes"];
    let revised = flagctl(&ann.keys.store, &[&words[..], &options].concat());
    assert_eq!(revised.code, 0, "{revised:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_phone_without_a_script_a_flag_is_rolled_back_though_a_colleague_changes_it_too() {
    let Some(mut browser) = browser("roll back from a phone") else {
        return;
    };
    let ann = ann(&[]).await;
    revise(&ann, "55", "More");
    browser.size(360, 740);
    sign_in(&mut browser, &ann);
    browser.allow_scripts(false);
    browser.goto(&format!("{}/dashboard/flag?{FLAG}", ann.service.url()));
    let fits = |browser: &mut Browser| {
        let width = width(browser);
        assert!(width <= 360, "{}: {width}", browser.text("location.href"));
    };
    fits(&mut browser);
    tap(&mut browser, "Roll back…");
    fits(&mut browser);
    tap(&mut browser, "Show what rolling back to r1 does");
    fits(&mut browser);
    let effect = main_text(&mut browser);
    assert!(
        effect.contains("15 % of all instances receive another value"),
        "{effect}"
    );
    // Without a comment the browser does not even send it.
    browser.eval("document.querySelector('form.change button').click()");
    assert_eq!(browser.eval("document.activeElement.id"), json!("comment"));
    write_into(&mut browser, "comment", "Errors since r2");
    revise(&ann, "70", "Bob's change");
    tap(&mut browser, "Roll back to r1");
    fits(&mut browser);
    let changed = main_text(&mut browser);
    for part in [
        "The flag has changed meanwhile",
        "Bob's change",
        "John Smith",
        "30 % of all instances",
    ] {
        assert!(changed.contains(part), "{part} is not in {changed}");
    }
    assert_eq!(
        browser.text("document.getElementById('comment').value"),
        "Errors since r2"
    );
    if std::env::var_os("FLAG_BLESS").is_some() {
        keep_picture(&mut browser, "meanwhile-phone");
    }
    tap(&mut browser, "Roll back to r1");
    fits(&mut browser);
    let done = browser.text("document.querySelector('.done').innerText");
    assert_eq!(
        done,
        "r4 is in force: 40 % get true, 1 by name, others false."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn by_keyboard_alone_a_percentage_is_set_and_a_flag_is_switched_off_in_production() {
    let Some(mut browser) = browser("changes by keyboard") else {
        return;
    };
    let axe = axe();
    let ann = ann(&[("ENVIRONMENT", "hcb-prod")]).await;
    sign_in(&mut browser, &ann);
    browser.goto(&format!("{}/dashboard/flag?{FLAG}", ann.service.url()));
    tab_to(&mut browser, "Set a percentage…");
    follow(&mut browser, |browser| browser.press("Enter"));
    check_accessibility(&mut browser, axe.as_ref());
    tab_to(&mut browser, "percent");
    browser.write("20");
    follow(&mut browser, |browser| browser.press("Enter"));
    let effect = main_text(&mut browser);
    assert!(
        effect.contains("20 % of all instances receive another value"),
        "{effect}"
    );
    check_accessibility(&mut browser, axe.as_ref());
    if std::env::var_os("FLAG_BLESS").is_some() {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            browser.size(1_200, 1_340);
            keep_picture(&mut browser, &format!("change-{scheme}"));
        }
    }
    tab_to(&mut browser, "comment");
    browser.write("Fewer");
    browser.press("Tab");
    browser.write("multi_step_router");
    follow(&mut browser, |browser| browser.press("Enter"));
    // What is wrong has the focus, and says what is wrong; the comment is kept.
    assert_eq!(browser.text("document.activeElement.id"), "confirm");
    let described = browser.text(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).innerText",
    );
    assert!(
        described.contains("not the name of the flag"),
        "{described}"
    );
    assert_eq!(
        browser.text("document.getElementById('comment').value"),
        "Fewer"
    );
    check_accessibility(&mut browser, axe.as_ref());
    browser.write("multi_step_api_router");
    follow(&mut browser, |browser| browser.press("Enter"));
    let expected = "r2 is in force: 20 % get true, 1 by name, others false.";
    browser.wait_until("document.getElementById('live').textContent !== ''");
    assert_eq!(
        browser.text("document.getElementById('live').textContent"),
        expected
    );
    check_accessibility(&mut browser, axe.as_ref());
    tab_to(&mut browser, "Switch off…");
    follow(&mut browser, |browser| browser.press("Enter"));
    tab_to(&mut browser, "Give them the control value, too");
    follow(&mut browser, |browser| browser.press("Enter"));
    check_accessibility(&mut browser, axe.as_ref());
    tab_to(&mut browser, "comment");
    browser.write("Off, by name too");
    browser.press("Tab");
    browser.write("multi_step_api_router");
    tab_to(&mut browser, "Give the control value to everybody");
    follow(&mut browser, |browser| browser.press("Enter"));
    let done = browser.text("document.querySelector('.done').innerText");
    assert_eq!(done, "r3 is in force: all get false.");
    browser
        .complaints
        .retain(|complaint| !complaint.contains("status of 400"));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_stays_text_on_the_pages_of_changes_and_axe_finds_no_serious_fault() {
    let Some(mut browser) = browser("hostile text in changes") else {
        return;
    };
    let axe = axe();
    let ann = ann(&[("ENVIRONMENT", "hcb-prod")]).await;
    leave_hostile_flag(&ann.keys.store).await;
    sign_in(&mut browser, &ann);
    let start = ann.service.url().to_owned();
    browser.goto(&format!("{start}/dashboard/flags?project=csr-assistant"));
    browser.wait_until(
        "document.querySelectorAll('[data-row]').length === 4 || (location.reload(), false)",
    );
    let flag = browser.text("[...document.querySelectorAll('[data-row] a')].map(a => a.href).find(href => href.includes('script'))");
    let change = flag.replace("/dashboard/flag?", "/dashboard/change?");
    let effect = format!("{change}&do=percent&group=treatment_1&percent=20");
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for page in [
            flag.clone(),
            format!("{change}&do=percent"),
            format!("{change}&do=percent&group={HOSTILE}&percent={HOSTILE}"),
            effect.clone(),
            format!("{change}&do=off"),
            format!("{change}&do=off&overrides=yes"),
            format!("{change}&do=rollback"),
            format!("{change}&do={HOSTILE}"),
        ] {
            browser.goto(&page);
            check_text(&mut browser);
            check_accessibility(&mut browser, axe.as_ref());
        }
        browser.goto(&effect);
        write_into(&mut browser, "comment", HOSTILE);
        write_into(&mut browser, "confirm", HOSTILE);
        tap(&mut browser, "Set treatment_1 to 20 %");
        let refused = main_text(&mut browser);
        assert!(refused.contains("not the name of the flag"), "{refused}");
        check_text(&mut browser);
        check_accessibility(&mut browser, axe.as_ref());
    }
    // Into force with a hostile comment, after a change in between whose comment is hostile, too.
    let name = browser.text("new URL(location.href).searchParams.get('name') || document.querySelector('input[name=name]').value");
    let key: FlagKey = FlagKey {
        name: flag_model::FlagName::new(&name).unwrap(),
        ..FlagKey::clone(&"csr-assistant/data/f".parse().unwrap())
    };
    browser.goto(&effect);
    let in_between = ann.keys.store.flags().await.newest_revision(&key).await;
    let in_between = in_between.unwrap().unwrap().into_parts();
    let in_between = flag_model::Revision::new(SystemClock.now(), in_between).unwrap();
    let row = encode_revision(&in_between, &RowOptions::default()).unwrap();
    ann.keys.store.leave(&[row]).await;
    for _ in 0..2 {
        write_into(&mut browser, "comment", HOSTILE);
        // As it is shown: its characters that nobody sees cannot be typed.
        let shown = browser.text("document.querySelector('#name-hint code').innerText");
        assert_ne!(shown, name);
        write_into(&mut browser, "confirm", &shown);
        tap(&mut browser, "Set treatment_1 to 20 %");
        check_text(&mut browser);
        check_accessibility(&mut browser, axe.as_ref());
    }
    let done = browser.text("document.querySelector('.done').innerText");
    assert!(done.starts_with("r3 is in force"), "{done}");
    browser
        .complaints
        .retain(|complaint| !complaint.contains("status of 40"));
    check_no_complaint(&browser);
}
