//! Each call that a route makes of a store, broken in each way, once and until it is mended.

use std::time::Duration;

use crate::{
    browser::{Answer, notice},
    fault::{Call, Fault, Lasting},
    log,
    routes::{ANOTHER, CODE, PERSON, Route, Scene, TOKEN},
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
            if at < route.first_of_ours() || !of(route, *call) {
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

impl Case {
    fn call(self) -> Call {
        self.route.calls()[self.at]
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
        let logged_in = scene.site.sessions.logged_in().await;
        let returned = scene.site.users.returned.lock().unwrap().clone();
        for user in logged_in {
            assert!(returned.contains(&user), "{self:?}: {user} was never had");
        }
        (scene, answer)
    }

    /// What the log has to say.
    fn reason(self) -> String {
        match self.fault {
            Fault::Fails | Fault::FailsOnceDone => format!("{:?} fails", self.call()),
            Fault::Hangs | Fault::HangsOnceDone => "no answer within 10 seconds".to_owned(),
            Fault::Panics | Fault::PanicsOnceDone => "a panic instead of an answer".to_owned(),
        }
    }

    fn assert_unavailable(self, answer: &Answer) {
        assert_eq!(answer.status, 503, "{self:?}: {}", answer.text);
        assert_eq!(answer.header("retry-after"), "5", "{self:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{self:?}");
        log::assert_one(&[" ERROR ", &self.reason()], &format!("{self:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_a_store_breaks_off_leaves_nothing_behind_but_a_page() {
    let cases = cases(|route, _| route.is_login());
    assert_eq!(cases.len(), 12 * (4 + 6 + 6));
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        let again = "href=\"http://127.0.0.1:9/clef/login?next=%2Faccount\"";
        assert!(answer.text.contains(again), "{case:?}: {}", answer.text);
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{case:?}");
        let (app, browser) = (scene.node.app.clone(), &mut scene.browser);

        // The state is burnt, and says so without the stores.
        let burnt = browser.get(&app, &scene.callback).await;
        assert_eq!(burnt.status, 403, "{case:?}");
        assert!(burnt.text.contains("/clef/login"), "{case:?}");

        // Whoever was here stays as long as the store has not let go of them.
        scene.site.faults.mend();
        let deleted = case.route.calls().iter().position(|c| *c == Call::Delete);
        let let_go = deleted.is_some_and(|deleted| {
            let done = matches!(
                case.fault,
                Fault::FailsOnceDone | Fault::HangsOnceDone | Fault::PanicsOnceDone
            );
            case.at > deleted || case.at == deleted && done
        });
        let was = match case.route {
            Route::LoginAgain => Some(PERSON),
            Route::LoginOverAnother => Some(ANOTHER),
            _ => None,
        };
        let expected = was.filter(|_| !let_go).map(str::to_owned);
        assert_eq!(browser.is(&app).await, expected, "{case:?}");

        browser.log_in(&app, CODE).await;
        assert_eq!(browser.is(&app).await.as_deref(), Some(PERSON), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_store_fails_is_neither_the_users_nor_nobodys() {
    let cases = cases(|route, _| matches!(route, Route::Guarded | Route::Renewal | Route::Perhaps));
    assert_eq!(cases.len(), 12 * (3 + 5 + 3));
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        // The session is as it was.
        scene.site.faults.mend();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_whose_store_fails_ends_this_browser_all_the_same() {
    let cases = cases(|route, _| route == Route::SignOut);
    assert_eq!(cases.len(), 12 * 2);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert!(answer.text.contains("Log in with Clef"), "{case:?}");
        scene.site.faults.mend();
        let app = &scene.node.app;
        assert_eq!(scene.browser.is(app).await, None, "{case:?}");
        scene.browser.log_in(app, CODE).await;
        assert_eq!(scene.browser.is(app).await.as_deref(), Some(PERSON));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_saved_is_503_for_every_handler() {
    let cases = cases(|route, _| route == Route::Cart);
    assert_eq!(cases.len(), 12);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        scene.site.faults.mend();
        let answer = case.route.ask(&mut scene).await;
        assert_eq!(answer.status, 200, "{case:?}");
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_button_that_cannot_tell_who_presses_it_logs_nobody_out() {
    let cases = cases(|route, call| route == Route::Everywhere && call != Call::LogOut);
    assert_eq!(cases.len(), 12 * 3);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        case.assert_unavailable(&answer);
        assert_eq!(scene.node.layer.pending_logouts(), 0, "{case:?}");
        scene.site.faults.mend();
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
    }
}

/// By a notice and by a button.
#[tokio::test(start_paused = true)]
async fn a_logout_whose_store_fails_holds_here_at_once_and_everywhere_soon() {
    let cases = cases(|route, call| {
        matches!(route, Route::Notice | Route::Everywhere) && call == Call::LogOut
    });
    assert_eq!(cases.len(), 12 * 2);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        let other = scene.site.node();
        let (layer, app) = (&scene.node.layer, &scene.node.app);
        let hangs = matches!(case.fault, Fault::Hangs | Fault::HangsOnceDone);
        let attempts = log::events();
        let (written, failed): (Vec<_>, Vec<_>) = attempts
            .iter()
            .partition(|event| event.contains("logged out everywhere"));
        assert!(!failed.is_empty() || hangs, "{case:?}: {attempts:#?}");
        for event in failed {
            let words = "a logout could not be written; this node refuses the person";
            assert!(event.contains(words), "{case:?}: {event}");
        }
        if case.lasting == Lasting::Once && !hangs {
            // The second attempt has written it, before the answer.
            assert_eq!(written.len(), 1, "{case:?}: {attempts:#?}");
            assert_eq!(answer.status, 200, "{case:?}");
            assert_eq!(layer.pending_logouts(), 0, "{case:?}");
        } else {
            assert_eq!(written.len(), 0, "{case:?}: {attempts:#?}");
            assert_eq!(answer.status, 503, "{case:?}");
            assert_eq!(layer.pending_logouts(), 1, "{case:?}");
            let seen = scene.browser.get(app, "/account").await;
            let refused = match case.lasting {
                Lasting::Once => 401,
                Lasting::UntilMended => 503,
            };
            assert_eq!(seen.status, refused, "{case:?}");
            if case.route == Route::Notice {
                assert_eq!(notice(app, TOKEN).await.status, 503, "{case:?}");
            }
        }

        // From when the store is back: refused at once, and soon at every node.
        scene.site.faults.mend();
        assert_eq!(scene.browser.is(app).await, None, "{case:?}");
        until_nothing_is_owed(&scene, case).await;
        assert_eq!(scene.browser.is(app).await, None, "{case:?}");
        assert_eq!(scene.browser.is(&other.app).await, None, "{case:?}");
        scene.browser.log_in(app, CODE).await;
        if case.route == Route::Notice {
            // The token is not exchanged again: the provider would refuse it.
            assert_eq!(notice(app, TOKEN).await.status, 200, "{case:?}");
        }
        for node in [app, &other.app] {
            let is = scene.browser.is(node).await;
            assert_eq!(is.as_deref(), Some(PERSON), "{case:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_a_stranger_whose_store_fails_is_kept_too() {
    let cases = cases(|route, _| route == Route::NoticeForAStranger);
    assert_eq!(cases.len(), 12 * 2);
    for case in cases {
        let (mut scene, answer) = case.ask().await;
        let hangs = matches!(case.fault, Fault::Hangs | Fault::HangsOnceDone);
        let at_once = case.lasting == Lasting::Once && !hangs;
        assert_eq!(answer.status, if at_once { 404 } else { 503 }, "{case:?}");
        let owed = scene.node.layer.pending_logouts();
        assert_eq!(owed, usize::from(!at_once), "{case:?}");
        scene.site.faults.mend();
        until_nothing_is_owed(&scene, case).await;
        let again = case.route.ask(&mut scene).await;
        assert_eq!(again.status, 404, "{case:?}");
        let is = scene.browser.is(&scene.node.app).await;
        assert_eq!(is.as_deref(), Some(PERSON), "{case:?}: it is another's");
    }
}

/// The longest attempt and the longest pause, and a little for the store.
async fn until_nothing_is_owed(scene: &Scene, case: Case) {
    let begun = tokio::time::Instant::now();
    while scene.node.layer.pending_logouts() > 0 {
        assert!(begun.elapsed() <= LIMIT, "{case:?} is owed for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(scene.node.layer.pending_logouts(), 0, "{:?}", case.call());
}
