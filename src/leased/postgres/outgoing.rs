//! What this node sends next, in one statement.
//!
//! The server commits one notifying transaction at a time, and wakes all listeners for each. So while
//! a statement runs, the messages after it gather for the next one.

use std::mem;

use sqlx::{Row as _, postgres::PgListener};
use tokio::{sync::oneshot, time::timeout};

use super::limits::CALL_LIMIT;
use crate::BoxError;

/// The most messages in one statement.
const MOST: usize = 256;

/// Sends messages to channels.
const NOTIFY: &str = "
    select pg_notify(channel, message)::text
    from unnest($1::text[], $2::text[]) as messages (channel, message)
";

/// Does so and returns all members, after the writes of the logouts among them, or a null without
/// members. It has no limit, since a logout does not wait for a member that is missing here.
const PUBLISH: &str = "
    with published as materialized (
        select count(pg_notify(channel, message))
        from unnest($1::text[], $2::text[]) as messages (channel, message)
    )
    select clef_members.member from published left join clef_members on true
";

/// A logout to publish.
pub(super) struct Publication {
    /// Its random number.
    pub(super) logout: u128,
    pub(super) news: String,
    /// Receives the members once it is published.
    pub(super) members: oneshot::Sender<Vec<String>>,
}

/// Messages that wait for the statement before them.
#[derive(Default)]
pub(super) struct Outgoing {
    channels: Vec<String>,
    messages: Vec<String>,
    /// Of the logouts among the messages.
    published: Vec<oneshot::Sender<Vec<String>>>,
}

impl Outgoing {
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= MOST
    }

    /// Adds an encrypted message.
    pub(super) fn add(&mut self, channel: &str, message: String) {
        self.channels.push(channel.to_owned());
        self.messages.push(message);
    }

    /// Adds the encrypted message of a logout.
    pub(super) fn publish(
        &mut self,
        channel: &str,
        message: String,
        members: oneshot::Sender<Vec<String>>,
    ) {
        self.add(channel, message);
        self.published.push(members);
    }

    /// Sends the messages, if there are any.
    pub(super) async fn send(&mut self, connection: &mut PgListener) -> Result<(), BoxError> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let Self {
            channels,
            messages,
            published,
        } = mem::take(self);
        let statement = if published.is_empty() {
            NOTIFY
        } else {
            PUBLISH
        };
        let sent = sqlx::query(statement).bind(channels).bind(messages);
        let rows = match timeout(CALL_LIMIT, sent.fetch_all(connection)).await? {
            Ok(rows) => rows,
            // The server did not send them, so the logouts wait for the lease.
            Err(sqlx::Error::Database(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if !published.is_empty() {
            let member = |row| sqlx::postgres::PgRow::try_get::<Option<String>, _>(row, 0);
            let members: Vec<_> = rows.iter().map(member).collect::<Result<_, _>>()?;
            let members: Vec<_> = members.into_iter().flatten().collect();
            for publication in published {
                let _ = publication.send(members.clone());
            }
        }
        Ok(())
    }
}
