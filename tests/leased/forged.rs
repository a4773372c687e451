//! What a role can do to the bus over PostgreSQL that may connect to the database and nothing else:
//! it listens to every channel that it knows the name of, and publishes what it likes there. And
//! which rights a node needs.

use std::{collections::HashSet, sync::Arc};

use axum_clef::{
    IdentityStore as _, ProviderSession, RevocationKey, Timestamp, UserStore as _,
    stores::PostgresUserStore,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use test_support::Database;

use crate::{
    attacker::{Attacker, Role, open},
    postgres::{
        LONGEST, Stoppable, keeps, kept_login, leased, log_out, memberships, node, pool_of, serves,
        until, user_logged_out,
    },
    world::subject,
};

/// The names of the members, which no attacker knows.
async fn member_names(pool: &sqlx::PgPool) -> Vec<String> {
    let names = sqlx::query_scalar("select member from clef_members");
    names.fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_role_without_rights_sees_no_subject() {
    let database = Database::create().await;
    let here = node(&database, LONGEST).await;
    let mut attacker = Attacker::new(&database).await;
    let name = "alex.of.paradise.street@example.com";
    let alex = subject(name);
    let (_, id) = kept_login(&[&here], name).await;
    log_out(&here, &id).await;
    here.log_out_subject(&alex).await.unwrap();
    let session = RevocationKey::Session(ProviderSession::new(alex.issuer(), name));
    let keep_until = Timestamp::from_micros(i64::MAX);
    here.revoke(&[session], keep_until).await.unwrap();
    // Of a subject without a user the subject itself is published.
    let unknown = subject(&format!("not {name}"));
    here.log_out_subject(&unknown).await.unwrap();
    let mut seen = HashSet::new();
    for _ in 0..4 {
        let (_, payload) = attacker.next().await;
        let mut bytes = payload.clone().into_bytes();
        bytes.extend(URL_SAFE_NO_PAD.decode(&payload).unwrap_or_default());
        let bytes = String::from_utf8_lossy(&bytes);
        for clear in [name, "clef.test", "issuer", "user", "subject", "session"] {
            assert!(!bytes.contains(clear), "{clear} in {payload}");
        }
        assert!(seen.insert(payload), "logouts of one user are linkable");
    }
    // Nor does the length tell who it was.
    let (_, seven) = kept_login(&[&here], "7").await;
    log_out(&here, &seven).await;
    let (_, short) = attacker.next().await;
    assert!(seen.iter().any(|long| long.len() == short.len()));
    for table in ["clef_bus_secret", "clef_members"] {
        assert!(!attacker.may_read(&database, table).await, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn forged_acknowledgements_answer_no_logout_early() {
    let database = Database::create().await;
    let here = node(&database, LONGEST).await;
    let pool = pool_of(&database).await;
    let mut attacker = Attacker::new(&database).await;

    // A node that still serves the login, as it receives nothing from the moment it is stopped.
    let mut there = Stoppable::start(&database, LONGEST).await;

    // Logouts that the other node acknowledges. The attacker is given the channel of the
    // acknowledgements, and records them.
    let (_, id) = kept_login(&[&here], "12345").await;
    log_out(&here, &id).await;
    let (channel, payload) = attacker.next().await;
    let text = open(&pool, &channel, &payload).await.unwrap();
    let node_channel = format!("clef_node_{}", text.split(' ').nth(1).unwrap());
    attacker.listener.listen(&node_channel).await.unwrap();
    let mut captured = vec![payload];
    let mut acknowledged = 0;
    log_out(&here, &id).await;
    while acknowledged < 1 {
        let (channel, payload) = attacker.next().await;
        let text = open(&pool, &channel, &payload).await.unwrap();
        acknowledged += usize::from(text.starts_with("acknowledged "));
        captured.push(payload);
    }

    there.stop().await;
    let members = member_names(&pool).await;
    let logout = tokio::spawn({
        let (here, id) = (Arc::clone(&here), id.clone());
        async move { log_out(&here, &id).await }
    });
    // Everything that the attacker has, for the logout that waits now.
    loop {
        let (channel, payload) = attacker.next().await;
        if channel == attacker.site_channel {
            let text = open(&pool, &channel, &payload).await.unwrap();
            let logout = text.split(' ').nth(2).unwrap().to_owned();
            captured.push(payload);
            for member in &members {
                // In clear, with a logout and a member that no attacker knows.
                captured.push(format!("{logout} {member}"));
                captured.push(format!("acknowledged {logout} {member}"));
                let sealed = URL_SAFE_NO_PAD.encode(format!("acknowledged {logout} {member}"));
                captured.push(sealed);
            }
            break;
        }
    }
    let site_channel = attacker.site_channel.clone();
    for payload in &captured {
        for channel in [&node_channel, &site_channel] {
            attacker.notify(channel, payload).await;
        }
        // One bit of another.
        let mut bytes = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(&bytes);
            attacker.notify(&node_channel, &changed).await;
        }
    }
    let took = logout.await.unwrap();
    assert!(!there.wake(), "it was answered after {took:?}");
    assert!(took >= LONGEST, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn forged_news_changes_nothing_and_replayed_news_loosens_nothing() {
    let database = Database::create().await;
    let (here, there) = (
        node(&database, LONGEST).await,
        node(&database, LONGEST).await,
    );
    let pool = pool_of(&database).await;
    let mut attacker = Attacker::new(&database).await;
    let (_, id) = kept_login(&[&here, &there], "12345").await;
    let (_, sam) = kept_login(&[&here, &there], "2").await;
    log_out(&here, &id).await;
    let (channel, real) = attacker.next().await;

    let (stamp, _) = kept_login(&[&here, &there], "12345").await;
    let mut news = there.logout_news().unwrap();
    let node_name = "f".repeat(32);
    let clear = format!(r#"{{"from":"x","ended":{{"logins":[{{"user":"{id}"}}]}}}}"#);
    let any = r#"{"from":"x","ended":"any"}"#;
    let mut forged = Vec::new();
    for text in [&*clear, any] {
        forged.push(format!("{node_name} 1 {text}"));
        forged.push(format!("news {node_name} {node_name} {text}"));
        let sealed = format!("{:028}news {node_name} {node_name} {text}", 0);
        forged.push(URL_SAFE_NO_PAD.encode(sealed));
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(&real).unwrap_or_default();
    for index in [0, 11, 12, bytes.len().saturating_sub(1)] {
        if let Some(byte) = bytes.get_mut(index) {
            *byte ^= 1;
            forged.push(URL_SAFE_NO_PAD.encode(&bytes));
        }
    }
    for _ in 0..50 {
        for payload in &forged {
            attacker.notify(&channel, payload).await;
        }
    }
    // Seen by way of what comes after.
    log_out(&here, &sam).await;
    assert_eq!(news.recv().await, Ok(user_logged_out(&sam)));
    // Unless the counter of the other user is by chance that of this one.
    assert!(keeps(&there, &pool, &id).await, "it was invalidated");
    assert!(serves(&there, &id, stamp).await);

    // A real one again costs reads, and logs out no user.
    for _ in 0..50 {
        attacker.notify(&channel, &real).await;
    }
    assert_eq!(news.recv().await, Ok(user_logged_out(&id)));
    assert!(serves(&there, &id, stamp).await);
    assert!(serves(&here, &id, stamp).await);
    let took = log_out(&here, &id).await;
    assert!(took < LONGEST, "{took:?}");
    for node in [&here, &there] {
        assert!(!serves(node, &id, stamp).await);
    }
}

/// What the files of the tables say that the role of a site needs.
fn documented_grants(role: &str) -> String {
    let files = [
        include_str!("../../migrations/postgres/0001_users.sql"),
        include_str!("../../migrations/postgres/0002_members.sql"),
        include_str!("../../migrations/postgres/0003_bus_secret.sql"),
    ];
    let lines = files.iter().flat_map(|file| file.lines());
    let grants = lines.filter_map(|line| line.strip_prefix("--     grant "));
    // The name of the database is that of the tests.
    let grants = grants.filter(|grant| !grant.starts_with("connect"));
    let to_role = |grant: &str| {
        format!(
            "grant {};",
            grant.replace("to site;", &format!("to {role}"))
        )
    };
    grants.map(to_role).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL at POSTGRES_URL; .ci/run runs it"]
async fn a_node_needs_the_documented_rights_and_the_secret_is_one() {
    let database = Database::create().await;
    let pool = pool_of(&database).await;
    let role = Role::create().await;
    let usage = format!(
        "grant usage on schema {} to {};",
        database.schema, role.name
    );
    let grants = format!("{usage}{}", documented_grants(&role.name));
    assert!(grants.contains("clef_bus_secret"), "{grants}");
    sqlx::raw_sql(&grants).execute(&pool).await.unwrap();
    let url = role.of(database.url());
    let open_node = async || {
        let users = PostgresUserStore::connect(url.as_str()).await.unwrap();
        let node = leased(users, LONGEST);
        node.logout_news();
        node
    };
    let (here, there) = (open_node().await, open_node().await);
    until(async || memberships(&pool).await == 2).await;
    let (stamp, id) = kept_login(&[&here, &there], "12345").await;
    let took = log_out(&here, &id).await;
    assert!(took < LONGEST, "{took:?}");
    assert!(!serves(&there, &id, stamp).await);

    let revoke = format!("revoke select on clef_bus_secret from {}", role.name);
    sqlx::raw_sql(&revoke).execute(&pool).await.unwrap();
    let third = open_node().await;
    let (stamp, id) = kept_login(&[&third], "12345").await;
    assert!(!keeps(&third, &pool, &id).await);
    // It cannot publish, and waits.
    let took = log_out(&third, &id).await;
    assert!(took >= LONGEST, "{took:?}");
    for node in [&here, &there, &third] {
        assert!(!serves(node, &id, stamp).await);
    }
}
