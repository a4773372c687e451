//! The record of a login in a session store, which may have been written by anything.

use arbitrary::Arbitrary;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fuzz::{BYSTANDER, Edit, Kind, Piece, Site, VICTIM, edited, edited_text, run};
use http::Method;
use serde_json::Value;
use test_support::{MINUTE, record::login_in};

const LOGIN: &str = "axum-clef.login";
const ROUTES: [(Method, &str); 7] = [
    (Method::GET, "/"),
    (Method::GET, "/recent"),
    (Method::GET, "/auth/live"),
    (Method::GET, "/clef/login?max_age=600"),
    (Method::POST, "/token"),
    (Method::POST, "/auth/sign-out"),
    (Method::POST, "/clef/login"),
];

use crate::LONGEST;

#[derive(Arbitrary, Debug)]
struct Input {
    change: Change,
    hint: Option<Piece>,
    route: u8,
}

#[derive(Arbitrary, Debug)]
enum Change {
    /// Of the encoded login.
    Login(Vec<Edit>),
    /// Of the time before it.
    Seen(Vec<Edit>),
    /// Of the text.
    Text(Vec<Edit>),
    Number(i64),
    Missing,
    /// What the session store cannot decode.
    Unreadable,
}

#[test]
fn record() {
    bolero::check!()
        .with_max_len(LONGEST)
        .with_arbitrary::<Input>()
        .for_each(|input| run(false, target(input)));
}

async fn target(input: &Input) {
    let kind = Kind {
        sealed: false,
        https: false,
    };
    let site = Site::with(kind, |builder| {
        builder.bearer_tokens([test_support::World::key()])
    });
    let bystander = site.log_in(BYSTANDER).await;
    let victim = site.log_in(VICTIM).await;
    let sessions = &site.world.sessions;
    let mut record = sessions.last_saved();
    let fields = login_in(&record);
    let digest = URL_SAFE_NO_PAD
        .decode(fields["secret"].as_str().unwrap())
        .unwrap();
    let (seen, login) = record.data[LOGIN]
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap();
    let decoded = URL_SAFE_NO_PAD.decode(login).unwrap();
    let text = |seen: &str, login: &[u8]| format!("{seen}.{}", URL_SAFE_NO_PAD.encode(login));
    let changed: Option<Value> = match &input.change {
        Change::Login(edits) => Some(text(seen, &edited(&decoded, edits)).into()),
        Change::Seen(edits) => Some(text(&edited_text(seen, edits), &decoded).into()),
        Change::Text(edits) => Some(edited_text(&text(seen, &decoded), edits).into()),
        Change::Number(number) => Some((*number).into()),
        Change::Missing => None,
        Change::Unreadable => {
            sessions
                .unreadable
                .store(true, std::sync::atomic::Ordering::SeqCst);
            None
        }
    };
    let has_secret = changed.as_ref().and_then(|value| {
        let login = value.as_str()?.split_once('.')?.1;
        let login = URL_SAFE_NO_PAD.decode(login).ok()?;
        Some(login.windows(digest.len()).any(|part| part == digest))
    });
    match changed {
        Some(value) => drop(record.data.insert(LOGIN.to_owned(), value)),
        None => drop(record.data.remove(LOGIN)),
    }
    if let Some(piece) = &input.hint {
        record
            .data
            .insert("axum-clef.hint".to_owned(), piece.text().into());
    }
    sessions.inner.save(&record).await.unwrap();

    // A client that can write records can log in as any user, by the secret of its own cookie alone.
    let person = site.person(&victim).await;
    assert!(person.is_none() || has_secret == Some(true), "{person:?}");
    let (method, path) = &ROUTES[usize::from(input.route) % ROUTES.len()];
    site.ask(&victim, method.clone(), path).await;
    let is_readable = !matches!(input.change, Change::Unreadable);
    if is_readable {
        assert_eq!(site.person(&bystander).await.as_deref(), Some(BYSTANDER));
    }
    // Nothing that a record says outlives a logout, unless it was stamped after it. A stamp may be five
    // minutes ahead, so a forged one can outlive one of two logouts that are further apart.
    let mut outlived = 0;
    for minutes in [10, 30] {
        site.world.clock.advance(minutes * MINUTE);
        for user in [VICTIM, BYSTANDER] {
            let token = format!("token:{user}:{minutes}");
            assert_eq!(test_support::notice(&site.app, &token).await, 200);
        }
        outlived += usize::from(site.person(&victim).await.is_some());
    }
    assert!(outlived < 2, "a login outlives its logouts");
}
