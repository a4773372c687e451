//! Each call that a route makes of a store, broken in each way, once and until it is mended.

use std::time::Duration;

use test_support::log;

use crate::{
    browser::{Answer, Browser, notice},
    fault::{Call, Fault, Lasting},
    routes::{ANOTHER, CODE, PERSON, Route, Scene},
};

/// What a store may take, and what the timer is not exact to.
const LIMIT: Duration = Duration::from_millis(10_010);

#[tokio::test(start_paused = true)]
async fn a_good_run_asks_the_stores_for_what_it_needs() {
    for route in Route::ALL {
        let mut scene = route.scene().await;
        let answer = route.ask(&mut scene).await;
        assert_eq!(answer.status, route.good(), "{route:?}");
        assert_eq!(scene.site.faults.calls(), route.calls(), "{route:?}");
    }
}

/// A store that fails at one point of one route.
#[derive(Debug, Clone, Copy)]
struct Case {
    route: Route,
    at: usize,
    fault: Fault,
    lasting: Lasting,
}

fn cases(of: impl Fn(Route, Call) -> bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for route in Route::ALL {
        for (at, call) in route.calls().iter().enumerate() {
            if !of(route, *call) {
                continue;
            }
            for fault in Fault::ALL {
                for lasting in [Lasting::Once, Lasting::UntilMended] {
                    cases.push(Case {
                        route,
                        at,
                        fault,
                        lasting,
                    });
                }
            }
        }
    }
    cases
}

/// Whether it is made of the login that came with a request, after the new one has begun.
fn ends_a_login(route: Route, call: Call) -> bool {
    route.is_login() && matches!(call, Call::Revoke | Call::Delete)
}

impl Case {
    fn call(self) -> Call {
        self.route.calls()[self.at]
    }

    fn hangs(self) -> bool {
        matches!(self.fault, Fault::Hangs | Fault::HangsOnceDone)
    }

    /// Whether a logout that this breaks is written by the second attempt, and so before the answer.
    fn is_over_at_once(self) -> bool {
        self.lasting == Lasting::Once && !self.hangs()
    }

    /// Makes the request while the store fails, and looks at what holds for every route.
    async fn ask(self) -> (Scene, Answer) {
        let mut scene = self.route.scene().await;
        scene
            .site
            .faults
            .break_at(self.at, self.fault, self.lasting);
        let mut secrets: Vec<_> = scene.browser.secrets().collect();
        log::listen();
        let answer = self.route.ask(&mut scene).await;
        secrets.extend(scene.browser.secrets());
        let text = log::text();
        for secret in secrets {
            let line = text.lines().find(|line| line.contains(&secret));
            assert_eq!(line, None, "{self:?}: {secret} is in the log");
        }
        assert!(answer.took <= LIMIT, "{self:?} takes {:?}", answer.took);
        let logged_in = scene.site.logged_in().await;
        let returned = scene.site.users.returned.lock().unwrap().clone();
        for user in logged_in {
            assert!(returned.contains(&user), "{self:?}: {user} never logged in");
        }
        (scene, answer)
    }

    /// What the log has to say.
    fn reason(self) -> String {
        match self.fault {
            Fault::Fails | Fault::FailsOnceDone => format!("{:?} fails", self.call()),
            Fault::Hangs | Fault::HangsOnceDone => "no answer within 10 seconds".to_owned(),
            Fault::Panics | Fault::PanicsOnceDone => "the call panicked".to_owned(),
        }
    }

    /// Whether the same request can succeed later. The state of a login is burnt, and a browser that
    /// signs out has lost its cookies.
    fn retry_after(self) -> &'static str {
        match self.route.is_login() || matches!(self.route, Route::SignOut | Route::SealedSignOut) {
            true => "",
            false => "5",
        }
    }

    fn assert_unavailable(self, answer: &Answer) {
        assert_eq!(answer.status, 503, "{self:?}: {}", answer.text);
        assert_eq!(answer.header("retry-after"), self.retry_after(), "{self:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{self:?}");
        log::assert_one(&[" ERROR ", &self.reason()], &format!("{self:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_a_store_breaks_off_leaves_nothing_behind_but_a_page() {
    let cases = cases(|route, call| route.is_login() && !ends_a_login(route, call));
    assert_eq!(cases.len(), 12 * (6 + 6 + 7 + 7 + 5));
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        let again = "href=\"http://127.0.0.1:9/clef/login?next=%2Faccount\"";
        assert!(answer.text.contains(again), "{case:?}: {}", answer.text);
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{case:?}");
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("auth-9-attempt-"), "{case:?}: {cookie}");
        }
        let (app, browser) = (scene.node.app.clone(), &mut scene.browser);

        // The state is burnt, and says so without the stores.
        let burnt = browser.get(&app, &scene.callback).await;
        assert_eq!(burnt.status, 403, "{case:?}");
        assert!(burnt.text.contains("/clef/login"), "{case:?}");

        // The login from before stays.
        scene.site.faults.mend();
        let was = match case.route {
            Route::LoginAgain | Route::SealedLoginAgain => Some(PERSON),
            Route::LoginOverAnother => Some(ANOTHER),
            _ => None,
        };
        assert_eq!(browser.is(&app).await.as_deref(), was, "{case:?}");

        browser.log_in(&app, CODE).await;
        assert_eq!(browser.is(&app).await.as_deref(), Some(PERSON), "{case:?}");
    }
}

/// The earlier one ends all the same: here at once, and everywhere soon.
#[tokio::test(start_paused = true)]
async fn a_login_stands_where_the_earlier_one_cannot_be_ended_yet() {
    let cases = cases(ends_a_login);
    assert_eq!(cases.len(), 12 * (2 + 2 + 1));
    for case in cases {
        let mut scene = case.route.scene().await;
        let mut copy = scene.browser.clone();
        let faults = scene.site.faults.clone();
        faults.break_at(case.at, case.fault, case.lasting);
        log::listen();
        let answer = case.route.ask(&mut scene).await;
        assert_eq!(answer.status, 303, "{case:?}: {}", answer.text);
        assert!(answer.took <= LIMIT, "{case:?} takes {:?}", answer.took);
        let events = log::events();
        let (noted, failed): (Vec<_>, Vec<_>) = events
            .iter()
            .partition(|event| event.contains("logged in user="));
        assert_eq!(noted.len(), 1, "{case:?}: {events:#?}");
        assert!(!failed.is_empty(), "{case:?}: {events:#?}");

        faults.mend();
        let other = case.route.node(&scene.site);
        let app = &scene.node.app;
        assert_eq!(copy.is(app).await, None, "{case:?}");
        assert_eq!(scene.browser.is(app).await.as_deref(), Some(PERSON));
        until_nothing_is_pending(&scene, case).await;
        for app in [app, &other.app] {
            assert_eq!(copy.is(app).await, None, "{case:?}");
            let is = scene.browser.is(app).await;
            assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_store_fails_is_neither_the_users_nor_anonymous() {
    let cases = cases(|route, call| route.is_page() && call != Call::Save);
    assert_eq!(cases.len(), 12 * (2 + 6 + 1 + 2 + 2 + 2 + 1 + 3));
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        // The login is as it was.
        scene.site.faults.mend();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_by_the_own_form_that_a_store_breaks_off_leaves_nothing_behind() {
    let cases = cases(|route, _| route == Route::Form);
    assert_eq!(cases.len(), 12 * 4);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(answer.headers.get("set-cookie"), None, "{case:?}");
        scene.site.faults.mend();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is, None, "{case:?}");
        assert_eq!(case.route.ask(&mut scene).await.status, 303, "{case:?}");
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

/// The login stays, and the user can begin again.
#[tokio::test(start_paused = true)]
async fn a_link_that_a_store_breaks_off_leaves_the_login_as_it_was() {
    let cases = cases(|route, _| route == Route::Link);
    assert_eq!(cases.len(), 12 * 5);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        assert_eq!(answer.status, 503, "{case:?}: {}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store", "{case:?}");
        assert!(log::text().contains(&case.reason()), "{case:?}");
        scene.site.faults.mend();
        let app = scene.node.app.clone();
        let is = scene.browser.is(&app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
        let callback = scene.browser.begin_link(&app, ANOTHER).await;
        let answer = scene.browser.get(&app, &callback).await;
        assert_eq!(answer.status, 303, "{case:?}: {}", answer.text);
        let mut elsewhere = Browser::default();
        elsewhere.log_in(&app, "code:67890").await;
        let is = elsewhere.is(&app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}: the same user");
    }
}

/// Until the logout is tried all logins stay, and from then on none does.
#[tokio::test(start_paused = true)]
async fn a_logout_of_all_others_that_a_store_breaks_off_keeps_all_or_none() {
    let cases = cases(|route, call| {
        matches!(route, Route::Others | Route::SealedOthers) && call != Call::Save
    });
    assert_eq!(cases.len(), 12 * (6 + 3));
    for case in cases {
        let mut scene = case.route.scene().await;
        let app = scene.node.app.clone();
        let (mut copy, mut other) = (scene.browser.clone(), Browser::default());
        other.log_in(&app, CODE).await;
        let faults = scene.site.faults.clone();
        faults.break_at(case.at, case.fault, case.lasting);
        log::listen();
        let answer = case.route.ask(&mut scene).await;
        case.assert_unavailable(&answer);
        assert!(answer.took <= LIMIT, "{case:?} takes {:?}", answer.took);
        assert_eq!(answer.headers.get("set-cookie"), None, "{case:?}");
        faults.mend();
        let done = scene.site.faults.done().contains(&Call::LogOutOthers);
        for browser in [&mut scene.browser, &mut copy, &mut other] {
            let stays = (!done).then_some(PERSON);
            assert_eq!(browser.is(&app).await.as_deref(), stays, "{case:?}");
        }
        scene.browser.log_in(&app, CODE).await;
        assert_eq!(case.route.ask(&mut scene).await.status, 200, "{case:?}");
        for browser in [&mut copy, &mut other] {
            assert_eq!(browser.is(&app).await, None, "{case:?}");
        }
        let is = scene.browser.is(&app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_fails_no_request() {
    let cases = cases(|route, call| route == Route::Renewal && call == Call::Save);
    assert_eq!(cases.len(), 12);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        assert_eq!((answer.status, &*answer.text), (200, PERSON), "{case:?}");
        assert!(answer.took <= Duration::from_millis(1_010), "{case:?}");
        log::assert_one(&[" WARN ", "a login could not be renewed"], "a renewal");
        scene.site.faults.mend();
        // The next request renews it.
        scene.site.faults.listen();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
        let done = matches!(
            case.fault,
            Fault::FailsOnceDone | Fault::HangsOnceDone | Fault::PanicsOnceDone
        );
        let saved = scene.site.faults.calls().contains(&Call::Save);
        assert_eq!(saved, !done, "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_that_cannot_load_the_login_is_503() {
    let cases = cases(|route, call| route.is_sign_out() && call == Call::LoadSession);
    assert_eq!(cases.len(), 12 * 2);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(scene.node.layer.pending_logouts(), 0, "{case:?}");
        scene.site.faults.mend();
        let app = &scene.node.app;
        let is = scene.browser.is(app).await;
        if case.route == Route::Leave {
            // The cookie is left for the next try.
            assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
            assert_eq!(case.route.ask(&mut scene).await.status, 200, "{case:?}");
            assert_eq!(scene.browser.is(&scene.node.app).await, None, "{case:?}");
        } else {
            let words = "You are signed out in this browser";
            assert!(answer.text.contains(words), "{case:?}");
            assert_eq!(is, None, "{case:?}");
        }
        scene.browser.log_in(&scene.node.app, CODE).await;
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

/// By the route, by a handler, and where logins are sealed.
#[tokio::test(start_paused = true)]
async fn a_sign_out_whose_store_fails_ends_every_copy_here_at_once_and_everywhere_soon() {
    let cases = cases(|route, call| route.is_sign_out() && call != Call::LoadSession);
    assert_eq!(cases.len(), 12 * (3 + 2 + 3));
    for case in cases {
        let mut scene = case.route.scene().await;
        let mut copy = scene.browser.clone();
        let faults = scene.site.faults.clone();
        faults.break_at(case.at, case.fault, case.lasting);
        log::listen();
        let answer = case.route.ask(&mut scene).await;
        assert!(answer.took <= LIMIT, "{case:?} takes {:?}", answer.took);
        let events = log::events();
        let told = |words: &str| events.iter().any(|event| event.contains(words));
        if case.call() == Call::Delete {
            // It has ended with its revocation; the record is litter.
            assert_eq!(answer.status, case.route.good(), "{case:?}");
            let words = "the record of a login that has ended could not be deleted";
            assert!(told(words), "{case:?}: {events:#?}");
        } else if case.is_over_at_once()
            || (case.call() == Call::CheckLogin && case.lasting == Lasting::Once)
        {
            assert_eq!(answer.status, case.route.good(), "{case:?}");
            assert_eq!(scene.node.layer.pending_logouts(), 0, "{case:?}");
        } else {
            assert_eq!(answer.status, 503, "{case:?}");
            assert_eq!(answer.header("retry-after"), case.retry_after(), "{case:?}");
            assert_eq!(answer.header("cache-control"), "no-store", "{case:?}");
            assert_eq!(scene.node.layer.pending_logouts(), 1, "{case:?}");
            let words = "the user store does not take the end of the login";
            assert!(told(words), "{case:?}: {events:#?}");
        }

        faults.mend();
        let other = case.route.node(&scene.site);
        let app = &scene.node.app;
        for browser in [&mut scene.browser, &mut copy] {
            assert_eq!(browser.is(app).await, None, "{case:?}");
        }
        until_nothing_is_pending(&scene, case).await;
        for app in [&scene.node.app, &other.app] {
            assert_eq!(copy.is(app).await, None, "{case:?}");
        }
        let app = &scene.node.app;
        scene.browser.log_in(app, CODE).await;
        assert_eq!(scene.browser.is(app).await.as_deref(), Some(PERSON));
        assert_eq!(copy.is(app).await, None, "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_button_that_cannot_tell_its_user_logs_no_user_out() {
    let cases = cases(|route, call| route == Route::Everywhere && call != Call::LogOut);
    assert_eq!(cases.len(), 12 * 2);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(scene.node.layer.pending_logouts(), 0, "{case:?}");
        scene.site.faults.mend();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

/// By a notice for a subject or for a session, and by a button.
#[tokio::test(start_paused = true)]
async fn a_logout_whose_store_fails_holds_here_at_once_and_everywhere_soon() {
    let cases = cases(|route, call| {
        route.token().is_some() || route == Route::Everywhere && call == Call::LogOut
    });
    assert_eq!(cases.len(), 12 * (1 + 2 + 1));
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        let other = scene.site.node();
        let (layer, app) = (&scene.node.layer, &scene.node.app);
        let events = log::events();
        let (written, failed): (Vec<_>, Vec<_>) =
            events.iter().partition(|event| event.contains(" INFO "));
        assert!(!failed.is_empty() || case.hangs(), "{case:?}: {events:#?}");
        for event in failed {
            let words = "a logout could not be written; this node refuses its logins";
            assert!(event.contains(words), "{case:?}: {event}");
        }
        if case.is_over_at_once() {
            // The second attempt has written it, before the answer.
            assert_eq!(written.len(), 1, "{case:?}: {events:#?}");
            assert_eq!(answer.status, 200, "{case:?}");
            assert_eq!(layer.pending_logouts(), 0, "{case:?}");
        } else {
            assert_eq!(written.len(), 0, "{case:?}: {events:#?}");
            assert_eq!(answer.status, 503, "{case:?}");
            // Of a session with its subject, which may have logins without one.
            let keys = if case.route == Route::NoticeForASession {
                2
            } else {
                1
            };
            assert_eq!(layer.pending_logouts(), keys, "{case:?}");
            let seen = scene.browser.get(app, "/account").await;
            let refused = match case.lasting {
                Lasting::Once => 401,
                Lasting::UntilMended => 503,
            };
            assert_eq!(seen.status, refused, "{case:?}");
            if let Some(token) = case.route.token() {
                assert_eq!(notice(app, token).await.status, 503, "{case:?}");
            }
        }

        // From when the store is back: refused at once, and soon at every node.
        scene.site.faults.mend();
        assert_eq!(scene.browser.is(app).await, None, "{case:?}");
        until_nothing_is_pending(&scene, case).await;
        assert_eq!(scene.browser.is(app).await, None, "{case:?}");
        assert_eq!(scene.browser.is(&other.app).await, None, "{case:?}");
        scene.browser.log_in(app, CODE).await;
        if let Some(token) = case.route.token() {
            // The token is not exchanged again: the provider would refuse it.
            assert_eq!(notice(app, token).await.status, 200, "{case:?}");
        }
        for node in [app, &other.app] {
            let is = scene.browser.is(node).await;
            assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_an_unknown_subject_whose_store_fails_is_kept_too() {
    let cases = cases(|route, _| route == Route::NoticeForAStranger);
    assert_eq!(cases.len(), 12 * 6);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        let at_once = case.is_over_at_once();
        assert_eq!(answer.status, if at_once { 404 } else { 503 }, "{case:?}");
        let pending = scene.node.layer.pending_logouts();
        assert_eq!(pending, usize::from(!at_once), "{case:?}");
        scene.site.faults.mend();
        until_nothing_is_pending(&scene, case).await;
        let again = case.route.ask(&mut scene).await;
        assert_eq!(again.status, 404, "{case:?}");
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}: it is another's");
    }
}

/// The longest attempt and the longest pause, and a little for the store.
async fn until_nothing_is_pending(scene: &Scene, case: Case) {
    let begun = tokio::time::Instant::now();
    while scene.node.layer.pending_logouts() > 0 {
        assert!(begun.elapsed() <= LIMIT, "{case:?} is pending for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
