use super::{
    super::{applications::TEST_APPLICATIONS, people::PEOPLE},
    *,
};

const REDIRECT: &str = "http://localhost:3000/clef/callback";
const HOOK: &str = "http://localhost:3000/clef/logout";
const ALMOST: Duration = Duration::from_millis(59_999);
const MINUTE: Duration = Duration::from_secs(60);

fn alex() -> &'static Person {
    &PEOPLE[0]
}

fn noor() -> &'static Person {
    &PEOPLE[1]
}

fn one() -> &'static Application {
    &TEST_APPLICATIONS[0]
}

fn other() -> &'static Application {
    &TEST_APPLICATIONS[1]
}

fn code_for(logins: &mut Logins, person: &'static Person, now: Instant) -> String {
    let redirect = LoopbackUrl::parse(REDIRECT).unwrap();
    logins.give_code(person, one(), &redirect, REDIRECT, now)
}

fn plain(code: &str) -> Exchange<'_> {
    Exchange {
        application: one(),
        code,
        redirect_uri: None,
        logout_hook: Some(HOOK),
    }
}

fn log_in(logins: &mut Logins, person: &'static Person, now: Instant) -> String {
    let code = code_for(logins, person, now);
    logins.exchange_code(&plain(&code), now).unwrap()
}

fn logout_token(notice: &Notice) -> &str {
    &notice.call.as_ref().unwrap().logout_token
}

#[test]
fn a_code_is_good_once() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let code = code_for(&mut logins, noor(), now);
    let token = logins.exchange_code(&plain(&code), now).unwrap();
    assert_eq!(logins.person_of(&token, now), Some(noor()));
    assert_eq!(
        logins.exchange_code(&plain(&code), now),
        Err(ExchangeError::Code)
    );
}

#[test]
fn a_code_lives_one_minute() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let (early, late) = (
        code_for(&mut logins, alex(), now),
        code_for(&mut logins, alex(), now),
    );
    assert!(logins.exchange_code(&plain(&early), now + ALMOST).is_ok());
    assert_eq!(
        logins.exchange_code(&plain(&late), now + MINUTE),
        Err(ExchangeError::Code)
    );
}

#[test]
fn an_access_token_lives_one_minute() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let token = log_in(&mut logins, alex(), now);
    assert_eq!(logins.person_of(&token, now + ALMOST), Some(alex()));
    assert_eq!(logins.person_of(&token, now + MINUTE), None);
}

#[test]
fn a_refusal_does_not_burn_the_code() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let code = code_for(&mut logins, alex(), now);
    let foreign = Exchange {
        application: other(),
        ..plain(&code)
    };
    let elsewhere = Exchange {
        redirect_uri: Some("http://localhost:3000/clef/callback/"),
        ..plain(&code)
    };
    assert_eq!(
        logins.exchange_code(&foreign, now),
        Err(ExchangeError::Code)
    );
    assert_eq!(
        logins.exchange_code(&elsewhere, now),
        Err(ExchangeError::Code)
    );
    for hook in [
        "",
        "/clef/logout",
        "http://localhost:3001/clef/logout",
        "http://example.com/clef/logout",
        "http://localhost:3000/clef/logout#x",
    ] {
        let exchange = Exchange {
            logout_hook: Some(hook),
            ..plain(&code)
        };
        let refused = logins.exchange_code(&exchange, now);
        assert_eq!(refused, Err(ExchangeError::LogoutHook), "{hook}");
    }
    assert!(logins.sites(alex(), now).is_empty());

    let right = Exchange {
        redirect_uri: Some(REDIRECT),
        ..plain(&code)
    };
    assert!(logins.exchange_code(&right, now).is_ok());
}

#[test]
fn a_bad_hook_with_a_bad_code_is_a_bad_code() {
    let mut logins = Logins::new();
    let exchange = Exchange {
        logout_hook: Some("x"),
        ..plain("unknown")
    };
    assert_eq!(
        logins.exchange_code(&exchange, Instant::now()),
        Err(ExchangeError::Code)
    );
}

#[test]
fn a_log_out_ends_codes_and_access_tokens_of_that_person_alone() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let (code, token) = (
        code_for(&mut logins, alex(), now),
        log_in(&mut logins, alex(), now),
    );
    let (other_code, other_token) = (
        code_for(&mut logins, noor(), now),
        log_in(&mut logins, noor(), now),
    );

    logins.begin_log_out(alex(), now);

    assert_eq!(
        logins.exchange_code(&plain(&code), now),
        Err(ExchangeError::Code)
    );
    assert_eq!(logins.person_of(&token, now), None);
    assert!(logins.exchange_code(&plain(&other_code), now).is_ok());
    assert_eq!(logins.person_of(&other_token, now), Some(noor()));
    assert_eq!(logins.sites(noor(), now).len(), 1);
}

#[test]
fn a_logout_token_is_good_once_and_for_its_application() {
    let now = Instant::now();
    let mut logins = Logins::new();
    log_in(&mut logins, noor(), now);
    let notices = logins.begin_log_out(noor(), now);
    let token = logout_token(&notices[0]);

    assert_eq!(logins.exchange_logout_token(token, other(), now), None);
    assert_eq!(
        logins.exchange_logout_token(token, one(), now),
        Some(noor())
    );
    assert_eq!(logins.exchange_logout_token(token, one(), now), None);
}

#[test]
fn a_logout_token_expires() {
    let now = Instant::now();
    let mut logins = Logins::new();
    log_in(&mut logins, alex(), now);
    let notices = logins.begin_log_out(alex(), now);
    let late = now + LOGOUT_TOKEN_LIFETIME;
    assert_eq!(
        logins.exchange_logout_token(logout_token(&notices[0]), one(), late),
        None
    );
}

#[test]
fn a_site_stays_until_it_was_told() {
    let now = Instant::now();
    let mut logins = Logins::new();
    log_in(&mut logins, alex(), now);

    let first = logins.begin_log_out(alex(), now);
    let again = logins.begin_log_out(alex(), now);
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_ne!(logout_token(&first[0]), logout_token(&again[0]));

    logins.told(first[0].serial);
    assert!(logins.sites(alex(), now).is_empty());
    assert!(logins.begin_log_out(alex(), now).is_empty());
}

#[test]
fn telling_of_an_old_login_leaves_a_newer_one() {
    let now = Instant::now();
    let mut logins = Logins::new();
    log_in(&mut logins, alex(), now);
    let notices = logins.begin_log_out(alex(), now);
    log_in(&mut logins, alex(), now);

    logins.told(notices[0].serial);
    assert_eq!(logins.sites(alex(), now).len(), 1);
}

#[test]
fn entering_again_replaces_and_another_hook_is_another_site() {
    let now = Instant::now();
    let mut logins = Logins::new();
    log_in(&mut logins, alex(), now);
    log_in(&mut logins, alex(), now + ALMOST);
    let sites = logins.sites(alex(), now + ALMOST);
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].name, "localhost:3000");
    assert_eq!(sites[0].entered, Duration::ZERO);

    let code = code_for(&mut logins, alex(), now);
    let second = Exchange {
        logout_hook: Some("http://localhost:3000/admin/logout"),
        ..plain(&code)
    };
    logins.exchange_code(&second, now).unwrap();
    assert_eq!(logins.sites(alex(), now).len(), 2);
}

#[test]
fn a_site_without_a_hook_is_named_once() {
    let now = Instant::now();
    let mut logins = Logins::new();
    let code = code_for(&mut logins, alex(), now);
    let hookless = Exchange {
        logout_hook: None,
        ..plain(&code)
    };
    logins.exchange_code(&hookless, now).unwrap();
    assert!(!logins.sites(alex(), now)[0].has_hook);

    let notices = logins.begin_log_out(alex(), now);
    assert_eq!(notices[0].site, "localhost:3000");
    assert!(notices[0].call.is_none());
    assert!(logins.begin_log_out(alex(), now).is_empty());
}

#[test]
fn the_published_code_is_never_burnt() {
    let now = Instant::now();
    let mut logins = Logins::new();
    for application in [one(), other(), one()] {
        let exchange = Exchange {
            application,
            redirect_uri: Some("http://localhost:1/"),
            ..plain(PUBLISHED_CODE)
        };
        assert_eq!(
            logins.exchange_code(&exchange, now).as_deref(),
            Ok(PUBLISHED_ACCESS_TOKEN)
        );
    }
    assert_eq!(logins.sites(alex(), now).len(), 2);
    logins.begin_log_out(alex(), now);
    assert_eq!(
        logins.person_of(PUBLISHED_ACCESS_TOKEN, now + MINUTE),
        Some(alex())
    );

    let outside = Exchange {
        logout_hook: Some("https://example.com/clef/logout"),
        ..plain(PUBLISHED_CODE)
    };
    assert_eq!(
        logins.exchange_code(&outside, now),
        Err(ExchangeError::LogoutHook)
    );
}

#[test]
fn only_so_many_logins_are_remembered() {
    let now = Instant::now();
    let mut logins = Logins::new();
    for number in 0..=MOST_ENTRIES {
        logins.enter(alex(), one(), format!("site {number}"), None, now);
    }
    let sites = logins.sites(alex(), now);
    assert_eq!(sites.len(), MOST_ENTRIES);
    assert_eq!(sites[MOST_ENTRIES - 1].name, "site 1");
}
