//! What holds for every page of the dashboard, asked of the page that a browser shows.

use std::path::{Path, PathBuf};
use std::process::Command;

use flag_tests::Browser;
use serde_json::{Value, json};

/// Elements that no page has, so that they could come from stored text only.
const STRANGE: &str =
    "img, iframe, [onerror], script:not([src^=\"/dashboard/assets/\"]), a[href^=\"javascript\" i]";

/// Finds texts and attributes with characters that nobody sees. Left out is what is not shown: what forms send, what buttons
/// copy, and the flag whose events are followed.
const HIDDEN: &str = r"(() => {
  const hidden = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]/;
  const found = hidden.test(document.title) ? ['title'] : [];
  const isSent = (element, name) => name === 'value' && element.matches('input, select option');
  const isRaw = (element, name) => isSent(element, name) || ['data-copy', 'data-flag'].includes(name);
  for (const element of document.querySelectorAll('body, body *')) {
    if (element.matches('textarea')) continue;
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    if (texts.some((text) => hidden.test(text.data))) found.push(`text of ${element.outerHTML}`);
    for (const { name, value } of element.attributes) {
      if (hidden.test(value) && !isRaw(element, name)) found.push(`${name} of ${element.outerHTML}`);
    }
  }
  return found;
})()";

/// The folder of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The script of axe, installed as `tests/browser` pins it; `None` without npm or network.
pub(super) fn axe() -> Option<String> {
    let folder = root().join("target/axe");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(root().join("tests/browser").join(file), folder.join(file)).unwrap();
        }
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .output();
        if !npm.is_ok_and(|npm| npm.status.success()) {
            println!("LEFT OUT: accessibility: npm cannot install axe-core");
            return None;
        }
    }
    Some(std::fs::read_to_string(script).unwrap())
}

/// The serious faults that axe finds on the page.
#[track_caller]
pub(super) fn accessibility_faults(browser: &mut Browser, axe: &str) -> Value {
    browser.eval(&format!("{axe}; true"));
    browser.eval(
        "axe.run().then(found => found.violations.filter(each => ['serious', 'critical'].includes(each.impact))\
         .map(each => each.id + ': ' + each.nodes.map(node => node.html + node.failureSummary).join(' | ')))",
    )
}

/// Fails if axe finds a serious fault on the page.
#[track_caller]
pub(super) fn check_accessibility(browser: &mut Browser, axe: Option<&String>) {
    let Some(axe) = axe else { return };
    let found = accessibility_faults(browser, axe);
    let page = browser.text("location.href");
    assert_eq!(found, json!([]), "{page}");
}

/// Fails if a page was refused something by its policy, or a script failed or spoke.
#[track_caller]
pub(super) fn check_no_complaint(browser: &Browser) {
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

/// How wide the page is, with what is out of sight.
pub(super) fn width(browser: &mut Browser) -> u64 {
    let width = browser.eval("document.documentElement.scrollWidth");
    width.as_u64().unwrap()
}

/// What on the page is markup that no page has, or text that nobody sees.
#[track_caller]
pub(super) fn strange_text(browser: &mut Browser) -> Value {
    let found = format!(
        "[...document.querySelectorAll({})].map(each => each.outerHTML).concat({HIDDEN})",
        json!(STRANGE)
    );
    browser.eval(&found)
}

/// Fails if stored or sent text became markup, or is not seen.
#[track_caller]
pub(super) fn check_text(browser: &mut Browser) {
    let found = strange_text(browser);
    let page = browser.text("location.href");
    assert_eq!(found, json!([]), "{page}");
}
