//! A Clef that is wrong, through the router. The limits are those of real connections, so the
//! slow ones take their five seconds, all at once.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_clef::provider::Provider;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    browser::{Answer, Browser, notice},
    site::{Node, Site},
    wrong_clef::{Step, Wrong, WrongClef},
};

/// What one call of Clef may take, and as much for a busy machine. The routes themselves would
/// give up after fifteen seconds.
const LIMIT: Duration = Duration::from_secs(5 + 5);

pub const TOKEN: &str = "SECRET-TOKEN";

/// A site with a login under way, and one that there was before.
pub struct Visitor {
    pub site: Site,
    pub node: Node,
    pub browser: Browser,
    callback: String,
}

impl Visitor {
    pub async fn at(clef: impl Provider) -> Self {
        let site = Site::new();
        let node = site.node_with(clef);
        let mut browser = Browser::default();
        let callback = browser.begin(&node.app, "SECRET-CODE").await;
        Self {
            site,
            node,
            browser,
            callback,
        }
    }

    /// Comes back to a site that cannot ask Clef.
    pub async fn comes_back_in_vain(&mut self, why: &str) {
        let answer = self.browser.get(&self.node.app, &self.callback).await;
        assert_eq!(answer.status, 502, "{why}: {}", answer.text);
        let again = "href=\"http://127.0.0.1:9/clef/login?next=%2Faccount\"";
        assert!(answer.text.contains(again), "{why}: {}", answer.text);
        assert_quick(&answer, why);
        // Nobody was made, and nobody is in.
        assert_eq!(self.site.users.returned.lock().unwrap().len(), 0, "{why}");
        assert_eq!(self.site.logged_in().await.len(), 0, "{why}");
        assert_eq!(self.browser.is(&self.node.app).await, None, "{why}");
    }

    /// Is told that the logout could not be checked.
    pub async fn logs_out_in_vain(&mut self, why: &str) {
        let answer = notice(&self.node.app, TOKEN).await;
        assert_eq!(answer.status, 503, "{why}: {}", answer.text);
        assert_eq!(answer.header("retry-after"), "5", "{why}");
        assert_quick(&answer, why);
        assert_eq!(self.node.layer.pending_logouts(), 0, "{why}");
    }

    /// The state is burnt, and from the beginning all goes well.
    async fn logs_in_afresh(&mut self, why: &str) {
        let burnt = self.browser.get(&self.node.app, &self.callback).await;
        assert_eq!(burnt.status, 403, "{why}");
        assert!(burnt.text.contains("/clef/login"), "{why}");
        self.browser.log_in(&self.node.app, "SECRET-CODE").await;
        let is = self.browser.is(&self.node.app).await;
        assert_eq!(is.as_deref(), Some("12345"), "{why}");
    }
}

fn assert_quick(answer: &Answer, why: &str) {
    assert!(answer.took < LIMIT, "{why} takes {:?}", answer.took);
}

/// A server that counts who comes.
async fn elsewhere() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, SeqCst);
        }
    });
    (address, visits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clef_that_is_wrong_lets_nobody_in_and_loses_no_notice() {
    let (elsewhere, visits) = elsewhere().await;
    let mut slow = JoinSet::new();
    let mut quick = Vec::new();
    for wrong in Wrong::ALL {
        for step in [Step::Authorize, Step::Info, Step::Logout] {
            let case = a_clef_that_is(wrong, step, elsewhere);
            if wrong.is_slow() {
                slow.spawn(case);
            } else {
                quick.push(case);
            }
        }
    }
    assert_eq!((slow.len(), quick.len()), (9, 45));
    // One after the other, meanwhile: each makes a client, and that keeps a machine busy.
    for case in quick {
        case.await;
    }
    slow.join_all().await;
    assert_eq!(visits.load(SeqCst), 0, "no redirect is followed");
}

async fn a_clef_that_is(wrong: Wrong, step: Step, elsewhere: SocketAddr) {
    let why = format!("{wrong:?} at {step:?}");
    let clef = WrongClef::start().await;
    let mut visitor = Visitor::at(clef.client()).await;
    if step == Step::Logout {
        visitor
            .browser
            .log_in(&visitor.node.app, "SECRET-CODE")
            .await;
        clef.be(step, wrong, elsewhere);
        visitor.logs_out_in_vain(&why).await;
        assert_eq!(clef.asked(), [Step::Logout], "{why}");
        // Nothing has happened yet.
        let is = visitor.browser.is(&visitor.node.app).await;
        assert_eq!(is.as_deref(), Some("12345"), "{why}");
        clef.behave();
        assert_eq!(notice(&visitor.node.app, TOKEN).await.status, 200, "{why}");
        assert_eq!(visitor.browser.is(&visitor.node.app).await, None, "{why}");
        visitor
            .browser
            .log_in(&visitor.node.app, "SECRET-CODE")
            .await;
    } else {
        clef.be(step, wrong, elsewhere);
        visitor.comes_back_in_vain(&why).await;
        let asked: &[_] = match step {
            Step::Authorize => &[Step::Authorize],
            _ => &[Step::Authorize, Step::Info],
        };
        assert_eq!(clef.asked(), asked, "{why}");
        clef.behave();
        visitor.logs_in_afresh(&why).await;
    }
}

#[tokio::test]
async fn a_clef_that_is_down_and_comes_back() {
    let clef = WrongClef::start().await;
    let address = clef.address;
    let mut visitor = Visitor::at(clef.client()).await;
    clef.stop().await;
    visitor.comes_back_in_vain("down").await;
    visitor.logs_out_in_vain("down").await;
    let clef = WrongClef::listen(address).await;
    visitor.logs_in_afresh("back").await;
    assert_eq!(notice(&visitor.node.app, TOKEN).await.status, 200);
    assert_eq!(visitor.browser.is(&visitor.node.app).await, None);
    drop(clef);
}
