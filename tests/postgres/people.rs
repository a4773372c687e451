//! Who is kept, and what is told of them.

use axum_clef::{
    LoginReference, Profile, ProviderSession, Subject, User as _, UserStore as _,
    stores::PostgresUserStore,
};

use crate::database::Database;

fn alex() -> Subject {
    Subject::new("https://clef.test", "12345")
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn what_the_provider_tells_is_kept_up_to_date_and_what_it_does_not_tell_stays() {
    let database = Database::create().await;
    let store = database.open().await;
    let mut profile = Profile::new(alex());
    profile.first_name = Some("Alex'; drop table clef_users; --".to_owned());
    profile.last_name = Some("Jukić 🐞".to_owned());
    profile.email = Some("alex@getclef.com".to_owned());
    profile.phone_number = Some("+15555555555".to_owned());
    let user = store.log_in(&profile).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);

    profile.email = Some("alex@example.com".to_owned());
    let user = store.log_in(&profile).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);

    let mut silent = Profile::new(alex());
    silent.first_name = Some("cannot be kept: \0".to_owned());
    let user = store.log_in(&silent).await.unwrap().unwrap();
    assert_eq!(*user.profile(), profile);
    assert_eq!(store.load(&user.id()).await.unwrap(), Some(user));
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn whoever_cannot_be_kept_is_nobody_and_no_error() {
    let database = Database::create().await;
    let store = database.open().await;
    // Random, as the server packs what repeats itself.
    let long: String = (0..400)
        .map(|_| format!("{:016x}", rand::random::<u64>()))
        .collect();
    let issuer = "https://clef.test";
    for nobody in [
        Subject::new(issuer, "12345\0"),
        Subject::new(format!("{issuer}\0"), "12345"),
        Subject::new(issuer, &long),
    ] {
        let profile = Profile::new(nobody.clone());
        assert_eq!(store.log_in(&profile).await.unwrap(), None);
        let known = store.log_out(&nobody).await.unwrap();
        assert!(!known, "or it is owed for ever");
    }
    assert_eq!(store.load("12345\0").await.unwrap(), None);

    for id in ["a\0", &long] {
        let session = ProviderSession::new("https://id.test", id);
        let kept = store.log_out_session(&session).await.unwrap();
        assert!(!kept, "its person is logged out everywhere");
        assert_eq!(store.session_logged_out_at(&session).await.unwrap(), None);
    }
    let session = ProviderSession::new("https://id.test", "a\0");
    let user = store.log_in(&Profile::new(alex())).await.unwrap().unwrap();
    let (id, alex) = (user.id(), alex());
    let login = LoginReference::new(&id, &alex).in_session(Some(&session));
    let standing = store.standing(login).await.unwrap();
    assert_eq!(standing.unwrap().session_logged_out_at, None);
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn the_id_of_a_deleted_user_is_never_given_again() {
    let database = Database::create().await;
    let store = database.open().await;
    let alex = store.log_in(&Profile::new(alex())).await.unwrap().unwrap();
    let delete = sqlx::query("delete from clef_users");
    delete.execute(store.pool()).await.unwrap();
    let id = alex.id();
    let login = LoginReference::new(&id, &alex.profile().subject);
    assert_eq!(store.standing(login).await.unwrap(), None);
    assert!(!store.log_out(&alex.profile().subject).await.unwrap());
    let noor = Profile::new(Subject::new("https://clef.test", "67890"));
    let noor = store.log_in(&noor).await.unwrap().unwrap();
    assert_ne!(alex.id(), noor.id());
}

#[tokio::test]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_standing_is_the_user_the_session_and_the_clock() {
    let database = Database::create().await;
    let store = database.open().await;
    let id = store.log_in(&Profile::new(alex())).await.unwrap().unwrap();
    let id = id.id();
    let session = ProviderSession::new("https://id.test", "08a5019c");
    for other in [
        ProviderSession::new("https://id.test", "other"),
        ProviderSession::new("https://id.example", "08a5019c"),
    ] {
        assert!(store.log_out_session(&other).await.unwrap());
    }
    check_standing(&store, &id, &session).await;
    assert!(store.log_out_session(&session).await.unwrap());
    check_standing(&store, &id, &session).await;
    assert!(store.log_out(&alex()).await.unwrap());
    check_standing(&store, &id, &session).await;
}

/// Against the parts that it is made of.
async fn check_standing(store: &PostgresUserStore, id: &str, session: &ProviderSession) {
    let user = store.load(id).await.unwrap().unwrap();
    let ended_at = store.session_logged_out_at(session).await.unwrap();
    for (session, ended_at) in [(None, None), (Some(session), ended_at)] {
        let before = store.now().await.unwrap();
        let alex = alex();
        let login = LoginReference::new(id, &alex).in_session(session);
        let standing = store.standing(login).await.unwrap().unwrap();
        let after = store.now().await.unwrap();
        assert_eq!(standing.user, user);
        assert_eq!(standing.session_logged_out_at, ended_at);
        assert!(before < standing.now && standing.now < after);
    }
}
