//! What a model has seen: one that never refuses or never accepts shows nothing.

use std::{fmt, ops::AddAssign};

use crate::oracle::Verdict;

#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub steps: usize,
    pub accepted: usize,
    pub refused: usize,
    pub either: usize,
    pub late: usize,
    pub overtaken: usize,
    pub logins_accepted: usize,
    pub logins_refused: usize,
    pub logins_either: usize,
    pub logouts: usize,
    pub at_once: usize,
    pub slow: usize,
    pub pending: usize,
    pub sign_outs: usize,
    pub copies_refused: usize,
    pub copies_accepted: usize,
    pub replays: usize,
    pub old_answers: usize,
    pub ends_of_all: usize,
    pub kept: usize,
    pub recent: usize,
    pub not_recent: usize,
    pub tokens: usize,
    pub tokens_accepted: usize,
    pub tokens_refused: usize,
    pub tokens_ended: usize,
}

impl Tally {
    pub fn request(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Accept(_) => &mut self.accepted,
            Verdict::Refuse("no login") => return,
            Verdict::Refuse(_) => &mut self.refused,
            Verdict::Either(_) => &mut self.either,
        } += 1;
    }

    /// A request that was answered late, sent when this was its verdict.
    pub fn late(&mut self, verdict: Verdict, now: Verdict) {
        self.late += 1;
        if let (Verdict::Accept(_), Verdict::Refuse(_)) = (verdict, now) {
            self.overtaken += 1;
        }
    }

    pub fn copy(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(_) => self.copies_accepted += 1,
            Verdict::Refuse("no login") => {}
            Verdict::Refuse(_) => self.copies_refused += 1,
            Verdict::Either(_) => self.either += 1,
        }
    }

    pub fn recent(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(_) => self.recent += 1,
            Verdict::Refuse("no login") => {}
            Verdict::Refuse(_) => self.not_recent += 1,
            Verdict::Either(_) => self.either += 1,
        }
    }

    pub fn token(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(_) => self.tokens_accepted += 1,
            Verdict::Refuse(_) => self.tokens_refused += 1,
            Verdict::Either(_) => self.either += 1,
        }
    }

    pub fn login(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Accept(_) => &mut self.logins_accepted,
            Verdict::Refuse(_) => &mut self.logins_refused,
            Verdict::Either(_) => &mut self.logins_either,
        } += 1;
    }

    fn counts(self) -> [(&'static str, usize); 26] {
        [
            ("steps", self.steps),
            ("requests that had to get in", self.accepted),
            ("that had to be refused", self.refused),
            ("that could be either", self.either),
            ("answered late", self.late),
            ("after a logout that came meanwhile", self.overtaken),
            ("logins that had to work", self.logins_accepted),
            ("that had to fail", self.logins_refused),
            ("that could do either", self.logins_either),
            ("logouts", self.logouts),
            ("before a lease was over", self.at_once),
            ("written late", self.slow),
            ("pending and written later", self.pending),
            ("sign-outs", self.sign_outs),
            ("copies that had to be refused", self.copies_refused),
            ("copies that had to get in", self.copies_accepted),
            ("replays", self.replays),
            ("old answers", self.old_answers),
            ("ends of all logins", self.ends_of_all),
            ("logins that were kept", self.kept),
            ("logins that had to be recent", self.recent),
            ("that had not to be", self.not_recent),
            ("tokens", self.tokens),
            ("tokens that had to get in", self.tokens_accepted),
            ("that had to be refused", self.tokens_refused),
            ("ended alone", self.tokens_ended),
        ]
    }

    /// What never happened.
    pub fn missing(self) -> Vec<&'static str> {
        let counts = self.counts().into_iter();
        let missing = counts.filter(|(_, count)| *count == 0);
        missing.map(|(name, _)| name).collect()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.either += other.either;
        self.late += other.late;
        self.overtaken += other.overtaken;
        self.logins_accepted += other.logins_accepted;
        self.logins_refused += other.logins_refused;
        self.logins_either += other.logins_either;
        self.logouts += other.logouts;
        self.at_once += other.at_once;
        self.slow += other.slow;
        self.pending += other.pending;
        self.sign_outs += other.sign_outs;
        self.copies_refused += other.copies_refused;
        self.copies_accepted += other.copies_accepted;
        self.replays += other.replays;
        self.old_answers += other.old_answers;
        self.ends_of_all += other.ends_of_all;
        self.kept += other.kept;
        self.recent += other.recent;
        self.not_recent += other.not_recent;
        self.tokens += other.tokens;
        self.tokens_accepted += other.tokens_accepted;
        self.tokens_refused += other.tokens_refused;
        self.tokens_ended += other.tokens_ended;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let counts = counts.map(|(name, count)| format!("{count} {name}"));
        formatter.write_str(&counts.join(", "))
    }
}
