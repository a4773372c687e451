//! What the stamps of every ready store keep, by a clock to set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use axum_clef::{
    IdentityStore, LoginId, LoginReference, Profile, ProviderSession, RevocationKey, Subject,
    SubjectIdentifier, Timestamp, User as _,
    stores::{Account, MemoryUserStore, SqliteUserStore},
};
use test_support::AnyUsers;

pub const DAY: i64 = test_support::DAY;

/// A ready store, with a clock that stands still until it is set.
pub struct Ready {
    pub users: Arc<dyn AnyUsers>,
    /// Another handle of the same users.
    pub there: Arc<dyn AnyUsers>,
    pub clock: Clock,
    /// How many writes remove what is kept no longer.
    pub sweep: usize,
}

pub enum Clock {
    Here(Arc<AtomicI64>),
    /// The table that `clef_now()` reads.
    #[allow(dead_code)] // The tests of `postgres` alone have it.
    Postgres(sqlx::PgPool),
}

/// Calls a macro with the names of all checks.
macro_rules! all_checks {
    ($tests:ident) => {
        $tests! {
            a_ready_store_can_do_all_that_is_optional
            a_hundred_writes_at_once_raise_each_stamp_a_hundred_times
            a_logout_is_now_or_later_and_never_earlier
            a_user_who_never_logged_in_can_be_logged_out
            a_clock_that_steps_back_lets_no_login_outlive_a_logout
            a_revocation_is_now_or_later_and_never_earlier
            a_revocation_is_later_than_every_login
            a_login_is_checked_by_its_id_and_every_key_it_falls_under
            the_end_of_every_login_is_kept_for_good
            one_login_stays_a_microsecond_after_the_logout_of_all_others
            a_revocation_is_kept_until_its_time_and_then_removed
            the_time_that_a_revocation_is_kept_only_rises
            an_address_finds_the_users_who_verified_it_at_their_provider
            an_account_says_whether_its_address_is_verified
        }
    };
}
pub(crate) use all_checks;

pub fn memory() -> Ready {
    let time = Arc::<AtomicI64>::default();
    let reading = Arc::clone(&time);
    let users = MemoryUserStore::new();
    let users = users.with_clock(move || Timestamp::from_micros(reading.load(SeqCst)));
    Ready {
        sweep: 2_000,
        ..Ready::new(users.clone(), users, Clock::Here(time))
    }
}

pub async fn sqlite(url: &str) -> Ready {
    let time = Arc::<AtomicI64>::default();
    let reading = Arc::clone(&time);
    let users = SqliteUserStore::connect(url).await.unwrap();
    let users = users.with_clock(move || Timestamp::from_micros(reading.load(SeqCst)));
    Ready::new(users.clone(), users, Clock::Here(time))
}

pub fn subject(id: &str) -> Subject {
    Subject::new("https://clef.test", id)
}

pub fn session(id: &str) -> RevocationKey {
    RevocationKey::Session(ProviderSession::new("https://id.test", id))
}

fn login_id() -> LoginId {
    "AAECAwQFBgcICQoLDA0ODw".parse().unwrap()
}

impl Ready {
    pub fn new<S: IdentityStore<User = Account>>(users: S, there: S, clock: Clock) -> Self {
        Self {
            users: Arc::new(users),
            there: Arc::new(there),
            clock,
            sweep: 1,
        }
    }

    pub async fn set_clock(&self, micros: i64) {
        match &self.clock {
            Clock::Here(time) => time.store(micros, SeqCst),
            Clock::Postgres(pool) => {
                let set = sqlx::query("update test_clock set micros = $1").bind(micros);
                set.execute(pool).await.unwrap();
            }
        }
        assert_eq!(self.now().await, micros);
    }

    async fn now(&self) -> i64 {
        self.users.now().await.unwrap().as_micros()
    }

    pub async fn find_or_create(&self, id: &str) -> Account {
        let user = self.users.find_or_create(&Profile::new(subject(id))).await;
        user.unwrap().unwrap()
    }

    /// A login of this subject, from the profile on: the id of the user.
    pub async fn log_in(&self, subject: &str) -> String {
        let id = self.find_or_create(subject).await.id();
        self.users.log_in(&id).await.unwrap().unwrap();
        id
    }

    pub async fn logged_out_at(&self, id: &str) -> Option<i64> {
        let user = self.users.load(id).await.unwrap().unwrap();
        user.logged_out_at().map(Timestamp::as_micros)
    }

    pub async fn revoke(&self, keys: &[RevocationKey], keep_until: i64) {
        let keep_until = Timestamp::from_micros(keep_until);
        self.users.revoke(keys, keep_until).await.unwrap();
    }

    pub async fn revoked_at(&self, key: &RevocationKey) -> Option<i64> {
        let stamp = self.users.revoked_at(key).await.unwrap();
        stamp.map(Timestamp::as_micros)
    }
}

pub async fn a_ready_store_can_do_all_that_is_optional(store: &Ready) {
    let users = &store.users;
    assert!(users.keeps_revocations());
    assert!(users.keeps_one_login());
    assert!(users.notes_sessions());
    assert!(users.knows_identifiers());
}

pub async fn a_hundred_writes_at_once_raise_each_stamp_a_hundred_times(store: &Ready) {
    store.set_clock(1_000).await;
    let id = store.log_in("12345").await;
    store.revoke(&[session("a"), session("b")], DAY).await;
    let writes = (0..100).map(|number| {
        let users = if number % 2 == 0 {
            &store.users
        } else {
            &store.there
        };
        let (users, id) = (Arc::clone(users), id.clone());
        tokio::spawn(async move {
            if number % 3 == 0 {
                let users = users.log_out_subject(&subject("12345")).await;
                assert_eq!(users.unwrap(), [id]);
            } else {
                assert!(users.log_out(&id).await.unwrap());
            }
            // In any order: the rows are locked in one.
            let mut keys = [session("a"), session("b")];
            keys.rotate_left(number % 2);
            let keep_until = Timestamp::from_micros(DAY);
            users.revoke(&keys, keep_until).await.unwrap();
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    // The clock stands still since the login, so each had to be one above the one before.
    assert_eq!(store.logged_out_at(&id).await, Some(1_100));
    for id in ["a", "b"] {
        assert_eq!(store.revoked_at(&session(id)).await, Some(1_101));
    }
}

pub async fn a_logout_is_now_or_later_and_never_earlier(store: &Ready) {
    let id = store.log_in("12345").await;
    assert_eq!(store.logged_out_at(&id).await, None);
    // The login was at 0, so no logout is.
    for (now, stamp) in [(0, 1), (500, 500), (500, 501), (100, 502), (900, 900)] {
        store.set_clock(now).await;
        assert!(store.users.log_out(&id).await.unwrap());
        assert_eq!(store.logged_out_at(&id).await, Some(stamp));
    }
    store.log_in("12345").await;
    let after_login = store.logged_out_at(&id).await;
    assert_eq!(after_login, Some(900), "a login leaves it");
    let users = store.users.log_out_subject(&subject("12345")).await;
    assert_eq!(users.unwrap(), [&*id]);
    assert_eq!(store.logged_out_at(&id).await, Some(901));
}

pub async fn a_user_who_never_logged_in_can_be_logged_out(store: &Ready) {
    store.set_clock(-5).await;
    let id = store.find_or_create("12345").await.id();
    assert!(store.users.log_out(&id).await.unwrap());
    assert_eq!(store.logged_out_at(&id).await, Some(-5));
}

pub async fn a_clock_that_steps_back_lets_no_login_outlive_a_logout(store: &Ready) {
    store.set_clock(60_000_000).await;
    let id = store.log_in("12345").await;
    // Another login, by the clock that stepped back, hides nothing of the first.
    store.set_clock(1_000_000).await;
    store.log_in("12345").await;
    assert!(store.users.log_out(&id).await.unwrap());
    assert_eq!(store.logged_out_at(&id).await, Some(60_000_001));
}

pub async fn a_revocation_is_now_or_later_and_never_earlier(store: &Ready) {
    // There was no login yet, so nothing has to be later than that.
    for (now, stamp) in [(-5, -5), (-5, -4), (500, 500), (500, 501), (100, 502)] {
        store.set_clock(now).await;
        store.revoke(&[session("abc")], 1_000).await;
        assert_eq!(store.revoked_at(&session("abc")).await, Some(stamp));
    }
    assert_eq!(store.revoked_at(&session("xyz")).await, None);
}

pub async fn a_revocation_is_later_than_every_login(store: &Ready) {
    let mut latest = 0;
    // By a little, and by far more than a clock is ever wrong.
    for (number, stepped_back) in [1, 59_000_000, 2 * DAY, 400 * DAY].into_iter().enumerate() {
        latest += 500 * DAY;
        store.set_clock(latest).await;
        store.log_in("12345").await;
        store.log_in("67890").await;
        store.set_clock(latest - stepped_back).await;
        store.log_in("67890").await;
        // Some that were not revoked before, and one that was.
        let login = RevocationKey::Login(login_id());
        let keys = [session(&number.to_string()), session("again"), login];
        store.revoke(&keys, i64::MAX).await;
        for key in &keys {
            let revoked_at = store.revoked_at(key).await;
            assert!(
                revoked_at > Some(latest),
                "by {stepped_back}: {revoked_at:?}"
            );
        }
    }
}

pub async fn a_login_is_checked_by_its_id_and_every_key_it_falls_under(store: &Ready) {
    let id = store.log_in("12345").await;
    let login = LoginReference::new(&id);
    let check = async |login| {
        let check = store.users.check_login(login).await.unwrap().unwrap();
        let revoked_at = check.revoked_at.map(Timestamp::as_micros);
        (check.revoked, revoked_at)
    };
    let (session, alex) = (session("abc"), RevocationKey::Subject(subject("12345")));
    store.set_clock(7).await;
    for (revoked, expected) in [
        (RevocationKey::UnknownSubject(subject("12345")), [None; 2]),
        (session.clone(), [Some(7), None]),
        (alex.clone(), [Some(7), Some(7)]),
    ] {
        store.revoke(&[revoked], 1_000).await;
        for (key, revoked_at) in [&session, &alex].into_iter().zip(expected) {
            let login = login.with_provider_key(key.provider_key());
            let check = check(login.with_id(login_id())).await;
            assert_eq!(check, (false, revoked_at), "{key:?}");
        }
    }
    let key = RevocationKey::Login(login_id());
    store.revoke(&[key], 1_000).await;
    assert_eq!(check(login.with_id(login_id())).await, (true, None));
    assert_eq!(check(login).await, (false, None));

    let of = |issuer| login.with_issuer(Some(issuer));
    let at_provider = of("https://clef.test").with_provider_key(session.provider_key());
    store.set_clock(9).await;
    let issuer = RevocationKey::Issuer("https://clef.test".to_owned());
    store.revoke(&[issuer], i64::MAX).await;
    assert_eq!(check(at_provider).await, (false, Some(9)));
    assert_eq!(check(of("https://clef.test")).await, (false, Some(9)));
    assert_eq!(check(of("https://clef.test/")).await, (false, None));
    assert_eq!(check(of("")).await, (false, None));
    assert_eq!(check(login).await, (false, None));
    store.set_clock(8).await;
    store.revoke(&[RevocationKey::Everyone], i64::MAX).await;
    assert_eq!(check(login).await, (false, Some(8)));
    assert_eq!(check(of("https://clef.test")).await, (false, Some(9)));
    // The latest of all counts.
    store.set_clock(12).await;
    store.revoke(std::slice::from_ref(&session), 1_000).await;
    assert_eq!(check(at_provider).await, (false, Some(12)));
    store.revoke(&[RevocationKey::Everyone], i64::MAX).await;
    assert_eq!(check(login).await, (false, Some(12)));
}

pub async fn one_login_stays_a_microsecond_after_the_logout_of_all_others(store: &Ready) {
    let log_out_others = async |id: &str, stamp| {
        let stamp = Timestamp::from_micros(stamp);
        let written = store.users.log_out_others(id, stamp).await.unwrap();
        written.map(Timestamp::as_micros)
    };
    store.set_clock(10).await;
    let (id, other) = (store.log_in("12345").await, store.log_in("67890").await);
    assert_eq!(log_out_others(&id, 10).await, Some(11));
    assert_eq!(store.logged_out_at(&id).await, Some(11));
    assert_eq!(store.logged_out_at(&other).await, None);
    // Whatever ends it is later than its stamp of 12, though no clock has shown that yet.
    store.revoke(&[session("abc")], DAY).await;
    assert_eq!(store.revoked_at(&session("abc")).await, Some(13));
    for ended in [10, 11] {
        assert_eq!(log_out_others(&id, ended).await, None);
    }
    assert_eq!(store.logged_out_at(&id).await, Some(11));
    assert_eq!(log_out_others(&id, 12).await, Some(13));
    assert!(store.users.log_out(&id).await.unwrap());
    assert_eq!(store.logged_out_at(&id).await, Some(15));
    assert_eq!(log_out_others(&id, 14).await, None);
    // By a clock that has gone on, or has stepped back.
    store.set_clock(100).await;
    assert_eq!(log_out_others(&id, 16).await, Some(100));
    store.set_clock(50).await;
    assert_eq!(log_out_others(&id, 101).await, Some(102));
    assert_eq!(log_out_others("1234567890", 101).await, None);
    assert_eq!(log_out_others("", 101).await, None);
    store.set_clock(i64::MAX).await;
    assert_eq!(log_out_others(&other, 10).await, Some(i64::MAX));
}

/// Later than every login that is noted, by a clock that has stepped back too.
pub async fn the_end_of_every_login_is_kept_for_good(store: &Ready) {
    let keys = [
        RevocationKey::Issuer("https://clef.test".to_owned()),
        RevocationKey::Everyone,
    ];
    store.set_clock(50).await;
    store.log_in("12345").await;
    store.set_clock(20).await;
    store.revoke(&keys, i64::MAX).await;
    for key in &keys {
        assert_eq!(store.revoked_at(key).await, Some(51), "{key:?}");
    }
    store.set_clock(100 * 365 * DAY).await;
    for _ in 0..store.sweep {
        store.revoke(&[session("another")], 100 * 366 * DAY).await;
    }
    for key in &keys {
        assert_eq!(store.revoked_at(key).await, Some(51), "{key:?}");
    }
}

pub async fn a_revocation_is_kept_until_its_time_and_then_removed(store: &Ready) {
    store.revoke(&[session("first")], 10).await;
    store.revoke(&[session("second")], 20).await;
    for (now, first_kept, second_kept) in [
        (10, true, true),
        (11, false, true),
        (20, false, true),
        (21, false, false),
    ] {
        store.set_clock(now).await;
        // Old ones are removed when others are written.
        for call in 0..store.sweep {
            let other = session(&format!("{now} {call}"));
            store.revoke(&[other], now).await;
        }
        let kept = store.revoked_at(&session("first")).await.is_some();
        assert_eq!(kept, first_kept, "at {now}");
        let kept = store.revoked_at(&session("second")).await.is_some();
        assert_eq!(kept, second_kept, "at {now}");
    }
}

pub async fn the_time_that_a_revocation_is_kept_only_rises(store: &Ready) {
    for keep_until in [10, 30, 20] {
        store.revoke(&[session("abc")], keep_until).await;
    }
    store.set_clock(30).await;
    store.revoke(&[session("another")], 1_000).await;
    assert!(store.revoked_at(&session("abc")).await.is_some());
}

pub async fn an_address_finds_the_users_who_verified_it_at_their_provider(store: &Ready) {
    let (here, elsewhere) = ("https://clef.test", "https://elsewhere.test");
    let log_in = async |issuer: &str, id: &str, email: Option<&str>, verified| {
        let mut profile = Profile::new(Subject::new(issuer, id));
        profile.email = email.map(str::to_owned);
        profile.email_verified = verified;
        let user = store.users.find_or_create(&profile).await;
        user.unwrap().unwrap().id()
    };
    let users_of = async |issuer: &str, identifier: SubjectIdentifier| {
        let users = store.users.users_of(issuer, &identifier).await.unwrap();
        let there = store.there.users_of(issuer, &identifier).await.unwrap();
        assert_eq!(users, there);
        users
    };
    let email = |text: &str| SubjectIdentifier::Email(text.to_owned());
    let address = "Alex@example.com";
    let alex = log_in(here, "alex", Some(address), Some(true)).await;
    log_in(here, "kim", Some(address), None).await;
    log_in(here, "noor", Some(address), Some(false)).await;
    log_in(here, "sam", None, None).await;
    let other = log_in(elsewhere, "alex", Some(address), Some(true)).await;
    assert_eq!(users_of(here, email("alex@Example.com")).await, [&*alex]);
    assert_eq!(users_of(elsewhere, email(address)).await, [other]);
    for (issuer, identifier) in [
        ("https://third.test", email(address)),
        (here, email("alex@example.co")),
        (here, email(" alex@example.com")),
        (here, email("")),
        (here, email("%")),
        (here, email("alex@example.com\0")),
        (here, email(&"x".repeat(10_000))),
        ("\0", email(address)),
        (here, SubjectIdentifier::Opaque("alex".to_owned())),
        (here, SubjectIdentifier::Account(address.to_owned())),
        (here, SubjectIdentifier::Unknown),
    ] {
        let users = users_of(issuer, identifier.clone()).await;
        assert!(users.is_empty(), "{issuer:?} {identifier:?}");
    }
    // Two users may share one.
    let kim = log_in(here, "kim", Some("ALEX@EXAMPLE.COM"), Some(true)).await;
    let mut both = [&*alex, &*kim];
    both.sort_unstable();
    let mut users = users_of(here, email(address)).await;
    users.sort_unstable();
    assert_eq!(users, both);
    // It counts as long as it is theirs and verified.
    log_in(here, "alex", Some("new@example.com"), Some(true)).await;
    assert_eq!(users_of(here, email(address)).await, [kim]);
    assert_eq!(users_of(here, email("new@example.com")).await, [&*alex]);
    for (at, verified) in [("new@example.com", None), ("new@example.com", Some(false))] {
        log_in(here, "alex", Some(at), verified).await;
        assert!(users_of(here, email(at)).await.is_empty(), "{verified:?}");
        log_in(here, "alex", Some(at), Some(true)).await;
        assert_eq!(users_of(here, email(at)).await, [&*alex]);
    }
    // The provider leaves out an address that it calls unverified.
    log_in(here, "alex", None, Some(false)).await;
    assert!(users_of(here, email("new@example.com")).await.is_empty());
}

/// Each read of a user, after each login at the provider.
pub async fn an_account_says_whether_its_address_is_verified(store: &Ready) {
    let address = Some("alex@example.com");
    // Too long for an index of PostgreSQL, also when it is compressed.
    let long: String = (0..4_000)
        .map(|_| char::from(rand::random::<u8>() % 90 + b'!'))
        .collect();
    let verifies_long = !matches!(store.clock, Clock::Postgres(_));
    for (email, verified, expected) in [
        (address, None, false),
        (address, Some(true), true),
        (address, Some(false), false),
        (address, Some(true), true),
        (Some("new@example.com"), None, false),
        (Some(&long), Some(true), verifies_long),
    ] {
        let mut profile = Profile::new(subject("alex"));
        profile.email = email.map(str::to_owned);
        profile.email_verified = verified;
        let found = store.users.find_or_create(&profile).await.unwrap().unwrap();
        let id = found.id();
        let check = store.users.check_login(LoginReference::new(&id)).await;
        for account in [
            found,
            store.users.load(&id).await.unwrap().unwrap(),
            store.users.log_in(&id).await.unwrap().unwrap(),
            check.unwrap().unwrap().user,
        ] {
            let is_verified = account.profile().email_verified == Some(true);
            assert_eq!(is_verified, expected, "{email:?} {verified:?}");
        }
    }
}
