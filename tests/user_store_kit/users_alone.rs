//! A [`UserStore`] alone, for a site without a provider, with the methods that have a default.

use std::sync::{Arc, Mutex};

use axum_clef::{
    BoxError, Timestamp, User, UserStore,
    testing::{Rule, check_user_store},
};

#[derive(Clone)]
struct Member {
    id: usize,
    last_login_at: Option<Timestamp>,
    logged_out_at: Option<Timestamp>,
}

impl User for Member {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn logged_out_at(&self) -> Option<Timestamp> {
        self.logged_out_at
    }
}

#[derive(Clone, Default)]
struct Members {
    all: Arc<Mutex<Vec<Member>>>,
    /// What it says of `log_out_others`, which it does not implement.
    keeps_one_login: bool,
}

impl Members {
    fn change<T>(&self, id: &str, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let mut members = self.all.lock().unwrap();
        let member = members.iter_mut().find(|member| member.id() == id);
        member.map(change)
    }
}

impl UserStore for Members {
    type User = Member;

    async fn load(&self, id: &str) -> Result<Option<Member>, BoxError> {
        Ok(self.change(id, |member| member.clone()))
    }

    async fn log_in(&self, id: &str) -> Result<Option<Member>, BoxError> {
        Ok(self.change(id, |member| {
            member.last_login_at = member.last_login_at.max(Some(Timestamp::now()));
            member.clone()
        }))
    }

    async fn log_out(&self, id: &str) -> Result<bool, BoxError> {
        let found = self.change(id, |member| {
            let latest = member.logged_out_at.max(member.last_login_at);
            member.logged_out_at = Some(Timestamp::now().raised_above(latest));
        });
        Ok(found.is_some())
    }

    fn keeps_one_login(&self) -> bool {
        self.keeps_one_login
    }
}

async fn new_member(members: &Members) -> Result<String, BoxError> {
    let mut all = members.all.lock().unwrap();
    let id = all.len();
    all.push(Member {
        id,
        last_login_at: None,
        logged_out_at: None,
    });
    Ok(id.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_subjects_keeps_the_contract() {
    let members = Members::default();
    let open = async || Ok::<_, BoxError>(members.clone());
    check_user_store(open, new_member).await.unwrap();
}

#[tokio::test]
async fn a_store_that_only_claims_to_keep_one_login_is_noticed() {
    let members = Members {
        keeps_one_login: true,
        ..Members::default()
    };
    let open = async || Ok::<_, BoxError>(members.clone());
    let broken = check_user_store(open, new_member).await.unwrap_err();
    assert_eq!(broken.rule(), Rule::OneLoginKeptOrNot);
    assert_eq!(broken.seen(), "its default", "{broken}");
}

#[tokio::test]
async fn an_error_of_the_test_itself_is_reported() {
    let open = async || Ok::<_, BoxError>(Members::default());
    let no_user = async |_: &Members| Err::<String, _>("no user was made");
    let broken = check_user_store(open, no_user).await.unwrap_err();
    assert_eq!(broken.rule(), Rule::Answers);
    assert!(broken.to_string().contains("no user was made"), "{broken}");
}
