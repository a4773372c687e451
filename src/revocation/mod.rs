//! Logouts on their way into the user store: admitted, known from their replays, queued, written.

mod admission;
mod admission_limits;
mod notice_admission;
mod queue;
mod replay_cache;
mod unknown_subjects;
mod write;

pub use self::admission_limits::AdmissionLimits;
pub(crate) use self::{
    admission::{Admission, AdmissionPermit, Client},
    notice_admission::NoticeAdmission,
    queue::{CAPACITY, Logout, LogoutQueue, Permit, Stores, Written, patience},
    replay_cache::{NoticeGuard, ReplayCache, Seen},
    unknown_subjects::UnknownSubjects,
};
