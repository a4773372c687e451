use super::*;
use crate::{PEOPLE, TEST_APPLICATIONS, directory::Directory};

const REDIRECT: &str = "http://localhost:3000/clef/callback";
const HOOK: &str = "http://localhost:3000/clef/logout";
const ALMOST: Duration = Duration::from_millis(59_999);
const MINUTE: Duration = Duration::from_secs(60);

fn alex() -> Arc<Person> {
    Arc::new(PEOPLE[0].clone())
}

fn noor() -> Arc<Person> {
    Arc::new(PEOPLE[1].clone())
}

fn one() -> Arc<Application> {
    Arc::new(TEST_APPLICATIONS[0].clone())
}

fn other() -> Arc<Application> {
    Arc::new(TEST_APPLICATIONS[1].clone())
}

fn empty() -> Logins {
    Logins::new(alex())
}

fn destination() -> Destination {
    let directory = Directory::new(&[], &[]).unwrap();
    Destination::new(&directory, one().id(), REDIRECT, None).unwrap()
}

fn code_for(logins: &mut Logins, person: &Arc<Person>, now: Instant) -> String {
    logins.give_code(person, &destination(), now)
}

/// An exchange by the first application.
fn exchange(
    logins: &mut Logins,
    code: &str,
    hook: Option<&str>,
    now: Instant,
) -> Result<String, ExchangeError> {
    exchange_as(logins, &one(), code, None, hook, now)
}

fn exchange_as(
    logins: &mut Logins,
    application: &Arc<Application>,
    code: &str,
    redirect_uri: Option<&str>,
    logout_hook: Option<&str>,
    now: Instant,
) -> Result<String, ExchangeError> {
    let exchange = Exchange {
        application,
        code,
        redirect_uri,
        logout_hook,
    };
    logins.exchange_code(&exchange, now).map(|(token, _)| token)
}

fn log_in(logins: &mut Logins, person: &Arc<Person>, now: Instant) -> String {
    let code = code_for(logins, person, now);
    exchange(logins, &code, Some(HOOK), now).unwrap()
}

fn logout_token(notice: &Notice) -> &str {
    &notice.call.as_ref().unwrap().logout_token
}

#[test]
fn a_code_is_good_once() {
    let now = Instant::now();
    let mut logins = empty();
    let code = code_for(&mut logins, &noor(), now);
    let token = exchange(&mut logins, &code, Some(HOOK), now).unwrap();
    assert_eq!(logins.person_of(&token, now), Some(&noor()));
    assert_eq!(
        exchange(&mut logins, &code, Some(HOOK), now),
        Err(ExchangeError::Code)
    );
}

#[test]
fn a_code_lives_one_minute() {
    let now = Instant::now();
    let mut logins = empty();
    let (early, late) = (
        code_for(&mut logins, &alex(), now),
        code_for(&mut logins, &alex(), now),
    );
    assert!(exchange(&mut logins, &early, Some(HOOK), now + ALMOST).is_ok());
    assert_eq!(
        exchange(&mut logins, &late, Some(HOOK), now + MINUTE),
        Err(ExchangeError::Code)
    );
}

#[test]
fn an_access_token_lives_one_minute() {
    let now = Instant::now();
    let mut logins = empty();
    let token = log_in(&mut logins, &alex(), now);
    assert_eq!(logins.person_of(&token, now + ALMOST), Some(&alex()));
    assert_eq!(logins.person_of(&token, now + MINUTE), None);
}

#[test]
fn a_refusal_does_not_burn_the_code() {
    let now = Instant::now();
    let mut logins = empty();
    let code = code_for(&mut logins, &alex(), now);
    let foreign = exchange_as(&mut logins, &other(), &code, None, Some(HOOK), now);
    assert_eq!(foreign, Err(ExchangeError::Code));
    let url = Some("http://localhost:3000/clef/callback/");
    let elsewhere = exchange_as(&mut logins, &one(), &code, url, Some(HOOK), now);
    assert_eq!(elsewhere, Err(ExchangeError::Code));
    for hook in [
        "",
        "/clef/logout",
        "http://localhost:3001/clef/logout",
        "http://example.com/clef/logout",
        "http://localhost:3000/clef/logout#x",
    ] {
        let refused = exchange(&mut logins, &code, Some(hook), now);
        assert_eq!(refused, Err(ExchangeError::LogoutHook), "{hook}");
    }
    assert!(logins.sites(&alex(), now).is_empty());

    let right = exchange_as(&mut logins, &one(), &code, Some(REDIRECT), Some(HOOK), now);
    assert!(right.is_ok());
}

#[test]
fn a_bad_hook_with_a_bad_code_is_a_bad_code() {
    let mut logins = empty();
    let refused = exchange(&mut logins, "unknown", Some("x"), Instant::now());
    assert_eq!(refused, Err(ExchangeError::Code));
}

#[test]
fn a_log_out_ends_codes_and_access_tokens_of_that_person_alone() {
    let now = Instant::now();
    let mut logins = empty();
    let (code, token) = (
        code_for(&mut logins, &alex(), now),
        log_in(&mut logins, &alex(), now),
    );
    let (other_code, other_token) = (
        code_for(&mut logins, &noor(), now),
        log_in(&mut logins, &noor(), now),
    );

    logins.begin_log_out(&alex(), now);

    assert_eq!(
        exchange(&mut logins, &code, Some(HOOK), now),
        Err(ExchangeError::Code)
    );
    assert_eq!(logins.person_of(&token, now), None);
    assert!(exchange(&mut logins, &other_code, Some(HOOK), now).is_ok());
    assert_eq!(logins.person_of(&other_token, now), Some(&noor()));
    assert_eq!(logins.sites(&noor(), now).len(), 1);
}

#[test]
fn a_logout_token_is_good_once_and_for_its_application() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &noor(), now);
    let notices = logins.begin_log_out(&noor(), now);
    let token = logout_token(&notices[0]);

    assert_eq!(logins.exchange_logout_token(token, &other(), now), None);
    assert_eq!(
        logins.exchange_logout_token(token, &one(), now),
        Some(noor())
    );
    assert_eq!(logins.exchange_logout_token(token, &one(), now), None);
}

#[test]
fn a_logout_token_expires() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);
    let notices = logins.begin_log_out(&alex(), now);
    let late = now + LOGOUT_TOKEN_LIFETIME;
    assert_eq!(
        logins.exchange_logout_token(logout_token(&notices[0]), &one(), late),
        None
    );
}

#[test]
fn a_site_stays_until_it_was_told() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);

    let first = logins.begin_log_out(&alex(), now);
    let again = logins.begin_log_out(&alex(), now);
    assert_eq!((first.len(), again.len()), (1, 1));
    assert_ne!(logout_token(&first[0]), logout_token(&again[0]));

    logins.told(first[0].id);
    assert!(logins.sites(&alex(), now).is_empty());
    assert!(logins.begin_log_out(&alex(), now).is_empty());
}

#[test]
fn telling_of_an_old_login_leaves_a_newer_one() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);
    let notices = logins.begin_log_out(&alex(), now);
    log_in(&mut logins, &alex(), now);

    logins.told(notices[0].id);
    assert_eq!(logins.sites(&alex(), now).len(), 1);
}

#[test]
fn a_retry_has_a_fresh_token_until_it_is_void() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);
    let first = logins.begin_log_out(&alex(), now);
    let again = logins.call_again(first[0].id, now).unwrap();
    assert_ne!(logout_token(&first[0]), again.logout_token);

    // A newer log-out tells the site itself.
    let second = logins.begin_log_out(&alex(), now);
    assert!(logins.call_again(first[0].id, now).is_none());
    assert!(logins.call_again(second[0].id, now).is_some());

    // A newer login must not be ended by the old notice.
    log_in(&mut logins, &alex(), now);
    assert!(logins.call_again(second[0].id, now).is_none());
}

#[test]
fn only_the_site_that_owes_an_answer_is_told_before_it_is_entered() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);
    assert!(logins.owed(&alex(), &destination(), now).is_empty());

    let first = logins.begin_log_out(&alex(), now);
    assert!(logins.sites(&alex(), now)[0].owed);
    assert!(logins.owed(&noor(), &destination(), now).is_empty());
    let owed = logins.owed(&alex(), &destination(), now);
    assert_eq!(owed.len(), 1);
    assert!(
        logins.call_again(first[0].id, now).is_none(),
        "told already"
    );
    logins.told(owed[0].id);
    assert!(logins.owed(&alex(), &destination(), now).is_empty());
}

#[test]
fn entering_again_replaces_and_another_hook_is_another_site() {
    let now = Instant::now();
    let mut logins = empty();
    log_in(&mut logins, &alex(), now);
    log_in(&mut logins, &alex(), now + ALMOST);
    let sites = logins.sites(&alex(), now + ALMOST);
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].name, "localhost:3000");
    assert_eq!(sites[0].entered, Duration::ZERO);

    let code = code_for(&mut logins, &alex(), now);
    let hook = Some("http://localhost:3000/admin/logout");
    exchange(&mut logins, &code, hook, now).unwrap();
    assert_eq!(logins.sites(&alex(), now).len(), 2);
}

#[test]
fn a_site_without_a_hook_is_named_once() {
    let now = Instant::now();
    let mut logins = empty();
    let code = code_for(&mut logins, &alex(), now);
    exchange(&mut logins, &code, None, now).unwrap();
    assert!(!logins.sites(&alex(), now)[0].has_hook);

    let notices = logins.begin_log_out(&alex(), now);
    assert_eq!(notices[0].site, "localhost:3000");
    assert!(notices[0].call.is_none());
    assert!(logins.begin_log_out(&alex(), now).is_empty());
}

#[test]
fn the_published_code_is_never_burnt() {
    let now = Instant::now();
    let mut logins = empty();
    for application in [one(), other(), one()] {
        let url = Some("http://localhost:1/");
        let token = exchange_as(
            &mut logins,
            &application,
            PUBLISHED_CODE,
            url,
            Some(HOOK),
            now,
        );
        assert_eq!(token.as_deref(), Ok(PUBLISHED_ACCESS_TOKEN));
    }
    assert_eq!(logins.sites(&alex(), now).len(), 2);
    logins.begin_log_out(&alex(), now);
    assert_eq!(
        logins.person_of(PUBLISHED_ACCESS_TOKEN, now + MINUTE),
        Some(&alex())
    );

    let hook = Some("https://example.com/clef/logout");
    let outside = exchange(&mut logins, PUBLISHED_CODE, hook, now);
    assert_eq!(outside, Err(ExchangeError::LogoutHook));
}

#[test]
fn only_so_many_logins_are_remembered() {
    let now = Instant::now();
    let mut logins = empty();
    for number in 0..=MOST_ENTRIES {
        logins.enter(&alex(), &one(), format!("site {number}"), None, now);
    }
    let sites = logins.sites(&alex(), now);
    assert_eq!(sites.len(), MOST_ENTRIES);
    assert_eq!(sites[MOST_ENTRIES - 1].name, "site 1");
}
