//! Which users and keys are kept, and what a check returns of them.

use axum_clef::{
    IdentityStore as _, LoginId, LoginReference, Profile, ProviderSession, RevocationKey, Subject,
    SubjectIdentifier, Timestamp, User as _, UserStore as _, stores::PostgresUserStore,
};
use test_support::Database;

const LATEST: Timestamp = Timestamp::from_micros(i64::MAX);

fn alex() -> Subject {
    Subject::new("https://clef.test", "12345")
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn what_the_provider_says_is_kept_up_to_date_and_what_it_leaves_out_stays() {
    let database = Database::create().await;
    let store = database.open().await;
    let mut profile = Profile::new(alex());
    profile.first_name = Some("Alex'; drop table clef_users; --".to_owned());
    profile.last_name = Some("Jukić 🐞".to_owned());
    profile.email = Some("alex@getclef.com".to_owned());
    profile.phone_number = Some("+15555555555".to_owned());
    let user = store.find_or_create(&profile).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);

    profile.email = Some("alex@example.com".to_owned());
    let user = store.find_or_create(&profile).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);

    let mut silent = Profile::new(alex());
    silent.first_name = Some("cannot be kept: \0".to_owned());
    let user = store.find_or_create(&silent).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);
    assert_eq!(store.load(&user.id()).await.unwrap(), Some(user));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_subject_that_cannot_be_kept_is_no_user_and_a_key_is_kept_all_the_same() {
    let database = Database::create().await;
    let store = database.open().await;
    // Random, as the server compresses what repeats itself.
    let long: String = (0..400)
        .map(|_| format!("{:016x}", rand::random::<u64>()))
        .collect();
    let issuer = "https://clef.test";
    for subject in [
        Subject::new(issuer, "12345\0"),
        Subject::new(format!("{issuer}\0"), "12345"),
        Subject::new(issuer, &long),
    ] {
        let profile = Profile::new(subject.clone());
        assert_eq!(store.find_or_create(&profile).await.unwrap(), None);
        let users = store.log_out_subject(&subject).await.unwrap();
        assert!(
            users.is_empty(),
            "and no error, which is tried again for ever"
        );
    }
    assert_eq!(store.load("12345\0").await.unwrap(), None);
    assert!(!store.log_out("12345\0").await.unwrap());

    let user = store.find_or_create(&Profile::new(alex())).await;
    let id = user.unwrap().unwrap().id();
    let session = |id: &str| RevocationKey::Session(ProviderSession::new(issuer, id));
    let keys = [
        session("a\0"),
        session("a\0\0"),
        session(&long),
        session("a"),
    ];
    for revoked in 0..keys.len() {
        store
            .revoke(&keys[revoked..=revoked], LATEST)
            .await
            .unwrap();
        for (index, key) in keys.iter().enumerate() {
            let revoked_at = store.revoked_at(key).await.unwrap();
            assert_eq!(revoked_at.is_some(), index <= revoked, "{index}");
            let login = LoginReference::new(&id).with_provider_key(key.provider_key());
            let check = store.check_login(login).await.unwrap().unwrap();
            assert_eq!(check.revoked_at, revoked_at);
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_id_of_a_deleted_user_is_never_given_again() {
    let database = Database::create().await;
    let store = database.open().await;
    let alex = store.find_or_create(&Profile::new(alex())).await;
    let alex = alex.unwrap().unwrap();
    let delete = sqlx::query("delete from clef_users");
    delete.execute(store.pool()).await.unwrap();
    let id = alex.id();
    let login = LoginReference::new(&id);
    assert_eq!(store.check_login(login).await.unwrap(), None);
    assert_eq!(store.log_in(&id).await.unwrap(), None);
    assert!(!store.log_out(&id).await.unwrap());
    let users = store.log_out_subject(&alex.profile().subject).await;
    assert!(users.unwrap().is_empty());
    let noor = Profile::new(Subject::new("https://clef.test", "67890"));
    let noor = store.find_or_create(&noor).await.unwrap().unwrap();
    assert_ne!(id, noor.id());
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_check_has_the_user_the_revocations_and_the_clock() {
    let database = Database::create().await;
    let store = database.open().await;
    let user = store.find_or_create(&Profile::new(alex())).await;
    let id = user.unwrap().unwrap().id();
    let login_id: LoginId = "AAECAwQFBgcICQoLDA0ODw".parse().unwrap();
    let session = RevocationKey::Session(ProviderSession::new("https://id.test", "08a5019c"));
    let others = [
        RevocationKey::Session(ProviderSession::new("https://id.test", "other")),
        RevocationKey::Session(ProviderSession::new("https://id.example", "08a5019c")),
        RevocationKey::Subject(Subject::new("https://id.test", "08a5019c")),
        RevocationKey::UnknownSubject(Subject::new("https://id.test", "08a5019c")),
        RevocationKey::Session(ProviderSession::new("", login_id.to_string())),
    ];
    store.revoke(&others, LATEST).await.unwrap();
    check_login(&store, &id, login_id, &session).await;
    for key in [session.clone(), RevocationKey::Login(login_id)] {
        store.revoke(&[key], LATEST).await.unwrap();
        check_login(&store, &id, login_id, &session).await;
    }
    assert!(store.log_out(&id).await.unwrap());
    check_login(&store, &id, login_id, &session).await;
}

/// Against the parts that it is made of.
async fn check_login(
    store: &PostgresUserStore,
    id: &str,
    login_id: LoginId,
    session: &RevocationKey,
) {
    let user = store.load(id).await.unwrap().unwrap();
    let login_key = RevocationKey::Login(login_id);
    let revoked = store.revoked_at(&login_key).await.unwrap().is_some();
    let revoked_at = store.revoked_at(session).await.unwrap();
    let plain = LoginReference::new(id);
    let with_session = plain.with_provider_key(session.provider_key());
    for (login, revoked, revoked_at) in [
        (plain, false, None),
        (plain.with_id(login_id), revoked, None),
        (with_session, false, revoked_at),
        (with_session.with_id(login_id), revoked, revoked_at),
    ] {
        let before = store.now().await.unwrap();
        let check = store.check_login(login).await.unwrap().unwrap();
        let after = store.now().await.unwrap();
        assert_eq!(check.user, user);
        assert_eq!(check.revoked, revoked);
        assert_eq!(check.revoked_at, revoked_at);
        assert!(before < check.now && check.now < after);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_session_has_its_last_user_and_old_ones_are_removed() {
    let database = Database::create().await;
    let store = database.open().await;
    let old = "insert into clef_sessions (issuer, id, user_id, keep_until)
        select 'https://old.test', number::text, '1', 1 from generate_series(1, 300) as number";
    sqlx::raw_sql(old).execute(store.pool()).await.unwrap();
    let long = "x".repeat(10_000);
    for id in ["1", "", "a\0b", &long] {
        let session = ProviderSession::new("https://clef.test", id);
        assert_eq!(store.session_user(&session).await.unwrap(), None);
        for user in ["1", "2"] {
            store.note_session(&session, user, LATEST).await.unwrap();
            let found = store.session_user(&session).await.unwrap();
            assert_eq!(found.as_deref(), Some(user));
        }
        let elsewhere = ProviderSession::new("https://clef.example", id);
        assert_eq!(store.session_user(&elsewhere).await.unwrap(), None);
    }
    let count = sqlx::query_scalar("select count(*) from clef_sessions");
    let count: i64 = count.fetch_one(store.pool()).await.unwrap();
    assert_eq!(count, 4);
}

/// As a node of an earlier version writes it, which knows of no verification.
#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn an_address_that_was_changed_by_hand_is_not_verified() {
    let database = Database::create().await;
    let store = database.open().await;
    let mut profile = Profile::new(alex());
    profile.email = Some("alex@example.com".to_owned());
    profile.email_verified = Some(true);
    let user = store.find_or_create(&profile).await.unwrap().unwrap().id();
    let users_of = async |address: &str| {
        let address = SubjectIdentifier::Email(address.to_owned());
        store.users_of("https://clef.test", &address).await.unwrap()
    };
    assert_eq!(users_of("alex@example.com").await, [user]);
    let change = "update clef_users set email = 'new@example.com'";
    sqlx::query(change).execute(store.pool()).await.unwrap();
    for address in ["alex@example.com", "new@example.com"] {
        assert!(users_of(address).await.is_empty(), "{address}");
    }
}
