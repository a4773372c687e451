//! What can happen, one step at a time.
//!
//! Every step makes sense at every time: one that finds nothing to do does nothing. So any
//! part of a sequence is a sequence, and a failure shrinks by leaving steps out.

use proptest::{collection::vec, prelude::*};

pub const BROWSERS: usize = 4;
pub const PEOPLE: usize = 3;
pub const NODES: usize = 3;

/// A run: what the clocks of the nodes are like, and what happens.
#[derive(Debug, Clone)]
pub struct Run {
    /// By how many minutes the clock of each node is off.
    pub skews: [i64; NODES],
    /// How many thousandths of the true rate each measures time by. For leases alone.
    pub rates: [u32; NODES],
    /// Whether there is a bus between the nodes, and whether it can say who has heard. For leases
    /// alone.
    pub bus: Option<bool>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A browser goes to the provider as a person, and stays there.
    Begin {
        browser: usize,
        node: usize,
        person: usize,
    },
    /// A browser comes back with the login it began first. `held`: the provider takes its time
    /// for the code.
    ComeBack {
        browser: usize,
        node: usize,
        held: bool,
    },
    /// A whole login at once.
    LogIn {
        browser: usize,
        node: usize,
        person: usize,
    },
    /// A known person logs in by the site's own form. `held`: the password takes its time.
    LogInByForm {
        browser: usize,
        node: usize,
        person: usize,
        held: bool,
    },
    /// The provider answers for one of the codes it was asked for, or a password is verified.
    FinishLogin {
        which: usize,
    },
    /// A request of a guarded route.
    Ask {
        browser: usize,
        node: usize,
    },
    /// The same, and the user store answers it late. `alone`: meanwhile, logouts bring no other request
    /// with its login to the node, which would read anew.
    AskSlowly {
        browser: usize,
        node: usize,
        alone: bool,
    },
    /// The store answers one of them.
    FinishAsk {
        which: usize,
    },
    /// A request that is checked, which may renew its login, and then hangs.
    Work {
        browser: usize,
        node: usize,
    },
    /// One of them ends, and its answer reaches the browser.
    FinishWork {
        which: usize,
    },
    /// A thief copies the cookies of a browser.
    Copy {
        browser: usize,
    },
    /// A request with one of the copies.
    AskWithCopy {
        which: usize,
        node: usize,
    },
    SignOut {
        browser: usize,
        node: usize,
    },
    /// A browser ends every other login of its person.
    LogOutOthers {
        browser: usize,
        node: usize,
    },
    /// The provider says that a person has logged out, and the user store takes its time to write it.
    NoticeSlowly {
        person: usize,
        node: usize,
    },
    /// A browser ends every other login of its person, and the store takes its time.
    LogOutOthersSlowly {
        browser: usize,
        node: usize,
    },
    /// The store writes one of these logouts.
    FinishLogout {
        which: usize,
    },
    /// A browser asks for what only a recent login may.
    AskRecent {
        browser: usize,
        node: usize,
    },
    /// A browser makes a token for a program.
    Mint {
        browser: usize,
        node: usize,
    },
    /// A request with one of the tokens.
    AskWithToken {
        which: usize,
        node: usize,
    },
    /// One of them is ended by its id.
    EndToken {
        which: usize,
        node: usize,
    },
    /// The provider says that a person has logged out. `held`: it takes its time for the token.
    Notice {
        person: usize,
        node: usize,
        held: bool,
    },
    /// A notice from before comes again, to the same node or to another.
    Replay {
        which: usize,
        node: usize,
    },
    /// The provider answers for one of the tokens it was asked for.
    FinishNotice {
        which: usize,
    },
    /// Every login of the site ends, or every one of the provider.
    EndAll {
        node: usize,
        scope: Scope,
    },
    /// Time passes; backwards, if negative.
    Clock {
        seconds: i64,
    },
    /// The user store takes no logouts any more.
    StoreFails,
    StoreRecovers,
    /// The bus is cut at a node.
    Cut {
        node: usize,
    },
    /// It is whole again.
    Mend {
        node: usize,
    },
}

/// Which logins end at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Everyone,
    /// Those of the provider, and none by the site's own form.
    Issuer,
}

/// Runs of any length up to the `longest`, so that they also shrink to any length.
pub fn runs(longest: usize) -> impl Strategy<Value = Run> {
    let skews = prop_oneof![
        2 => Just([0; NODES]),
        1 => [-1..=1_i64, -1..=1_i64, -1..=1_i64],
    ];
    let rate = prop_oneof![1 => Just(1_000_u32), 1 => Just(990), 1 => Just(1_010)];
    let rates = [rate.clone(), rate.clone(), rate];
    let bus = prop_oneof![1 => Just(None), 1 => Just(Some(false)), 2 => Just(Some(true))];
    (skews, rates, bus, vec(step(), 0..=longest)).prop_map(|(skews, rates, bus, steps)| Run {
        skews,
        rates,
        bus,
        steps,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let (browser, node, person) = (0..BROWSERS, 0..NODES, 0..PEOPLE);
    let at = (browser, node.clone());
    let login = (at.clone(), person.clone());
    let which = 0..100_usize;
    let often_held = prop::bool::weighted(0.7);
    prop_oneof![
        4 => login.clone().prop_map(|((browser, node), person)| Step::Begin { browser, node, person }),
        6 => (at.clone(), often_held)
            .prop_map(|((browser, node), held)| Step::ComeBack { browser, node, held }),
        8 => login.prop_map(|((browser, node), person)| Step::LogIn { browser, node, person }),
        5 => (at.clone(), person.clone(), often_held).prop_map(
            |((browser, node), person, held)| Step::LogInByForm { browser, node, person, held }
        ),
        5 => which.clone().prop_map(|which| Step::FinishLogin { which }),
        8 => at.clone().prop_map(|(browser, node)| Step::Ask { browser, node }),
        5 => (at.clone(), any::<bool>())
            .prop_map(|((browser, node), alone)| Step::AskSlowly { browser, node, alone }),
        3 => which.clone().prop_map(|which| Step::FinishAsk { which }),
        6 => at.clone().prop_map(|(browser, node)| Step::Work { browser, node }),
        5 => which.clone().prop_map(|which| Step::FinishWork { which }),
        3 => (0..BROWSERS).prop_map(|browser| Step::Copy { browser }),
        4 => (which.clone(), node.clone())
            .prop_map(|(which, node)| Step::AskWithCopy { which, node }),
        3 => at.clone().prop_map(|(browser, node)| Step::SignOut { browser, node }),
        3 => at.clone().prop_map(|(browser, node)| Step::LogOutOthers { browser, node }),
        2 => (person.clone(), node.clone())
            .prop_map(|(person, node)| Step::NoticeSlowly { person, node }),
        2 => at.clone().prop_map(|(browser, node)| Step::LogOutOthersSlowly { browser, node }),
        2 => which.clone().prop_map(|which| Step::FinishLogout { which }),
        3 => at.clone().prop_map(|(browser, node)| Step::AskRecent { browser, node }),
        3 => at.prop_map(|(browser, node)| Step::Mint { browser, node }),
        3 => (which.clone(), node.clone())
            .prop_map(|(which, node)| Step::AskWithToken { which, node }),
        1 => (which.clone(), node.clone())
            .prop_map(|(which, node)| Step::EndToken { which, node }),
        6 => (person, node.clone(), prop::bool::weighted(0.4))
            .prop_map(|(person, node, held)| Step::Notice { person, node, held }),
        4 => (which.clone(), node.clone())
            .prop_map(|(which, node)| Step::Replay { which, node }),
        1 => node.clone().prop_map(|node| Step::EndAll { node, scope: Scope::Everyone }),
        1 => node.prop_map(|node| Step::EndAll { node, scope: Scope::Issuer }),
        3 => which.prop_map(|which| Step::FinishNotice { which }),
        2 => prop_oneof![3 => 0..300_i64, 1 => 4_000..6_000_i64, 2 => -240..0_i64]
            .prop_map(|seconds| Step::Clock { seconds }),
        1 => Just(Step::StoreFails),
        2 => Just(Step::StoreRecovers),
        1 => (0..NODES).prop_map(|node| Step::Cut { node }),
        1 => (0..NODES).prop_map(|node| Step::Mend { node }),
    ]
}
