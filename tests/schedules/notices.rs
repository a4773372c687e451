//! One logout notice that comes several times.

use std::sync::atomic::Ordering::SeqCst;

use futures_util::FutureExt as _;

use crate::{
    explorer::explore,
    world::{Actor, Browser, Kind, Scene},
};

/// A token that is good for any number of exchanges, and one for a single exchange.
const TOKENS: [&str; 2] = ["alex!1", "alex!once"];

/// Logs the browser in, and traces what happens from then on.
async fn log_in_and_follow(scene: &mut Scene) {
    scene.log_in("alex").await;
    scene.trace.follow("notices.pml");
}

/// A copy of the notice, which comes at any time.
fn copy(scene: &Scene, process: &str, token: &'static str) -> Actor {
    let (gates, notice) = (scene.gates.clone(), scene.notice(token));
    let comes = async move {
        gates.pass("the notice comes again").await;
        notice.await;
    };
    scene.trace.actor(process, comes.boxed())
}

/// A replay ends no login that has begun since.
async fn assert_replay_ends_nothing(scene: &Scene, token: &'static str, expected: u16) {
    let browser = Browser::default();
    browser.log_in(scene, "alex").await;
    let replay = scene.trace.process("Send3", scene.send_notice(token));
    assert_eq!(replay.await, expected);
    assert!(scene.serves(&browser).await, "a replay ends nothing");
}

#[test]
fn one_notice_three_times_at_once() {
    for token in TOKENS {
        let prepare = async |scene: &mut Scene| {
            log_in_and_follow(scene).await;
            vec![
                scene.trace.actor("Send0", scene.notice(token)),
                copy(scene, "Send1", token),
                copy(scene, "Send2", token),
            ]
        };
        explore(Kind::STORED, 11, prepare, async |scene| {
            assert_eq!(scene.statuses(), [200, 200, 200]);
            assert_eq!(scene.logouts.load(SeqCst), 1, "one effect");
            assert_replay_ends_nothing(scene, token, 200).await;
        });
    }
}

/// The sender sends it again until it is acknowledged.
#[test]
fn a_notice_that_the_store_does_not_take_at_first() {
    for token in TOKENS {
        // Five failures take longer than a sender waits.
        for (failures, lost_answers) in [(1, 0), (5, 0), (0, 1), (1, 1), (4, 1)] {
            let prepare = async |scene: &mut Scene| {
                log_in_and_follow(scene).await;
                scene.failures.store(failures, SeqCst);
                scene.lost_answers.store(lost_answers, SeqCst);
                let sender = {
                    let scene = scene.clone();
                    async move {
                        for process in ["Send0", "Send1"] {
                            let answer = scene.trace.process(process, scene.send_notice(token));
                            if answer.await == 200 {
                                break;
                            }
                        }
                    }
                };
                vec![sender.boxed(), copy(scene, "Send2", token)]
            };
            explore(Kind::STORED, 2, prepare, async |scene| {
                let writes = 1 + lost_answers;
                assert_eq!(scene.logouts.load(SeqCst), writes, "one is repeated");
                assert!(!scene.serves(&scene.browser).await);
                assert_replay_ends_nothing(scene, token, 200).await;
            });
        }
    }
}

/// That node has no record of it, and its provider refuses the token.
#[test]
fn a_notice_with_a_spent_token_comes_to_another_node_after_the_answer() {
    let prepare = async |scene: &mut Scene| {
        scene.log_in("alex").await;
        scene.trace.follow("notices.pml ELSEWHERE SINGLE_USE");
        scene.lost_answers.store(1, SeqCst);
        vec![
            scene.trace.actor("Send0", scene.notice("alex!once")),
            copy(scene, "Send1", "alex!once"),
        ]
    };
    explore(Kind::STORED, 3, prepare, async |scene| {
        let elsewhere = scene.elsewhere();
        assert_replay_ends_nothing(&elsewhere, "alex!once", 400).await;
        let replay = scene.trace.process("Send2", scene.send_notice("alex!once"));
        assert_eq!(replay.await, 200, "this one has");
        assert_eq!(scene.logouts.load(SeqCst), 2, "one is repeated");
    });
}
