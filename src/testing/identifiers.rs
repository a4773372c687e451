//! Whom an identifier names, in a store that knows identifiers.

use super::{
    handle::Handles,
    rule::{Result, Rule},
    samples::{profile, random_subject},
};
use crate::{Profile, SubjectIdentifier};

/// A store may verify addresses itself, so it need not find a user whose provider has. It never finds
/// another one.
pub(super) async fn check_identifiers(handles: &Handles) -> Result {
    let rule = Rule::VerifiedEmailsIdentify;
    let Handles { one, other } = handles;
    let users_of = async |profile: &Profile| {
        let email = profile.email.clone().unwrap_or_default();
        let email = SubjectIdentifier::Email(email);
        other.users_of(profile.subject.issuer(), &email).await
    };
    let mut alex = profile(&random_subject());
    let expected = "no user for an address that no user has";
    let users = users_of(&alex).await?;
    rule.require(users.is_empty(), expected, format!("{users:?}"))?;
    let mut noor = profile(&random_subject());
    noor.email_verified = Some(true);
    one.find_or_create_with(&noor).await?;
    for verified in [None, Some(false), Some(true)] {
        alex.email_verified = verified;
        let id = one.find_or_create_with(&alex).await?.id;
        let users = users_of(&alex).await?;
        let may_find = verified == Some(true);
        rule.require(
            users.iter().all(|user| may_find && *user == id),
            format!("only users whose address is verified; that of {id:?}: {verified:?}"),
            format!("{users:?}"),
        )?;
    }
    Ok(())
}
