//! Mail by SMTP, to a server on loopback that takes one mail.

use std::time::Duration;

use magic_link::{Address, Mail, Mailer as _, Smtp};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

fn mail(link: &str) -> Mail {
    Mail {
        to: Address::parse("alex@example.com").unwrap(),
        subject: "Log in".to_owned(),
        text: format!("Open this link:\n\n{link}\n"),
    }
}

#[tokio::test]
async fn a_mail_is_handed_to_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.split();
        let (mut lines, mut received) = (BufReader::new(reader).lines(), Vec::new());
        let (mut answer, mut is_text) = (Some("220 ready"), false);
        loop {
            if let Some(answer) = answer {
                writer
                    .write_all(format!("{answer}\r\n").as_bytes())
                    .await
                    .unwrap();
            }
            let Some(line) = lines.next_line().await.unwrap() else {
                return received;
            };
            is_text = is_text && line != ".";
            answer = match line.as_str() {
                _ if is_text => None,
                "DATA" => Some("354 go on"),
                "QUIT" => return received,
                _ => Some("250 fine"),
            };
            is_text = is_text || line == "DATA";
            received.push(line);
        }
    });
    let smtp = Smtp::new(&url, "The Reading Room <login@example.com>").unwrap();
    let link = "https://example.com/log-in/link?token=0123456789012345678901234567890123456789012";
    smtp.send(mail(link)).await.unwrap();
    drop(smtp);
    let received = tokio::time::timeout(Duration::from_secs(10), server).await;
    // Quoted-printable, as the mail program of the member reads it.
    let received = received.unwrap().unwrap().join("\n");
    let received = received.replace("=\n", "").replace("=3D", "=");
    for line in [
        "MAIL FROM:<login@example.com>",
        "RCPT TO:<alex@example.com>",
        "Subject: Log in",
        link,
    ] {
        let mut lines = received.lines();
        assert!(
            lines.any(|got| got.trim_end() == line),
            "{line}: {received}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_without_the_link() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let smtp = Smtp::new(&url, "login@example.com").unwrap();
    let error = smtp
        .send(mail("https://example.com/secret"))
        .await
        .unwrap_err();
    let error = format!("{error} {error:?}");
    assert!(
        !error.contains("secret") && !error.contains("alex"),
        "{error}"
    );
    for (url, from) in [
        ("imap://example.com", "login@example.com"),
        (&url, "no address"),
    ] {
        assert!(Smtp::new(url, from).is_err());
    }
}
