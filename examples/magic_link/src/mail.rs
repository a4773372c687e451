//! The way to the mailbox.

use std::{io::Write as _, time::Duration};

use axum_clef::{BoxError, url::Url};

use crate::{Address, Link, pages};

/// How long a mail server may take.
pub const MAIL_LIMIT: Duration = Duration::from_secs(10);

/// A mail in plain text.
pub struct Mail {
    /// Where it goes.
    pub to: Address,
    /// The subject.
    pub subject: String,
    /// The text, with a link in it that logs in: a secret.
    pub text: String,
}

impl Mail {
    /// The mail with a link.
    pub fn with_link(link: &Link, url: &Url) -> Self {
        let requested_at = pages::moment(link.requested_at);
        Self {
            to: link.address.clone(),
            subject: "Log in to the Reading Room".to_owned(),
            text: format!(
                "Open this link to log in:\n\n{url}\n\n\
                 It works once, for ten minutes, on any device.\n\
                 It was requested in {}, at {requested_at}.\n\
                 If that was not you, ignore this mail.\n",
                link.requested_in,
            ),
        }
    }
}

/// Sends mail.
#[async_trait::async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Hands the mail over to be delivered. The site waits ten seconds at the most.
    ///
    /// # Errors
    ///
    /// When it cannot be handed over. The error is logged, so it contains neither the address nor the
    /// link.
    async fn send(&self, mail: Mail) -> Result<(), BoxError>;
}

/// Prints each mail to standard output, for a trial.
#[derive(Debug, Clone, Copy)]
pub struct Terminal;

#[async_trait::async_trait]
impl Mailer for Terminal {
    async fn send(&self, mail: Mail) -> Result<(), BoxError> {
        let Mail { to, subject, text } = mail;
        let mut output = std::io::stdout().lock();
        writeln!(
            output,
            "\nTo: {}\nSubject: {subject}\n\n{text}",
            to.as_str()
        )?;
        Ok(output.flush()?)
    }
}
