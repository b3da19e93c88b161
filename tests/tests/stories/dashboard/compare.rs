//! Revisions and projects side by side, in a browser.

use flag_model::{FlagKey, FlagName, ProjectName};
use flag_store::{Clock as _, RowOptions, SystemClock, encode_metadata, encode_revision};
use flag_tests::{Service, TestStore};
use serde_json::json;

use super::browser::{browser, keep_picture};
use super::checks::{axe, check_accessibility, check_no_complaint, check_text, width};
use super::hostile::HOSTILE;
use super::pages::{ago, page, revision};

/// Leaves revisions of flags: the hours that have passed since each, and its percentage.
pub(super) async fn leave(store: &TestStore, revisions: &[(&FlagKey, u64, &str)]) {
    let encode = |(flag, hours, percent): &(&FlagKey, u64, &str)| {
        encode_revision(
            &revision(flag, ago(*hours), percent),
            &RowOptions::default(),
        )
        .unwrap()
    };
    store
        .leave(&revisions.iter().map(encode).collect::<Vec<_>>())
        .await;
}

/// Leaves two projects, of which the flags `same`, `more`, `old` and `new` compare in four ways.
async fn leave_projects(store: &TestStore) {
    let flag = |text: &str| -> FlagKey { text.parse().unwrap() };
    let flags = [
        (flag("dev/feature/same"), "10"),
        (flag("dev/feature/more"), "10"),
        (flag("dev/feature/old"), "10"),
        (flag("prod/feature/same"), "10"),
        (flag("prod/feature/more"), "20"),
        (flag("prod/feature/new"), "10"),
    ];
    let revisions: Vec<_> = flags
        .iter()
        .map(|(flag, percent)| (flag, 1, *percent))
        .collect();
    leave(store, &revisions).await;
}

async fn two_projects_are_compared_flag_by_flag(store: TestStore) {
    leave_projects(&store).await;
    let service = Service::start(&store);
    let address = "/dashboard/compare?project=dev&with=prod";
    let text = page(&service, address).await;
    for part in [
        "1 flag equal, 1 different, 0 with the same shares for other instances, 1 only in <bdi>dev</bdi>, 1 only in <bdi>prod</bdi>",
        "10 % true",
        "20 % true",
        "has no such flag",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("Equal: every instance"), "{text}");
    for (query, found, left_out) in [
        ("show=equal", "name=same", "name=more"),
        ("show=first", "name=old", "name=new"),
        ("show=second", "name=new", "name=old"),
        ("show=different", "name=more", "name=old"),
        ("q=MOR", "name=more", "name=old"),
        ("show=all&q=same", "name=same", "name=more"),
    ] {
        let text = page(&service, &format!("{address}&{query}")).await;
        assert!(
            text.contains(found) && !text.contains(left_out),
            "{query}: {text}"
        );
    }
    for absent in ["dev&with=nothing", "nothing&with=dev"] {
        let path = format!("/dashboard/compare?project={absent}");
        let answer = service.request(flag_tests::Method::GET, &path).send();
        assert_eq!(answer.await.unwrap().status(), 404, "{path}");
    }
}

flag_tests::on_both_stores!(two_projects_are_compared_flag_by_flag);

#[tokio::test(flavor = "multi_thread")]
async fn any_two_revisions_are_compared_in_words_at_an_address_that_stays() {
    let Some(mut browser) = browser("two revisions") else {
        return;
    };
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let store = TestStore::embedded();
    leave(
        &store,
        &[(&flag, 72, "10"), (&flag, 48, "20"), (&flag, 2, "30")],
    )
    .await;
    let service = Service::start(&store);
    let page = format!(
        "{}/dashboard/flag?project=p&type=feature&name=f",
        service.url()
    );
    browser.goto(&page);
    // The first one with the last one, by keyboard.
    browser.eval("document.getElementById('from').focus()");
    browser.eval("document.getElementById('from').selectedIndex = 2");
    browser.eval("window.isOld = true");
    browser.eval("document.getElementById('from').form.requestSubmit()");
    browser.wait_for_page();
    let address = browser.text("location.href");
    assert!(
        address.contains("from=") && address.contains("&to="),
        "{address}"
    );
    browser.goto(&address);
    let text = browser.text("document.querySelector('main').innerText");
    for part in [
        "r1",
        "r3",
        "10 % get true, others false",
        "30 % get true, others false",
        "flagctl diff p feature f",
        "20 %",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let head = browser.text("document.querySelector('.difference thead').innerText");
    assert!(head.contains("r1") && head.contains("r3"), "{head}");
    let row = browser.text("document.querySelector('.difference tbody tr').innerText");
    assert!(
        row.contains("10 % true") && row.contains("30 % true"),
        "{row}"
    );
    check_accessibility(&mut browser, axe().as_ref());
    browser.size(360, 740);
    browser.goto(&address);
    assert!(width(&mut browser) <= 360, "{}", width(&mut browser));
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_side_by_side_are_searched_and_read_on_a_phone() {
    let Some(mut browser) = browser("two projects") else {
        return;
    };
    let axe = axe();
    let store = TestStore::embedded();
    leave_projects(&store).await;
    let service = Service::start(&store);
    let start = service.url();
    browser.goto(&format!("{start}/dashboard/flags?project=dev"));
    browser.eval("window.isOld = true");
    browser.eval("[...document.links].find(link => link.href.includes('/compare')).click()");
    browser.wait_for_page();
    check_accessibility(&mut browser, axe.as_ref());
    browser.eval("document.getElementById('with').focus()");
    browser.write("prod");
    browser.eval("window.isOld = true");
    browser.press("Enter");
    browser.wait_for_page();
    let rows =
        "[...document.querySelectorAll('[data-row] h2 a')].map(link => link.textContent).join()";
    assert_eq!(browser.text(rows), "more,new,old");
    browser.press("/");
    browser.write("mor");
    browser.wait_until("document.querySelectorAll('[data-row]').length === 1");
    assert!(browser.text("location.search").contains("q=mor"));
    browser.press("Escape");
    browser.size(1_200, 860);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        browser.goto(&format!("{start}/dashboard/compare?project=dev&with=prod"));
        check_accessibility(&mut browser, axe.as_ref());
        if std::env::var_os("FLAG_BLESS").is_some() {
            keep_picture(&mut browser, &format!("compare-{scheme}"));
        }
    }
    browser.size(360, 740);
    browser.goto(&format!(
        "{start}/dashboard/compare?project=dev&with=prod&show=all"
    ));
    assert!(width(&mut browser) <= 360, "{}", width(&mut browser));
    browser.allow_scripts(false);
    browser.goto(&format!("{start}/dashboard/compare?project=prod&with=dev"));
    let text = browser.text("document.querySelector('main').innerText");
    assert!(text.contains("Only in prod"), "{text}");
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_stay_text_side_by_side() {
    let Some(mut browser) = browser("hostile comparisons") else {
        return;
    };
    let store = TestStore::embedded();
    let text = HOSTILE.replace('\u{200b}', "");
    let now = SystemClock.now();
    let mut rows = Vec::new();
    for (project, percent) in [("one", "10"), ("two", "20")] {
        let project = ProjectName::new(format!("{project}{text}")).unwrap();
        let flag = FlagKey {
            project,
            name: FlagName::new(&text).unwrap(),
            ..FlagKey::clone(&"p/feature/f".parse().unwrap())
        };
        for (hours, percent) in [(5, "5"), (1, percent)] {
            let mut parts = revision(&flag, ago(hours), percent).into_parts();
            parts.comment = format!("k{HOSTILE}");
            let revision = flag_model::Revision::new(ago(hours), parts).unwrap();
            rows.push(encode_revision(&revision, &RowOptions::default()).unwrap());
        }
        let metadata = flag_model::MetadataParts {
            flag,
            description: HOSTILE.to_owned(),
            owner: None,
            edited_by: None,
            ticket: None,
            tags: vec![format!("t{HOSTILE}")],
            expires_on: None,
        };
        rows.push(encode_metadata(
            &flag_model::Metadata::new(now, metadata).unwrap(),
        ));
    }
    store.leave(&rows).await;
    let service = Service::start(&store);
    browser.goto(&format!("{}/dashboard", service.url()));
    let projects = "[...document.querySelectorAll('[data-row] a')].map(link => new URL(link.href).searchParams.get('project'))";
    let address = format!(
        "(() => {{ const [one, two] = {projects}; return '/dashboard/compare?' + new URLSearchParams({{ project: one, with: two, q: '<b>' }}) }})()"
    );
    let compare = browser.text(&address);
    let flag = browser.text(&format!("'/dashboard/flag?' + new URLSearchParams({{ project: {projects}[0], type: 'feature', name: {} }})", json!(text)));
    browser.goto(&format!("{}{flag}", service.url()));
    let revisions = browser.text(
        "(() => { const form = document.getElementById('from').form; return form.getAttribute('action') + '?' + new URLSearchParams(new FormData(form)) })()",
    );
    let all = compare.replace("q=%3Cb%3E", "q=");
    for page in [compare.as_str(), &all, &revisions] {
        browser.goto(&format!("{}{page}", service.url()));
        assert_ne!(
            browser.text("document.querySelector('h1').textContent"),
            "No page"
        );
        check_text(&mut browser);
    }
    check_no_complaint(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_looked_up_now_and_yesterday() {
    let Some(mut browser) = browser("an instance") else {
        return;
    };
    let flag: FlagKey = "p/feature/f".parse().unwrap();
    let store = TestStore::embedded();
    leave(&store, &[(&flag, 48, "100"), (&flag, 2, "0")]).await;
    let service = Service::start(&store);
    browser.goto(&format!(
        "{}/dashboard/flag?project=p&type=feature&name=f",
        service.url()
    ));
    for (at, group) in [("", "control"), ("24h", "treatment_1")] {
        browser.eval("document.getElementById('instance').focus(), document.getElementById('instance').select()");
        browser.write("A12345");
        browser.press("Tab");
        if !at.is_empty() {
            browser.write(at);
        }
        browser.eval("window.isOld = true");
        browser.press("Enter");
        browser.wait_for_page();
        let answer = browser.text("document.querySelector('.answer').innerText");
        assert!(answer.contains(group), "{at}: {answer}");
        assert!(browser.eval("!!document.querySelector('.answer .place')") == json!(true));
    }
    check_no_complaint(&browser);
}
