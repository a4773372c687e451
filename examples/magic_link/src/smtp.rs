//! Mail by SMTP.

use axum_clef::BoxError;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

use crate::{Mail, Mailer, mail::MAIL_LIMIT};

/// Hands mail to a mail server.
#[derive(Debug)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// A server, such as `smtps://name:password@mail.example.com`, and the sender, such as
    /// `The Reading Room <login@example.com>`.
    ///
    /// # Errors
    ///
    /// When one of the two is invalid.
    pub fn new(url: &str, from: &str) -> Result<Self, BoxError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?;
        Ok(Self {
            transport: transport.timeout(Some(MAIL_LIMIT)).build(),
            from: from.parse()?,
        })
    }
}

#[async_trait::async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: Mail) -> Result<(), BoxError> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, mail.to.as_str().parse()?))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)?;
        // The text of the error may have the address, so only its kind is kept.
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err("the mail server rejects the mail".into()),
            Err(error) if error.is_timeout() => Err("the mail server does not answer".into()),
            Err(_) => Err("the mail server does not take the mail".into()),
        }
    }
}
