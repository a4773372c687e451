//! The shared test support, by the names of the tests here.

pub use test_support::{
    Browser, Jar, Node, Pause, ScriptedProvider, TestSessions, TestUsers, World, record,
};

pub mod browser {
    pub use test_support::{bystander, sent_to as location, state_in};
}

pub mod clock {
    pub use test_support::{DAY, MINUTE, SECOND};
}

pub mod jar {
    pub use test_support::{location, notice, set_cookie, set_cookies, text};
}

pub mod provider {
    pub use test_support::{ISSUER, OTHER_ISSUER};
}
