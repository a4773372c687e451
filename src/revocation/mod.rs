//! Logouts on their way into the user store: admitted, known from their replays, queued, written.

mod admission;
mod admission_limits;
mod logout;
mod notice_admission;
mod queue;
mod replay_cache;
mod unknown_subjects;
mod write;

pub use self::admission_limits::AdmissionLimits;
pub(crate) use self::{
    admission::{Admission, AdmissionPermit, Client},
    logout::{Logout, Stores, WriteOutcome},
    notice_admission::NoticeAdmission,
    queue::{DEFAULT_QUEUE_CAPACITY, LoginPermit, LogoutQueue, Permit, patience},
    replay_cache::{JoinResult, NamedResult, NoticeGuard, ReplayCache},
    unknown_subjects::UnknownSubjects,
};
