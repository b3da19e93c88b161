//! Every page of the dashboard in Chromium: nothing that axe finds serious, nothing to scroll sideways, nothing refused.

use flag_model::{FlagKey, Metadata, MetadataParts};
use flag_store::{RowOptions, encode_metadata, encode_revision};
use flag_tests::{Browser, Proxy, Service, TestStore, flagctl};
use serde_json::json;

use super::access::Keys;
use super::browser::{FLAG, LIST, ask, browser};
use super::checks::{
    accessibility_faults, axe, check_accessibility, check_no_complaint, strange_text, width,
};
use super::pages::{ago, revision};
use super::search::{MANY, leave_60_flags};

/// A desk, and a phone.
const WIDTHS: [(u32, u32, &str); 2] = [(1_280, 900, "light"), (360, 740, "dark")];

/// A page, and how it is reached.
struct Page {
    /// What it has, and no other page of this address.
    has: &'static str,
    path: String,
    /// One of these is the status of the answer.
    statuses: &'static [u16],
    /// What is done there before it is looked at.
    act: Act,
}

/// What is done on a page.
enum Act {
    Nothing,
    /// A key is pressed.
    Press(&'static str),
    /// A script leads to the next page.
    Follow(String),
}

/// A page that is only opened.
fn at(has: &'static str, path: impl Into<String>) -> Page {
    Page {
        has,
        path: path.into(),
        statuses: &[200],
        act: Act::Nothing,
    }
}

/// A page that says why there is no other.
fn error(status: &'static [u16], path: impl Into<String>) -> Page {
    Page {
        statuses: status,
        ..at("p.problem", path)
    }
}

/// Looks at a page at a desk in light colours, and on a phone in dark ones.
#[track_caller]
fn check_page(browser: &mut Browser, axe: Option<&String>, start: &str, page: &Page) {
    browser.goto(&format!("{start}{}", page.path));
    match &page.act {
        Act::Nothing => {}
        Act::Press(key) => browser.press(key),
        Act::Follow(script) => {
            browser.eval("window.isOld = true");
            browser.eval(script);
            browser.wait_for_page();
        }
    }
    let status = "performance.getEntriesByType('navigation')[0].responseStatus";
    let status = browser.eval(status).as_u64().unwrap();
    let is_expected = |expected: &u16| u64::from(*expected) == status;
    assert!(
        page.statuses.iter().any(is_expected),
        "{}: {status}",
        page.path
    );
    let has = browser.eval(&format!("!!document.querySelector({})", json!(page.has)));
    let text = browser.text("document.body.innerText");
    assert_eq!(
        has,
        json!(true),
        "{} is not on {}: {text}",
        page.has,
        page.path
    );
    for (wide, high, scheme) in WIDTHS {
        browser.size(wide, high);
        browser.prefer(scheme);
        let found = width(browser);
        assert!(
            found <= wide.into(),
            "{} is {found} wide at {wide}",
            page.path
        );
        check_accessibility(browser, axe);
    }
    if status != 200 {
        let of_status = format!("status of {status}");
        browser
            .complaints
            .retain(|complaint| !complaint.contains(&of_status));
    }
    check_no_complaint(browser);
    let (wide, high, scheme) = WIDTHS[0];
    browser.size(wide, high);
    browser.prefer(scheme);
}

fn flag() -> FlagKey {
    "csr-assistant/feature/multi_step_api_router"
        .parse()
        .unwrap()
}

/// Runs `flagctl` on the flag of the demo.
fn change(store: &TestStore, command: &str, options: &[&str]) {
    let words = [
        command,
        "csr-assistant",
        "feature",
        "multi_step_api_router",
        "--yes",
    ];
    let done = flagctl(store, &[&words[..], options].concat());
    assert_eq!(done.code, 0, "{done:?}");
}

/// Leaves a project of flags that are not served: one without a revision, one that cannot be read.
async fn leave_odd_flags(store: &TestStore) {
    let parts = MetadataParts {
        flag: "odd/feature/described".parse().unwrap(),
        description: "Nothing yet".to_owned(),
        owner: None,
        edited_by: None,
        ticket: Some("CSR-1".to_owned()),
        tags: vec!["new".to_owned()],
        expires_on: None,
    };
    let metadata = encode_metadata(&Metadata::new(ago(1), parts).unwrap());
    let unreadable = "odd/feature/unreadable".parse().unwrap();
    let options = RowOptions::default();
    let mut row = encode_revision(&revision(&unreadable, ago(1), "10"), &options).unwrap();
    row.cells.set("FormatVersion", "9");
    store.leave(&[metadata, row]).await;
}

/// The service with all that pages show: answers that were counted, three revisions of a flag, changes allowed; and the key.
async fn furnished() -> (Keys, Service, String) {
    let keys = Keys::new();
    let open = Service::start_with(&keys.store, &["--demo"], &[]);
    leave_60_flags(&keys.store).await;
    leave_odd_flags(&keys.store).await;
    ask(&open).await;
    // At the end of a process its counts are written.
    assert!(open.stop().success());
    change(&keys.store, "revise", &["--percent=55", "--comment=More"]);
    change(&keys.store, "rollback", &[]);
    let key = keys.create_for(&["read", "admin"], "*", "Ann");
    let path = keys.path();
    let options = ["--demo", "--api-keys-file", &path, "--dashboard-writes=on"];
    let service = Service::start_with(&keys.store, &options, &[("ENVIRONMENT", "hcb-prod")]);
    (keys, service, key)
}

fn sign_in(browser: &mut Browser, service: &Service, key: &str) {
    browser.goto(&format!("{}/dashboard/sign-in", service.url()));
    browser.eval("document.getElementById('key').focus(), window.isOld = true");
    browser.write(key);
    browser.press("Enter");
    browser.wait_for_page();
}

/// The pages that need nothing but an address.
fn pages_to_read(times: &[String]) -> Vec<Page> {
    let parameters = FLAG.split_once('?').unwrap().1;
    let [third, second, first] = times else {
        panic!("{times:?}")
    };
    let odd = "/dashboard/flag?project=odd&type=feature";
    let two_projects = "/dashboard/compare?project=csr-assistant";
    vec![
        at("ul.projects", "/dashboard"),
        at("table.flags", LIST),
        at("table.flags", format!("{LIST}&q=router&type=feature")),
        at("#results:not(:has(table))", format!("{LIST}&q=nothing")),
        at("nav.pager a[rel=prev]", format!("{MANY}&page=2")),
        at("td div.problem", "/dashboard/flags?project=odd"),
        at(".chart", format!("{FLAG}&span=1h")),
        at(
            ".answer ~ .wide table",
            format!("{FLAG}&span=1h&instance=A7"),
        ),
        at(".answer .place", format!("{FLAG}&instance=A12346")),
        at(".answer", format!("{FLAG}&instance=A7&at=2020-01-01")),
        at("p.problem", format!("{FLAG}&instance=A7&at=soon")),
        at("h2#now + p", format!("{odd}&name=described")),
        at("p.problem", format!("{odd}&name=unreadable")),
        at(
            "table.legend",
            format!("/dashboard/revision?{parameters}&at={first}"),
        ),
        at(
            "table.difference",
            format!("/dashboard/revision?{parameters}&at={second}"),
        ),
        at(
            "table.difference",
            format!("/dashboard/revision?{parameters}&at={third}"),
        ),
        at(
            "div.sides",
            format!("/dashboard/revisions?{parameters}&from={first}&to={second}"),
        ),
        at("datalist#projects", two_projects),
        at("ul.compared", format!("{two_projects}&with=many&show=all")),
        at("#replica", "/dashboard/health"),
        at("form.sign-in", "/dashboard/sign-in"),
    ]
}

/// The pages on which a flag is changed.
fn pages_of_changes(first: &str) -> Vec<Page> {
    let change = FLAG.replace("/flag?", "/change?");
    let percent = format!("{change}&do=percent&group=treatment_1&percent=20");
    vec![
        at("#percent", format!("{change}&do=percent")),
        at(
            "#percent",
            format!("{change}&do=percent&group=treatment_1&percent=lots"),
        ),
        at("#confirm", &percent),
        at("#confirm", format!("{change}&do=off")),
        at("#confirm", format!("{change}&do=off&overrides=yes")),
        at("ol.timeline", format!("{change}&do=rollback")),
        at("#confirm", format!("{change}&do=rollback&to={first}")),
    ]
}

/// The pages in the place of another, and what forms lead to.
fn pages_of_errors() -> Vec<Page> {
    let effect = FLAG.replace("/flag?", "/change?") + "&do=percent&group=treatment_1&percent=20";
    let send_form = |what: &str| {
        Act::Follow(format!(
            "{what}, document.querySelector('main form').submit()"
        ))
    };
    vec![
        Page {
            act: Act::Press("?"),
            ..at("dialog[open]", LIST)
        },
        error(&[404], "/dashboard/nothing"),
        error(&[404], format!("{FLAG}s")),
        error(&[400], "/dashboard/flag?project=p&type=x&name=y"),
        Page {
            act: send_form("document.getElementById('key').value = 'wrong'"),
            statuses: &[401],
            ..at("#problem", "/dashboard/sign-in")
        },
        // Without a comment and a name.
        Page {
            act: send_form("null"),
            statuses: &[400],
            ..at("#no-comment", &effect)
        },
        // Not changed.
        Page {
            act: send_form("document.querySelector('[name=token]').value = 'x'"),
            statuses: &[403],
            ..at("p.actions", effect)
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_fits_and_is_refused_nothing() {
    let Some(mut browser) = browser("every page") else {
        return;
    };
    let axe = axe();
    let (keys, service, key) = furnished().await;
    let times = keys
        .store
        .flags()
        .await
        .revision_times(&flag(), 10)
        .await
        .unwrap();
    let times = times.iter().map(|time| time.to_string().replace(' ', "T"));
    let times: Vec<String> = times.collect();
    sign_in(&mut browser, &service, &key);
    let pages = pages_to_read(&times).into_iter();
    let pages = pages
        .chain(pages_of_changes(&times[1]))
        .chain(pages_of_errors());
    for page in pages {
        check_page(&mut browser, axe.as_ref(), service.url(), &page);
    }

    // A form that was overtaken, then one that is carried out.
    let effect = pages_of_changes(&times[1]).swap_remove(2).path;
    let form = "document.querySelector('form.change').outerHTML";
    browser.goto(&format!("{}{effect}", service.url()));
    let overtaken = browser.text(form);
    change(
        &keys.store,
        "revise",
        &["--percent=70", "--comment=Bob was faster"],
    );
    let confirm = "document.getElementById('comment').value = 'Fewer'; \
        document.getElementById('confirm').value = 'multi_step_api_router'; document.querySelector('form.change').submit()";
    let pages = [
        Page {
            act: Act::Follow(format!("{form} = {}; {confirm}", json!(overtaken))),
            statuses: &[409],
            ..at(".meanwhile", &effect)
        },
        Page {
            act: Act::Follow(confirm.to_owned()),
            ..at("p.done", &effect)
        },
    ];
    for page in pages {
        check_page(&mut browser, axe.as_ref(), service.url(), &page);
    }
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn pages_of_a_store_that_is_down_are_like_others() {
        let Some(mut browser) = browser("a store that is down") else {
            return;
        };
        let axe = axe();
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        let store = TestStore::at(network.address());
        let variables = [
            ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02"),
            ("FLAG_STORE_DEADLINE_MS", "200"),
        ];
        let service = Service::start_with(&store, &["--demo"], &variables);
        ask(&service).await;
        browser.goto(&format!("{}{LIST}", service.url()));
        network.cut().await;
        let path = format!("{}{LIST}", service.url());
        browser.goto(&path);
        browser.wait_until("!!document.querySelector('p.problem') || (location.reload(), false)");
        browser.complaints.clear();
        let failed: &[u16] = &[503, 504];
        for page in [
            at("p.problem", LIST),
            at("p.problem", format!("{LIST}&state=stale")),
            error(failed, FLAG),
            at("#replica", "/dashboard/health"),
            error(&[404], "/dashboard/nothing"),
        ] {
            check_page(&mut browser, axe.as_ref(), service.url(), &page);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checks_of_pages_notice_what_they_look_for() {
    let Some(mut browser) = browser("the checks of pages") else {
        return;
    };
    let store = TestStore::embedded();
    // Pages that stay as the checks make them.
    let service = Service::start_with(&store, &["--demo"], &[("FLAG_PUSH", "off")]);
    browser.goto(&format!("{}{LIST}", service.url()));
    check_no_complaint(&browser);
    let add = |tag: &str, with: &str| {
        format!(
            "(() => {{ const added = document.createElement('{tag}'); {with}; document.querySelector('main').append(added) }})()"
        )
    };
    // Of axe: a field without a name, and grey on grey.
    if let Some(axe) = axe() {
        assert_eq!(accessibility_faults(&mut browser, &axe), json!([]));
        browser.eval(&add("input", ""));
        browser.eval(&add("p", "added.textContent = 'pale', added.style.color = '#ddd', added.style.background = '#eee'"));
        let faults = accessibility_faults(&mut browser, &axe).to_string();
        assert!(
            faults.contains("label: ") && faults.contains("color-contrast: "),
            "{faults}"
        );
    }
    // Of the width.
    browser.size(360, 740);
    assert!(width(&mut browser) <= 360);
    browser.eval(&add(
        "p",
        "added.textContent = 'wide', added.style.width = '400px'",
    ));
    assert!(width(&mut browser) >= 400);
    // Of text.
    assert_eq!(strange_text(&mut browser), json!([]));
    for (tag, with) in [
        ("p", "added.textContent = '\\u202e'"),
        ("p", "added.title = 'a\\u200b'"),
        ("datalist", "added.append(new Option('a', 'a\\u202e'))"),
        ("img", "added.alt = ''"),
        ("a", "added.setAttribute('href', 'JavaScript:x')"),
    ] {
        browser.eval(&add(tag, with));
        let found = strange_text(&mut browser);
        assert!(!found.as_array().unwrap().is_empty(), "{tag} {with}");
        browser.eval("document.querySelector('main').lastChild.remove()");
        assert_eq!(strange_text(&mut browser), json!([]), "{tag} {with}");
    }
    // Of what a page is refused: a style, a script, another host; and of a script that fails.
    for (what, act) in [
        (
            "style-src",
            add("p", "added.setAttribute('style', 'color: red')"),
        ),
        (
            "script-src",
            add("script", "added.textContent = 'window.wasRun = true'"),
        ),
        (
            "img-src",
            add("img", "added.src = 'https://example.invalid/'"),
        ),
        (
            "unexpected",
            "setTimeout(() => { throw new Error('unexpected') })".to_owned(),
        ),
    ] {
        assert!(
            browser
                .complaints
                .iter()
                .all(|complaint| !complaint.contains(what))
        );
        browser.eval(&act);
        browser.eval("new Promise(done => setTimeout(done, 200))");
        let is_noticed = browser
            .complaints
            .iter()
            .any(|complaint| complaint.contains(what));
        assert!(is_noticed, "{what}: {:?}", browser.complaints);
    }
    assert_eq!(browser.eval("window.wasRun === undefined"), json!(true));
}
