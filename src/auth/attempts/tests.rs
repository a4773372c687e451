use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use http::{HeaderMap, header};

use super::*;
use crate::{SessionKey, site::LONGEST_RETURN_PATH};

const LIFETIME: Duration = Duration::from_secs(10 * 60);
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// A site in a time that is turned, and a browser.
struct Scene {
    attempts: Attempts,
    now: Arc<AtomicI64>,
    browser: HeaderMap,
    callback: Url,
}

impl Scene {
    fn new() -> Self {
        let site = Site::parse("https://example.com").unwrap();
        let now = Arc::new(AtomicI64::new(Timestamp::now().as_micros()));
        let clock = Arc::clone(&now);
        Self {
            callback: site.url("/clef/callback"),
            attempts: Attempts {
                clock: Arc::new(move || Timestamp::from_micros(clock.load(SeqCst))),
                ..Attempts::new(site, LIFETIME, None)
            },
            now,
            browser: HeaderMap::new(),
        }
    }

    fn begin(&mut self, next: &str) -> String {
        self.begin_by(next, true)
    }

    fn begin_by(&mut self, next: &str, by_person: bool) -> String {
        let next = ReturnPath::parse(&self.attempts.site, next).unwrap();
        let cookies = Cookies::of(&self.browser);
        let begun = self.attempts.begin(&self.callback, None, &next);
        let state = begun.state.expose().to_owned();
        self.attempts.keep(&cookies, begun, by_person);
        self.take(&cookies);
        state
    }

    /// Where a login leads whose state comes back.
    fn come_back(&mut self, state: &str) -> Option<String> {
        let cookies = Cookies::of(&self.browser);
        let found = self.attempts.find(&cookies, &self.callback, state);
        if let Some(found) = &found {
            self.attempts.forget(&cookies, found);
        }
        self.take(&cookies);
        let found = found.filter(|found| matches!(found.stage, ReturnedStage::Open(_)))?;
        Some(found.next.as_str().to_owned())
    }

    fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, SeqCst);
    }

    /// Does with the cookies of an answer what a browser does.
    fn take(&mut self, cookies: &Cookies) {
        let mut answer = HeaderMap::new();
        cookies.set(&mut answer);
        for cookie in answer.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            let others = self.cookies().into_iter();
            let mut kept: Vec<_> = others
                .filter(|other| other.split_once('=').unwrap().0 != name)
                .collect();
            if !value.is_empty() {
                kept.push(cookie.to_owned());
            }
            let kept = kept.join("; ").try_into().unwrap();
            self.browser.insert(header::COOKIE, kept);
        }
    }

    fn cookies(&self) -> Vec<String> {
        let header = self.browser.get(header::COOKIE);
        let cookies = header.map_or("", |header| header.to_str().unwrap());
        let cookies = cookies.split("; ").filter(|cookie| !cookie.is_empty());
        cookies.map(str::to_owned).collect()
    }
}

#[test]
fn a_login_may_take_ten_minutes_by_the_clock_of_the_site() {
    for (takes, counts) in [
        (0, true),
        (10 * MINUTE - 1, true),
        (10 * MINUTE, false),
        (365 * 24 * 60 * MINUTE, false),
        // A node whose clock is behind the other's.
        (-MINUTE, true),
        (-MINUTE - 1, false),
        (-365 * 24 * 60 * MINUTE, false),
    ] {
        let mut scene = Scene::new();
        let state = scene.begin("/account");
        scene.advance(takes);
        assert_eq!(scene.come_back(&state).is_some(), counts, "{takes}");
        assert!(scene.cookies().is_empty(), "it is over: {takes}");
    }
}

#[test]
fn a_stamp_at_the_ends_of_time_is_no_login() {
    for stamp in [i64::MIN, -1, 0, i64::MAX] {
        let mut scene = Scene::new();
        let now = scene.now.swap(stamp, SeqCst);
        let state = scene.begin("/");
        scene.now.store(now, SeqCst);
        assert_eq!(scene.come_back(&state), None, "{stamp}");
    }
}

/// The same site with a key.
fn sealed(mut scene: Scene) -> Scene {
    let key = SessionKey::from_bytes([7; 32]);
    scene.attempts.keys = Some(SessionKeys::new(vec![key]));
    scene
}

#[test]
fn a_browser_holds_few_attempts_and_keeps_the_first_and_the_latest() {
    for mut scene in [Scene::new(), sealed(Scene::new())] {
        let longest = format!("/{}", "x".repeat(LONGEST_RETURN_PATH - 1));
        let mut states = Vec::new();
        for _ in 0..3 * SLOTS {
            scene.advance(SECOND);
            states.push(scene.begin(&longest));
            let cookies = scene.cookies();
            assert_eq!(cookies.len(), states.len().min(SLOTS));
            assert!(cookies.join("; ").len() < 3_000);
        }
        let count = states.len();
        for (index, state) in states.iter().enumerate() {
            let is_kept = index == 0 || index > count - SLOTS;
            let came_back = scene.come_back(state);
            assert_eq!(came_back, is_kept.then(|| longest.clone()), "{index}");
        }
        assert_eq!(scene.cookies().len(), 0);
    }
}

#[test]
fn what_a_timer_begins_gives_way_to_what_a_person_began() {
    let mut scene = Scene::new();
    let mut begin = |by_person| {
        scene.advance(SECOND);
        scene.begin_by("/", by_person)
    };
    let first = begin(false);
    let by_person = [begin(true), begin(true), begin(true)];
    let timer = [begin(false), begin(false), begin(false)];
    assert!(scene.come_back(&first).is_none());
    for state in &by_person {
        assert!(scene.come_back(state).is_some());
    }
    assert!(scene.come_back(&timer[1]).is_none());
    assert!(scene.come_back(&timer[2]).is_some());
}

#[test]
fn a_used_state_is_known_until_its_login_would_have_expired() {
    let mut scene = sealed(Scene::new());
    let state = scene.begin("/account");
    let cookies = Cookies::of(&scene.browser);
    let stamp = Some(Timestamp::from_micros(7));
    let found = scene.attempts.find(&cookies, &scene.callback, &state);
    scene
        .attempts
        .mark_used(&cookies, &found.unwrap(), &state, stamp);
    scene.take(&cookies);
    assert!(!scene.cookies()[0].contains(&state), "the digest alone");
    let used = |scene: &Scene, state: &str| {
        let cookies = Cookies::of(&scene.browser);
        let found = scene.attempts.find(&cookies, &scene.callback, state)?;
        let is_used = matches!(found.stage, ReturnedStage::Used(used) if used == stamp);
        is_used.then(|| found.next.as_str().to_owned())
    };
    scene.advance(10 * MINUTE - 1);
    assert_eq!(used(&scene, &state).as_deref(), Some("/account"));
    assert_eq!(used(&scene, &format!("{state}A")), None);
    assert_eq!(used(&scene, &state[..8]), None);
    scene.advance(1);
    assert_eq!(used(&scene, &state), None);

    let cookies = Cookies::of(&scene.browser);
    scene.attempts.forget_used(&cookies);
    scene.take(&cookies);
    assert!(scene.cookies().is_empty());
}

#[test]
fn with_a_key_no_browser_makes_up_an_attempt() {
    let mut plain = Scene::new();
    let state = plain.begin("/account");
    let mut scene = sealed(Scene::new());
    scene.browser = plain.browser.clone();
    assert_eq!(scene.come_back(&state), None);
    // Nor does a sealed one count under another name.
    let state = scene.begin("/account");
    let cookies = scene.cookies().join("; ");
    let renamed = cookies
        .replace("attempt-0", "attempt-9")
        .replace("attempt-1", "attempt-0");
    let renamed = renamed
        .replace("attempt-2", "attempt-1")
        .replace("attempt-3", "attempt-2");
    let renamed = renamed.replace("attempt-9", "attempt-3");
    scene
        .browser
        .insert(header::COOKIE, renamed.try_into().unwrap());
    assert_eq!(scene.come_back(&state), None);
}

#[test]
fn a_slot_that_holds_no_login_is_free() {
    let mut scene = Scene::new();
    let ahead = scene.now.fetch_add(5 * MINUTE, SeqCst);
    scene.begin("/of-the-future");
    scene.now.store(ahead, SeqCst);
    let name = scene.attempts.cookie_name(0);
    let mut cookies = scene.cookies();
    cookies.retain(|cookie| !cookie.starts_with(&name));
    cookies.push(format!("{name}=garbage"));
    let cookies = cookies.join("; ").try_into().unwrap();
    scene.browser.insert(header::COOKIE, cookies);
    // Whatever is in the other slots, also if that was begun later.
    let states = [(); SLOTS].map(|()| scene.begin("/"));
    assert_eq!(scene.cookies().len(), SLOTS);
    for state in states {
        assert!(scene.come_back(&state).is_some());
    }
}

#[test]
fn two_logins_of_one_page_are_two() {
    let mut scene = Scene::new();
    let cookies = Cookies::of(&scene.browser);
    let states = ["/a", "/b"].map(|next| {
        let next = ReturnPath::parse(&scene.attempts.site, next).unwrap();
        let begun = scene.attempts.begin(&scene.callback, None, &next);
        let state = begun.state.expose().to_owned();
        scene.attempts.keep(&cookies, begun, true);
        state
    });
    scene.take(&cookies);
    assert_eq!(scene.come_back(&states[0]).as_deref(), Some("/a"));
    assert_eq!(scene.come_back(&states[1]).as_deref(), Some("/b"));
}

#[test]
fn a_state_is_for_one_way_back_and_one_beginning() {
    let mut scene = Scene::new();
    let state = scene.begin("/account");
    let good = scene.browser.clone();
    let [cookie] = &scene.cookies()[..] else {
        panic!("one attempt")
    };
    let (name, value) = cookie.split_once('=').unwrap();
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(value).unwrap()).unwrap();
    let parts: Vec<_> = text.splitn(4, '.').collect();
    let [stage, secret, begun_at, next] = parts[..] else {
        panic!("{text}")
    };
    let later = begun_at.parse::<i64>().unwrap() + 1;
    for changed in [
        format!("{stage}.{secret}.{begun_at}./elsewhere"),
        format!("{stage}.{secret}.{later}.{next}"),
    ] {
        let changed = format!("{name}={}", URL_SAFE_NO_PAD.encode(changed));
        let changed = changed.try_into().unwrap();
        scene.browser.insert(header::COOKIE, changed);
        assert_eq!(scene.come_back(&state), None);
    }
    scene.browser.clone_from(&good);
    let callback = scene.attempts.site.url("/other/callback");
    let callback = std::mem::replace(&mut scene.callback, callback);
    assert_eq!(scene.come_back(&state), None);
    assert!(scene.cookies().is_empty(), "burnt at the wrong callback");
    scene.browser = good;
    scene.callback = callback;
    assert_eq!(scene.come_back(&state).as_deref(), Some("/account"));
}
